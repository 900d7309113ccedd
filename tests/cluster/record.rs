//! What the clients of a run remember, and what the server says it has kept: plain data.

use std::collections::BTreeMap;

pub use super::support::socket::End;

/// Everything that the clients of a run did and heard.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// By name.
    pub users: BTreeMap<String, UserRecord>,
}

/// One user: what they sent, and what each of their devices heard.
#[derive(Debug, Clone, Default)]
pub struct UserRecord {
    /// Every ID that was granted to them.
    pub granted: Vec<String>,
    /// Every message they ever sent, in the order of its first sending.
    pub sent: Vec<Sent>,
    /// The first one talks: it sends and reads. The others listen.
    pub devices: Vec<DeviceRecord>,
    /// What no client should have met: unexpected errors, requests without an answer.
    pub complaints: Vec<String>,
}

/// A message, as its sender knows it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What it says.
    pub letter: Letter,
    /// The connections of the talking device on which it was sent, by their number: one entry for each sending.
    pub sendings: Vec<usize>,
    /// Whether a status of it was heard.
    pub acked: bool,
}

/// What a message consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its ID.
    pub id: String,
    /// Its sender.
    pub from: String,
    /// Its recipient.
    pub to: String,
    /// Its text.
    pub text: String,
}

/// One device, over all of its connections.
#[derive(Debug, Clone, Default)]
pub struct DeviceRecord {
    /// From the first to the last.
    pub connections: Vec<Connection>,
}

/// One connection of a device.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The node it was made to.
    pub node: usize,
    /// All messages and statuses that came, in order.
    pub heard: Vec<Heard>,
    /// How it ended, if it did.
    pub end: Option<End>,
}

/// A frame that a device hears unasked, or as an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Action 3.
    Message(Letter),
    /// Action 4.
    Status {
        /// The message.
        id: String,
        /// Its sender.
        sender: String,
        /// Its recipient.
        recipient: String,
        /// 1 or 2.
        status: u64,
    },
}

/// What the server shows in the end, read through its histories.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    /// By whoever asked, and their partner: the whole conversation, oldest first.
    pub conversations: BTreeMap<(String, String), Vec<Kept>>,
    /// By whoever asked: all of their conversations, oldest first.
    pub timelines: BTreeMap<String, Vec<Kept>>,
}

/// A message in a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The message.
    pub letter: Letter,
    /// Its status.
    pub status: u64,
}

/// Whether its recipient reads the message of this ID. One in four is left unread for good, so that each new
/// connection has something to be redelivered.
pub fn is_to_be_read(id: &str) -> bool {
    let number: u64 = id
        .strip_prefix("MSG")
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{id} is no message ID"));
    !number.is_multiple_of(4)
}

impl Letter {
    /// Whether it is a message to oneself.
    pub fn is_to_oneself(&self) -> bool {
        self.from == self.to
    }

    /// Whether this user sent or received it.
    pub fn concerns(&self, user: &str) -> bool {
        self.from == user || self.to == user
    }
}

impl UserRecord {
    /// How many of the messages are not acknowledged.
    pub fn unacked(&self) -> usize {
        self.sent.iter().filter(|sent| !sent.acked).count()
    }
}

impl Connection {
    /// The messages that came, in order.
    pub fn letters(&self) -> impl Iterator<Item = &Letter> {
        self.heard.iter().filter_map(|heard| match heard {
            Heard::Message(letter) => Some(letter),
            Heard::Status { .. } => None,
        })
    }

    /// How often this status of a message came.
    pub fn count_status(&self, message: &str, wanted: u64) -> usize {
        let is_it = |heard: &&Heard| matches!(heard, Heard::Status { id, status, .. } if id == message && *status == wanted);
        self.heard.iter().filter(is_it).count()
    }

    /// Whether it still lasted when the record was made.
    pub fn is_alive(&self) -> bool {
        self.end.is_none()
    }
}
