//! The one way in which anything is written: a batch of [`Write`]s in one transaction.
//!
//! The rules that need the store are here: what a resend is, whose an ID is, who may report a
//! reading, which number of whose timeline each thing gets. They are checked inside the
//! transaction that writes, so that no two of them can both be true of one ID.

use std::collections::HashSet;

use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;

use super::contacts::{self, Recent};
use super::messages::{self, NewRow, READ, UNREAD};
use super::users::Working;
use super::{StoreError, ids, now, receipts, timeline};
use crate::protocol::{MessageId, MessageKind, UserId};

/// A connect looks at few receipts more than these that were told to nobody.
const RECEIPTS_LOOKED_AT: i64 = 1_000;

/// Something to write.
#[derive(Debug, Clone)]
pub enum Write {
    /// A device of this user connects: the user exists from now on.
    Connect(UserId),
    /// Take so many IDs for this node.
    Lease(i64),
    /// The IDs from the first number to before the second were leased and never granted.
    GiveBack(i64, i64),
    /// The IDs of one grant, from this one on, are this user's.
    Grant(UserId, MessageId),
    /// Store a message.
    Message(NewMessage),
    /// `reader` has read a message of `sender`.
    Read {
        /// Who says so.
        reader: UserId,
        /// Whom they believe to be the sender.
        sender: UserId,
        /// The message.
        message: MessageId,
        /// The connection that says so.
        origin: i64,
    },
    /// A device of this user knows the receipts up to this number.
    Told(UserId, i64),
    /// Show that the store can commit.
    Probe,
}

/// A message as it was sent.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its ID.
    pub id: MessageId,
    /// Who sends it.
    pub from: UserId,
    /// To whom.
    pub to: UserId,
    /// Text or file.
    pub kind: MessageKind,
    /// Its content.
    pub text: String,
    /// The sender's time.
    pub time: String,
    /// The connection it comes from.
    pub origin: i64,
}

/// What became of a [`Write`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Of [`Write::Connect`].
    Connected(Connected),
    /// Of [`Write::Lease`]: the first ID.
    Leased(MessageId),
    /// Stored, with these numbers in the two timelines (one and the same where one writes to
    /// oneself).
    Stored {
        /// In the sender's.
        sender_seq: i64,
        /// In the recipient's.
        recipient_seq: i64,
    },
    /// The very message was stored before and has this status.
    Known {
        /// 1 or 2.
        status: i16,
    },
    /// The message counts as read from now on, with these numbers in the two timelines.
    Read {
        /// In the sender's.
        sender_seq: i64,
        /// In the reader's.
        reader_seq: i64,
    },
    /// Done, or nothing to do: a message read before, a grant, a receipt told, a probe.
    Done,
    /// The rules refuse it.
    Refused(Refused),
}

/// Where a connecting device starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// The last number of the user's timeline: what comes later, the device follows.
    pub head: i64,
    /// Receipts above this number were told to no device yet.
    pub told: i64,
    /// Whether there are unread messages.
    pub unread: bool,
    /// Whether there are receipts above `told`.
    pub untold: bool,
}

/// Why a write was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No such message that this user may see.
    UnknownMessage,
    /// The user may see the message, but not report it as read.
    NotTheRecipient,
    /// The ID is not this sender's.
    IdNotGranted,
    /// The ID holds other content.
    IdConflict,
}

/// Applies a batch: see [`super::Store::write`].
pub fn apply(
    connection: &mut SqliteConnection,
    batch: &[Write],
    recent: &Recent,
) -> Result<Vec<Outcome>, StoreError> {
    let mut acquainted = HashSet::new();
    let outcomes = connection.immediate_transaction(|connection| {
        let mut writing = Writing {
            connection,
            working: Working::default(),
            recent,
            acquainted: HashSet::new(),
        };
        let outcomes = batch.iter().map(|write| writing.one(write));
        let outcomes = outcomes.collect::<QueryResult<Vec<_>>>()?;
        acquainted = writing.acquainted;
        writing.working.save(connection)?;
        Ok::<_, diesel::result::Error>(outcomes)
    })?;
    recent.add(acquainted);
    Ok(outcomes)
}

struct Writing<'a> {
    connection: &'a mut SqliteConnection,
    working: Working,
    recent: &'a Recent,
    acquainted: HashSet<(i64, i64)>,
}

