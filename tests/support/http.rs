//! Plain HTTP/1.1 requests to the server, one connection each.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Place, within};

/// What the server answered to an HTTP request.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The status line and the headers, as they came.
    pub head: String,
    /// All that follows the headers.
    pub body: String,
}

/// `GET path`, with the Host header that belongs to the server's address.
pub async fn get(place: &impl Place, path: &str) -> Response {
    get_at(place.any_node().port(), path).await
}

/// [`get`], from whoever listens on this port of 127.0.0.1.
pub async fn get_at(port: u16, path: &str) -> Response {
    let host = format!("127.0.0.1:{port}");
    request_at(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    )
    .await
}

/// `GET /ws` as a WebSocket upgrade with a Host header of the caller's choice.
///
/// Only good for upgrades that are refused: it reads until the server closes the connection.
pub async fn upgrade_with_host(place: &impl Place, host: &str) -> Response {
    upgrade_from(place, host, None).await
}

/// [`upgrade_with_host`], asked by a page of this origin where there is one, as browsers say.
pub async fn upgrade_from(place: &impl Place, host: &str, origin: Option<&str>) -> Response {
    let origin = origin.map_or(String::new(), |origin| format!("Origin: {origin}\r\n"));
    request(
        place,
        &format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
    )
    .await
}

/// Writes `request` as it is, and reads one response: up to its `Content-Length`, or to the end.
pub async fn request(place: &impl Place, request: &str) -> Response {
    request_at(place.any_node().port(), request).await
}

/// A request with a method, headers and a body of one's own, to whoever listens on this port of 127.0.0.1.
pub async fn send_at(
    port: u16,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    let length = body.len();
    text += &format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    request_at(port, &text).await
}

async fn request_at(port: u16, request: &str) -> Response {
    let mut stream = within("a TCP connection", TcpStream::connect(("127.0.0.1", port)))
        .await
        .expect("the server takes TCP connections");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the request can be written");
    let mut bytes = Vec::new();
    within("the whole HTTP response", async {
        while !is_complete(&bytes) {
            let mut chunk = [0; 4096];
            let count = stream
                .read(&mut chunk)
                .await
                .expect("the response can be read");
            if count == 0 {
                break;
            }
            bytes.extend_from_slice(&chunk[..count]);
        }
    })
    .await;
    let text = String::from_utf8(bytes).expect("the response is UTF-8");
    let (head, body) = text
        .split_once("\r\n\r\n")
        .expect("the response has a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Response {
        status: status.unwrap_or_else(|| panic!("no status code in {head:?}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Whether `bytes` hold a head and as much body as it announces. An upgrade's 101 has no body.
fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.starts_with("HTTP/1.1 101") {
        return true;
    }
    let announced = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    announced.is_some_and(|length| bytes.len() >= head.len() + 4 + length)
}
