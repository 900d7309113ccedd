//! The rules of a batch: what a resend is, whose an ID is, who may report a reading, which number of
//! whose timeline each thing gets.
//!
//! Pure: [`questions`] says what has to be read, [`decide`] takes the [`Facts`] and returns what is to
//! be written. One write of a batch sees what those before it did.

mod effects;
mod facts;
mod reading;
mod sending;

use super::batch::{Connected, Outcome, Refused, Write};
use super::bulk::Backlog;
use super::ids;
use super::messages::{Found, NewRow};
use super::recall::Recall;
use super::users::Working;
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
}

#[cfg(test)]
mod tests;
