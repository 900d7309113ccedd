//! Both nodes are stopped in order and started again, one after the other.

use std::time::Instant;

use super::ground::{Ground, Plan, TWO_NODES};
use super::health::{self, Health};
use super::load::{BOUND, Load};
use super::record::End;
use super::rounds;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_nodes_are_restarted_one_after_the_other() {
    let ground = Ground::new(TWO_NODES);
    let load = Load::start(&ground).await;
    for _ in 0..rounds() {
        for node in ground.nodes() {
            let ended = node.terminate().await;
            assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
            load.goes_on().await;
            node.restart();
            health::becomes(node, Health::Green).await;
            load.goes_on().await;
        }
    }
    let broken = load.connections(|connection| connection.end == Some(End::Broken));
    assert_eq!(broken, 0, "connections ended without a goodbye");
    let goodbyes = load.connections(|connection| connection.end == Some(End::Closed(1001)));
    assert!(goodbyes > 0, "nobody was on the nodes that stopped");
    load.settle(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_stops_in_order_although_the_bus_hangs() {
    let ground = Ground::new(Plan {
        bus_way: true,
        ..TWO_NODES
    });
    let load = Load::start(&ground).await;
    ground.bus_way().freeze();
    load.goes_on().await;
    let begin = Instant::now();
    let ended = ground.node(0).terminate().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let taken = begin.elapsed();
    assert!(taken < BOUND, "it took {taken:?}");
    load.goes_on().await;
    ground.node(0).respawn();
    ground.bus_way().heal();
    ground.node(0).wait_until_ready();
    load.goes_on().await;
    load.settle(&ground).await;
}
