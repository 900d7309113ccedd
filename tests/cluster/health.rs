//! What the health check says, at one moment or all the time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::support::{Node, http};

/// What the health check can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// The node can serve, and reaches the others.
    Green,
    /// It can serve, and does not reach the others.
    Degraded,
    /// The store does not answer.
    Red,
}

/// How long a change may take to show.
const PATIENCE: Duration = Duration::from_secs(30);

async fn ask(port: u16) -> Health {
    let response = http::get_at(port, "/health").await;
    let said: Value = serde_json::from_str(&response.body).expect("the health is JSON");
    match response.status {
        200 if said == json!({"status": "ok"}) => Health::Green,
        200 if said == json!({"status": "ok", "degraded": ["bus"]}) => Health::Degraded,
        503 if said == json!({"status": "unavailable", "reasons": ["store"]}) => Health::Red,
        status => panic!("the health check said {status} {said}"),
    }
}

/// Waits until the health check says this.
pub async fn becomes(node: &Node, wanted: Health) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = ask(node.port()).await;
        if said == wanted {
            return;
        }
        let url = node.url();
        assert!(
            Instant::now() < deadline,
            "{url} says {said:?} and not {wanted:?} after {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Somebody who asks all the time, like a load balancer.
pub struct Watcher {
    said: Arc<Mutex<BTreeSet<Health>>>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Watches a node that stays where it is.
    pub fn of(port: u16) -> Watcher {
        let said = Arc::<Mutex<BTreeSet<Health>>>::default();
        let heard = Arc::clone(&said);
        let task = tokio::spawn(async move {
            loop {
                let said = ask(port).await;
                heard.lock().expect("no test panicked").insert(said);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Watcher { said, task }
    }

    /// Everything that the health check has ever said.
    pub fn said(&self) -> BTreeSet<Health> {
        assert!(
            !self.task.is_finished(),
            "the health check was not answered"
        );
        self.said.lock().expect("no watcher panicked").clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}
