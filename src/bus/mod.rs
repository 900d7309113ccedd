//! How committed frames reach users on other nodes.
//!
//! A node [subscribes](Bus::subscribe) for a user while it has a device of theirs, and
//! [publishes](Bus::publish) what was committed on it. The bus may lose letters and the store does
//! not forget, so nothing here waits or is sent again: what is known to be lost becomes an
//! [`Event::Doubt`], upon which a node compares its devices' cursors with the store.
//!
//! | | between | loses |
//! |---|---|---|
//! | [`local`] | nodes of one process; one node alone needs nothing else | what a node does not take in time |
//! | [`nats`] | processes and machines | that, and what NATS loses |
//!
//! What has arrived and waits in [`Events`] is bounded for each user (the `buffer` that a node
//! joins with) and in all: 16,384 letters, 32 MiB. What finds no room is dropped, and raises a
//! doubt. The other events are few by nature: one [`Event::Subscribed`] for each call of
//! [`Bus::subscribe`] at most, and one doubt that has not been taken.

mod events;
pub mod local;
pub mod nats;
mod note;
mod queue;

pub use events::Events;
pub use note::{DeviceHere, Note, Which};

use std::pin::Pin;

use crate::protocol::{Delivery, UserId};

/// One node's end of the bus. None of its calls blocks.
pub trait Bus: Send + Sync {
    /// Tells the other nodes that have a device of `user`; never this one. What cannot be queued
    /// is dropped: the store does not forget.
    fn publish(&self, user: &UserId, delivery: &Delivery);

    /// Tells the same nodes something about `user`. What cannot be queued is lost.
    fn note(&self, user: &UserId, note: &Note);

    /// From now on what others publish for `user` arrives.
    ///
    /// [`Event::Subscribed`] follows once that is in force. Where the bus is down, or does not
    /// confirm within a second, it comes all the same, so that no connect is held up, and a
    /// [`Event::Doubt`] follows when the bus works again. To subscribe twice changes nothing.
    fn subscribe(&self, user: &UserId);

    /// What others publish for `user` arrives no longer, nor does an [`Event::Subscribed`] that is
    /// still owed. Without a subscription it changes nothing.
    fn unsubscribe(&self, user: &UserId);

    /// Whether the bus carries anything at present.
    fn is_up(&self) -> bool;

    /// Ready when what was published so far has left this node, or cannot. At the end of a process
    /// nobody must be left to the comparison of other nodes.
    fn flushed(&self) -> Flushed;
}

/// See [`Bus::flushed`].
pub type Flushed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a node learns from the bus, through [`Events`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Another node committed this for a user.
    Delivery(UserId, Delivery),
    /// Another node has a word about a user.
    Note(UserId, Note),
    /// Letters for this user arrive: see [`Bus::subscribe`].
    Subscribed(UserId),
    /// Something may have been lost: compare all cursors with the store.
    Doubt,
}
