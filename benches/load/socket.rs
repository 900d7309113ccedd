//! A WebSocket client that costs as little as can be: it shares the cores with the server.
//!
//! Every frame is masked with the same four bytes, which the server undoes as it would any others.
//! What arrives is cut into frames by the header alone and shown as bytes.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Room for what one read brings.
const READ: usize = 8 * 1024;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// One connection.
pub struct Socket {
    stream: TcpStream,
    input: BytesMut,
    output: Vec<u8>,
}

impl Socket {
    /// Connects and upgrades.
    pub async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut socket = Self {
            stream,
            input: BytesMut::new(),
            output: Vec::new(),
        };
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.output.extend_from_slice(request.as_bytes());
        socket.flush().await?;
        loop {
            socket.read().await?;
            let end = socket.input.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                if !socket.input.starts_with(b"HTTP/1.1 101") {
                    return Err("the server refuses the upgrade".into());
                }
                socket.input.advance(end + 4);
                return Ok(socket);
            }
        }
    }

    /// Connects and speaks for a user, as far as action 1 is answered.
    pub async fn connect(address: SocketAddr, user: &str) -> Outcome<Self> {
        let mut socket = Self::open(address).await?;
        socket.put(format!(r#"{{"action":"1","fromId":"{user}"}}"#).as_bytes());
        socket.flush().await?;
        let expected = format!(r#"{{"action":"1","toId":"{user}"}}"#);
        let mut answered = false;
        while !answered {
            socket.read().await?;
            socket.frames(|frame| {
                answered = frame == expected.as_bytes();
                if answered { Ok(()) } else { Err(odd(frame)) }
            })?;
        }
        Ok(socket)
    }

    /// Puts a text frame into the output.
    pub fn put(&mut self, text: &[u8]) {
        self.put_frame(TEXT, text);
    }

    fn put_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.output.push(0x80 | opcode);
        match u16::try_from(payload.len()) {
            Ok(short @ ..=125) => self.output.push(0x80 | short as u8),
            Ok(medium) => {
                self.output.push(0x80 | 126);
                self.output.extend(medium.to_be_bytes());
            }
            Err(_) => {
                self.output.push(0x80 | 127);
                self.output.extend((payload.len() as u64).to_be_bytes());
            }
        }
        self.output.extend(MASK);
        let from = self.output.len();
        self.output.extend_from_slice(payload);
        for four in self.output[from..].chunks_mut(4) {
            four.iter_mut()
                .zip(MASK)
                .for_each(|(byte, mask)| *byte ^= mask);
        }
    }

    /// Sends the output.
    pub async fn flush(&mut self) -> Outcome<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
        }
        Ok(())
    }

    /// Waits until something has arrived. May be dropped at any point.
    pub async fn read(&mut self) -> Outcome<()> {
        self.input.reserve(READ);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }

    /// Shows every whole text frame that has arrived. Pings are answered with the next flush.
    pub fn frames(&mut self, mut show: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        let mut input = std::mem::take(&mut self.input);
        while let Some((opcode, header, end)) = parse(&input) {
            match opcode {
                TEXT => show(&input[header..end])?,
                PING => self.put_frame(PONG, &input[header..end]),
                CLOSE => return Err("the server says goodbye".into()),
                _ => {}
            }
            input.advance(end);
        }
        self.input = input;
        Ok(())
    }
}

/// The opcode of the first frame, where its payload begins and where it ends.
fn parse(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let (header, length) = match second {
        126 => (4, number(bytes.get(2..4)?)),
        127 => (10, number(bytes.get(2..10)?)),
        short => (2, usize::from(short)),
    };
    let end = header + length;
    (bytes.len() >= end).then_some((first & 0x0f, header, end))
}

/// What to say of a frame that nobody expected.
pub fn odd(frame: &[u8]) -> Box<dyn std::error::Error> {
    let text = String::from_utf8_lossy(frame);
    let text: String = text.chars().take(300).collect();
    format!("not expected from the server: {text}").into()
}
