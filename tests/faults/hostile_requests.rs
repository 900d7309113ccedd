//! Connections that are no WebSocket, and would stay for ever if they could; and those on their way to be one.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bystanders::Pair;
use super::support::{Client, Server, http, raw, within, within_time};

/// A connection that is no WebSocket is cut after four times as long.
const STALL: &str = "--stall-timeout=500ms";

/// The server looks now and then.
const CUT: Duration = Duration::from_secs(8);

async fn tcp(server: &Server) -> TcpStream {
    let opening = TcpStream::connect(("127.0.0.1", server.port()));
    within("a TCP connection", opening)
        .await
        .expect("the server takes connections")
}

/// Sends this, and reads on to the end of the connection, be it in order or by a reset.
async fn ends(server: &Server, request: &[u8], what: &str) -> Vec<u8> {
    let mut stream = tcp(server).await;
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let _ = within_time(CUT, what, stream.read_to_end(&mut bytes)).await;
    bytes
}

#[tokio::test]
async fn a_connection_is_there_for_one_request_and_half_of_another_does_not_hold_it() {
    let server = Server::with(&[STALL]);
    let request = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nG";
    let answer = ends(
        &server,
        request,
        "a connection with half a second request to end",
    )
    .await;
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_body_that_never_ends_does_not_hold_a_connection() {
    let server = Server::with(&[STALL, "--admin-token=an-admin-token-for-tests"]);
    let mut bystanders = Pair::connect(&server).await;
    for head in [
        "POST /health HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n",
        "POST /api/v1/import/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Authorization: Bearer an-admin-token-for-tests\r\nContent-Length: 1000000\r\n\r\n{",
    ] {
        ends(&server, head.as_bytes(), head).await;
        bystanders.round_trip().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_does_not_hold_a_connection() {
    let server = Server::with(&[STALL]);
    let mut stream = tcp(&server).await;
    let request = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(2_000);
    // Nothing is read: an error on the way is the end that is waited for.
    let writing = async { while stream.write_all(&request).await.is_ok() {} };
    within_time(CUT, "the connection to end", writing).await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off_before_it_is_large() {
    let server = Server::start();
    let mut head = b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ".to_vec();
    head.resize(17 * 1024, b'x');
    ends(&server, &head, "a connection with a head of 17 KiB to end").await;
    // What is behind a whole head is not counted with it, also where they come at once.
    let large = "x".repeat(200_000);
    let request = format!(
        "POST /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n{large}",
        large.len()
    );
    let answer = http::request(&server, &request).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn an_upgrade_with_a_body_is_refused() {
    let server = Server::start();
    for body in [
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\n\r\nhello",
    ] {
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{body}\
             GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        );
        let answer = ends(&server, request.as_bytes(), "the connection to end").await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(!answer.contains("101 Switching"), "{answer}");
    }
    Client::connect(&server, "HK0001").await.close().await;
}

#[tokio::test]
async fn an_upgrade_to_something_else_as_well_is_refused_and_one_elsewhere_gets_an_ordinary_answer()
{
    let server = Server::start();
    for (path, names, status) in [
        ("/ws", "websocket, h2c", "400"),
        ("/health/live", "websocket", "200"),
        ("/nowhere", "websocket", "404"),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: {names}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let answer = ends(&server, request.as_bytes(), "the connection to end").await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.contains("onnection: close"), "{answer}");
    }
}

#[tokio::test]
async fn frames_that_come_in_one_piece_with_the_upgrade_are_read() {
    let server = Server::start();
    let mut bytes = b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    let connect = br#"{"action":"1","fromId":"HK0001"}"#;
    bytes.extend(raw::frame(0x1, true, true, connect));
    bytes.extend(raw::frame(0x8, true, true, &1000_u16.to_be_bytes()));
    let answer = ends(&server, &bytes, "the connection to end").await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(
        answer.contains(r#"{"action":"1","toId":"HK0001"}"#),
        "{answer}"
    );
}
