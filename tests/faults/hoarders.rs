//! Clients that ask for large answers and do not take them, all at once: others are answered all the same.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::observe::connections_are_gone;
use super::support::raw::{TEXT, frame};
use super::support::{Client, RawClient, Server, frames};

const HOARDER: &str = "hoarder";
/// More than fill what the server holds of pages for all.
const HOARDERS: usize = 150;

/// What the server may take for them: 32 MiB of pages, as much again while they are made, and the connections.
const MEMORY_KIB: u64 = 72 * 1024;
const PAGES: usize = 4;

/// So many messages of so many bytes fill a page of 512 KiB.
const MESSAGES: usize = 18;
const BYTES: usize = 32_000;

/// How long others may have to wait for an answer of some kind.
const ANSWERED: Duration = Duration::from_secs(8);

/// How long it may take on a busy machine until all hoarders are cut, one after another as they get room.
const ALL_CUT: Duration = Duration::from_secs(40);

/// Connections that have asked for pages, the first of which has begun to come, and read nothing of them.
async fn hoard(server: &Server) -> Vec<RawClient> {
    let mut writer = Client::connect(server, HOARDER).await;
    for _ in 0..MESSAGES {
        writer.deliver("shelf", &"x".repeat(BYTES)).await;
    }
    let request = frames::history(HOARDER, Some("shelf"), None, Some(100)).to_string();
    let requests = frame(TEXT, true, true, request.as_bytes()).repeat(PAGES);
    let hoarders = stream::iter(0..HOARDERS).map(async |_| {
        let mut client = RawClient::open_with_receive_buffer(server, Some(4 * 1024)).await;
        client
            .send_text(&frames::connect(HOARDER).to_string())
            .await;
        assert_eq!(client.next_text().await, frames::connected_text(HOARDER));
        client.send_bytes(&requests).await;
        client
    });
    hoarders.buffered(10).collect().await
}

/// A request for contacts or history, and its action.
fn requests(user: &str) -> [(&'static str, Value); 2] {
    [
        ("11", frames::contacts(user)),
        ("12", frames::history(user, None, None, None)),
    ]
}

/// Whether the answer is a real one; anything but that and a `busy` that can be repeated is a failure.
fn is_answered(answer: &Value, action: &str) -> bool {
    if answer["action"] == action {
        return true;
    }
    assert_eq!(answer["error"]["code"], "busy", "{answer}");
    assert_eq!(answer["error"]["retryable"], true, "{answer}");
    assert_eq!(answer["error"]["action"], action, "{answer}");
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_others_hoard_pages_a_request_is_answered_in_time_by_a_page_or_a_retryable_error() {
    let server = Server::with(&["--stall-timeout", "600s", "--max-devices", "200"]);
    let before = server.peak_rss_kib();
    let _hoarders = hoard(&server).await;
    let mut busy = 0;
    for (action, request) in requests("bystander") {
        let mut client = Client::connect(&server, "bystander").await;
        let asked = Instant::now();
        client.send(request).await;
        let answer = client.next().await;
        let took = asked.elapsed();
        assert!(took < ANSWERED, "action {action} took {took:?}");
        busy += u8::from(!is_answered(&answer, action));
    }
    assert!(busy > 0, "the hoarders left room, which tests nothing");
    let growth = server.peak_rss_kib() - before;
    println!("{HOARDERS} hoarders took {growth} KiB");
    assert!(growth < MEMORY_KIB, "{HOARDERS} hoarders took {growth} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_the_hoarders_are_cut_everybody_is_answered() {
    let server = Server::with(&["--stall-timeout", "2s", "--max-devices", "200"]);
    let hoarders = hoard(&server).await;
    let mut client = Client::connect(&server, "bystander").await;
    let asked = Instant::now();
    for (action, request) in requests("bystander") {
        loop {
            client.send(request.clone()).await;
            if is_answered(&client.next().await, action) {
                break;
            }
            assert!(asked.elapsed() < ALL_CUT, "action {action} stays busy");
        }
    }
    // Those that had to wait get their pages then, and go the same way.
    connections_are_gone(&server, 1).await;
    drop(hoarders);
}
