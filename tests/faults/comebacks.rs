//! Everybody comes at once: all get in, whoever else comes with them, and get what is theirs.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{Client, RawClient, Server, frames, http, within_time};

/// Many times as many as come in, or are connected, in one go.
const CROWD: usize = 300;
/// What each of them has not read.
const UNREAD: usize = 3;
const WRITER: &str = "writer";
const TEXT: &str = "while you were away";
/// How long a crowd may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn user(number: usize) -> String {
    format!("CROWD{number:03}")
}

/// Writes to everybody of the crowd in turn, until each has something to read. Returns the IDs for each.
async fn write_to_all(writer: &mut Client) -> Vec<Vec<String>> {
    let mut unread = vec![Vec::new(); CROWD];
    let turns: Vec<usize> = (0..UNREAD).flat_map(|_| 0..CROWD).collect();
    for ten in turns.chunks(10) {
        let ids = writer.ids().await;
        for (id, to) in ids.iter().zip(ten) {
            writer.message(id, &user(*to), TEXT).await;
        }
        for (id, to) in ids.into_iter().zip(ten) {
            writer.expect_status(&user(*to), WRITER, &id, 1).await;
            unread[*to].push(id);
        }
    }
    unread
}

/// Comes back, and reads what is expected: every frame in its place.
async fn come_back(server: &Server, user: &str, unread: &[String]) -> RawClient {
    let mut client = RawClient::connect(server, user).await;
    for id in unread {
        let expected = frames::message_text(WRITER, user, id, TEXT);
        assert_eq!(client.next_text().await, expected);
    }
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_comes_back_at_once_gets_everything_once_and_in_order_and_hears_on() {
    let mut server = Server::start();
    let unread = write_to_all(&mut Client::connect(&server, WRITER).await).await;
    server.kill9();
    server.restart();
    let mut writer = Client::connect(&server, WRITER).await;
    let crowd = unread.iter().enumerate().map(|(number, unread)| {
        let server = &server;
        async move { come_back(server, &user(number), unread).await }
    });
    let mut crowd = within_time(PATIENCE, "the crowd to come back", join_all(crowd)).await;
    // Whatever came twice would come before this.
    for (number, client) in crowd.iter_mut().enumerate() {
        let id = writer.deliver(&user(number), "and on").await;
        let expected = frames::message_text(WRITER, &user(number), &id, "and on");
        assert_eq!(client.next_text().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_connects_while_nothing_can_be_written_is_told_so_and_gets_in_afterwards() {
    // One failure for each few of them would take longer than a client waits.
    let flags = ["--store-timeout", "2s", "--connect-timeout", "600s"];
    let server = Server::with(&flags);
    let lock = server.database().lock_writing();
    let told = (0..CROWD).map(|number| {
        let server = &server;
        async move {
            let mut client = Client::open(server).await;
            client.send(frames::connect(&user(number))).await;
            client.expect_error("storage_unavailable").await;
            client
        }
    });
    let mut crowd = within_time(PATIENCE, "the crowd to be told", join_all(told)).await;
    lock.release();
    for (number, client) in crowd.iter_mut().enumerate() {
        client.connect_as(&user(number)).await;
    }
}

/// A connection over which these bytes went, and nothing more.
async fn half_said(server: &Server, bytes: &[u8]) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).await;
    let mut stream = stream.expect("the server takes TCP connections");
    stream.set_nodelay(true).expect("nodelay can be set");
    stream.write_all(bytes).await.expect("a few bytes go out");
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_or_half_of_it_keeps_nobody_out() {
    // Nobody's deadline passes while this test looks.
    let server = Server::with(&["--connect-timeout", "600s", "--limits", "off"]);
    let silent: [&[u8]; 4] = [b"", b"G", b"GET /ws", b"GET /ws HTTP/1.1\r\nHost: 127."];
    let mut halves = Vec::new();
    for number in 0..CROWD {
        halves.push(half_said(&server, silent[number % silent.len()]).await);
    }
    let upgraded = (0..CROWD).map(|_| RawClient::open(&server));
    let upgraded = within_time(PATIENCE, "upgrades", join_all(upgraded)).await;
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let id = ann.deliver("bob", "not kept out").await;
    bob.expect_message("ann", "bob", &id, "not kept out").await;
    assert_eq!(http::get(&server, "/health").await.status, 200);
    drop((halves, upgraded));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_comes_byte_by_byte_is_taken_among_a_crowd() {
    let server = Server::start();
    let crowd = (0..CROWD).map(|number| {
        let server = &server;
        async move { RawClient::connect(server, &user(number)).await }
    });
    let slow = async {
        let mut stream = half_said(&server, b"").await;
        let probe = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        for byte in probe {
            stream.write_all(&[*byte]).await.expect("a byte goes out");
        }
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        read.expect("an answer and an end");
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    };
    let both = async { tokio::join!(join_all(crowd), slow) };
    within_time(PATIENCE, "the crowd, and a slow request", both).await;
}
