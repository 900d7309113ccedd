//! The store fails while the server serves: another process holds the lock that writing takes.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::flow::id_of;
use super::observe::all_bytes_are_read;
use super::support::client::message_ids;
use super::support::{Client, DEADLINE, Place, Server, frames, http};

const SENDER: &str = "sender";
const RECIPIENT: &str = "recipient";

/// Asks for the health until it has this status code, and returns the body.
pub async fn health_becomes(place: &impl Place, status: u16) -> Value {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let response = http::get(place, "/health").await;
        if response.status == status {
            return serde_json::from_str(&response.body).expect("the health is JSON");
        }
        assert!(
            Instant::now() < deadline,
            "the health stays {} instead of {status}",
            response.status
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Fails unless the frame is the error that a failing store deserves, for a request of this action.
pub fn assert_storage_unavailable(frame: &Value, action: &str) {
    assert_eq!(frame["action"], "0", "{frame}");
    assert_eq!(frame["error"]["code"], "storage_unavailable", "{frame}");
    assert_eq!(frame["error"]["retryable"], true, "{frame}");
    assert_eq!(frame["error"]["action"], action, "{frame}");
}

/// Takes the next frame: the answer to a request of this action, or the error of a failing store.
async fn answer_or_error(client: &mut Client, action: &str) {
    let frame = client.next().await;
    if frame["action"] != action {
        assert_storage_unavailable(&frame, action);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_fails_everything_is_an_error_and_then_it_heals_by_itself() {
    let server = Server::with(&["--store-timeout", "300ms"]);
    let mut sender = Client::connect(&server, SENDER).await;
    let mut recipient = Client::connect(&server, RECIPIENT).await;
    let first = sender.deliver(RECIPIENT, "before").await;
    recipient
        .expect_message(SENDER, RECIPIENT, &first, "before")
        .await;
    let ids = [sender.ids().await, sender.ids().await].concat();
    assert_eq!(health_becomes(&server, 200).await["status"], "ok");

    let lock = server.database().lock_writing();
    for id in &ids {
        sender.message(id, RECIPIENT, "meanwhile").await;
    }
    for id in &ids {
        let error = sender.next().await;
        assert_storage_unavailable(&error, "3");
        assert_eq!(
            id_of(&error),
            id,
            "errors come in the order of the messages"
        );
    }
    let health = health_becomes(&server, 503).await;
    assert_eq!(health["status"], "unavailable");
    assert_eq!(health["reasons"], serde_json::json!(["store"]));

    // Whatever else is asked for gets an answer or an error, and nothing hangs.
    recipient.read(&first, SENDER).await;
    assert_storage_unavailable(&recipient.next().await, "4");
    for (action, request) in [
        ("2", frames::get_ids(SENDER)),
        ("11", frames::contacts(SENDER)),
        ("12", frames::history(SENDER, Some(RECIPIENT), None, None)),
    ] {
        sender.send(request).await;
        answer_or_error(&mut sender, action).await;
    }
    let mut newcomer = Client::open(&server).await;
    newcomer.send(frames::connect("newcomer")).await;
    answer_or_error(&mut newcomer, "1").await;
    sender.message(&ids[0], RECIPIENT, "meanwhile").await;
    assert_storage_unavailable(&sender.next().await, "3");

    lock.release();
    assert_eq!(health_becomes(&server, 200).await["status"], "ok");
    for id in &ids {
        sender.message(id, RECIPIENT, "meanwhile").await;
        sender.expect_status(RECIPIENT, SENDER, id, 1).await;
    }
    let history = sender.history(Some(RECIPIENT), None, Some(100)).await;
    let stored = message_ids(&history);
    assert_eq!(stored.len(), 1 + ids.len(), "each message once: {stored:?}");
    assert!(
        ids.iter().all(|id| stored.contains(id)),
        "each message once: {stored:?}"
    );
    for id in &stored[1..] {
        recipient
            .expect_message(SENDER, RECIPIENT, id, "meanwhile")
            .await;
    }
    recipient.assert_silent().await;
    recipient.read(&first, SENDER).await;
    sender.expect_status(RECIPIENT, SENDER, &first, 2).await;
    Client::connect(&server, "newcomer")
        .await
        .assert_silent()
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_slow_for_a_moment_is_no_error() {
    let server = Server::start();
    let mut sender = Client::connect(&server, SENDER).await;
    let mut recipient = Client::connect(&server, RECIPIENT).await;
    let ids = sender.ids().await;

    let lock = server.database().lock_writing();
    for id in &ids {
        sender.message(id, RECIPIENT, "patience").await;
    }
    all_bytes_are_read(&server).await;
    lock.release();
    for id in &ids {
        sender.expect_status(RECIPIENT, SENDER, id, 1).await;
        recipient
            .expect_message(SENDER, RECIPIENT, id, "patience")
            .await;
    }
}
