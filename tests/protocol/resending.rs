//! The same frame once more: acknowledged again, delivered no second time. And the same ID with
//! something else in it: a conflict.

use serde_json::{Value, json};

use crate::common::{all_until_now, refused, with};
use crate::support::{Client, Server, frames};

#[tokio::test]
async fn a_resend_on_the_same_connection_is_acknowledged_to_that_device_alone() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = phone.id().await;
    for _ in 0..4 {
        phone.message(&id, "HK0002", "once").await;
        phone.expect_status("HK0002", "HK0001", &id, 1).await;
    }
    tablet.expect_message("HK0001", "HK0002", &id, "once").await;
    tablet.expect_status("HK0002", "HK0001", &id, 1).await;
    tablet.assert_timeline_silent().await;
    reader.expect_message("HK0001", "HK0002", &id, "once").await;
    reader.assert_timeline_silent().await;
}

#[tokio::test]
async fn a_resend_on_another_connection_is_acknowledged_there() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = phone.deliver("HK0002", "once").await;
    reader.expect_message("HK0001", "HK0002", &id, "once").await;

    let mut tablet = Client::connect(&server, "HK0001").await;
    tablet.message(&id, "HK0002", "once").await;
    tablet.expect_status("HK0002", "HK0001", &id, 1).await;
    phone.assert_silent().await;
    reader.assert_timeline_silent().await;
}

#[tokio::test]
async fn a_resend_after_the_server_was_killed_is_acknowledged_and_delivered_no_second_time() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.deliver("HK0002", "once").await;
    server.kill9();
    server.restart();

    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    reader.expect_message("HK0001", "HK0002", &id, "once").await;
    sender.message(&id, "HK0002", "once").await;
    sender.expect_status("HK0002", "HK0001", &id, 1).await;
    reader.assert_timeline_silent().await;
    assert_eq!(sender.history(Some("HK0002"), None, None).await.len(), 1);
}

#[tokio::test]
async fn a_resend_of_a_message_that_was_read_is_acknowledged_with_status_2() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = sender.deliver("HK0002", "once").await;
    reader.expect_message("HK0001", "HK0002", &id, "once").await;
    reader.read(&id, "HK0001").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;
    sender.message(&id, "HK0002", "once").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;
    reader.assert_timeline_silent().await;

    server.restart();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut witness = Client::connect(&server, "witness").await;
    // The receipt itself may come again, since no ping was answered since.
    all_until_now(&mut sender, &mut witness).await;
    sender.message(&id, "HK0002", "once").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;
}

#[tokio::test]
async fn a_resend_of_a_message_to_oneself_is_acknowledged_once_and_not_shown_again() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let id = phone.id().await;
    phone.message(&id, "HK0001", "note").await;
    for device in [&mut phone, &mut tablet] {
        device.expect_message("HK0001", "HK0001", &id, "note").await;
        device.expect_status("HK0001", "HK0001", &id, 1).await;
    }
    tablet.message(&id, "HK0001", "note").await;
    tablet.expect_status("HK0001", "HK0001", &id, 1).await;
    phone.assert_timeline_silent().await;
}

