//! A node is killed, or stands still, and its users go to the other.

use super::ground::{Ground, Plan, TWO_NODES};
use super::health::{self, Health};
use super::load::Load;
use super::rounds;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_killed_and_its_users_reconnect_to_the_other() {
    let ground = Ground::new(TWO_NODES);
    let load = Load::start(&ground).await;
    for _ in 0..rounds() {
        for node in ground.nodes() {
            node.kill9();
            load.goes_on().await;
            node.restart();
            health::becomes(node, Health::Green).await;
            load.goes_on().await;
        }
    }
    load.settle(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_lost_the_bus_is_killed_and_comes_back_without_it() {
    let ground = Ground::new(Plan {
        bus_way: true,
        ..TWO_NODES
    });
    let load = Load::start(&ground).await;
    for _ in 0..rounds() {
        ground.bus_way().freeze();
        load.goes_on().await;
        ground.node(0).kill9();
        load.goes_on().await;
        ground.node(0).restart();
        health::becomes(ground.node(0), Health::Degraded).await;
        load.goes_on().await;
        ground.bus_way().heal();
        health::becomes(ground.node(0), Health::Green).await;
        load.goes_on().await;
    }
    load.settle(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_stands_still_for_a_while_and_the_other_goes_on() {
    let ground = Ground::new(Plan {
        flags: &["--store-timeout=1s"],
        ..TWO_NODES
    });
    let load = Load::start(&ground).await;
    load.forgive_silence();
    for _ in 0..2 * rounds() {
        ground.node(0).signal("STOP");
        load.goes_on_at(1).await;
        ground.node(0).signal("CONT");
        load.goes_on().await;
    }
    load.settle(&ground).await;
}
