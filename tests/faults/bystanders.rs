//! Two users who have nothing to do with the trouble, and must not notice it.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::support::{Client, Server, within, within_time};

/// A pause between the round trips of [`Bystanders`]: they are there to measure the server, not to load it.
const PACE: Duration = Duration::from_millis(5);

/// How long the bystanders may take to show progress, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Alice and Bob, who write to each other.
pub struct Pair {
    alice: Client,
    bob: Client,
    ids: Vec<String>,
    count: u64,
}

impl Pair {
    /// Connects both.
    pub async fn connect(server: &Server) -> Pair {
        let alice = Client::connect(server, "bystander-alice").await;
        let bob = Client::connect(server, "bystander-bob").await;
        Pair {
            alice,
            bob,
            ids: Vec::new(),
            count: 0,
        }
    }

    /// Alice writes, Bob gets it and reads it, Alice learns of both; and nothing else comes to either.
    pub async fn round_trip(&mut self) {
        if self.ids.is_empty() {
            self.ids = self.alice.ids().await;
        }
        let id = self.ids.pop().expect("ten IDs were granted");
        let (alice, bob) = (self.alice.user().to_owned(), self.bob.user().to_owned());
        let text = format!("round trip {}", self.count);
        self.alice.message(&id, &bob, &text).await;
        self.bob.expect_message(&alice, &bob, &id, &text).await;
        self.alice.expect_status(&bob, &alice, &id, 1).await;
        self.bob.read(&id, &alice).await;
        self.alice.expect_status(&bob, &alice, &id, 2).await;
        self.count += 1;
    }
}

/// A [`Pair`] that makes one round trip after another in the background.
///
/// Each of them must succeed within the usual deadline.
pub struct Bystanders {
    count: watch::Receiver<u64>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Bystanders {
    /// Connects both, and returns after their first round trip.
    pub async fn start(server: &Server) -> Bystanders {
        let mut pair = Pair::connect(server).await;
        pair.round_trip().await;
        let (report, count) = watch::channel(pair.count);
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut pace = interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                pace.tick().await;
                pair.round_trip().await;
                report.send_replace(pair.count);
            }
        });
        Bystanders { count, stop, task }
    }

    /// Waits for so many more round trips.
    pub async fn make_progress(&mut self, round_trips: u64) {
        let target = *self.count.borrow() + round_trips;
        let what = format!("{round_trips} more round trips of the bystanders");
        within_time(
            PATIENCE,
            &what,
            self.count.wait_for(|count| *count >= target),
        )
        .await
        .expect("no round trip of the bystanders failed");
    }

    /// How many round trips there were so far.
    pub fn count(&self) -> u64 {
        *self.count.borrow()
    }

    /// Ends the exchange, and fails if any round trip failed.
    pub async fn stop(self) {
        // It fails if the task has ended already, and then the join says why.
        let _ = self.stop.send(());
        within("the bystanders' last round trip", self.task)
            .await
            .expect("no round trip of the bystanders failed");
    }
}
