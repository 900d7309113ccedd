//! A device that fell behind and reads again: what it is owed, and what it is not.

use crate::common::many_ids;
use crate::support::client::{Client, split_ids};
use crate::support::frames;
use crate::support::raw::RawClient;
use crate::support::server::Server;
use serde_json::Value;

/// So many messages of so many bytes are more than the socket's buffers and the server's window.
const MESSAGES: usize = 300;
const BYTES: usize = 8 * 1024;

/// Sends messages to HK0001 until a device of theirs that does not read must be behind.
pub async fn flood(server: &Server) -> Vec<String> {
    let mut sender = Client::connect(server, "HK0002").await;
    let ids = many_ids(&mut sender, MESSAGES).await;
    for id in &ids {
        sender.message(id, "HK0001", &"x".repeat(BYTES)).await;
        sender.expect_status("HK0001", "HK0002", id, 1).await;
    }
    ids
}

/// Reads until so many messages from HK0002 came; returns their IDs, and all statuses by ID.
async fn read_all(device: &mut RawClient, messages: usize) -> (Vec<String>, Vec<(String, i64)>) {
    let (mut came, mut statuses) = (Vec::new(), Vec::new());
    while came.len() < messages {
        let frame: Value = serde_json::from_str(&device.next_text().await).expect("JSON");
        let id = frame["chatMsg"]["id"].as_str().expect("an ID").to_owned();
        match frame["action"].as_str() {
            Some("3") => {
                assert_eq!(
                    frame["fromId"], "HK0002",
                    "one's own message came back: {frame}"
                );
                came.push(id);
            }
            Some("4") => statuses.push((id, frame["chatMsg"]["status"].as_i64().expect("one"))),
            _ => panic!("unexpected: {frame}"),
        }
    }
    (came, statuses)
}

#[tokio::test]
async fn what_a_device_sends_while_it_is_behind_is_acknowledged_once_and_does_not_come_back() {
    let server = Server::start();
    let mut partner = Client::connect(&server, "HK0003").await;
    let mut behind = RawClient::connect_with_receive_buffer(&server, "HK0001", 8 * 1024).await;
    behind
        .send_text(&frames::get_ids("HK0001").to_string())
        .await;
    let own = split_ids(&serde_json::from_str(&behind.next_text().await).expect("JSON"));

    let flooded = flood(&server).await;
    for id in &own {
        let message = frames::message("HK0001", "HK0003", id, "from behind");
        behind.send_text(&message.to_string()).await;
    }
    let (came, statuses) = read_all(&mut behind, MESSAGES).await;
    assert_eq!(came, flooded);
    let acknowledged: Vec<(String, i64)> = own.iter().map(|id| (id.clone(), 1)).collect();
    // The socket is read only once its answers can go out, so the last of them may follow.
    let mut statuses = statuses;
    while statuses.len() < own.len() {
        let frame: Value = serde_json::from_str(&behind.next_text().await).expect("JSON");
        assert_eq!(frame["action"], "4", "{frame}");
        statuses.push((
            frame["chatMsg"]["id"].as_str().expect("an ID").to_owned(),
            1,
        ));
    }
    assert_eq!(statuses, acknowledged);
    for id in &own {
        partner
            .expect_message("HK0001", "HK0003", id, "from behind")
            .await;
    }
    // Nothing more: the next frame is the answer to a request.
    behind
        .send_text(&frames::contacts("HK0001").to_string())
        .await;
    let answer: Value = serde_json::from_str(&behind.next_text().await).expect("JSON");
    assert_eq!(answer["action"], "11", "{answer}");
}

#[tokio::test]
async fn a_device_that_is_behind_gets_what_its_other_device_sent_and_its_receipts_in_their_place() {
    let server = Server::start();
    let mut partner = Client::connect(&server, "HK0003").await;
    let mut behind = RawClient::connect_with_receive_buffer(&server, "HK0001", 8 * 1024).await;
    let flooded = flood(&server).await;

    let mut other = Client::connect(&server, "HK0001").await;
    for id in &flooded {
        other
            .expect_message("HK0002", "HK0001", id, &"x".repeat(BYTES))
            .await;
    }
    let id = other.deliver("HK0003", "from the other device").await;
    partner
        .expect_message("HK0001", "HK0003", &id, "from the other device")
        .await;
    partner.read(&id, "HK0001").await;
    other.expect_status("HK0003", "HK0001", &id, 2).await;

    let (came, statuses) = read_all(&mut behind, MESSAGES).await;
    assert_eq!((came, statuses), (flooded, Vec::new()));
    for expected in [
        frames::message_text("HK0001", "HK0003", &id, "from the other device"),
        frames::status_text("HK0003", "HK0001", &id, 1),
        frames::status_text("HK0003", "HK0001", &id, 2),
    ] {
        assert_eq!(behind.next_text().await, expected);
    }
}
