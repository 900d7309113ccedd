//! A WebSocket client that does only what it is told: it answers no ping, and sends any bytes.
//!
//! The ordinary [`Client`](super::Client) sits on tokio-tungstenite, which answers pings by itself and
//! refuses to send what breaks the protocol. Tests of dead peers and of hostile bytes need both.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::client::Wire;
use super::node::Node;
use super::{Place, frames, within};

/// Opcode of a continuation frame.
pub const CONTINUATION: u8 = 0x0;
/// Opcode of a text frame.
pub const TEXT: u8 = 0x1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 0x2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub const PING: u8 = 0x9;
/// Opcode of a pong.
pub const PONG: u8 = 0xA;

/// The mask of every masked frame: a fixed one will do, since nobody here needs protection.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A connection that has been upgraded by hand: TCP, or TLS.
pub struct RawClient<S = TcpStream> {
    stream: S,
    /// What was read beyond the last frame.
    unread: Vec<u8>,
}

impl RawClient {
    /// Connects and upgrades, and sends no frame.
    pub async fn open(place: &impl Place) -> RawClient {
        RawClient::open_at(place.node_for(None), None).await
    }

    /// [`RawClient::open`], and connects as `user`.
    pub async fn connect(place: &impl Place, user: &str) -> RawClient {
        let client = RawClient::open_at(place.node_for(Some(user)), None).await;
        client.connected_as(user).await
    }

    /// [`RawClient::open`] with a receive buffer of so many bytes in the kernel (which doubles it): a
    /// small one makes a client that does not read hold up the server sooner.
    pub async fn open_with_receive_buffer(place: &impl Place, bytes: Option<u32>) -> RawClient {
        RawClient::open_at(place.node_for(None), bytes).await
    }

    /// [`RawClient::open_with_receive_buffer`], and connects as `user`.
    pub async fn connect_with_receive_buffer(
        place: &impl Place,
        user: &str,
        bytes: u32,
    ) -> RawClient {
        let client = RawClient::open_at(place.node_for(Some(user)), Some(bytes)).await;
        client.connected_as(user).await
    }

    async fn open_at(node: &Node, receive_buffer: Option<u32>) -> RawClient {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        if let Some(bytes) = receive_buffer {
            socket
                .set_recv_buffer_size(bytes)
                .expect("the receive buffer can be set");
        }
        let port = node.port();
        let address = ([127, 0, 0, 1], port).into();
        let stream = within("a TCP connection", socket.connect(address)).await;
        let stream = stream.expect("the server takes TCP connections");
        stream.set_nodelay(true).expect("nodelay can be set");
        RawClient::over(stream, port).await
    }
}

impl<S: Wire> RawClient<S> {
    /// Upgrades a connection that is there already, to this port, and sends no frame.
    pub async fn over(stream: S, port: u16) -> RawClient<S> {
        let mut client = RawClient {
            stream,
            unread: Vec::new(),
        };
        client.upgrade(port).await;
        client
    }

    /// Sends the connect frame and takes its answer.
    pub async fn connected_as(mut self, user: &str) -> RawClient<S> {
        self.send_text(&frames::connect(user).to_string()).await;
        assert_eq!(self.next_text().await, frames::connected_text(user));
        self
    }

    async fn upgrade(&mut self, port: u16) {
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.send_bytes(request.as_bytes()).await;
        let end = loop {
            if let Some(at) = self
                .unread
                .windows(4)
                .position(|bytes| bytes == b"\r\n\r\n")
            {
                break at + 4;
            }
            assert!(self.fill().await, "the server hung up instead of upgrading");
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        assert!(
            head.starts_with("HTTP/1.1 101"),
            "the upgrade was refused: {head}"
        );
        self.unread.drain(..end);
    }

    /// The stream below, for what this client has no method for.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// What was read beyond the last frame, for who demands that there is nothing.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send_bytes(bytes)
            .await
            .expect("the server is there to be written to");
    }

