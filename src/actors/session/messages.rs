//! What a session receives from the ChatServer.

use actix::Message;
use bytestring::ByteString;

use crate::protocol::CloseCode;

/// Frames for the client: answers and deliveries, in the order in which they go out.
#[derive(Debug, Default, Message)]
#[rtype(result = "()")]
pub struct Push {
    frames: Vec<ByteString>,
    bytes: u64,
    /// How many requests of the session are answered by this push.
    pub answered: usize,
    /// The largest number of a receipt for the user's own messages in it; 0: none.
    pub receipts_upto: i64,
}

impl Push {
    /// Appends a frame.
    pub fn put(&mut self, frame: ByteString) {
        self.bytes += frame.len() as u64;
        self.frames.push(frame);
    }

    /// The size of all frames.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.answered == 0
    }

    /// The frames.
    pub fn into_frames(self) -> Vec<ByteString> {
        self.frames
    }
}

/// The answer to a `Connect`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ConnectAnswer {
    /// What the client is told.
    pub frame: ByteString,
    /// Whether the session speaks for its user now.
    pub connected: bool,
}

/// Read no more, and close the connection when all that was asked is answered.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Kick(pub CloseCode);
