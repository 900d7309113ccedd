//! What comes in the place of a proper HTTP request, and connections that never become one.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bystanders::Pair;
use super::support::{Client, RawClient, Server, http, within, within_time};

/// Half a request head is dropped within this time, whatever the server's own setting for it is.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);

async fn tcp(server: &Server) -> TcpStream {
    within(
        "a TCP connection",
        TcpStream::connect(("127.0.0.1", server.port())),
    )
    .await
    .expect("the server takes TCP connections")
}

/// Reads to the end of the connection, be it in order or by a reset.
async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // After a reset, what came before it is all there is.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

#[tokio::test]
async fn half_a_request_head_is_dropped_in_time() {
    let server = Server::with(&["--connect-timeout", "1s"]);
    let mut bystanders = Pair::connect(&server).await;
    bystanders.round_trip().await;
    let mut half = tcp(&server).await;
    half.write_all(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgra")
        .await
        .expect("it can be written");
    let mut nothing = tcp(&server).await;
    bystanders.round_trip().await;
    within_time(
        HEAD_PATIENCE,
        "half a request head to be dropped",
        read_to_end(&mut half),
    )
    .await;
    within_time(
        HEAD_PATIENCE,
        "a silent connection to be dropped",
        read_to_end(&mut nothing),
    )
    .await;
    bystanders.round_trip().await;
}

#[tokio::test]
async fn a_websocket_on_which_nobody_connects_is_closed_with_4408() {
    let server = Server::with(&["--connect-timeout", "500ms"]);
    let mut silent = Client::open(&server).await;
    assert_eq!(silent.expect_close().await, 4408);

    let mut slow = RawClient::open(&server).await;
    slow.send_bytes(&[0x81]).await;
    assert_eq!(
        slow.close_code().await,
        4408,
        "a single byte is not a connect frame"
    );

    let mut chatty = Client::open(&server).await;
    chatty.send_raw(r#"{"action":"5","fromId":"chatty"}"#).await;
    chatty.expect_error("not_connected").await;
    assert_eq!(
        chatty.expect_close().await,
        4408,
        "a heartbeat is not a connect frame"
    );
}

#[tokio::test]
async fn what_is_not_a_request_is_refused_and_the_server_stays_healthy() {
    let server = Server::start();
    let mut bystanders = Pair::connect(&server).await;
    let cases: [(&str, Vec<u8>); 7] = [
        (
            "no words at all",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\r\n\r\n".to_vec(),
        ),
        ("zeros", vec![0; 4096]),
        ("another protocol", b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec()),
        (
            "a version that does not exist",
            b"GET /ws HTTP/9.9\r\n\r\n".to_vec(),
        ),
        (
            "a head without end",
            [b"GET /ws HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat(),
        ),
        (
            "a thousand headers",
            [
                b"GET /ws HTTP/1.1\r\n".to_vec(),
                b"X: x\r\n".repeat(1000),
                b"\r\n".to_vec(),
            ]
            .concat(),
        ),
        (
            "a negative length",
            b"POST /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n".to_vec(),
        ),
    ];
    for (what, bytes) in cases {
        let mut stream = tcp(&server).await;
        // The server need not read to the end what it has refused.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let answer = within_time(HEAD_PATIENCE, what, read_to_end(&mut stream)).await;
        let is_refusal = answer.is_empty()
            || answer.starts_with(b"HTTP/1.1 4")
            || answer.starts_with(b"HTTP/1.1 5");
        assert!(is_refusal, "{what}: {}", String::from_utf8_lossy(&answer));
        bystanders.round_trip().await;
    }
    assert_eq!(http::get(&server, "/health").await.status, 200);
}

#[tokio::test]
async fn an_upgrade_that_is_not_one_gets_an_http_error() {
    let server = Server::start();
    let host = format!("127.0.0.1:{}", server.port());
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    let cases = [
        (
            "no upgrade",
            format!("GET /ws HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        ),
        (
            "no key",
            format!("GET /ws HTTP/1.1\r\nHost: {host}\r\n{upgrade}{version}\r\n"),
        ),
        (
            "no version",
            format!("GET /ws HTTP/1.1\r\nHost: {host}\r\n{upgrade}{key}\r\n"),
        ),
        (
            "an old version",
            format!(
                "GET /ws HTTP/1.1\r\nHost: {host}\r\n{upgrade}{key}Sec-WebSocket-Version: 8\r\n\r\n"
            ),
        ),
        (
            "a POST",
            format!(
                "POST /ws HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{upgrade}{key}{version}\r\n"
            ),
        ),
    ];
    for (what, request) in cases {
        let response = http::request(&server, &request).await;
        assert!(
            (400..500).contains(&response.status),
            "an upgrade with {what} got {}",
            response.status
        );
    }
}
