//! The store takes its time, and a client does not: what it sends stays with the client.

use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;

use super::support::{RawClient, Server, frames, raw};

/// A client that is not read may send so much: what the kernel and actix-http hold, and 256 requests.
const ACCEPTED: usize = 2 * 1024 * 1024;

/// A write that takes longer is blocked.
const BLOCKED: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_pipelines_into_a_slow_store_is_read_no_further_than_its_answers() {
    let server = Server::with(&["--store-timeout", "60s"]);
    let mut client = RawClient::connect(&server, "hasty").await;
    SockRef::from(&*client.stream())
        .set_send_buffer_size(32 * 1024)
        .expect("the send buffer can shrink");
    let read = frames::read("hasty", "nobody", "MSG000001").to_string();
    let chunk = raw::frame(raw::TEXT, true, true, read.as_bytes()).repeat(100);

    let lock = server.database().lock_writing();
    let mut sent = 0;
    let blocked = loop {
        let sending = tokio::time::timeout(BLOCKED, client.send_bytes(&chunk));
        if sending.await.is_err() {
            break true;
        }
        sent += 100;
        if sent / 100 * chunk.len() > 4 * ACCEPTED {
            break false;
        }
    };
    assert!(
        blocked,
        "the server took {} bytes",
        sent / 100 * chunk.len()
    );
    assert!(sent / 100 * chunk.len() <= ACCEPTED);
    lock.release();
    for _ in 0..sent {
        let answer: Value = serde_json::from_str(&client.next_text().await).expect("JSON");
        assert_eq!(answer["error"]["code"], "unknown_message", "{answer}");
    }
}
