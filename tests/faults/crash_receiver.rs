//! The recipient of a pair, while the load runs.

use std::collections::HashSet;

use serde_json::Value;
use tokio::sync::oneshot;

use super::flow::{Flow, id_of};
use super::support::mode::mode;
use super::support::{Mode, frames};

/// Takes messages, and reads every third of them, until the server is gone or it is told to stop. Returns their IDs
/// in order.
pub async fn receive_until_gone(
    mut flow: Flow,
    sender: String,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<String> {
    let mut received = Vec::new();
    let mut distinct = HashSet::new();
    loop {
        let next = tokio::select! {
            next = flow.next() => next,
            Ok(()) = &mut stopped => None,
        };
        let Some(frame) = next else {
            return received;
        };
        if is_of_a_killed_store(&frame) {
            continue;
        }
        assert_eq!(
            frame["action"],
            "3",
            "{}: unexpected under load: {frame}",
            flow.user()
        );
        let id = id_of(&frame).to_owned();
        assert!(
            distinct.insert(id.clone()),
            "{} got {id} twice on one connection",
            flow.user()
        );
        if received.len() % 3 == 0 {
            flow.send(&frames::read(flow.user(), &sender, &id)).await;
        }
        received.push(id);
    }
}

/// Whether it says that the store fails, where a test may kill that.
pub fn is_of_a_killed_store(frame: &Value) -> bool {
    mode() != Mode::Sqlite && frame["error"]["code"] == "storage_unavailable"
}
