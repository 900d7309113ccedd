//! The disk is full: the server can read its database and can write nothing more.

use std::time::Duration;

use serde_json::Value;
use tokio::time::interval;

use super::flow::{Flow, id_of, text_of};
use super::store_failure::{assert_storage_unavailable, health_becomes};
use super::support::{Client, Mode, Server, frames, http, only_on};

const SENDER: &str = "sender";
const RECIPIENT: &str = "recipient";

/// 400 KiB: room for the tables and for a dozen messages, and less than makes SQLite tidy up its journal.
const BLOCKS: u32 = 800;

/// Long texts, so that the disk is full after a few.
const TEXT_BYTES: usize = 30_000;

/// How often, and how many times, the health is asked for: longer than the server's own retries take.
const PACE: Duration = Duration::from_millis(300);
const TIMES: usize = 15;

fn text(id: &str) -> String {
    format!("{id}{}", "x".repeat(TEXT_BYTES))
}

/// Sends the messages one by one; returns those that were acknowledged and those that were refused.
async fn send_all(sender: &mut Client, ids: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut acked, mut refused) = (Vec::new(), Vec::new());
    for id in ids {
        sender.message(id, RECIPIENT, &text(id)).await;
        let answer = sender.next().await;
        assert_eq!(id_of(&answer), id, "{answer}");
        if answer["action"] == "4" {
            assert_eq!(answer["chatMsg"]["status"], 1, "{answer}");
            acked.push(id.clone());
        } else {
            assert_storage_unavailable(&answer, "3");
            refused.push(id.clone());
        }
    }
    (acked, refused)
}

/// Asks for IDs, which takes a single page of the disk at a time, until none is left.
async fn use_up_the_rest(sender: &mut Client) {
    let mut refused_in_a_row = 0;
    while refused_in_a_row < 5 {
        sender.send(frames::get_ids(SENDER)).await;
        let answer = sender.next().await;
        if answer["action"] == "2" {
            refused_in_a_row = 0;
        } else {
            assert_storage_unavailable(&answer, "2");
            refused_in_a_row += 1;
        }
    }
}

/// The IDs of a history, each of which must be there once and with its own text.
fn checked_ids(history: &[Value]) -> Vec<String> {
    let ids = history.iter().map(|message| id_of(message).to_owned());
    let ids: Vec<String> = ids.collect();
    for (id, message) in ids.iter().zip(history) {
        assert_eq!(text_of(message), text(id), "{id} has the text of another");
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_a_red_health_check_that_stays_red_and_loses_nothing() {
    if !only_on(&[Mode::Sqlite], "it is about the server's own file") {
        return;
    }
    let mut server = Server::with_file_limit(BLOCKS, &[]);
    let mut sender = Client::connect(&server, SENDER).await;
    let mut recipient = Client::connect(&server, RECIPIENT).await;
    let mut ids = Vec::new();
    while ids.len() < 40 {
        ids.extend(sender.ids().await);
    }
    let (acked, refused) = send_all(&mut sender, &ids).await;
    assert!(!acked.is_empty(), "there was room for some");
    assert!(!refused.is_empty(), "and not for all");
    for id in &acked {
        recipient
            .expect_message(SENDER, RECIPIENT, id, &text(id))
            .await;
    }
    use_up_the_rest(&mut sender).await;
    health_becomes(&server, 503).await;

    // Neither what is read nor a connect that changes nothing says that the disk has room.
    let mut pace = interval(PACE);
    for number in 0..TIMES {
        pace.tick().await;
        let page = sender.history(Some(RECIPIENT), None, Some(1)).await;
        assert_eq!(page.len(), 1, "history is read as ever");
        Client::connect(&server, SENDER).await.close().await;
        let health = http::get(&server, "/health").await;
        assert_eq!(health.status, 503, "at look {number}: {}", health.body);
        assert!(health.body.contains(r#"["store"]"#), "{}", health.body);
    }
    let (more, still_refused) = send_all(&mut sender, &refused[..1]).await;
    assert!(more.is_empty(), "what is refused stays refused");
    assert_eq!(still_refused, refused[..1]);
    recipient.assert_silent().await;

    server.restart_without_file_limit();
    assert_eq!(health_becomes(&server, 200).await["status"], "ok");
    let mut sender = Flow::connect(&server, SENDER).await;
    let stored = checked_ids(&sender.history_since(RECIPIENT, None).await);
    assert!(
        acked.iter().all(|id| stored.contains(id)),
        "acknowledged: {acked:?}, stored: {stored:?}"
    );
    for id in &refused {
        let message = frames::message(SENDER, RECIPIENT, id, &text(id));
        assert!(sender.send(&message).await, "the connection holds");
        let answer = sender.answer("4").await;
        assert_eq!(
            (id_of(&answer), &answer["chatMsg"]["status"]),
            (&**id, &1.into())
        );
    }
    let mut stored = checked_ids(&sender.history_since(RECIPIENT, None).await);
    stored.sort_unstable();
    ids.sort_unstable();
    assert_eq!(stored, ids, "each message is stored once");
}
