//! Read receipts for a sender who was away, or whose devices never showed that they got them.
//!
//! A device has been told of a receipt when it has answered a ping that was sent after it. Without
//! such an answer the receipt comes again at the next connect, however often that is.

use crate::common::all_until_now;
use crate::support::{Client, RawClient, Server, frames, raw, within};

/// Pings often enough to be waited for.
const PINGS: [&str; 2] = ["--ping-interval", "100ms"];

/// HK0001 has written to HK0002, has gone, and HK0002 has read it: the exact text of the receipt, and
/// a third user who can write to HK0001.
async fn unseen_receipt(server: &Server) -> (String, Client) {
    let mut sender = Client::connect(server, "HK0001").await;
    let id = sender.deliver("HK0002", "text").await;
    sender.close().await;
    let mut reader = Client::connect(server, "HK0002").await;
    reader.expect_message("HK0001", "HK0002", &id, "text").await;
    reader.read(&id, "HK0001").await;
    // The reader's next message is stored behind the receipt.
    reader.assert_timeline_silent().await;
    reader.close().await;
    let writer = Client::connect(server, "HK0003").await;
    (frames::status_text("HK0002", "HK0001", &id, 2), writer)
}

/// Whether HK0001 is told `receipt` after connecting, on a device that answers no ping.
async fn comes_at_connect(server: &Server, receipt: &str, writer: &mut Client) -> bool {
    let mut device = RawClient::connect(server, "HK0001").await;
    // As in `all_until_now`: two messages from another user enclose all that a connect brings.
    let mut found = 0;
    for _ in 0..2 {
        let id = writer.deliver("HK0001", "marker").await;
        loop {
            let text = device.next_text().await;
            found += usize::from(text == receipt);
            if text.contains(&id) {
                break;
            }
        }
    }
    assert!(
        found <= 1,
        "a receipt comes once on one connection, but came {found} times"
    );
    found == 1
}

#[tokio::test]
async fn a_receipt_for_a_sender_who_was_away_comes_at_connect() {
    let server = Server::start();
    let (receipt, mut writer) = unseen_receipt(&server).await;
    let mut sender = Client::connect(&server, "HK0001").await;
    assert_eq!(all_until_now(&mut sender, &mut writer).await, [receipt]);
}

#[tokio::test]
async fn receipts_come_after_the_unread_messages() {
    let server = Server::start();
    let (receipt, mut writer) = unseen_receipt(&server).await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        let id = writer.deliver("HK0001", "unread").await;
        expected.push(frames::message_text("HK0003", "HK0001", &id, "unread"));
    }
    expected.push(receipt);
    let mut sender = Client::connect(&server, "HK0001").await;
    assert_eq!(all_until_now(&mut sender, &mut writer).await, expected);
}

#[tokio::test]
async fn a_receipt_comes_again_until_a_ping_was_answered_and_then_no_more() {
    let mut server = Server::start();
    let (receipt, mut writer) = unseen_receipt(&server).await;
    for _ in 0..3 {
        assert!(
            comes_at_connect(&server, &receipt, &mut writer).await,
            "no device has answered yet"
        );
    }
    server.restart_with(&PINGS);
    let mut writer = Client::connect(&server, "HK0003").await;
    assert!(
        comes_at_connect(&server, &receipt, &mut writer).await,
        "nor has one after the restart"
    );

    let mut device = RawClient::connect(&server, "HK0001").await;
    answer_pings_after(&mut device, &receipt, 2).await;
    within("the receipt to come no more", async {
        while comes_at_connect(&server, &receipt, &mut writer).await {}
    })
    .await;

    server.restart();
    let mut writer = Client::connect(&server, "HK0003").await;
    assert!(
        !comes_at_connect(&server, &receipt, &mut writer).await,
        "that outlives a restart"
    );
}

#[tokio::test]
async fn a_receipt_that_came_live_is_told_in_the_same_way() {
    let server = Server::with(&PINGS);
    let mut writer = Client::connect(&server, "HK0003").await;
    let mut device = RawClient::connect(&server, "HK0001").await;
    let mut other = Client::connect(&server, "HK0001").await;
    let id = other.deliver("HK0002", "text").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    reader.expect_message("HK0001", "HK0002", &id, "text").await;
    // From here on no device answers pings: the ordinary client is gone.
    other.close().await;
    reader.read(&id, "HK0001").await;
    let receipt = frames::status_text("HK0002", "HK0001", &id, 2);
    while device.next_text().await != receipt {}
    assert!(
        comes_at_connect(&server, &receipt, &mut writer).await,
        "it was sent, but not answered"
    );

    answer_pings_after(
        &mut RawClient::connect(&server, "HK0001").await,
        &receipt,
        2,
    )
    .await;
    within("the receipt to come no more", async {
        while comes_at_connect(&server, &receipt, &mut writer).await {}
    })
    .await;
}

#[tokio::test]
async fn an_answer_to_a_ping_from_before_the_receipt_does_not_count() {
    let server = Server::with(&PINGS);
    let mut writer = Client::connect(&server, "HK0003").await;
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.deliver("HK0002", "text").await;
    sender.close().await;
    let mut reader = Client::connect(&server, "HK0002").await;
    reader.expect_message("HK0001", "HK0002", &id, "text").await;

    let mut device = RawClient::connect(&server, "HK0001").await;
    let early = device.next_ping().await;
    reader.read(&id, "HK0001").await;
    let receipt = frames::status_text("HK0002", "HK0001", &id, 2);
    assert_eq!(device.next_text().await, receipt);
    device.send_frame(raw::PONG, true, true, &early).await;
    // The answer to a later request shows that the server has seen the pong.
    device
        .send_text(&frames::contacts("HK0001").to_string())
        .await;
    assert!(device.next_text().await.starts_with(r#"{"action":"11""#));

    assert!(comes_at_connect(&server, &receipt, &mut writer).await);
}

#[tokio::test]
async fn one_device_that_answers_speaks_for_all_of_its_user() {
    let server = Server::with(&PINGS);
    let (receipt, mut writer) = unseen_receipt(&server).await;
    let mut deaf = RawClient::connect(&server, "HK0001").await;
    while deaf.next_text().await != receipt {}
    let mut answering = RawClient::connect(&server, "HK0001").await;
    answer_pings_after(&mut answering, &receipt, 2).await;
    within("the receipt to come no more", async {
        while comes_at_connect(&server, &receipt, &mut writer).await {}
    })
    .await;
}

#[tokio::test]
async fn a_reader_who_reads_while_the_sender_is_away_tells_each_receipt_in_order() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let ids = sender.ids().await;
    crate::common::send_all(&mut sender, "HK0002", &ids).await;
    sender.close().await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let mut expected = Vec::new();
    for id in &ids {
        reader.expect_message("HK0001", "HK0002", id, id).await;
    }
    for id in ids.iter().rev() {
        reader.read(id, "HK0001").await;
        expected.push(frames::status_text("HK0002", "HK0001", id, 2));
    }
    reader.assert_timeline_silent().await;
    let mut writer = Client::connect(&server, "HK0003").await;
    let mut sender = Client::connect(&server, "HK0001").await;
    assert_eq!(all_until_now(&mut sender, &mut writer).await, expected);
}

/// Reads on to `receipt`, and then answers so many pings.
async fn answer_pings_after(device: &mut RawClient, receipt: &str, pings: usize) {
    while device.next_text().await != receipt {}
    let mut answered = 0;
    while answered < pings {
        if let Some((raw::PING, payload)) = device.read_frame().await {
            device.send_frame(raw::PONG, true, true, &payload).await;
            answered += 1;
        }
    }
}
