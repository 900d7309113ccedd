//! More letters from the other node than a node keeps for one user.

use std::time::Instant;

use super::crossing::PROMPT;
use super::ground::{Ground, Plan, TWO_NODES};
use super::load::Load;
use super::rounds;
use super::support::{Client, Node};

/// One letter for each user.
const PLAN: Plan = Plan {
    flags: &["--bus-buffer=1"],
    ..TWO_NODES
};

/// Messages in a burst.
const BURST: usize = 200;

/// Somebody who writes much at once, to somebody with two devices on the other node.
struct Torrent {
    sender: Client,
    recipients: [Client; 2],
}

impl Torrent {
    async fn new(here: &Node, there: &Node) -> Torrent {
        Torrent {
            sender: Client::connect(here, "torrent").await,
            recipients: [
                Client::connect(there, "shore").await,
                Client::connect(there, "shore").await,
            ],
        }
    }

    /// Sends a burst, and waits until all of it is stored.
    async fn pour(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < BURST {
            ids.extend(self.sender.ids().await);
        }
        for id in &ids {
            self.sender.message(id, "shore", "drop").await;
        }
        for id in &ids {
            self.sender.expect_status("shore", "torrent", id, 1).await;
        }
        ids
    }

    /// Everything arrives, once and in its order, faster than a regular comparison would find out.
    async fn arrives(&mut self, ids: &[String]) {
        let begin = Instant::now();
        for recipient in &mut self.recipients {
            for id in ids {
                recipient
                    .expect_message("torrent", "shore", id, "drop")
                    .await;
            }
        }
        let taken = begin.elapsed();
        assert!(taken < PROMPT, "a burst took {taken:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bursts_overrun_a_node_under_load() {
    let ground = Ground::new(PLAN);
    let load = Load::start(&ground).await;
    let mut torrent = Torrent::new(ground.node(0), ground.node(1)).await;
    for _ in 0..5 * rounds() {
        let ids = torrent.pour().await;
        torrent.arrives(&ids).await;
    }
    load.goes_on().await;
    load.settle(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_waits_for_a_node_that_stood_still() {
    let ground = Ground::new(PLAN);
    let mut torrent = Torrent::new(ground.node(0), ground.node(1)).await;
    for _ in 0..5 * rounds() {
        ground.node(1).signal("STOP");
        let ids = torrent.pour().await;
        ground.node(1).signal("CONT");
        torrent.arrives(&ids).await;
    }
}