#[tokio::test]
async fn one_frame_sent_five_times_on_two_connections_at_once_is_one_message() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let ids = phone.ids().await;
    let (id, last_of_phone, last_of_tablet) = (&ids[0], &ids[1], &ids[2]);

    let flood = async |client: &mut Client, last: &str| {
        for _ in 0..5 {
            client.message(id, "HK0002", "once").await;
        }
        client.message(last, "HK0002", "last").await;
    };
    tokio::join!(
        flood(&mut phone, last_of_phone),
        flood(&mut tablet, last_of_tablet)
    );

    let mut copies = 0;
    for (client, own, others) in [
        (&mut phone, last_of_phone, last_of_tablet),
        (&mut tablet, last_of_tablet, last_of_phone),
    ] {
        let (delivered, acknowledged) = count_until_last(client, id, own, others).await;
        copies += delivered;
        // Five answers, and on the device that did not send it first, perhaps the news of it.
        assert!(
            (5..=6).contains(&acknowledged),
            "{acknowledged} acknowledgements"
        );
    }
    assert_eq!(
        copies, 1,
        "only the device that was second sees the message as news"
    );

    let mut frames = Vec::new();
    for _ in 0..3 {
        frames.push(
            reader.next().await["chatMsg"]["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    frames.sort();
    assert_eq!(frames, ids[..3], "the reader gets each message once");
    reader.assert_timeline_silent().await;
}

/// Reads up to the acknowledgements of the last message of each device, and counts the frames and status
/// frames of `id`. Whatever was to come of `id` comes before one of the two.
async fn count_until_last(
    client: &mut Client,
    id: &str,
    own: &str,
    others: &str,
) -> (usize, usize) {
    let (mut delivered, mut acknowledged) = (0, 0);
    let mut awaited = vec![own, others];
    while !awaited.is_empty() {
        let frame = client.next().await;
        let is_status = frame["action"] == "4";
        if is_status {
            assert_eq!(frame["chatMsg"]["status"], 1, "{frame}");
            awaited.retain(|last| frame["chatMsg"]["id"] != *last);
        }
        if frame["chatMsg"]["id"] == id {
            acknowledged += usize::from(is_status);
            delivered += usize::from(!is_status);
        }
    }
    (delivered, acknowledged)
}

#[tokio::test]
async fn the_same_id_with_another_recipient_type_or_text_is_a_conflict() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let mut other = Client::connect(&server, "HK0003").await;
    let id = sender.deliver("HK0002", "original").await;
    reader
        .expect_message("HK0001", "HK0002", &id, "original")
        .await;

    let original = frames::message("HK0001", "HK0002", &id, "original");
    for (pointer, value) in [
        ("/toId", json!("HK0003")),
        ("/toId", json!("HK0001")),
        ("/chatMsg/type", json!(1)),
        ("/chatMsg/message", json!("originaL")),
        ("/chatMsg/message", json!("original ")),
    ] {
        let changed = with(original.clone(), pointer, value);
        let error = refused(&mut sender, changed, "id_conflict", "3").await;
        assert_eq!(error["chatMsg"], json!({"id": id}));
        assert_eq!(error["error"]["retryable"], false);
    }

    // Nothing of it reached anybody, and the original still stands.
    sender.send(original).await;
    sender.expect_status("HK0002", "HK0001", &id, 1).await;
    reader.assert_timeline_silent().await;
    other.assert_timeline_silent().await;
    let page = sender.history(None, None, None).await;
    assert_eq!(page.len(), 1);
    assert_eq!(page[0]["chatMsg"]["message"], "original");
}

#[tokio::test]
async fn a_conflict_is_still_one_after_the_server_was_killed() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.deliver("HK0002", "original").await;
    server.restart();
    let mut sender = Client::connect(&server, "HK0001").await;
    let changed = frames::message("HK0001", "HK0002", &id, "changed");
    refused(&mut sender, changed, "id_conflict", "3").await;
}

#[tokio::test]
async fn another_time_or_status_is_no_conflict_and_changes_nothing() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = sender.deliver("HK0002", "original").await;
    reader
        .expect_message("HK0001", "HK0002", &id, "original")
        .await;
    let original = frames::message("HK0001", "HK0002", &id, "original");
    for (pointer, value) in [
        ("/chatMsg/time", json!("2030-01-01 00:00:00")),
        ("/chatMsg/time", Value::Null),
        ("/chatMsg/status", json!(2)),
    ] {
        sender.send(with(original.clone(), pointer, value)).await;
        sender.expect_status("HK0002", "HK0001", &id, 1).await;
    }
    reader.assert_timeline_silent().await;
    let page = sender.history(Some("HK0002"), None, None).await;
    assert_eq!(page.len(), 1);
    assert_eq!(page[0]["chatMsg"]["time"], frames::TIME);
    assert_eq!(page[0]["chatMsg"]["status"], 1);
}

#[tokio::test]
async fn an_id_in_two_frames_sent_in_one_go_belongs_to_the_first() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.id().await;
    sender.message(&id, "HK0002", "first").await;
    sender.message(&id, "HK0002", "second").await;
    sender.message(&id, "HK0002", "first").await;
    sender.expect_status("HK0002", "HK0001", &id, 1).await;
    sender.expect_error("id_conflict").await;
    sender.expect_status("HK0002", "HK0001", &id, 1).await;
    let mut reader = Client::connect(&server, "HK0002").await;
    reader
        .expect_message("HK0001", "HK0002", &id, "first")
        .await;
    reader.assert_timeline_silent().await;
}

#[tokio::test]
async fn the_same_frame_on_two_devices_at_once_to_somebody_new_is_one_message() {
    let server = Server::start();
    let mut phone = Client::connect(server.node(0), "HK0001").await;
    let mut tablet = Client::connect(server.node(1), "HK0001").await;
    for round in 0..30 {
        let (id, to) = (phone.id().await, format!("new-{round}"));
        let frame = frames::message("HK0001", &to, &id, "once");
        tokio::join!(phone.send(frame.clone()), tablet.send(frame));
        // One stores it and the other one resends it; whichever is which, both are told that it is stored.
        for device in [&mut phone, &mut tablet] {
            let stored = frames::status_text(&to, "HK0001", &id, 1);
            let mut text = device.next_text().await;
            while text != stored {
                assert!(!text.contains("error"), "round {round}: {text}");
                text = device.next_text().await;
            }
        }
        let mut recipient = Client::connect(&server, &to).await;
        recipient.expect_message("HK0001", &to, &id, "once").await;
        recipient.assert_silent().await;
    }
}
