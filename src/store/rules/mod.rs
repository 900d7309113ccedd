//! The rules of a batch: what a resend is, whose an ID is, who may report a reading, which number of
//! whose timeline each thing gets.
//!
//! Pure: [`questions`] says what has to be read, [`decide`] takes the [`Facts`] and returns what is to
//! be written. One write of a batch sees what those before it did.

mod effects;
mod facts;

use super::batch::{Connected, NewMessage, Outcome, Refused, Write};
use super::bulk::{Backlog, KeyRow, ReceiptRow};
use super::carried::ReaderRow;
use super::ids;
use super::messages::{Found, NewRow, READ, UNREAD};
use super::recall::Recall;
use super::receipts::TO_ALL;
use super::users::{UserState, Working};
use crate::hash::{HashMap, HashSet};
use crate::protocol::{MessageId, UserId};

pub use effects::Effects;
pub use facts::{Facts, Questions, questions};

/// A connect looks at few receipts more than these that were told to nobody.
const RECEIPTS_LOOKED_AT: i64 = 1_000;

/// What the owner of the server has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether a message to somebody who does not exist makes them exist; else it is refused.
    pub strangers: bool,
}

/// What became of a batch.
pub struct Decided<'a> {
    /// One for each write. Those of leases are still to be filled in.
    pub outcomes: Vec<Outcome>,
    /// What to write.
    pub effects: Effects<'a>,
    /// The users, as they are afterwards.
    pub working: Working,
    /// The grants it was decided by, and those it makes.
    pub grants: HashMap<i64, (i64, i64)>,
    /// Who was asked about whether they block whom.
    pub blocked: HashMap<(i64, i64), bool>,
}

/// Decides a batch, at this second of Unix time.
pub fn decide<'a>(
    batch: &'a [Write],
    facts: Facts,
    recall: &Recall,
    policy: Policy,
    now: i64,
) -> Decided<'a> {
    let mut deciding = Deciding {
        facts,
        effects: Effects::default(),
        stored: HashMap::default(),
        acquainted: HashSet::default(),
        recall,
        policy,
        now,
    };
    let outcomes = batch.iter().enumerate();
    let outcomes = outcomes.map(|(place, write)| deciding.one(place, write));
    Decided {
        outcomes: outcomes.collect(),
        effects: deciding.effects,
        working: deciding.facts.working,
        grants: deciding.facts.grants,
        blocked: deciding.facts.blocked,
    }
}

struct Deciding<'a, 'r> {
    facts: Facts,
    effects: Effects<'a>,
    /// The messages that this batch stores: their places among the rows.
    stored: HashMap<i64, usize>,
    acquainted: HashSet<(i64, i64)>,
    recall: &'r Recall,
    policy: Policy,
    now: i64,
}

