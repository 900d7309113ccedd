//! What a device is told, and what it tells.

use serde_json::Value;
use tokio::sync::mpsc;

/// What a device is told to do.
#[derive(Debug)]
pub enum Order {
    /// Write to somebody.
    Write { to: String, text: String },
    /// Report a message as read: its ID and its sender.
    Read { id: String, from: String },
    /// Ask for the newest messages of a conversation.
    History { with: String, size: u8 },
}

/// What a device has to tell.
#[derive(Debug)]
pub enum Event {
    /// There is a connection, maybe again.
    Connected,
    /// There is none; another attempt follows.
    Disconnected(String),
    /// There will be none.
    Ended(String),
    /// A message that was delivered: its frame.
    Message(Value),
    /// What was written has this ID.
    Written { id: String, text: String },
    /// A message of this user to `to` has this status.
    Status { id: String, to: String, status: u64 },
    /// The newest messages of a conversation, oldest first.
    History(Vec<Value>),
    /// A message that will not be sent, and why.
    Refused { id: String, why: String },
}

/// Gives orders to a device. It ends when all that was written is acknowledged and nobody has one of these.
pub type Orders = mpsc::Sender<Order>;
