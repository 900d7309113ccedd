//! A device that sends while another one takes its place: what was stored of it, and what it heard.

use futures_util::future::join;

use super::flow::{Flow, id_of};
use super::observe::all_bytes_are_read;
use super::support::client::message_ids;
use super::support::{Client, Server, frames};

const USER: &str = "user";
const RECIPIENT: &str = "recipient";

/// The IDs that these frames acknowledge; any other frame is a failure, unless it is of `before`: what was stored
/// after this device had connected, for the one that it replaced, comes to it, too.
fn acknowledged(frames: &[String], before: &[String]) -> Vec<String> {
    let frames = frames.iter().filter_map(|text| {
        let frame = serde_json::from_str(text).expect("the server sends JSON");
        let id = id_of(&frame).to_owned();
        if before.contains(&id) {
            return None;
        }
        assert_eq!(*text, frames::status_text(RECIPIENT, USER, &id, 1));
        Some(id)
    });
    frames.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_when_another_device_took_its_place_is_acknowledged_before_the_close() {
    const ROUNDS: usize = 20;
    const MESSAGES: usize = 5;
    let server = Server::with(&["--max-devices", "1"]);
    // Devices are counted on each node by itself.
    let node = server.node(0);
    let mut sent = Vec::new();
    let mut old = Client::connect(node, USER).await;
    for round in 0..ROUNDS {
        let ids = old.ids().await;
        let ids = &ids[..MESSAGES];
        // While the lock is held, what comes first waits at the store, and the rest is the batch after it.
        let lock = server.database().lock_writing();
        let mut first = Client::open(node).await;
        first.send(frames::connect(&format!("first-{round}"))).await;
        all_bytes_are_read(node).await;
        for id in ids {
            old.message(id, RECIPIENT, "text").await;
        }
        all_bytes_are_read(node).await;
        let mut new = Client::open(node).await;
        new.send(frames::connect(USER)).await;
        all_bytes_are_read(node).await;
        lock.release();

        let (frames, code) = old.read_until_close().await;
        assert_eq!(code, 4409, "round {round}");
        new.expect(&frames::connected_text(USER)).await;
        new.speak_as(USER);
        let page = new.history(Some(RECIPIENT), None, Some(5)).await;
        assert_eq!(message_ids(&page), ids, "round {round}: all were stored");
        assert_eq!(acknowledged(&frames, &sent), ids, "round {round}");
        sent.extend_from_slice(ids);
        old = new;
    }
    let mut recipient = Client::connect(&server, RECIPIENT).await;
    for id in &sent {
        recipient.expect_message(USER, RECIPIENT, id, "text").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_sends_while_it_is_replaced_can_be_sent_again_and_is_stored_once() {
    const ROUNDS: usize = 20;
    const MESSAGES: usize = 50;
    let server = Server::with(&["--max-devices", "1"]);
    // Devices are counted on each node by itself.
    let node = server.node(0);
    let mut granted = Flow::connect(node, USER).await;
    let ids = granted.ids(ROUNDS * MESSAGES).await;
    drop(granted);
    let mut acked = 0;
    for ids in ids.chunks(MESSAGES).take(ROUNDS) {
        let mut old = Flow::connect(node, USER).await;
        let messages = async {
            for id in ids {
                // It may be closed at any time, and then the rest is not sent.
                let message = frames::message(USER, RECIPIENT, id, "text");
                if !old.send(&message).await {
                    break;
                }
            }
        };
        let ((), mut new) = join(messages, Flow::connect(node, USER)).await;
        let mut heard = Vec::new();
        while let Some(frame) = old.next().await {
            assert_eq!(frame["action"], "4", "{frame}");
            heard.push(id_of(&frame).to_owned());
        }
        assert_eq!(heard, ids[..heard.len()], "acknowledged in their order");
        let history = new.history_since(RECIPIENT, None).await;
        let stored: Vec<&str> = history.iter().map(id_of).collect();
        for id in &heard {
            assert!(stored.contains(&&**id), "{id} was acknowledged and is lost");
        }
        acked += heard.len();
        for id in ids {
            assert!(
                new.send(&frames::message(USER, RECIPIENT, id, "text"))
                    .await
            );
        }
        for id in ids {
            assert_eq!(id_of(&new.answer("4").await), id);
        }
    }
    assert!(acked > 0, "no device was replaced amid its messages");
    let mut last = Flow::connect(node, USER).await;
    let history = last.history_since(RECIPIENT, None).await;
    let stored: Vec<&str> = history.iter().map(id_of).collect();
    let mut distinct = stored.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(stored.len(), ROUNDS * MESSAGES);
    assert_eq!(distinct.len(), stored.len(), "each is stored once");
}
