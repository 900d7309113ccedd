//! A token that ends while its connection lives, and a fresh one in its place.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::{Client, Mode, Server, Shim, frames, only_on};
use super::tokens::{after, claims_with, open, sign, token, with_secret};

/// How long after its `exp` a session may live on, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn short(user: &str) -> String {
    sign(&claims_with(user, &json!({"exp": after(2)})))
}

fn connect_with(user: &str, token: &str) -> Value {
    let mut frame = frames::connect(user);
    frame["token"] = json!(token);
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_with_its_token_and_what_it_sent_is_answered() {
    let server = Server::with(&[&with_secret()]);
    let mut ann = open(&server, &short("ann")).await;
    let start = Instant::now();
    ann.connect_as("ann").await;
    // To herself: nobody else exists.
    let id = ann.id().await;
    ann.send(frames::message("ann", "ann", &id, "text")).await;
    ann.expect_message("ann", "ann", &id, "text").await;
    ann.expect_status("ann", "ann", &id, 1).await;
    ann.set_patience(PATIENCE);
    assert_eq!(ann.expect_close().await, 4401);
    assert!(start.elapsed() > Duration::from_secs(1), "not before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_ends_a_socket_that_has_not_connected() {
    let server = Server::with(&[&with_secret(), "--connect-timeout=5m"]);
    let mut ann = open(&server, &short("ann")).await;
    ann.set_patience(PATIENCE);
    assert_eq!(ann.expect_close().await, 4401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_token_on_the_same_socket_renews_it_and_a_shorter_one_shortens_it() {
    let server = Server::with(&[&with_secret()]);
    let mut ann = Client::open(server.node(0)).await;
    ann.send(connect_with("ann", &short("ann"))).await;
    ann.expect(&frames::connected_text("ann")).await;
    ann.send(connect_with("ann", &token("ann"))).await;
    ann.expect(&frames::connected_text("ann")).await;
    ann.speak_as("ann");
    let mut waiting = Client::open(server.node(0)).await;
    waiting.send(connect_with("bob", &short("bob"))).await;
    waiting.expect(&frames::connected_text("bob")).await;
    waiting.set_patience(PATIENCE);
    assert_eq!(waiting.expect_close().await, 4401);
    // Her first token, which was older, has ended, too.
    ann.ids().await;
    ann.send(connect_with("ann", &short("ann"))).await;
    ann.expect(&frames::connected_text("ann")).await;
    ann.set_patience(PATIENCE);
    assert_eq!(ann.expect_close().await, 4401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_fresh_token_ends_the_session_and_one_of_somebody_else_is_forbidden() {
    let server = Server::with(&[&with_secret()]);
    let mut ann = Client::open(server.node(0)).await;
    ann.send(connect_with("ann", &token("ann"))).await;
    ann.expect(&frames::connected_text("ann")).await;
    for (from, token_of) in [("ann", "bob"), ("bob", "bob"), ("bob", "ann")] {
        ann.send(connect_with(from, &token(token_of))).await;
        ann.expect_error("forbidden").await;
    }
    ann.speak_as("ann");
    ann.ids().await;
    ann.send(connect_with("ann", "rubbish")).await;
    assert_eq!(ann.expect_close().await, 4401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_no_text_is_a_bad_frame() {
    let server = Server::with(&[&with_secret()]);
    let mut ann = Client::open(server.node(0)).await;
    let mut frame = frames::connect("ann");
    frame["token"] = json!(5);
    ann.send(frame).await;
    ann.expect_error("bad_frame").await;
    ann.send(connect_with("ann", &token("ann"))).await;
    ann.expect(&frames::connected_text("ann")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_still_owed_do_not_keep_a_session_beyond_its_token() {
    const PAGES: usize = 200;
    let server = Server::with(&[&with_secret()]);
    let mut writer = Client::open(server.node(0)).await;
    writer.send(connect_with("ann", &token("ann"))).await;
    writer.expect(&frames::connected_text("ann")).await;
    writer.speak_as("ann");
    // Each page is as large as one can be, so that they do not fit into any buffer.
    let text = "x".repeat(30_000);
    let (first, second) = (writer.ids().await, writer.ids().await);
    for id in first.iter().chain(&second) {
        writer.send(frames::message("ann", "ann", id, &text)).await;
        writer.expect_message("ann", "ann", id, &text).await;
        writer.expect_status("ann", "ann", id, 1).await;
        writer.read(id, "ann").await;
        writer.expect_status("ann", "ann", id, 2).await;
    }
    let mut reader = Client::open(server.node(0)).await;
    reader.send(connect_with("ann", &short("ann"))).await;
    reader.expect(&frames::connected_text("ann")).await;
    for _ in 0..PAGES {
        reader
            .send(frames::history("ann", None, None, Some(100)))
            .await;
    }
    // Its token ends while it reads nothing.
    tokio::time::sleep(Duration::from_secs(6)).await;
    reader.set_patience(PATIENCE);
    let (heard, code) = reader.read_until_close().await;
    assert_eq!(code, 4401);
    let pages = heard.iter().filter(|text| text.contains("historyMsgs"));
    let pages = pages.count();
    assert!(pages < PAGES / 4, "{pages} pages were sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_ends_by_the_clock_also_when_that_is_set() {
    if !only_on(&[Mode::Sqlite], "one node shows it") {
        return;
    }
    const DAY: i64 = 24 * 3600;
    let shim = Shim::new();
    let server = Server::behind(&shim, &[&with_secret()]);
    let hour = sign(&claims_with("ann", &json!({"exp": after(3600)})));
    for (offset, is_good) in [(0, true), (-DAY, true), (DAY, false), (0, true)] {
        shim.order_clock_offset(offset);
        let mut ann = Client::open(server.node(0)).await;
        ann.send(connect_with("ann", &hour)).await;
        if is_good {
            ann.expect(&frames::connected_text("ann")).await;
        } else {
            assert_eq!(ann.expect_close().await, 4401);
        }
    }
}
