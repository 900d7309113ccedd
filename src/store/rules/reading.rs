//! Readings: who may report one, and who is told of it under which number.

use super::Deciding;
use crate::protocol::{MessageId, UserId};
use crate::store::batch::{Outcome, Refused};
use crate::store::bulk::ReceiptRow;
use crate::store::messages::{Found, READ};
use crate::store::receipts::TO_ALL;
use crate::store::users::UserState;

impl Deciding<'_, '_> {
    pub(super) fn read(
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

    pub(super) fn told(&mut self, user: &UserId, seq: i64) -> Outcome {
        let known = self.facts.working.find(user);
        if known.is_some_and(|state| state.told < seq && seq <= state.timeline) {
            self.facts.working.change(user, |state| state.told = seq);
        }
        Outcome::Done
    }
}
