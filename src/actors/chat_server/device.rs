//! A connected device, as the ChatServer sees it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix::Addr;
use bytestring::ByteString;

use super::Push;
use crate::actors::flow::{Flow, Room};
use crate::actors::session::Session;
use crate::chat::{ConnectionId, Cursor, Verdict};
use crate::protocol::{Delivery, MessageId, UserId};

/// A device: where its frames go, and how far it is.
pub struct Device {
    pub user: UserId,
    /// What its token calls the user, until that is on its way to the store.
    pub name: Option<String>,
    pub session: Addr<Session>,
    /// Since when it is here, in Unix seconds, and from where.
    pub since: i64,
    pub address: Option<IpAddr>,
    /// Whose the user's ID was when it connected: see [`Head`](crate::store::Head).
    pub tenure: i64,
    flow: Arc<Flow>,
    /// `None` until the store has said where it starts.
    pub cursor: Option<Cursor>,
    /// The writing lane of what it asked, while any of that is unanswered.
    lane: usize,
    /// How much of what it asked is unanswered.
    owed: usize,
    /// The messages among that, and whether the device was told meanwhile that one was read: it is a resend.
    sent: Vec<(MessageId, bool)>,
    /// What the next push will carry.
    outgoing: Push,
    /// Whether the device is among those to flush.
    listed: bool,
}

impl Device {
    pub fn new(
        (user, name): (UserId, Option<String>),
        address: Option<IpAddr>,
        session: Addr<Session>,
        flow: Arc<Flow>,
    ) -> Self {
        Self {
            user,
            name,
            session,
            since: unix_now(),
            address,
            tenure: 0,
            flow,
            cursor: None,
            lane: 0,
            owed: 0,
            sent: Vec::new(),
            outgoing: Push::default(),
            listed: false,
        }
    }

    /// Notes that the device is to be flushed; false where that was noted before.
    pub fn list(&mut self) -> bool {
        !std::mem::replace(&mut self.listed, true)
    }

    /// Takes a request, for which this lane would do. Returns the lane it must go through: while
    /// another is unanswered, the same, so that none overtakes another.
    pub fn asks(&mut self, lane: usize) -> usize {
        if self.owed == 0 {
            self.lane = lane;
        }
        self.owed += 1;
        self.lane
    }

    /// What it asks for is that this message be stored.
    pub fn sends(&mut self, message: MessageId) {
        self.sent.push((message, false));
    }

    /// The message has its outcome, which is about to be told. Returns whether the device was told before
    /// that the message was read.
    pub fn settles(&mut self, message: MessageId) -> bool {
        let place = self.sent.iter().position(|(id, _)| *id == message);
        place.is_some_and(|place| self.sent.remove(place).1)
    }

    fn was_read(&mut self, message: MessageId) {
        let same = self.sent.iter_mut().filter(|(id, _)| *id == message);
        same.for_each(|(_, read)| *read = true);
    }

    /// The lane of what it asked last.
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// Puts a frame into the next push.
    pub fn put(&mut self, frame: ByteString) {
        self.outgoing.put(frame);
    }

    /// One request is answered by the next push, with a frame or without.
    pub fn answered(&mut self) {
        self.owed = self.owed.saturating_sub(1);
        self.outgoing.answered += 1;
    }

    /// Puts what a number of the timeline means for this connection into the next push. Returns how many
    /// frames that are.
    pub fn deliver(&mut self, connection: ConnectionId, delivery: &Delivery) -> u64 {
        let mut frames = 0;
        for frame in delivery.frames_for(connection) {
            self.outgoing.put(frame.clone());
            frames += 1;
        }
        if delivery.receipt {
            if !self.sent.is_empty()
                && let Some(message) = delivery.read_message()
            {
                self.was_read(message);
            }
            self.outgoing.receipts_upto = self.outgoing.receipts_upto.max(delivery.seq);
        }
        frames
    }

    /// Whether a number that was just committed goes out now.
    pub fn offer(&mut self, seq: i64) -> bool {
        let room = self.flow.has_room(self.outgoing.bytes());
        let cursor = self.cursor.as_mut();
        cursor.is_some_and(|cursor| cursor.offer(seq, room) == Verdict::Deliver)
    }

    /// A number is known to be committed: where the device does not have it, it will be read.
    pub fn knows_of(&mut self, seq: i64) {
        if let Some(cursor) = self.cursor.as_mut() {
            cursor.offer(seq, false);
        }
    }

    /// Whether the device is behind and nothing is being read for it.
    pub fn needs_read(&self) -> bool {
        self.cursor.as_ref().is_some_and(Cursor::needs_read)
    }

    /// Whether a part of the backlog can be pushed; where the device itself has no room, a
    /// `Resume` will come.
    pub fn room(&self) -> Room {
        self.flow.room()
    }

    /// Sends what was put together.
    pub fn flush(&mut self) {
        self.listed = false;
        if self.outgoing.is_empty() {
            return;
        }
        let push = std::mem::take(&mut self.outgoing);
        self.flow.push(push.bytes());
        // A session that is gone has sent its Disconnect.
        self.session.do_send(push);
    }
}

fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
