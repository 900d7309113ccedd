//! Action 4: reading raises a message from 1 to 2, only its recipient can do it, and only once.

use serde_json::json;

use crate::common::{refused, send_all};
use crate::support::{Client, Server, frames};

/// A message from HK0001 to HK0002 that both have on these connections.
async fn delivered(sender: &mut Client, reader: &mut Client) -> String {
    let id = sender.deliver("HK0002", "text").await;
    reader.expect_message("HK0001", "HK0002", &id, "text").await;
    id
}

#[tokio::test]
async fn reading_tells_all_devices_of_the_sender_and_the_readers_other_devices() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let mut readers_other = Client::connect(&server, "HK0002").await;
    for _ in 0..3 {
        let id = phone.deliver("HK0002", "text").await;
        tablet.expect_message("HK0001", "HK0002", &id, "text").await;
        tablet.expect_status("HK0002", "HK0001", &id, 1).await;
        for device in [&mut reader, &mut readers_other] {
            device.expect_message("HK0001", "HK0002", &id, "text").await;
        }
        reader.read(&id, "HK0001").await;
        for device in [&mut phone, &mut tablet, &mut readers_other] {
            device.expect_status("HK0002", "HK0001", &id, 2).await;
        }
    }
    reader.assert_timeline_silent().await;
    phone.assert_silent().await;
    tablet.assert_silent().await;
}

#[tokio::test]
async fn reading_a_second_time_changes_nothing_and_is_no_error() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let mut readers_other = Client::connect(&server, "HK0002").await;
    let id = delivered(&mut sender, &mut reader).await;
    readers_other
        .expect_message("HK0001", "HK0002", &id, "text")
        .await;
    reader.read(&id, "HK0001").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;
    readers_other
        .expect_status("HK0002", "HK0001", &id, 2)
        .await;

    reader.read(&id, "HK0001").await;
    reader.assert_silent().await;
    readers_other.read(&id, "HK0001").await;
    readers_other.assert_silent().await;
    sender.assert_timeline_silent().await;
    reader.assert_timeline_silent().await;
}

#[tokio::test]
async fn reading_twice_in_one_go_is_told_once() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let first = delivered(&mut sender, &mut reader).await;
    let second = delivered(&mut sender, &mut reader).await;
    for id in [&first, &first, &first, &second, &first] {
        reader.read(id, "HK0001").await;
    }
    sender.expect_status("HK0002", "HK0001", &first, 2).await;
    sender.expect_status("HK0002", "HK0001", &second, 2).await;
    reader.assert_timeline_silent().await;
    sender.assert_timeline_silent().await;
}

#[tokio::test]
async fn the_sender_cannot_read_their_own_message() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = delivered(&mut sender, &mut reader).await;
    let frame = frames::read("HK0001", "HK0001", &id);
    let error = refused(&mut sender, frame, "forbidden", "4").await;
    assert_eq!(error["chatMsg"], json!({"id": id}));
    let page = sender.history(Some("HK0002"), None, None).await;
    assert_eq!(
        page[0]["chatMsg"]["status"], 1,
        "the message is still unread"
    );
    reader.assert_timeline_silent().await;
}

#[tokio::test]
async fn a_third_user_learns_no_more_than_that_the_message_is_unknown() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let mut third = Client::connect(&server, "HK0003").await;
    let id = delivered(&mut sender, &mut reader).await;
    let existing = refused(
        &mut third,
        frames::read("HK0003", "HK0001", &id),
        "unknown_message",
        "4",
    )
    .await;
    let absent = frames::read("HK0003", "HK0001", "MSG900000");
    let absent = refused(&mut third, absent, "unknown_message", "4").await;
    assert_eq!(
        existing["error"], absent["error"],
        "a message of others looks like none at all"
    );
    assert_eq!(existing["chatMsg"], json!({"id": id}));
    sender.assert_timeline_silent().await;
}

#[tokio::test]
async fn a_message_that_does_not_exist_is_unknown() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0002").await;
    let granted = client.id().await;
    for id in [granted.as_str(), "MSG900000"] {
        let frame = frames::read("HK0002", "HK0001", id);
        let error = refused(&mut client, frame, "unknown_message", "4").await;
        assert_eq!(error["chatMsg"], json!({"id": id}));
        assert_eq!(error["error"]["retryable"], false);
    }
}

#[tokio::test]
async fn a_receipt_that_names_another_sender_is_for_an_unknown_message() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = delivered(&mut sender, &mut reader).await;
    for wrong in ["HK0003", "HK0002"] {
        let frame = frames::read("HK0002", wrong, &id);
        refused(&mut reader, frame, "unknown_message", "4").await;
    }
    sender.assert_timeline_silent().await;
    reader.read(&id, "HK0001").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;
}

#[tokio::test]
async fn a_status_never_falls_back() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = delivered(&mut sender, &mut reader).await;
    reader.read(&id, "HK0001").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;

    // Neither a resend nor a kill brings 1 back, and nothing is unread.
    sender.message(&id, "HK0002", "text").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;
    server.kill9();
    server.restart();
    let mut reader = Client::connect(&server, "HK0002").await;
    reader.assert_timeline_silent().await;
    let page = reader.history(Some("HK0001"), None, None).await;
    assert_eq!(page[0]["chatMsg"]["status"], 2);
}

#[tokio::test]
async fn messages_can_be_read_in_any_order_and_the_sender_hears_of_each() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let mut ids = sender.ids().await;
    send_all(&mut sender, "HK0002", &ids).await;
    for id in &ids {
        reader.expect_message("HK0001", "HK0002", id, id).await;
    }
    ids.reverse();
    for id in &ids {
        reader.read(id, "HK0001").await;
    }
    for id in &ids {
        sender.expect_status("HK0002", "HK0001", id, 2).await;
    }
}

#[tokio::test]
async fn a_message_can_be_read_from_history_by_a_device_it_was_never_delivered_to() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.deliver("HK0002", "text").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    reader.read(&id, "HK0001").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;
}

#[tokio::test]
async fn a_message_to_oneself_can_be_read_and_comes_no_more() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let id = phone.id().await;
    phone.message(&id, "HK0001", "note").await;
    for device in [&mut phone, &mut tablet] {
        device.expect_message("HK0001", "HK0001", &id, "note").await;
        device.expect_status("HK0001", "HK0001", &id, 1).await;
    }
    phone.read(&id, "HK0001").await;
    tablet.expect_status("HK0001", "HK0001", &id, 2).await;
    let page = tablet.history(Some("HK0001"), None, None).await;
    assert_eq!(page[0]["chatMsg"]["status"], 2);
    tablet.assert_timeline_silent().await;
}
