//! PostgreSQL is killed, or stops in its tracks, below all nodes.

use std::time::{Duration, Instant};

use rand::Rng;

use super::ground::{Ground, Plan, TWO_NODES};
use super::health::{self, Health};
use super::load::{BOUND, Load, PAGE_BOUND};
use super::rounds;
use super::support::{Client, Node, Postgres, frames};

/// A server that soon gives up on a store that hangs.
const PLAN: Plan = Plan {
    own_postgres: true,
    flags: &["--store-timeout=1s"],
    ..TWO_NODES
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    Killed,
    Frozen,
}

impl Outage {
    fn begin(self, postgres: &Postgres) {
        match self {
            Outage::Killed => postgres.kill9(),
            Outage::Frozen => postgres.pause(),
        }
    }

    fn end(self, postgres: &Postgres) {
        match self {
            Outage::Killed => postgres.restart(),
            Outage::Frozen => postgres.resume(),
        }
    }
}

/// Who connects while the store is down is told so, and the connection stays for another try.
pub async fn newcomer_is_refused(node: &Node) {
    let mut newcomer = Client::open(node).await;
    newcomer.set_patience(BOUND);
    for _ in 0..2 {
        newcomer.send(frames::connect("newcomer")).await;
        newcomer.expect_error("storage_unavailable").await;
    }
}

/// Somebody who was connected before the store went down.
struct Witness(Client);

impl Witness {
    async fn new(node: &Node) -> Witness {
        let mut client = Client::connect(node, "witness").await;
        client.set_patience(PAGE_BOUND);
        Witness(client)
    }

    /// Whatever they ask for is refused, and each refusal names what was asked.
    async fn is_refused_everything(&mut self) {
        let me = "witness";
        let id = "MSG000001";
        for (action, request) in [
            ("2", frames::get_ids(me)),
            ("3", frames::message(me, me, id, "text")),
            ("4", frames::read(me, me, id)),
            ("11", frames::contacts(me)),
            ("12", frames::history(me, None, None, None)),
        ] {
            self.0.send(request).await;
            let error = self.0.expect_error("storage_unavailable").await;
            assert_eq!(error["error"]["action"], action, "{error}");
        }
    }

    async fn is_served(&mut self) {
        assert!(self.0.history(None, None, None).await.is_empty());
        assert_eq!(self.0.ids().await.len(), 10);
    }
}

async fn everybody_goes_through(outage: Outage, nodes: usize) {
    let ground = Ground::new(Plan { nodes, ..PLAN });
    let load = Load::start(&ground).await;
    let mut witness = Witness::new(ground.node(nodes - 1)).await;
    for _ in 0..rounds() {
        outage.begin(ground.postgres());
        for (node, number) in ground.nodes().iter().zip(0..) {
            health::becomes(node, Health::Red).await;
            newcomer_is_refused(node).await;
            load.is_refused_at(number).await;
        }
        witness.is_refused_everything().await;
        outage.end(ground.postgres());
        for node in ground.nodes() {
            health::becomes(node, Health::Green).await;
        }
        witness.is_served().await;
        load.goes_on().await;
    }
    load.settle(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_below_one_node() {
    everybody_goes_through(Outage::Killed, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_below_two_nodes() {
    everybody_goes_through(Outage::Killed, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_frozen_below_one_node() {
    everybody_goes_through(Outage::Frozen, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_frozen_below_two_nodes() {
    everybody_goes_through(Outage::Frozen, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_and_restarted_at_once_again_and_again_at_any_moment() {
    let ground = Ground::new(PLAN);
    let load = Load::start(&ground).await;
    for _ in 0..3 * rounds() {
        // Nothing is waited for: the moment of death is meant to be any.
        let after = rand::rng().random_range(0..500);
        tokio::time::sleep(Duration::from_millis(after)).await;
        ground.postgres().kill9();
        ground.postgres().restart();
        load.goes_on().await;
    }
    load.settle(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_stops_in_order_although_its_store_hangs() {
    let ground = Ground::new(PLAN);
    let load = Load::start(&ground).await;
    ground.postgres().pause();
    health::becomes(ground.node(0), Health::Red).await;
    load.is_refused_at(0).await;
    let begin = Instant::now();
    let ended = ground.node(0).terminate().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let taken = begin.elapsed();
    assert!(taken < BOUND, "it took {taken:?}");
    ground.postgres().resume();
    ground.node(0).restart();
    load.goes_on().await;
    load.settle(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_was_killed_below_a_node_that_nobody_has_asked_for_anything_and_it_heals_all_the_same()
 {
    let ground = Ground::new(Plan {
        nodes: 1,
        own_postgres: true,
        ..TWO_NODES
    });
    let node = ground.node(0);
    // Before it was ever asked for its health: a statement that fails while it is prepared is another case.
    ground.postgres().kill9();
    ground.postgres().restart();
    health::becomes(node, Health::Green).await;
    let mut ann = Client::connect(node, "ann").await;
    assert_eq!(ann.contacts().await, []);
}
