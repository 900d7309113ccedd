//! How much one user and one address may do, and that those who stay within it notice nothing of the others.

use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use super::support::server::run;
use super::support::{Client, Server, frames};
use super::tokens::{self, token, with_secret};

async fn connect(server: &Server, user: &str) -> Client {
    tokens::connect(server, user, &token(user)).await
}

/// The status of an upgrade, for whom a proxy says this.
async fn upgrade(server: &Server, forwarded: &str) -> Result<Client, u16> {
    let headers = [("X-Forwarded-For", forwarded)];
    match Client::open_with(server.node(0), &headers).await {
        Ok((client, _)) => Ok(client),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("no answer: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_refused_and_then_closed_and_others_are_served() {
    let server = Server::with(&[&with_secret(), "--frame-rate=5", "--frame-burst=20"]);
    let mut flooder = connect(&server, "flooder").await;
    let mut polite = connect(&server, "polite").await;
    let id = flooder.id().await;
    for _ in 0..600 {
        flooder
            .try_send(frames::message("flooder", "polite", &id, "text"))
            .await;
    }
    let (heard, code) = flooder.read_until_close().await;
    assert_eq!(code, 4429);
    let acked = frames::status_text("polite", "flooder", &id, 1);
    let acks = heard.iter().filter(|text| **text == acked).count();
    assert!((10..40).contains(&acks), "{acks} were taken");
    let limited: Vec<_> = heard
        .iter()
        .filter(|text| text.contains("rate_limited"))
        .collect();
    assert!(limited.len() >= 100, "{} were refused", limited.len());
    for text in limited {
        let frame: serde_json::Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(frame["error"]["action"], "3");
        assert_eq!(frame["error"]["retryable"], true);
        assert_eq!(frame["chatMsg"]["id"], json!(id));
    }
    polite
        .expect_message("flooder", "polite", &id, "text")
        .await;
    polite.deliver("flooder", "please stop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_devices_of_a_user_have_one_limit_and_it_recovers() {
    let server = Server::with(&[&with_secret(), "--frame-rate=20", "--frame-burst=10"]);
    let mut phone = connect(&server, "ann").await;
    let mut laptop = connect(&server, "ann").await;
    for _ in 0..15 {
        phone.send(frames::get_ids("ann")).await;
    }
    phone.expect_eventually("rate_limited").await;
    laptop.send(frames::get_ids("ann")).await;
    laptop.expect_eventually("rate_limited").await;
    // What was refused is sent again until it is taken, as PROTOCOL.md says.
    laptop.ids_at_last().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sent_before_connect_is_bounded() {
    let server = Server::with(&[&with_secret()]);
    let mut client = Client::open(server.node(0)).await;
    for _ in 0..200 {
        client.try_send(frames::get_ids("ann")).await;
    }
    let (heard, code) = client.read_until_close().await;
    assert_eq!((heard.len(), code), (100, 4429));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_so_many_connections_and_a_trusted_proxy_speaks_for_many_addresses() {
    let flags = [
        &with_secret(),
        "--max-address-connections=2",
        "--trusted-proxy=127.0.0.0/8",
    ];
    let server = Server::with(&flags);
    let first = upgrade(&server, "192.0.2.1").await;
    let second = upgrade(&server, "203.0.113.1, 192.0.2.1").await;
    let (first, second) = (first.expect("one"), second.expect("two"));
    assert_eq!(upgrade(&server, "192.0.2.1").await.err(), Some(429));
    let _other = upgrade(&server, "192.0.2.2")
        .await
        .expect("another address");
    let _six = upgrade(&server, "2001:db8::1")
        .await
        .expect("another address");
    let _seven = upgrade(&server, "2001:db8::2")
        .await
        .expect("the same network");
    assert_eq!(upgrade(&server, "2001:db8::3").await.err(), Some(429));
    // A place is free again when a connection is gone.
    first.close().await;
    second.close().await;
    let deadline = std::time::Instant::now() + super::support::DEADLINE;
    while upgrade(&server, "192.0.2.1").await.is_err() {
        assert!(
            std::time::Instant::now() < deadline,
            "the place stays taken"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_anybody_says_of_an_address_counts_for_nothing() {
    let server = Server::with(&[&with_secret(), "--max-address-connections=1"]);
    let _first = upgrade(&server, "192.0.2.1").await.expect("one");
    assert_eq!(upgrade(&server, "192.0.2.2").await.err(), Some(429));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_of_an_address_are_limited_and_health_is_not() {
    let flags = [&with_secret(), "--handshake-rate=1", "--handshake-burst=5"];
    let server = Server::with(&flags);
    let mut refused = 0;
    for _ in 0..20 {
        refused += usize::from(upgrade(&server, "").await.is_err());
    }
    assert!((10..=15).contains(&refused), "{refused} were refused");
    let url = server.url();
    for _ in 0..20 {
        assert!(run(&["health", "--url", &url]).status.success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_server_has_no_limits_unless_they_are_asked_for() {
    let few = ["--frame-rate=1", "--frame-burst=1"];
    let server = Server::with(&few);
    let mut ann = Client::connect(server.node(0), "ann").await;
    for _ in 0..20 {
        ann.ids().await;
    }
    let server = Server::with(&[few[0], few[1], "--limits=on"]);
    let mut ann = Client::connect(server.node(0), "ann").await;
    ann.send(frames::get_ids("ann")).await;
    ann.send(frames::get_ids("ann")).await;
    ann.expect_eventually("rate_limited").await;
    let server = Server::with(&[&with_secret(), few[0], few[1], "--limits=off"]);
    let mut ann = connect(&server, "ann").await;
    for _ in 0..20 {
        ann.ids().await;
    }
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    for flag in [
        "--limits=maybe",
        "--frame-rate=0",
        "--frame-burst=-1",
        "--max-address-connections=0",
        "--trusted-proxy=nginx",
        "--trusted-proxy=10.0.0.0/33",
    ] {
        let ended = run(&["serve", "--listen=127.0.0.1:0", flag]);
        assert_eq!(ended.status.code(), Some(2), "{flag}: {ended:?}");
    }
}
