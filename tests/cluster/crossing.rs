//! Somebody on one node writes to somebody on the same node or another, who reads it: everything that such a message
//! causes, on every device.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::support::{Client, Node};

/// What takes the bus takes less than this, and far less than a comparison with the store.
pub const PROMPT: Duration = Duration::from_secs(5);

/// What takes a comparison with the store takes less than this: ten seconds, the grace of what may still be on its
/// way, and something for a busy machine.
pub const BY_COMPARISON: Duration = Duration::from_secs(15);

/// Two users who are new to the server.
pub struct Pair {
    sender: Client,
    /// Another device of the sender, where the recipient is.
    mirror: Client,
    recipient: Client,
}

impl Pair {
    /// The sender on one node, the recipient and the sender's other device on the other.
    pub async fn meet(here: &Node, there: &Node) -> Pair {
        static PAIRS: AtomicUsize = AtomicUsize::new(0);
        let number = PAIRS.fetch_add(1, Ordering::Relaxed);
        let sender = format!("writer-{number}");
        Pair {
            sender: Client::connect(here, &sender).await,
            mirror: Client::connect(there, &sender).await,
            recipient: Client::connect(there, &format!("reader-{number}")).await,
        }
    }

    /// One message and its reading: each step must be seen by everybody it concerns within `bound`.
    pub async fn write_and_read(&mut self, bound: Duration) {
        for client in [&mut self.sender, &mut self.mirror, &mut self.recipient] {
            client.set_patience(bound);
        }
        let (from, to) = (
            self.sender.user().to_owned(),
            self.recipient.user().to_owned(),
        );
        let id = self.sender.deliver(&to, "how are you?").await;
        self.recipient
            .expect_message(&from, &to, &id, "how are you?")
            .await;
        self.mirror
            .expect_message(&from, &to, &id, "how are you?")
            .await;
        self.mirror.expect_status(&to, &from, &id, 1).await;
        self.recipient.read(&id, &from).await;
        self.mirror.expect_status(&to, &from, &id, 2).await;
        self.sender.expect_status(&to, &from, &id, 2).await;
    }
}

/// Two users of one node, who must not notice that others are out of reach.
pub async fn near(node: &Node) {
    let mut pair = Pair::meet(node, node).await;
    pair.write_and_read(PROMPT).await;
}

/// Both ways between two nodes, several times in a row, faster than any comparison.
pub async fn far_and_prompt(one: &Node, other: &Node) {
    for (here, there) in [(one, other), (other, one)] {
        let mut pair = Pair::meet(here, there).await;
        let begin = Instant::now();
        for _ in 0..3 {
            pair.write_and_read(PROMPT).await;
        }
        let taken = begin.elapsed();
        assert!(taken < PROMPT, "three messages and readings took {taken:?}");
    }
}

/// Both ways between two nodes that do not reach each other.
pub async fn far_by_comparison(one: &Node, other: &Node) {
    let mut pairs = [Pair::meet(one, other).await, Pair::meet(other, one).await];
    let [there, back] = &mut pairs;
    tokio::join!(
        there.write_and_read(BY_COMPARISON),
        back.write_and_read(BY_COMPARISON)
    );
}
