//! The client's side of a case: frames of any make, sent in any pieces.

use tokio::io::AsyncReadExt;

use super::support::raw::{self, CLOSE, CONTINUATION, PING, PONG, TEXT};
use super::support::{RawClient, Server};

/// The masks that frames take in turn, by the length of their payload. One of them changes nothing.
const MASKS: [[u8; 4]; 3] = [[0x37, 0xFA, 0x21, 0x3D], [0; 4], [0xFF, 0x00, 0x80, 0x7F]];

/// A masked frame; `first` is the opcode, with whatever reserved bits.
pub fn frame(first: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mask = MASKS[payload.len() % MASKS.len()];
    let mut bytes = raw::header(first, fin, true, payload.len() as u64);
    bytes.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A whole message or control frame.
pub fn whole(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, true, payload)
}

/// A text message in these fragments.
pub fn fragments<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let parts: Vec<&[u8]> = parts.into_iter().collect();
    let last = parts.len() - 1;
    let fragment = |(index, part): (usize, &&[u8])| {
        let opcode = if index == 0 { TEXT } else { CONTINUATION };
        frame(opcode, index == last, part)
    };
    parts.iter().enumerate().map(fragment).collect()
}

/// The payload of a close frame.
pub fn reason(code: u16, text: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], text].concat()
}

/// How bytes are cut into writes.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// All at once.
    Together,
    /// A write for each frame.
    ByFrame,
    /// So many octets in each write.
    Chopped(usize),
    /// Three writes, of which the second and the third begin at these octets.
    At(usize, usize),
}

/// What the server said next.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// An error frame with this code.
    Refused(String),
    /// Any other text.
    Text(String),
    Pong(Vec<u8>),
    /// A close frame with this code, or with nothing in it.
    Close(Option<u16>),
    /// What a server must not send.
    Wrong(String),
    /// The end of the connection: in order, or not.
    End,
    Reset,
}

/// A connection that does what a case tells it.
pub struct Peer {
    client: RawClient,
    closed: bool,
}

impl Peer {
    /// Connects as `user`, if there is one.
    pub async fn open(server: &Server, user: Option<&str>) -> Peer {
        let client = match user {
            None => RawClient::open(server).await,
            Some(user) => RawClient::connect(server, user).await,
        };
        Peer {
            client,
            closed: false,
        }
    }

    /// Sends frames. That the server hangs up in the middle is no failure: what it said before is heard next.
    pub async fn send(&mut self, frames: &[Vec<u8>], way: Way) {
        let all = frames.concat();
        let writes: Vec<&[u8]> = match way {
            Way::Together => vec![&all],
            Way::ByFrame => frames.iter().map(Vec::as_slice).collect(),
            Way::Chopped(octets) => all.chunks(octets).collect(),
            Way::At(second, third) => vec![&all[..second], &all[second..third], &all[third..]],
        };
        self.closed |= frames.iter().any(|frame| frame[0] & 0x0F == CLOSE);
        for write in writes {
            if self.client.try_send_bytes(write).await.is_err() {
                return;
            }
        }
    }

    /// The next thing that is not a ping. A close frame is answered, where it is not an answer itself.
    pub async fn hear(&mut self) -> Heard {
        loop {
            match self.client.read_frame().await {
                Some((PING, _)) => {}
                Some((PONG, payload)) => return Heard::Pong(payload),
                Some((TEXT, payload)) => return text(payload),
                Some((CLOSE, payload)) => return self.hear_close(&payload).await,
                Some((opcode, _)) => return Heard::Wrong(format!("opcode {opcode:#x}")),
                None => return Heard::End,
            }
        }
    }

    async fn hear_close(&mut self, payload: &[u8]) -> Heard {
        if !self.closed {
            self.send(
                &[whole(CLOSE, &payload[..2.min(payload.len())])],
                Way::Together,
            )
            .await;
        }
        match payload {
            [] => Heard::Close(None),
            [high, low, text @ ..] if text.len() <= 123 && str::from_utf8(text).is_ok() => {
                Heard::Close(Some(u16::from_be_bytes([*high, *low])))
            }
            _ => Heard::Wrong(format!("a close frame with {payload:x?}")),
        }
    }

    /// What comes after the close frame: nothing may, but the end.
    pub async fn hear_end(&mut self) -> Heard {
        let beyond = self.client.unread().to_vec();
        if !beyond.is_empty() {
            return Heard::Wrong(format!("{beyond:x?} after the close frame"));
        }
        let mut byte = [0];
        match self.client.stream().read(&mut byte).await {
            Ok(0) => Heard::End,
            Ok(_) => Heard::Wrong(format!("{byte:x?} after the close frame")),
            Err(_) => Heard::Reset,
        }
    }
}

fn text(payload: Vec<u8>) -> Heard {
    let Ok(text) = String::from_utf8(payload) else {
        return Heard::Wrong("a text that is not UTF-8".into());
    };
    let frame: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    match frame["error"]["code"].as_str() {
        Some(code) => Heard::Refused(code.to_owned()),
        None => Heard::Text(text),
    }
}
