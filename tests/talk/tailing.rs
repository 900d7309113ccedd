//! `yanshu tail`.

use serde_json::json;

use super::program::Program;
use super::support::ports::free_port;
use super::support::{Client, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_is_printed_once_through_a_restart_and_reported_where_asked() {
    let mut server = Server::with(&[&format!("--listen=127.0.0.1:{}", free_port())]);
    let url = server.url();
    let mut bob = Client::connect(&server, "bob").await;
    let first = bob.deliver("ann", "first").await;
    let tail = Program::start(&["tail", "--url", &url, "--as", "ann"]);
    let line = tail.json();
    assert_eq!(line["id"], *first);
    assert_eq!(line["fromId"], "bob");
    assert_eq!(line["message"], "first");
    server.kill9();
    server.restart();
    // Unread, it comes again with the new connection, and is not printed again.
    let mut bob = Client::connect(&server, "bob").await;
    let second = bob.deliver("ann", "second").await;
    assert_eq!(tail.json()["id"], *second);
    drop(tail);

    let reading = Program::start(&[
        "tail", "--url", &url, "--as", "ann", "--read", "--with", "bob",
    ]);
    assert_eq!(reading.json()["id"], *first);
    assert_eq!(reading.json()["id"], *second);
    bob.expect_status("ann", "bob", &first, 2).await;
    bob.expect_status("ann", "bob", &second, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_statuses_of_what_one_wrote_are_printed() {
    let server = Server::start();
    let url = server.url();
    let tail = Program::start(&["tail", "--url", &url, "--as", "ann", "--with", "bob"]);
    let mut ann = Client::connect(&server, "ann").await;
    let other = ann.deliver("carl", "not of interest").await;
    let id = ann.deliver("bob", "hello").await;
    assert_ne!(id, other);
    // It may have connected after the message was stored.
    let mut bob = Client::connect(&server, "bob").await;
    bob.expect_message("ann", "bob", &id, "hello").await;
    bob.read(&id, "ann").await;
    loop {
        let line = tail.json();
        assert_eq!(line["toId"], "bob");
        if line == json!({"id": id, "toId": "bob", "status": 2}) {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_unread_messages_are_printed_and_reported_to_the_last() {
    let server = Server::start();
    let url = server.url();
    let mut bob = Client::connect(&server, "bob").await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        for id in bob.ids().await {
            bob.message(&id, "ann", "hello").await;
            bob.expect_status("ann", "bob", &id, 1).await;
            ids.push(id);
        }
    }
    let tail = Program::start(&["tail", "--url", &url, "--as", "ann", "--read"]);
    for id in &ids {
        assert_eq!(tail.json()["id"], **id);
    }
    bob.set_patience(std::time::Duration::from_secs(30));
    for id in &ids {
        bob.expect_status("ann", "bob", id, 2).await;
    }
}
