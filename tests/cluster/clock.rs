//! The clock of a node is set, back and forth.

use std::collections::VecDeque;
use std::time::SystemTime;

use time::OffsetDateTime;

use super::disk::ON_A_FILE;
use super::ground::{Ground, Plan};
use super::health::{self, Health};
use super::load::Load;
use super::rounds;
use super::support::{Client, Node, frames};

const DAY: i64 = 24 * 3600;

/// How far ahead the clock is, one after the other.
const JUMPS: [i64; 4] = [-DAY, 0, DAY, 0];

/// The shortest time for which messages are kept.
const PLAN: Plan = Plan {
    flags: &["--retain=31d"],
    ..ON_A_FILE
};

/// Somebody with a stock of IDs, who says at each time what the time is.
struct Witness {
    ids: VecDeque<String>,
    sent: Vec<String>,
}

impl Witness {
    async fn new(node: &Node) -> Witness {
        let mut client = Client::connect(node, "witness").await;
        let mut ids = VecDeque::new();
        while (ids.len() as u64) < JUMPS.len() as u64 * rounds() {
            ids.extend(client.ids().await);
        }
        let sent = Vec::new();
        Witness { ids, sent }
    }

    /// Their next ID is good, the server fills in the day that it has, and history is in the order of sending.
    async fn is_served(&mut self, node: &Node, offset: i64) {
        let id = self.ids.pop_front().expect("there are enough");
        let mut client = Client::connect(node, "witness").await;
        let mut message = frames::message("witness", "archive", &id, "what is the time?");
        let content = message["chatMsg"].as_object_mut();
        content.expect("it is one").remove("time");
        let before = day(offset);
        client.send(message).await;
        client.expect_status("archive", "witness", &id, 1).await;
        self.sent.push(id);

        let history = client.history(Some("archive"), None, Some(100)).await;
        let kept = history.iter().map(|kept| kept["chatMsg"]["id"].as_str());
        let sent = self.sent.iter().map(|id| Some(id.as_str()));
        assert!(kept.eq(sent), "{history:?} is in another order");
        let last = history.last().expect("one at least");
        let time = last["chatMsg"]["time"].as_str().expect("a text");
        assert!(
            time.starts_with(&before) || time.starts_with(&day(offset)),
            "{time} is on another day than {before}"
        );
    }
}

/// The day by a clock that is wrong by so much.
fn day(offset: i64) -> String {
    let now = OffsetDateTime::from(SystemTime::now()) + time::Duration::seconds(offset);
    now.date().to_string()
}

/// Under load the clock jumps, and each time the node is killed and looks, as it does at its start, for what is too
/// old to be kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_is_set_back_a_day_and_forward_a_day() {
    let ground = Ground::new(PLAN);
    let node = ground.node(0);
    let load = Load::start(&ground).await;
    let mut witness = Witness::new(node).await;
    for _ in 0..rounds() {
        for offset in JUMPS {
            ground.shim().order_clock_offset(offset);
            load.goes_on().await;
            witness.is_served(node, offset).await;
            health::becomes(node, Health::Green).await;
            node.restart();
        }
    }
    load.goes_on().await;
    load.settle(&ground).await;
}
