//! A graceful stop: everyone is told to come back, and whatever was taken is answered first.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::catching_up::flood;
use crate::common::many_ids;
use crate::support::{Client, DEADLINE, RawClient, Server, http};

/// Asks for a stop by this signal, which must end all connections with 1001 and the process with 0.
async fn assert_graceful(signal: &str) {
    let mut server = Server::start();
    let mut clients = [
        Client::connect(&server, "HK0001").await,
        Client::connect(&server, "HK0002").await,
    ];
    let mut unconnected = Client::open(&server).await;
    server.signal(signal);
    for client in &mut clients {
        assert_eq!(client.expect_close().await, 1001);
    }
    assert_eq!(
        unconnected.expect_close().await,
        1001,
        "also a socket that never connected"
    );
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn sigterm_says_goodbye_with_1001_and_exits_with_0() {
    assert_graceful("TERM").await;
}

#[tokio::test]
async fn sigint_says_goodbye_with_1001_and_exits_with_0() {
    assert_graceful("INT").await;
}

/// Waits until the health of every node is this.
async fn becomes(server: &Server, status: u16) {
    let deadline = Instant::now() + DEADLINE;
    for node in server.nodes() {
        while http::get_at(node.port(), "/health").await.status != status {
            assert!(Instant::now() < deadline, "health does not become {status}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn while_it_drains_it_is_red_and_serves_everybody_until_the_grace_is_over() {
    let mut server = Server::with(&["--drain-grace=3s"]);
    let mut client = Client::connect(&server, "HK0001").await;
    server.signal("TERM");
    becomes(&server, 503).await;
    let health = http::get(&server, "/health").await;
    assert!(health.body.contains("draining"), "{health:?}");
    assert_eq!(http::get(&server, "/health/live").await.status, 200);
    // Who is here is served, and so is who comes from a load balancer that has not looked yet.
    client.deliver("HK0002", "text").await;
    let mut late = Client::connect(&server, "HK0003").await;
    late.ids().await;
    for client in [&mut client, &mut late] {
        assert_eq!(client.expect_close().await, 1001);
    }
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_second_signal_ends_the_grace() {
    let mut server = Server::with(&["--drain-grace=1h"]);
    let mut client = Client::connect(&server, "HK0001").await;
    server.signal("TERM");
    becomes(&server, 503).await;
    client.ids().await;
    server.signal("TERM");
    assert_eq!(client.expect_close().await, 1001);
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_server_without_connections_stops_at_once() {
    let mut server = Server::start();
    let ended = server.terminate().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn what_was_taken_before_the_stop_is_stored_and_acknowledged_before_the_close() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut sender, 300).await;
    for id in &ids {
        sender.message(id, "HK0002", id).await;
    }
    server.signal("TERM");
    let (texts, code) = sender.read_until_close().await;
    assert_eq!(code, 1001);
    let mut acknowledged = HashSet::new();
    for text in texts {
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&frame["action"], &frame["chatMsg"]["status"]),
            (&"4".into(), &1.into()),
            "{text}"
        );
        let id = frame["chatMsg"]["id"].as_str().expect("an ID").to_owned();
        assert!(acknowledged.insert(id), "acknowledged twice: {text}");
    }
    assert_eq!(server.ended().await.status.code(), Some(0));

    // Whatever was stored was also acknowledged, and the other way round.
    server.restart();
    let mut reader = Client::connect(&server, "HK0002").await;
    let mut witness = Client::connect(&server, "witness").await;
    let stored: HashSet<String> = crate::common::all_until_now(&mut reader, &mut witness)
        .await
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).expect("JSON"))
        .map(|frame| frame["chatMsg"]["id"].as_str().expect("an ID").to_owned())
        .collect();
    assert_eq!(stored, acknowledged);
}

#[tokio::test]
async fn a_stop_while_somebody_does_not_read_still_ends() {
    let mut server = Server::start();
    // Neither of these is ever polled again: they answer no close.
    let _first = Client::connect(&server, "HK0001").await;
    let _second = RawClient::connect(&server, "HK0002").await;
    let ended = server.terminate().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_stopped_server_starts_again_with_all_it_had() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.deliver("HK0002", "text").await;
    let (ended, code) = tokio::join!(server.terminate(), sender.expect_close());
    assert_eq!((ended.status.code(), code), (Some(0), 1001));
    server.restart();
    let mut reader = Client::connect(&server, "HK0002").await;
    reader.expect_message("HK0001", "HK0002", &id, "text").await;
}

#[tokio::test]
async fn while_the_server_stops_its_health_says_so_and_nobody_new_is_let_in() {
    let server = Server::with(&["--stall-timeout", "600s"]);
    let node = server.node(0);
    // Until it is read, this one cannot take its goodbye, and the server waits for it.
    let mut stalled = RawClient::connect_with_receive_buffer(node, "HK0001", 8 * 1024).await;
    flood(&server).await;

    let mut witness = Client::connect(node, "witness").await;
    node.signal("TERM");
    assert_eq!(
        witness.expect_close().await,
        1001,
        "the stop has begun by now"
    );
    let health = http::get(node, "/health").await;
    assert_eq!(health.status, 503, "{}", health.head);
    let body: Value = serde_json::from_str(&health.body).expect("JSON");
    let expected = json!({"status": "unavailable", "reasons": ["draining"]});
    assert_eq!(body, expected);
    let host = format!("127.0.0.1:{}", node.port());
    let response = http::upgrade_with_host(node, &host).await;
    assert_eq!(response.status, 503, "{}", response.head);

    assert_eq!(stalled.close_code().await, 1001);
    assert_eq!(node.ended().await.status.code(), Some(0));
}