    /// [`RawClient::send_bytes`], for a server that may well hang up in the middle.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        within("the server to take the bytes", sending).await
    }

    /// Sends a whole, masked text frame.
    pub async fn send_text(&mut self, text: &str) {
        self.send_frame(TEXT, true, true, text.as_bytes()).await;
    }

    /// Sends one frame, whether or not the protocol allows it.
    pub async fn send_frame(&mut self, opcode: u8, fin: bool, masked: bool, payload: &[u8]) {
        self.send_bytes(&frame(opcode, fin, masked, payload)).await;
    }

    /// The next frame, whatever it is: its opcode and its payload. `None` once the connection has ended,
    /// in order or by a reset.
    pub async fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Some(frame);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// [`RawClient::read_frame`] for a slow reader, who takes so many bytes at a time and pauses after each.
    pub async fn read_frame_slowly(
        &mut self,
        bytes: usize,
        pause: Duration,
    ) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Some(frame);
            }
            let mut sip = vec![0; bytes];
            let read = within("bytes from the server", self.stream.read(&mut sip)).await;
            match read {
                Ok(count @ 1..) => self.unread.extend_from_slice(&sip[..count]),
                Ok(0) | Err(_) => return None,
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// The text of the next text frame. Pings on the way to it are read, and not answered.
    pub async fn next_text(&mut self) -> String {
        loop {
            match self.read_frame().await {
                Some((TEXT, payload)) => {
                    return String::from_utf8(payload).expect("the server sends UTF-8");
                }
                Some((PING | PONG, _)) => {}
                Some((CLOSE, payload)) => {
                    panic!(
                        "expected a text frame, got a close with {:?}",
                        close_code(&payload)
                    )
                }
                Some((opcode, _)) => panic!("expected a text frame, got opcode {opcode:#x}"),
                None => panic!("expected a text frame, but the connection ended"),
            }
        }
    }

    /// The payload of the next ping, which is not answered. A text frame on the way to it is a failure.
    pub async fn next_ping(&mut self) -> Vec<u8> {
        match self.read_frame().await {
            Some((PING, payload)) => payload,
            other => panic!("expected a ping, got {other:?}"),
        }
    }

    /// Reads on to the close frame, whatever comes before it, and returns its code.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            match self.read_frame().await {
                Some((CLOSE, payload)) => {
                    return close_code(&payload).expect("the close frame holds a code");
                }
                Some(_) => {}
                None => panic!("expected a close frame, but the connection just ended"),
            }
        }
    }

    /// Reads on until the connection has ended, in order or by a reset.
    pub async fn ended(&mut self) {
        while self.read_frame().await.is_some() {}
    }

    /// Cuts a whole frame off what has been read.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, &second) = (self.unread.first()?, self.unread.get(1)?);
        assert_eq!(second & 0x80, 0, "a server must not mask its frames");
        assert_eq!(
            first & 0xF0,
            0x80,
            "no extension is negotiated, and this server sends no fragments"
        );
        let (start, length) = match second {
            126 => (
                4,
                u64::from(u16::from_be_bytes(self.unread.get(2..4)?.try_into().ok()?)),
            ),
            127 => (
                10,
                u64::from_be_bytes(self.unread.get(2..10)?.try_into().ok()?),
            ),
            length => (2, u64::from(length)),
        };
        let end = start + usize::try_from(length).expect("a length that fits into memory");
        let payload = self.unread.get(start..end)?.to_vec();
        self.unread.drain(..end);
        Some((first & 0x0F, payload))
    }

    /// Reads some more; false if there is no more to come.
    async fn fill(&mut self) -> bool {
        let read = within(
            "bytes from the server",
            self.stream.read_buf(&mut self.unread),
        )
        .await;
        matches!(read, Ok(1..))
    }
}

/// The bytes of one frame.
pub fn frame(opcode: u8, fin: bool, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(opcode, fin, masked, payload.len() as u64);
    if masked {
        bytes.extend_from_slice(&MASK);
        bytes.extend(
            payload
                .iter()
                .zip(MASK.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
    } else {
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// The first bytes of a frame that announces `length` bytes of payload, without the mask: a header
/// whose payload need never come.
pub fn header(opcode: u8, fin: bool, masked: bool, length: u64) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![if fin { 0x80 } else { 0 } | opcode];
    match length {
        0..=125 => bytes.push(mask_bit | length as u8),
        126..=0xFFFF => {
            bytes.push(mask_bit | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 127);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes
}

/// The code in a close frame's payload, if it has one.
pub fn close_code(payload: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(payload.get(..2)?.try_into().ok()?))
}
