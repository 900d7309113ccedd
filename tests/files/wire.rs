//! A connection to the server, and what is answered over it.

use std::io;
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::within;

/// What the server answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// Takes an answer apart. Fails where less came than it announces.
    fn parse(bytes: &[u8], has_body: bool) -> io::Result<Reply> {
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or_else(cut)?;
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is UTF-8");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let reply = Reply {
            status: status.unwrap_or_else(|| panic!("no status code in {head:?}")),
            body: bytes[end + 4..].to_vec(),
            head,
        };
        let announced = reply.header("content-length");
        let announced = announced.map(|length| length.parse::<usize>().expect("a number"));
        if has_body && announced.is_some_and(|length| length != reply.body.len()) {
            return Err(cut());
        }
        Ok(reply)
    }

    /// All headers of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        let pairs = lines.filter_map(|line| line.split_once(':'));
        let named = pairs.filter(|(header, _)| header.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    /// Its head in a form in which two that say the same are the same.
    pub fn normal_head(&self) -> Vec<String> {
        let lines = self.head.lines().map(str::to_ascii_lowercase);
        let lines = lines.filter(|line| !line.starts_with("date:"));
        let mut lines: Vec<_> = lines
            .map(|line| {
                // Lists that come in any order.
                let mut items: Vec<_> = line.split([',', ':']).map(str::trim).collect();
                items.sort_unstable();
                items.join(",")
            })
            .collect();
        lines.sort();
        lines
    }

    /// The header of this name, of which there may be one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} comes {} times: {self:?}", all.len());
        all.first().copied()
    }

    /// Its body.
    pub fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.body);
        json.unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    #[track_caller]
    pub fn assert_status(self, status: u16) -> Reply {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]);
        assert_eq!(self.status, status, "{}\n{text}", self.head);
        self
    }

    /// Fails unless it is a problem of RFC 9457 with this status and code.
    #[track_caller]
    pub fn assert_is(self, status: u16, code: &str) -> Reply {
        let reply = self.assert_status(status);
        let json = reply.json();
        assert_eq!(json["code"], code, "{json}");
        assert_eq!(json["status"], status, "{json}");
        for text in ["type", "title", "detail"] {
            assert!(json[text].is_string(), "{text} in {json}");
        }
        assert!(json["retryable"].is_boolean(), "{json}");
        let kind = reply.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{json}");
        reply
    }
}

/// How many bytes an answer has, once its head is there. One without a length ends with the connection.
fn whole_length(bytes: &[u8], method: &str) -> Option<usize> {
    let reply = Reply::parse(bytes, false).ok()?;
    let head = reply.head.len() + 4;
    if method == "HEAD" || reply.status == 304 {
        return Some(head);
    }
    let body = reply.header("content-length")?;
    Some(head + body.parse::<usize>().ok()?)
}

/// A connection, for a request that is sent piece by piece.
pub struct Connection(TcpStream);

impl Connection {
    /// Opens one to this port of 127.0.0.1, and sends nothing.
    pub async fn open(port: u16) -> io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port));
        let stream = within("a TCP connection", stream).await?;
        stream.set_nodelay(true)?;
        Ok(Connection(stream))
    }

    /// Sends bytes to a server that may have hung up.
    pub async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within("the server to take the bytes", self.0.write_all(bytes)).await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        let sent = self.try_send(bytes).await;
        sent.expect("the server is there to be written to");
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        // An error means that the server has hung up.
        let _ = self.0.shutdown().await;
    }

    /// Reads the answer.
    pub async fn answer(&mut self) -> io::Result<Reply> {
        self.answer_to("POST").await
    }

    /// [`Connection::answer`], to a request of this method.
    pub async fn answer_to(&mut self, method: &str) -> io::Result<Reply> {
        let mut bytes = Vec::new();
        let reading = async {
            let mut whole = None;
            while whole.is_none_or(|whole| bytes.len() < whole) {
                if self.0.read_buf(&mut bytes).await? == 0 {
                    break;
                }
                whole = whole.or_else(|| whole_length(&bytes, method));
            }
            Ok(())
        };
        let read: io::Result<()> = within("the whole answer", reading).await;
        read.and_then(|()| Reply::parse(&bytes, method != "HEAD"))
    }

    /// Reads to the end, so many bytes at a time, and pauses after each.
    pub async fn take_slowly(&mut self, bytes: usize, pause: Duration) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut sip = (&mut self.0).take(bytes as u64);
            let read = within("some bytes", sip.read_to_end(&mut all)).await;
            match read {
                Ok(1..) => tokio::time::sleep(pause).await,
                Ok(0) | Err(_) => return all,
            }
        }
    }

    /// Ends it at once: what is on its way in either direction is lost.
    pub fn reset(self) {
        SockRef::from(&self.0)
            .set_linger(Some(Duration::ZERO))
            .expect("the socket is there");
    }
}
