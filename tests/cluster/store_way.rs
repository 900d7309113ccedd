//! The way to PostgreSQL fails for one node, and the other goes on.

use std::time::Duration;

use super::crossing::PROMPT;
use super::ground::{Ground, Plan, TWO_NODES};
use super::health::{self, Health, Watcher};
use super::load::Load;
use super::rounds;
use super::support::{Client, Node, within};

const PLAN: Plan = Plan {
    store_way: true,
    flags: &["--store-timeout=1s"],
    ..TWO_NODES
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_is_cut_off_from_postgres() {
    let ground = Ground::new(PLAN);
    let load = Load::start(&ground).await;
    let other = Watcher::of(ground.ports()[1]);
    for _ in 0..rounds() {
        ground.store_way().cut();
        health::becomes(ground.node(0), Health::Red).await;
        load.is_refused_at(0).await;
        load.goes_on_at(1).await;
        ground.store_way().heal();
        health::becomes(ground.node(0), Health::Green).await;
        load.goes_on().await;
    }
    load.settle(&ground).await;
    assert_eq!(other.said(), [Health::Green].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_of_one_node_to_postgres_freezes() {
    let ground = Ground::new(PLAN);
    let load = Load::start(&ground).await;
    for _ in 0..rounds() {
        ground.store_way().freeze();
        health::becomes(ground.node(0), Health::Red).await;
        load.is_refused_at(0).await;
        // The other may have waited for rows that the first has locked, until PostgreSQL put an end to that.
        health::becomes(ground.node(1), Health::Green).await;
        load.goes_on_at(1).await;
        ground.store_way().heal();
        health::becomes(ground.node(0), Health::Green).await;
        load.goes_on().await;
    }
    load.settle(&ground).await;
}

/// No statement has run on any of its connections when they break, so that none is even prepared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_nobody_has_used_yet_is_cut_off_from_postgres() {
    let ground = Ground::new(Plan { nodes: 1, ..PLAN });
    let node = ground.node(0);
    ground.store_way().cut();
    ground.store_way().heal();
    health::becomes(node, Health::Green).await;
    let mut newcomer = Client::connect(node, "newcomer").await;
    assert!(newcomer.contacts().await.is_empty());
}

/// How often a node has said that it reaches the bus.
fn joinings(node: &Node) -> usize {
    node.log().matches("the bus is up").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_shows_a_gap_while_its_node_is_cut_off_catches_up_afterwards() {
    let ground = Ground::new(Plan {
        bus_way: true,
        ..PLAN
    });
    let node = ground.node(0);
    let mut bob = Client::connect(node, "bob").await;
    let mut ann = Client::connect(ground.node(1), "ann").await;
    for _ in 0..3 * rounds() {
        let joined = joinings(node);
        ground.bus_way().cut();
        ground.store_way().cut();
        let mut sent = vec![ann.deliver("bob", "lost").await];
        ground.bus_way().heal();
        within("the bus to be back", async {
            while joinings(node) == joined {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        sent.push(ann.deliver("bob", "a gap").await);
        health::becomes(node, Health::Red).await;
        ground.store_way().heal();
        bob.set_patience(PROMPT);
        for (id, text) in sent.iter().zip(["lost", "a gap"]) {
            bob.expect_message("ann", "bob", id, text).await;
        }
        health::becomes(node, Health::Green).await;
    }
    bob.assert_silent().await;
}
