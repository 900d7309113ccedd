//! Messages: whose ID it is, whether it was sent before, who gets it, and what it lets them read.

use super::Deciding;
use crate::protocol::{MessageId, UserId};
use crate::store::batch::{NewMessage, Outcome, Refused};
use crate::store::bulk::KeyRow;
use crate::store::carried::ReaderRow;
use crate::store::ids;
use crate::store::messages::{Found, NewRow, READ, UNREAD};
use crate::store::users::UserState;

impl<'a> Deciding<'a, '_> {
    pub(super) fn message(&mut self, place: usize, new: &'a NewMessage) -> Outcome {
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
    pub(super) fn keyed(&mut self, place: usize, new: &'a NewMessage, key: &'a str) -> Outcome {
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
}
