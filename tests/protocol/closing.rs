//! A client that closes: it gets the end of what was on its way, the answer to its close, and the end
//! of the connection.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncReadExt;

use crate::support::raw::{CLOSE, TEXT, close_code};
use crate::support::{Client, RawClient, Server, frames, within};

/// The payload of a close frame with 1000.
const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();

/// So many messages of so many bytes make more than a page of 512 KiB.
const MESSAGES: usize = 20;
const BYTES: usize = 32_000;

/// How a slow client reads: little at a time.
const SIP: usize = 3_000;

/// A client of HK0001 that takes little, to which a first large page has begun to come, with a second
/// one asked for.
async fn amid_large_pages(server: &Server) -> RawClient {
    let mut client = RawClient::connect_with_receive_buffer(server, "HK0001", 4 * 1024).await;
    let request = frames::history("HK0001", Some("HK0002"), None, Some(100)).to_string();
    client.send_text(&request).await;
    client.send_text(&request).await;
    let begun = within(
        "the first bytes of a page",
        client.stream().peek(&mut [0; 1]),
    )
    .await;
    assert_eq!(begun.expect("the connection holds"), 1);
    client
}

#[tokio::test]
async fn a_client_that_closes_gets_the_end_of_what_is_on_its_way_and_then_the_close() {
    let server = Server::start();
    let mut writer = Client::connect(&server, "HK0001").await;
    let mut ids = Vec::new();
    for _ in 0..MESSAGES {
        ids.push(writer.deliver("HK0002", &"x".repeat(BYTES)).await);
    }
    for round in 0..12 {
        let mut client = amid_large_pages(&server).await;
        client.send_frame(CLOSE, true, true, &NORMAL).await;
        // Time enough for the server to fill every buffer, as told by what it does for others.
        for _ in 0..20 {
            writer.assert_silent().await;
        }
        let pause = Duration::from_millis(round % 3 / 2);
        let mut pages = 0;
        let code = loop {
            match client.read_frame_slowly(SIP, pause).await {
                Some((TEXT, page)) => {
                    let page: Value = serde_json::from_slice(&page).expect("a whole frame");
                    let messages = page["historyMsgs"].as_array().expect("a page");
                    let newest = &messages[messages.len() - 1];
                    assert_eq!(newest["chatMsg"]["id"], *ids[MESSAGES - 1], "round {round}");
                    assert!(messages.len() > 10, "round {round}: a full page");
                    pages += 1;
                }
                Some((CLOSE, payload)) => break close_code(&payload),
                Some((opcode, _)) => panic!("round {round}: opcode {opcode:#x}"),
                None => panic!("round {round}: no close came, after {pages} whole pages"),
            }
        };
        assert_eq!(code, Some(1000), "round {round}");
        assert!(pages > 0, "round {round}: the page that had begun is lost");
        let end = within("the end", client.stream().read(&mut [0; 1])).await;
        assert_eq!(end.ok(), Some(0), "round {round}: an end in order");
    }
}

#[tokio::test]
async fn a_close_is_answered_and_the_connection_ends_soon() {
    const SOON: Duration = Duration::from_secs(2);
    let server = Server::start();
    let connected = RawClient::connect(&server, "HK0001").await;
    let unconnected = RawClient::open(&server).await;
    for mut client in [connected, unconnected] {
        let started = Instant::now();
        client.send_frame(CLOSE, true, true, &NORMAL).await;
        assert_eq!(client.read_frame().await, Some((CLOSE, NORMAL.to_vec())));
        let end = within("the end", client.stream().read(&mut [0; 1])).await;
        assert_eq!(end.ok(), Some(0), "an end in order");
        let took = started.elapsed();
        assert!(took < SOON, "the connection ended after {took:?}");
    }
}

#[tokio::test]
async fn a_client_that_closes_and_then_does_not_go_is_left_after_a_second() {
    let server = Server::start();
    let mut client = RawClient::connect(&server, "HK0001").await;
    client.send_frame(CLOSE, true, true, &NORMAL).await;
    assert_eq!(client.close_code().await, 1000);
    let closed = Instant::now();
    let left = async {
        // As long as the server reads, it takes what comes.
        while client.try_send_bytes(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the server to leave", left).await;
    let took = closed.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}