impl Writing<'_> {
    fn one(&mut self, write: &Write) -> QueryResult<Outcome> {
        match write {
            Write::Connect(user) => self.connect(user),
            Write::Lease(count) => ids::lease(self.connection, *count).map(Outcome::Leased),
            Write::GiveBack(from, end) => {
                ids::give_back(self.connection, *from, *end).map(|()| Outcome::Done)
            }
            Write::Grant(user, first) => {
                let user = self.working.ensure(self.connection, user)?;
                ids::grant(self.connection, *first, user).map(|()| Outcome::Done)
            }
            Write::Message(message) => self.message(message),
            Write::Read {
                reader,
                sender,
                message,
                origin,
            } => self.read(reader, sender, *message, *origin),
            Write::Told(user, seq) => self.told(user, *seq),
            Write::Probe => ids::probe(self.connection).map(|()| Outcome::Done),
        }
    }

    fn connect(&mut self, user: &UserId) -> QueryResult<Outcome> {
        let id = self.working.ensure(self.connection, user)?;
        let state = self.working.find(self.connection, user)?;
        let (head, told) = state.map_or((0, 0), |s| (s.timeline, s.told));
        let unread = timeline::any_unread(self.connection, id)?;
        let untold = receipts::any_after(self.connection, id, told)?;
        if !untold && head - told > RECEIPTS_LOOKED_AT {
            // Who reads and writes nothing has receipts of their own reading alone: none of them
            // is looked at again.
            self.working.change(user, |state| state.told = head);
        }
        Ok(Outcome::Connected(Connected {
            head,
            told,
            unread,
            untold,
        }))
    }

    fn message(&mut self, new: &NewMessage) -> QueryResult<Outcome> {
        let Some(sender) = self.working.find(self.connection, &new.from)?.map(|s| s.id) else {
            return Ok(Outcome::Refused(Refused::IdNotGranted));
        };
        if let Some(stored) = messages::key(self.connection, new.id)? {
            return self.resend(new, sender, &stored);
        }
        if !ids::granted(self.connection, new.id, sender)? {
            return Ok(Outcome::Refused(Refused::IdNotGranted));
        }
        self.store(new, sender)
    }

    /// An ID that is in use: the same message again, another one, or somebody else's.
    fn resend(
        &mut self,
        new: &NewMessage,
        sender: i64,
        stored: &messages::Key,
    ) -> QueryResult<Outcome> {
        if stored.sender != sender {
            return Ok(Outcome::Refused(Refused::IdNotGranted));
        }
        let to = self.working.find(self.connection, &new.to)?.map(|s| s.id);
        let (kind, body) = messages::content(self.connection, new.id)?;
        let same = to == Some(stored.recipient) && kind == new.kind.number() && body == new.text;
        Ok(if same {
            Outcome::Known {
                status: stored.status,
            }
        } else {
            Outcome::Refused(Refused::IdConflict)
        })
    }

    fn store(&mut self, new: &NewMessage, sender: i64) -> QueryResult<Outcome> {
        let recipient = self.working.ensure(self.connection, &new.to)?;
        let sender_seq = self.working.next_seq(&new.from)?;
        let recipient_seq = if sender == recipient {
            sender_seq
        } else {
            self.working.next_seq(&new.to)?
        };
        let (lo, hi) = (sender.min(recipient), sender.max(recipient));
        let row = NewRow {
            id: new.id.number(),
            sender,
            recipient,
            sender_seq,
            recipient_seq,
            lo,
            hi,
            lo_seq: if lo == sender {
                sender_seq
            } else {
                recipient_seq
            },
            kind: new.kind.number(),
            body: &new.text,
            sent_at: &new.time,
            status: UNREAD,
            origin: new.origin,
            stored_at: now(),
        };
        messages::insert(self.connection, &row)?;
        if !self.recent.holds((lo, hi)) && !self.acquainted.contains(&(lo, hi)) {
            let (from, to) = ((&new.from, sender), (&new.to, recipient));
            contacts::acquaint(self.connection, &mut self.working, from, to)?;
            self.acquainted.insert((lo, hi));
        }
        Ok(Outcome::Stored {
            sender_seq,
            recipient_seq,
        })
    }

    fn read(
        &mut self,
        reader: &UserId,
        sender: &UserId,
        message: MessageId,
        origin: i64,
    ) -> QueryResult<Outcome> {
        let unknown = Outcome::Refused(Refused::UnknownMessage);
        let reader_id = self.working.find(self.connection, reader)?.map(|s| s.id);
        let (Some(reader_id), Some(stored)) = (reader_id, messages::key(self.connection, message)?)
        else {
            return Ok(unknown);
        };
        if stored.recipient != reader_id {
            let sees = stored.sender == reader_id;
            return Ok(if sees {
                Outcome::Refused(Refused::NotTheRecipient)
            } else {
                unknown
            });
        }
        let sender_id = self.working.find(self.connection, sender)?.map(|s| s.id);
        if sender_id != Some(stored.sender) {
            return Ok(unknown);
        }
        if stored.status == READ {
            return Ok(Outcome::Done);
        }
        messages::mark_read(self.connection, message)?;
        let sender_seq = self.working.next_seq(sender)?;
        receipts::insert(
            self.connection,
            stored.sender,
            sender_seq,
            message,
            receipts::TO_ALL,
        )?;
        let reader_seq = if stored.sender == reader_id {
            sender_seq
        } else {
            let seq = self.working.next_seq(reader)?;
            receipts::insert(self.connection, reader_id, seq, message, origin)?;
            seq
        };
        Ok(Outcome::Read {
            sender_seq,
            reader_seq,
        })
    }

    fn told(&mut self, user: &UserId, seq: i64) -> QueryResult<Outcome> {
        let known = self.working.find(self.connection, user)?;
        if known.is_some_and(|state| state.told < seq && seq <= state.timeline) {
            self.working.change(user, |state| state.told = seq);
        }
        Ok(Outcome::Done)
    }
}
