//! What nodes tell each other about a user, beside what was committed. Notes may be lost like all letters.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::protocol::Delivery;

/// A word about a user, to every other node that has a device of theirs, or waits for the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// Which devices are with you? Each node answers with [`Self::Here`] and the same number.
    WhoIsThere(u64),
    /// The devices of a node, and the number of the question.
    Here(u64, Vec<DeviceHere>),
    /// These devices are to be closed with this code.
    Close(Which, u16),
}

/// Which devices of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Which {
    /// All of them.
    All,
    /// The one with this connection.
    One(i64),
    /// Those that connected before the user's ID was of this tenure: of a user who was deleted.
    Before(i64),
}

/// A device that is connected to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceHere {
    /// Its connection.
    pub connection: i64,
    /// Since when, in Unix seconds.
    pub since: i64,
    /// From where.
    pub address: Option<IpAddr>,
}

/// What one node tells others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// This was committed.
    Delivery(Delivery),
    /// Something else.
    Note(Note),
}

impl Letter {
    /// What it weighs beside its place in a queue.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Delivery(delivery) => delivery.bytes(),
            Self::Note(Note::Here(_, devices)) => devices.len() * size_of::<DeviceHere>(),
            Self::Note(_) => 0,
        }
    }
}
