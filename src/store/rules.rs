//! The rules of a batch: what a resend is, whose an ID is, who may report a reading, which number of
//! whose timeline each thing gets.
//!
//! Pure: [`questions`] says what has to be read, [`decide`] takes the [`Facts`] and returns what is to
//! be written. One write of a batch sees what those before it did.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::batch::{Connected, NewMessage, Outcome, Refused, Write};
use super::bulk::{Backlog, ReceiptRow};
use super::ids;
use super::messages::{Found, NewRow, READ, UNREAD};
use super::recall::Recall;
use super::receipts::TO_ALL;
use super::users::{Numbers, Working};
use crate::protocol::{MessageId, UserId};

/// A connect looks at few receipts more than these that were told to nobody.
const RECEIPTS_LOOKED_AT: i64 = 1_000;

/// What the owner of the server has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether a message to somebody who does not exist makes them exist; else it is refused.
    pub strangers: bool,
}

/// What has to be read before a batch can be decided.
#[derive(Debug, Default)]
pub struct Questions<'a> {
    /// Every user it names.
    pub users: BTreeSet<&'a UserId>,
    /// Every message.
    pub messages: Vec<i64>,
    /// The blocks of IDs of the messages to store.
    pub blocks: Vec<i64>,
    /// Those who connect.
    pub connecting: BTreeSet<&'a UserId>,
}

/// What a batch has to know.
#[derive(Debug, Default)]
pub struct Facts {
    /// The users that exist.
    pub working: Working,
    /// The messages that are stored.
    pub stored: HashMap<i64, Found>,
    /// The positions of those of the batch's messages that are stored with the same content.
    pub same: HashSet<usize>,
    /// Blocks of IDs that are granted: to whom, and when.
    pub grants: HashMap<i64, (i64, i64)>,
    /// What waits for those who connect.
    pub backlogs: HashMap<UserId, Backlog>,
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
}

/// What a batch writes. Users that it creates have numbers below zero until [`Self::number`].
#[derive(Default)]
pub struct Effects<'a> {
    /// Messages to store.
    pub rows: Vec<NewRow<'a>>,
    /// Messages stored before that are read now.
    pub read: Vec<i64>,
    /// Receipts to store.
    pub receipts: Vec<ReceiptRow>,
    /// Grants to store: block, user, Unix seconds.
    pub grants: Vec<(i64, i64, i64)>,
    /// Users and what they are called.
    pub names: Vec<(i64, &'a str)>,
    /// Users who wrote to each other and may not be contacts yet.
    pub acquainted: Vec<(UserId, UserId)>,
}

impl Effects<'_> {
    /// Whether there is nothing to write, users aside.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.read.is_empty()
            && self.receipts.is_empty()
            && self.grants.is_empty()
            && self.names.is_empty()
            && self.acquainted.is_empty()
    }

    /// Puts in the numbers of the users that were created.
    pub fn number(&mut self, numbers: &Numbers) {
        for row in &mut self.rows {
            row.number(numbers);
        }
        for receipt in &mut self.receipts {
            receipt.user = numbers.of(receipt.user);
        }
        for grant in &mut self.grants {
            grant.1 = numbers.of(grant.1);
        }
        for name in &mut self.names {
            name.0 = numbers.of(name.0);
        }
    }
}

/// What a batch has to know.
pub fn questions(batch: &[Write]) -> Questions<'_> {
    let mut questions = Questions::default();
    for write in batch {
        match write {
            Write::Connect(user) => {
                questions.users.insert(user);
                questions.connecting.insert(user);
            }
            Write::Grant(user, _) | Write::Told(user, _) | Write::Name(user, _) => {
                questions.users.insert(user);
            }
            Write::Message(message) => {
                questions.users.extend([&message.from, &message.to]);
                questions.messages.push(message.id.number());
                questions.blocks.push(ids::block(message.id));
            }
            Write::Read {
                reader,
                sender,
                message,
                ..
            } => {
                questions.users.extend([reader, sender]);
                questions.messages.push(message.number());
            }
            Write::Lease(_) | Write::GiveBack(..) | Write::Probe => {}
        }
    }
    for asked in [&mut questions.messages, &mut questions.blocks] {
        asked.sort_unstable();
        asked.dedup();
    }
    questions
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
        stored: HashMap::new(),
        acquainted: HashSet::new(),
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
        })
    }

    fn name(&mut self, user: &UserId, name: &'a str) -> Outcome {
        let user = self.facts.working.ensure(user);
        // Of several devices in one batch, the last one counts.
        self.effects.names.retain(|(named, _)| *named != user);
        self.effects.names.push((user, name));
        Outcome::Done
    }

    fn grant(&mut self, user: &UserId, first: MessageId) -> Outcome {
        let (user, block) = (self.facts.working.ensure(user), ids::block(first));
        self.facts.grants.insert(block, (user, self.now));
        self.effects.grants.push((block, user, self.now));
        Outcome::Done
    }

    /// A message that is stored, by this batch or before it.
    fn find(&self, message: MessageId) -> Option<Found> {
        if let Some(row) = self.row(message) {
            return Some(Found {
                sender: row.sender,
                recipient: row.recipient,
                status: row.status,
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
        if !self.granted(new.id, sender) {
            return Outcome::Refused(Refused::IdNotGranted);
        }
        if !self.policy.strangers && self.facts.working.id(&new.to).is_none() {
            return Outcome::Refused(Refused::UnknownUser);
        }
        self.store(new, sender)
    }

    fn granted(&self, id: MessageId, user: i64) -> bool {
        let grant = self.facts.grants.get(&ids::block(id));
        grant.is_some_and(|(owner, at)| *owner == user && !ids::lapsed(*at, self.now))
    }

    /// An ID that is in use: the same message again, another one, or somebody else's.
    fn resend(&self, place: usize, new: &NewMessage, sender: i64, found: &Found) -> Outcome {
        if found.sender != sender {
            return Outcome::Refused(Refused::IdNotGranted);
        }
        let to_same = self.facts.working.id(&new.to) == Some(found.recipient);
        let same_content = match self.row(new.id) {
            Some(row) => row.kind == new.kind.number() && row.body == new.text,
            None => self.facts.same.contains(&place),
        };
        if to_same && same_content {
            Outcome::Known {
                status: found.status,
            }
        } else {
            Outcome::Refused(Refused::IdConflict)
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
        if !self.recall.acquainted(pair) && self.acquainted.insert(pair) {
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
        if found.recipient != reader_id {
            return if found.sender == reader_id {
                Outcome::Refused(Refused::NotTheRecipient)
            } else {
                unknown
            };
        }
        // From here on the sender is the one that was named, whose row is locked.
        if self.facts.working.id(sender) != Some(found.sender) {
            return unknown;
        }
        if found.status == READ {
            return Outcome::Done;
        }
        self.mark_read(message);
        let sender_seq = self.receipt(sender, found.sender, message, TO_ALL);
        self.facts
            .backlogs
            .entry(sender.clone())
            .or_default()
            .untold = true;
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
