//! NATS is killed, or out of reach for one node.

use std::time::{Duration, Instant};

use super::crossing::{far_and_prompt, far_by_comparison, near};
use super::ground::{Ground, Plan, TWO_NODES};
use super::health::{self, Health, Watcher};
use super::load::Load;
use super::rounds;
use super::support::{Nats, Proxy};

/// How long the bus is cut.
const OUTAGE: Duration = Duration::from_secs(10);

/// One that reaches the others now and then, and always serves.
fn assert_always_served(watcher: &Watcher) {
    let fine = [Health::Green, Health::Degraded].into();
    let said = watcher.said();
    assert!(said.is_subset(&fine), "the health check said {said:?}");
}

async fn no_node_reaches_another(begin: impl Fn(&Nats), end: impl Fn(&Nats)) {
    let ground = Ground::new(Plan {
        own_nats: true,
        ..TWO_NODES
    });
    let load = Load::start(&ground).await;
    let watchers = [0, 1].map(|node| Watcher::of(ground.ports()[node]));
    let (one, other) = (ground.node(0), ground.node(1));
    for _ in 0..rounds() {
        far_and_prompt(one, other).await;
        begin(ground.nats());
        for node in ground.nodes() {
            health::becomes(node, Health::Degraded).await;
            near(node).await;
        }
        far_by_comparison(one, other).await;
        load.goes_on().await;
        end(ground.nats());
        for node in ground.nodes() {
            health::becomes(node, Health::Green).await;
        }
        far_and_prompt(one, other).await;
        load.goes_on().await;
    }
    load.settle(&ground).await;
    watchers.iter().for_each(assert_always_served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_is_killed_and_comes_back() {
    no_node_reaches_another(Nats::kill9, Nats::restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_freezes_and_thaws() {
    no_node_reaches_another(Nats::pause, Nats::resume).await;
}

async fn one_node_loses_the_bus_for_ten_seconds(begin: impl Fn(&Proxy)) {
    let ground = Ground::new(Plan {
        bus_way: true,
        ..TWO_NODES
    });
    let load = Load::start(&ground).await;
    let cut_off = Watcher::of(ground.ports()[0]);
    let other = Watcher::of(ground.ports()[1]);
    for _ in 0..rounds() {
        begin(ground.bus_way());
        let begun = Instant::now();
        health::becomes(ground.node(0), Health::Degraded).await;
        near(ground.node(0)).await;
        while begun.elapsed() < OUTAGE {
            load.goes_on().await;
        }
        ground.bus_way().heal();
        health::becomes(ground.node(0), Health::Green).await;
        far_and_prompt(ground.node(0), ground.node(1)).await;
        load.goes_on().await;
    }
    load.settle(&ground).await;
    assert_always_served(&cut_off);
    assert_eq!(other.said(), [Health::Green].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_is_cut_for_ten_seconds_for_one_node() {
    one_node_loses_the_bus_for_ten_seconds(Proxy::cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_is_frozen_for_ten_seconds_for_one_node() {
    one_node_loses_the_bus_for_ten_seconds(Proxy::freeze).await;
}