impl<'a> Deciding<'a, '_> {
    fn one(&mut self, place: usize, write: &'a Write) -> Outcome {
        match write {
            Write::Connect(user) => self.connect(user),
            Write::Name(user, name) => self.name(user, name),
            Write::Grant(user, first) => self.grant(user, *first),
            Write::Message(message) => self.message(place, message),
            Write::Keyed(message, key) => self.keyed(place, message, key),
            Write::Read {
                reader,
                sender,
                message,
                origin,
            } => self.read(reader, sender, *message, *origin),
            Write::Told(user, seq) => self.told(user, *seq),
            Write::Lease(_) | Write::GiveBack(..) | Write::Probe => Outcome::Done,
        }
    }

    fn connect(&mut self, user: &UserId) -> Outcome {
        self.facts.working.ensure(user);
        let state = self.facts.working.find(user);
        let state = state.copied();
        let (head, told) = state.map_or((0, 0), |s| (s.timeline, s.told));
        let Backlog { unread, untold } = self.facts.backlogs.get(user).copied().unwrap_or_default();
        if !untold && head - told > RECEIPTS_LOOKED_AT {
            // Who reads and writes nothing has receipts of their own reading alone: none of them
            // is looked at again.
            self.facts.working.change(user, |state| state.told = head);
        }
        Outcome::Connected(Connected {
            head,
            told,
            unread,
            untold,
            tenure: state.map_or(0, |s| s.voided),
        })
    }

    fn name(&mut self, user: &UserId, name: &'a str) -> Outcome {
        let user = self.facts.working.ensure(user);
        // Of several devices in one batch, the last one counts.
        self.effects.names.retain(|(named, _)| *named != user);
        self.effects.names.push((user, name));
        Outcome::Done
    }

    fn grant(&mut self, whose: &UserId, first: MessageId) -> Outcome {
        let Some(state) = self.facts.working.find(whose).filter(|s| !s.deleted) else {
            return Outcome::Refused(Refused::UnknownUser); // deleted since they connected
        };
        // What was granted in the second of the deletion is void.
        let (block, user, at) = (ids::block(first), state.id, self.now.max(state.voided + 1));
        self.facts.grants.insert(block, (user, at));
        self.effects.grants.push((block, user, at));
        // Nothing of the row changes; it is held against what was seen of it, as all that change are.
        self.facts.working.change(whose, |_| ());
        Outcome::Done
    }

    /// A message that is stored, by this batch or before it.
    fn find(&self, message: MessageId) -> Option<Found> {
        if let Some(row) = self.row(message) {
            return Some(Found {
                sender: row.sender,
                recipient: row.recipient,
                status: row.status,
                sender_seq: row.sender_seq,
                recipient_seq: row.recipient_seq,
            });
        }
        self.facts.stored.get(&message.number()).copied()
    }

    /// The row of a message that this batch stores.
    fn row(&self, message: MessageId) -> Option<&NewRow<'a>> {
        let place = self.stored.get(&message.number())?;
        self.effects.rows.get(*place)
    }

    fn message(&mut self, place: usize, new: &'a NewMessage) -> Outcome {
        let Some(sender) = self.facts.working.id(&new.from) else {
            return Outcome::Refused(Refused::IdNotGranted);
        };
        if let Some(found) = self.find(new.id) {
            return self.resend(place, new, sender, &found);
        }
        if !self.granted(new.id, &new.from) {
            return Outcome::Refused(Refused::IdNotGranted);
        }
        self.store_unless_refused(new, sender)
    }

    fn store_unless_refused(&mut self, new: &'a NewMessage, sender: i64) -> Outcome {
        if let Some(refused) = self.refuses(new, sender) {
            return Outcome::Refused(refused);
        }
        let Some(id) = new.file() else {
            return self.store(new, sender);
        };
        let state = self.facts.working.find(&new.from);
        let Some(file) = state.and_then(|state| self.facts.carried.may_send(id, state)) else {
            return Outcome::Refused(Refused::NoSuchFile);
        };
        let stored = self.store(new, sender);
        self.let_both_read(file);
        stored
    }

    /// Both sides of the message that was stored last may read the file that it carries.
    fn let_both_read(&mut self, file: i64) {
        let Some(row) = self.effects.rows.last() else {
            return;
        };
        let sides = [
            (row.sender, row.sender_seq),
            (row.recipient, row.recipient_seq),
        ];
        let sides = if row.sender == row.recipient {
            &sides[..1]
        } else {
            &sides
        };
        let reader = |(user_id, seq): &(i64, i64)| ReaderRow {
            message_id: row.id,
            user_id: *user_id,
            file,
            seq: *seq,
        };
        self.effects.readers.extend(sides.iter().map(reader));
        for (user, _) in sides {
            self.facts.carried.let_read(file, *user);
        }
    }

    /// A message that is sent for a user from outside, under a key: once.
    fn keyed(&mut self, place: usize, new: &'a NewMessage, key: &'a str) -> Outcome {
        let Some(sender) = self.facts.working.id(&new.from) else {
            return Outcome::Refused(Refused::UnknownSender);
        };
        if let Some(id) = self.facts.sent.get(&(sender, key.to_owned())).copied() {
            return self.sent_before(place, new, MessageId::new(id));
        }
        if self.find(new.id).is_some() {
            return Outcome::Refused(Refused::IdNotGranted); // leased by a database that went back
        }
        let outcome = self.store_unless_refused(new, sender);
        if matches!(outcome, Outcome::Stored { .. }) {
            let message = new.id.number();
            self.facts.sent.insert((sender, key.to_owned()), message);
            self.effects.keys.push(KeyRow {
                sender,
                key,
                message,
                at: self.now,
            });
        }
        outcome
    }

    /// The message under a key that is in use: the same one, or another.
    fn sent_before(&self, place: usize, new: &NewMessage, id: MessageId) -> Outcome {
        // Retention may have removed it, and removes what is read.
        let status = match self.find(id) {
            None => READ,
            Some(found) if self.is_same(place, new, id, &found) => found.status,
            Some(_) => return Outcome::Refused(Refused::IdConflict),
        };
        Outcome::SentBefore { id, status }
    }

    /// Why the recipient does not get a new message, if so.
    fn refuses(&self, new: &NewMessage, sender: i64) -> Option<Refused> {
        let working = &self.facts.working;
        if !self.policy.strangers && working.id(&new.to).is_none() {
            return Some(Refused::UnknownUser);
        }
        let blocks = |recipient| self.facts.blocked.get(&(recipient, sender)).copied();
        let blocked = working.row_id(&new.to).and_then(blocks);
        (blocked == Some(true)).then_some(Refused::Blocked)
    }

    fn granted(&self, id: MessageId, user: &UserId) -> bool {
        let grant = self.facts.grants.get(&ids::block(id)).copied();
        let state = self.facts.working.find(user);
        let holds = |((owner, at), state): ((i64, i64), &UserState)| {
            owner == state.id && at > state.voided && !ids::lapsed(at, self.now)
        };
        grant.zip(state).is_some_and(holds)
    }

    /// An ID that is in use: the same message again, another one, or somebody else's.
    fn resend(&self, place: usize, new: &NewMessage, sender: i64, found: &Found) -> Outcome {
        let hidden = self.facts.working.find(&new.from).map_or(0, |s| s.hidden);
        if found.sender != sender || found.sender_seq <= hidden {
            return Outcome::Refused(Refused::IdNotGranted);
        }
        if self.is_same(place, new, new.id, found) {
            Outcome::Known {
                status: found.status,
            }
        } else {
            Outcome::Refused(Refused::IdConflict)
        }
    }

    /// Whether the message that was found under `id` is what is sent anew, at this place of the batch.
    fn is_same(&self, place: usize, new: &NewMessage, id: MessageId, found: &Found) -> bool {
        let to_same = self.facts.working.row_id(&new.to) == Some(found.recipient);
        to_same
            && match self.row(id) {
                Some(row) => row.kind == new.kind.number() && row.body == new.text,
                None => self.facts.same.contains(&place),
            }
    }

    fn store(&mut self, new: &'a NewMessage, sender: i64) -> Outcome {
        let working = &mut self.facts.working;
        let recipient = working.ensure(&new.to);
        let sender_seq = working.next_seq(&new.from);
        let recipient_seq = if sender == recipient {
            sender_seq
        } else {
            working.next_seq(&new.to)
        };
        self.stored.insert(new.id.number(), self.effects.rows.len());
        self.effects.rows.push(NewRow {
            id: new.id.number(),
            sender,
            recipient,
            sender_seq,
            recipient_seq,
            // The conversation follows from the two numbers, once both are known.
            lo: 0,
            hi: 0,
            lo_seq: 0,
            kind: new.kind.number(),
            body: &new.text,
            sent_at: &new.time,
            status: UNREAD,
            origin: new.origin,
            stored_at: self.now,
        });
        // For who connects later in this batch. A user who did not exist has no backlog yet.
        self.facts
            .backlogs
            .entry(new.to.clone())
            .or_default()
            .unread = true;
        let pair = (sender.min(recipient), sender.max(recipient));
        let revisions = self.facts.working.revisions(&new.from, &new.to);
        if !self.recall.acquainted(pair, revisions) && self.acquainted.insert(pair) {
            let pair = (new.from.clone(), new.to.clone());
            self.effects.acquainted.push(pair);
        }
        Outcome::Stored {
            sender_seq,
            recipient_seq,
        }
    }

    fn read(
        &mut self,
        reader: &UserId,
        sender: &UserId,
        message: MessageId,
        origin: i64,
    ) -> Outcome {
        let unknown = Outcome::Refused(Refused::UnknownMessage);
        let (Some(reader_id), Some(found)) = (self.facts.working.id(reader), self.find(message))
        else {
            return unknown;
        };
        let hidden = self.facts.working.find(reader).map_or(0, |s| s.hidden);
        if found.recipient != reader_id {
            return if found.sender == reader_id && found.sender_seq > hidden {
                Outcome::Refused(Refused::NotTheRecipient)
            } else {
                unknown
            };
        }
        // From here on the sender is the one that was named, whose row is locked.
        if self.facts.working.row_id(sender) != Some(found.sender) || found.recipient_seq <= hidden
        {
            return unknown;
        }
        if found.status == READ {
            return Outcome::Done;
        }
        self.mark_read(message);
        let sender_seq = self.tell_sender(sender, &found, message);
        let reader_seq = if found.sender == reader_id {
            sender_seq
        } else {
            self.receipt(reader, reader_id, message, origin)
        };
        Outcome::Read {
            sender_seq,
            reader_seq,
        }
    }

    /// The receipt for a message's sender, or 0 where they are deleted since: nobody is told then.
    fn tell_sender(&mut self, sender: &UserId, found: &Found, message: MessageId) -> i64 {
        let wrote_it = |state: &UserState| !state.deleted && found.sender_seq > state.hidden;
        if !self.facts.working.find(sender).is_some_and(wrote_it) {
            return 0;
        }
        let backlog = self.facts.backlogs.entry(sender.clone()).or_default();
        backlog.untold = true;
        self.receipt(sender, found.sender, message, TO_ALL)
    }

    fn mark_read(&mut self, message: MessageId) {
        let of_this_batch = self.stored.get(&message.number());
        match of_this_batch.and_then(|place| self.effects.rows.get_mut(*place)) {
            Some(row) => row.status = READ,
            None => {
                self.effects.read.push(message.number());
                if let Some(found) = self.facts.stored.get_mut(&message.number()) {
                    found.status = READ;
                }
            }
        }
    }

    /// Writes a receipt into a user's timeline and returns its number there.
    fn receipt(&mut self, user: &UserId, id: i64, message: MessageId, origin: i64) -> i64 {
        let seq = self.facts.working.next_seq(user);
        self.effects.receipts.push(ReceiptRow {
            user: id,
            seq,
            message: message.number(),
            origin,
        });
        seq
    }

    fn told(&mut self, user: &UserId, seq: i64) -> Outcome {
        let known = self.facts.working.find(user);
        if known.is_some_and(|state| state.told < seq && seq <= state.timeline) {
            self.facts.working.change(user, |state| state.told = seq);
        }
        Outcome::Done
    }
}

#[cfg(test)]
mod tests;
