//! Who is closed for saying nothing, and who is not.

use std::time::{Duration, Instant};

use crate::support::{Client, RawClient, Server, frames, raw};

/// Pings often, and gives up soon on who does not answer.
const IMPATIENT: [&str; 4] = ["--ping-interval", "100ms", "--idle-timeout", "600ms"];

#[tokio::test]
async fn a_socket_that_does_not_connect_in_time_is_closed_with_4408() {
    let server = Server::with(&["--connect-timeout", "300ms"]);
    let mut connected = Client::connect(&server, "HK0001").await;
    let opened = Instant::now();
    let mut silent = Client::open(&server).await;
    assert_eq!(silent.expect_close().await, 4408);
    assert!(
        opened.elapsed() >= Duration::from_millis(250),
        "closed after {:?}",
        opened.elapsed()
    );
    // The deadline is over for one that has connected, too, and it is still there.
    connected.assert_silent().await;
}

#[tokio::test]
async fn frames_other_than_connect_do_not_put_the_deadline_off() {
    let server = Server::with(&["--connect-timeout", "300ms"]);
    let mut client = RawClient::open(&server).await;
    let code = crate::support::within("the close of a socket that never connects", async {
        loop {
            // The server may close while this is under way.
            let frame = raw::frame(
                raw::TEXT,
                true,
                true,
                b"{\"action\":\"2\",\"fromId\":\"HK0001\"}",
            );
            if client.try_send_bytes(&frame).await.is_err() {
                return client.close_code().await;
            }
            match client.read_frame().await {
                Some((raw::TEXT, payload)) => {
                    assert!(String::from_utf8_lossy(&payload).contains("not_connected"));
                }
                Some((raw::CLOSE, payload)) => return raw::close_code(&payload).expect("a code"),
                other => panic!("expected an error or the close, got {other:?}"),
            }
        }
    })
    .await;
    assert_eq!(code, 4408);
}

#[tokio::test]
async fn a_connection_that_answers_no_ping_is_closed_with_4408() {
    let server = Server::with(&IMPATIENT);
    let mut deaf = RawClient::connect(&server, "HK0001").await;
    let began = Instant::now();
    let mut pings = 0;
    let code = loop {
        match deaf.read_frame().await {
            Some((raw::PING, _)) => pings += 1,
            Some((raw::CLOSE, payload)) => break raw::close_code(&payload).expect("a code"),
            other => panic!("expected pings and a close, got {other:?}"),
        }
    };
    assert_eq!(code, 4408);
    assert!(
        pings >= 2,
        "the server asked {pings} times before it gave up"
    );
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "closed after {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_connection_that_answers_pings_stays_however_little_it_says() {
    let server = Server::with(&IMPATIENT);
    let mut deaf = RawClient::connect(&server, "HK0001").await;
    let mut alive = Client::connect(&server, "HK0002").await;
    // Until the other one is given up, this one does nothing but read.
    tokio::select! {
        code = deaf.close_code() => assert_eq!(code, 4408),
        frame = alive.next() => panic!("nothing should come, but {frame} did"),
    }
    alive.assert_silent().await;
}

#[tokio::test]
async fn a_heartbeat_is_silent_and_keeps_a_connection_that_answers_no_pings() {
    let server = Server::with(&IMPATIENT);
    let mut client = RawClient::connect(&server, "HK0001").await;
    let began = Instant::now();
    // `next_ping` fails on everything else, an answer to a heartbeat or a close included.
    while began.elapsed() < Duration::from_millis(1800) {
        client.next_ping().await;
        client
            .send_text(&frames::heartbeat("HK0001").to_string())
            .await;
    }
}

#[tokio::test]
async fn any_byte_counts_as_a_sign_of_life() {
    let server = Server::with(&IMPATIENT);
    let mut client = RawClient::connect(&server, "HK0001").await;
    let request = raw::frame(
        raw::TEXT,
        true,
        true,
        frames::heartbeat("HK0001").to_string().as_bytes(),
    );
    // A frame that comes in one byte at a time, one for each ping, and is not complete at the end.
    let began = Instant::now();
    for byte in &request {
        client.next_ping().await;
        client.send_bytes(&[*byte]).await;
        if began.elapsed() > Duration::from_millis(1800) {
            return;
        }
    }
    panic!(
        "the frame was complete after {:?}: it must be longer",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_ping_of_the_client_is_answered_with_its_own_payload() {
    let server = Server::start();
    let mut client = RawClient::connect(&server, "HK0001").await;
    for payload in [&b""[..], b"are you there?", &[0xFF; 125]] {
        client.send_frame(raw::PING, true, true, payload).await;
        assert_eq!(
            client.read_frame().await,
            Some((raw::PONG, payload.to_vec()))
        );
    }
}

#[tokio::test]
async fn a_pong_that_nobody_asked_for_is_ignored() {
    let server = Server::start();
    let mut client = RawClient::connect(&server, "HK0001").await;
    client.send_frame(raw::PONG, true, true, b"unasked").await;
    client.send_frame(raw::PONG, true, true, b"").await;
    client
        .send_text(&frames::contacts("HK0001").to_string())
        .await;
    assert_eq!(
        client.next_text().await,
        r#"{"action":"11","toId":"HK0001","contacts":[]}"#
    );
}

#[tokio::test]
async fn a_clients_close_is_answered_with_a_close() {
    let server = Server::start();
    let mut client = RawClient::connect(&server, "HK0001").await;
    client
        .send_frame(raw::CLOSE, true, true, &1000_u16.to_be_bytes())
        .await;
    assert_eq!(client.close_code().await, 1000);
    client.ended().await;
}
