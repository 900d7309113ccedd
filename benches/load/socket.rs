//! A WebSocket client that costs as little as can be: it shares the cores with the server.
//!
//! Every frame is masked with the same four bytes, which the server undoes as it would any others.
//! What arrives is cut into frames by the header alone and shown as bytes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::Outcome;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Room for what one read brings.
const READ: usize = 8 * 1024;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// The way to the server: another thread may send while this one reads.
pub struct Line {
    stream: OwnedWriteHalf,
    /// What the kernel had no room for.
    rest: Mutex<Vec<u8>>,
}

impl Line {
    /// Sends whole frames, after what is left of others. `false` if something is left.
    pub fn send(&self, frames: &[u8]) -> io::Result<bool> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rest.is_empty() {
            let sent = self.some(frames)?;
            rest.extend_from_slice(&frames[sent..]);
        } else {
            rest.extend_from_slice(frames);
            let sent = self.some(&rest)?;
            rest.drain(..sent);
        }
        Ok(rest.is_empty())
    }

    /// As much as there is room for.
    fn some(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.try_write(&bytes[sent..]) {
                Ok(more) => sent += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }
}

/// One connection.
pub struct Socket {
    stream: OwnedReadHalf,
    line: Arc<Line>,
    input: BytesMut,
    output: Vec<u8>,
}

impl Socket {
    /// Upgrades, and speaks for a user, as far as action 1 is answered.
    pub async fn connect(stream: TcpStream, upgrade: &str, user: &str) -> Outcome<Self> {
        let (stream, output) = stream.into_split();
        let mut socket = Self {
            stream,
            line: Arc::new(Line {
                stream: output,
                rest: Mutex::default(),
            }),
            input: BytesMut::new(),
            output: Vec::new(),
        };
        socket.output.extend_from_slice(upgrade.as_bytes());
        socket.flush().await?;
        socket.upgraded().await?;
        socket.put(format!(r#"{{"action":"1","fromId":"{user}"}}"#).as_bytes());
        socket.flush().await?;
        let frame = socket.first().await?;
        if frame == format!(r#"{{"action":"1","toId":"{user}"}}"#).as_bytes() {
            Ok(socket)
        } else {
            Err(odd(&frame))
        }
    }

    async fn upgraded(&mut self) -> Outcome<()> {
        loop {
            self.read().await?;
            let end = self.input.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else { continue };
            if !self.input.starts_with(b"HTTP/1.1 101") {
                let head = String::from_utf8_lossy(&self.input[..end]);
                let status = head.lines().next().unwrap_or_default();
                return Err(format!("the server refuses the upgrade: {status}").into());
            }
            self.input.advance(end + 4);
            return Ok(());
        }
    }

    /// The next text frame; those after it stay.
    async fn first(&mut self) -> Outcome<Vec<u8>> {
        loop {
            self.read().await?;
            while let Some((opcode, header, end)) = parse(&self.input) {
                let frame = self.input.split_to(end);
                match opcode {
                    TEXT => return Ok(frame[header..].to_vec()),
                    CLOSE => return Err(goodbye(&frame[header..])),
                    _ => {}
                }
            }
        }
    }

    /// Where frames for this connection may be sent from anywhere.
    pub fn line(&self) -> Arc<Line> {
        Arc::clone(&self.line)
    }

    /// Puts a text frame into the output.
    pub fn put(&mut self, text: &[u8]) {
        put(&mut self.output, TEXT, text);
    }

    /// Sends the output.
    pub async fn flush(&mut self) -> Outcome<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let mut gone = self.line.send(&self.output)?;
        self.output.clear();
        while !gone {
            self.line.stream.writable().await?;
            gone = self.line.send(&[])?;
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
                PING => put(&mut self.output, PONG, &input[header..end]),
                CLOSE => return Err(goodbye(&input[header..end])),
                _ => {}
            }
            input.advance(end);
        }
        self.input = input;
        Ok(())
    }
}

/// Appends a masked text frame.
pub fn put_text(output: &mut Vec<u8>, text: &[u8]) {
    put(output, TEXT, text);
}

fn put(output: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    output.push(0x80 | opcode);
    match u16::try_from(payload.len()) {
        Ok(short @ ..=125) => output.push(0x80 | short as u8),
        Ok(medium) => {
            output.push(0x80 | 126);
            output.extend(medium.to_be_bytes());
        }
        Err(_) => {
            output.push(0x80 | 127);
            output.extend((payload.len() as u64).to_be_bytes());
        }
    }
    output.extend(MASK);
    let from = output.len();
    output.extend_from_slice(payload);
    for four in output[from..].chunks_mut(4) {
        four.iter_mut()
            .zip(MASK)
            .for_each(|(byte, mask)| *byte ^= mask);
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

fn goodbye(payload: &[u8]) -> Box<dyn std::error::Error> {
    let code = payload
        .get(..2)
        .map(|code| u16::from(code[0]) << 8 | u16::from(code[1]));
    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
    format!("the server says goodbye: {} {reason}", code.unwrap_or(1005)).into()
}

/// What to say of a frame that nobody expected.
pub fn odd(frame: &[u8]) -> Box<dyn std::error::Error> {
    let text = String::from_utf8_lossy(frame);
    let text: String = text.chars().take(300).collect();
    format!("not expected from the server: {text}").into()
}
