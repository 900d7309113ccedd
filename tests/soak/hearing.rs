//! What came on one connection, beside what its user is shown.

use std::collections::HashSet;

use super::audit::{Entry, Findings, View};
use super::ledger::{Connection, Heard, Moment, What};

/// See the module.
pub struct Hearing<'a> {
    view: &'a View<'a>,
    number: u32,
    connection: &'a Connection,
}

impl<'a> Hearing<'a> {
    /// What came on the connection of this number.
    pub fn new(view: &'a View<'a>, number: u32, connection: &'a Connection) -> Hearing<'a> {
        Hearing {
            view,
            number,
            connection,
        }
    }

    /// Notes what is wrong with it.
    pub fn check(&self, findings: &mut Findings) {
        if self.connection.answered == 0 {
            return;
        }
        if self.each_once_and_in_order(findings) {
            self.nothing_is_left_out(findings);
        }
        self.nothing_that_was_read_before(findings);
        self.nothing_that_it_sent(findings);
        let came = self.statuses_rise(findings);
        if self.connection.is_alive() {
            self.all_statuses_have_come(&came, findings);
        }
    }

    fn who(&self) -> String {
        let Connection { user, device, .. } = self.connection;
        format!(
            "connection {} of user {user}'s device {device}",
            self.number
        )
    }

    fn messages(&self) -> impl Iterator<Item = &Heard> {
        let heard = self.connection.heard.iter();
        heard.filter(|heard| heard.what == What::Message)
    }

    /// Whether each message came at most once, and in the order of the history.
    fn each_once_and_in_order(&self, findings: &mut Findings) -> bool {
        let mut seen = HashSet::new();
        let mut last = None;
        for Heard { id, .. } in self.messages() {
            let place = self.view.places.get(id).copied();
            let wrong = if place.is_none() {
                "which history does not show"
            } else if !seen.insert(id) {
                "which came twice"
            } else if place < last {
                "in another order than history shows"
            } else {
                last = place;
                continue;
            };
            let message = self.view.ledger.messages.get(id);
            findings.broken(format!("{} got {id}, {wrong}: {message:?}", self.who()));
            return false;
        }
        true
    }

    fn nothing_is_left_out(&self, findings: &mut Findings) {
        let mut heard = self.messages().peekable();
        let mut follows = false;
        for entry in &self.view.entries {
            if heard.peek().is_some_and(|heard| heard.id == entry.id) {
                heard.next();
                follows |= self.is_outgoing(entry);
                continue;
            }
            let beyond = heard.peek().map(|heard| heard.at);
            if !self.must_come(entry, follows, beyond) {
                continue;
            }
            let what = format!("{}: {:?}", entry.id, entry.message);
            if beyond.is_some() {
                findings.broken(format!("{} was left out on {}", what, self.who()));
            } else if self.connection.is_alive() {
                findings.missing(format!("{} has not come on {}", what, self.who()));
            }
        }
    }

    fn is_outgoing(&self, entry: &Entry) -> bool {
        entry.message.from == self.view.user && entry.message.to != self.view.user
    }

    /// Whether it must have come by the time that something beyond it did.
    ///
    /// Everything that happens while a device is connected must: what was sent later than that, and whatever
    /// stands behind a message that its user sent from elsewhere, since none of those comes of the time before.
    /// Of the time before, what nobody has read by then must.
    fn must_come(&self, entry: &Entry, follows: bool, beyond: Option<Moment>) -> bool {
        let message = entry.message;
        if self.is_outgoing(entry) && message.device == self.connection.device {
            return false;
        }
        let is_live = message.place.is_none() && message.sent > self.connection.answered;
        let is_read = message.reported > 0 && beyond.is_none_or(|at| message.reported < at);
        let is_unread = message.to == self.view.user && !is_read;
        follows || is_live || is_unread
    }

    /// Messages of which somebody knew before the connect that they were read.
    fn nothing_that_was_read_before(&self, findings: &mut Findings) {
        for Heard { id, .. } in self.messages() {
            let message = self.view.ledger.messages.get(id);
            let was_read = |told| told > 0 && told < self.connection.asked;
            if message.is_some_and(|message| was_read(message.told)) {
                let who = self.who();
                findings.broken(format!(
                    "{who} got {id}, which was read before: {message:?}"
                ));
            }
        }
    }

    /// Messages to others that came from this very connection, as far as that is certain.
    fn nothing_that_it_sent(&self, findings: &mut Findings) {
        for Heard { id, .. } in self.messages() {
            let message = self.view.ledger.messages.get(id);
            let is_own = message.is_some_and(|message| {
                let is_to_others = message.from != message.to;
                is_to_others && message.sendings == 1 && message.connection == self.number
            });
            if is_own {
                let who = self.who();
                findings.broken(format!("{who} got {id}, which it sent itself: {message:?}"));
            }
        }
    }

    /// Statuses come to whom they concern and never fall; each comes once where nothing was sent twice. Returns
    /// all that came.
    fn statuses_rise(&self, findings: &mut Findings) -> HashSet<(u32, What)> {
        let mut came = HashSet::new();
        for Heard { id, what, .. } in &self.connection.heard {
            let is_new = came.insert((*id, *what));
            let Some(message) = self.view.ledger.messages.get(id) else {
                continue;
            };
            let is_elsewhere = message.device != self.connection.device;
            let is_outgoing = message.from == self.view.user;
            let knows = |what| came.contains(&(*id, what));
            let wrong = match what {
                What::Message => continue,
                _ if !is_outgoing && message.to != self.view.user => "is of others",
                What::Stored if !is_outgoing => "was told to its recipient",
                What::Stored if knows(What::Read) => "fell from 2 to 1",
                What::Read if message.reported == 0 => "rose though nobody reported it",
                _ if !is_elsewhere => continue,
                _ if !is_new => "came twice",
                What::Stored if !knows(What::Message) => "came before the message",
                _ => continue,
            };
            let who = self.who();
            findings.broken(format!("{who}: the status of {id} {wrong}: {message:?}"));
        }
        came
    }

    /// What became of a message while this device was connected.
    fn all_statuses_have_come(&self, came: &HashSet<(u32, What)>, findings: &mut Findings) {
        for entry in &self.view.entries {
            let message = entry.message;
            let is_elsewhere = message.device != self.connection.device;
            let is_read = entry.status == Some(2) || message.told > 0;
            let is_live = message.reported > self.connection.answered;
            let is_ours = message.reader == self.connection.device;
            let lacks = |what| !came.contains(&(entry.id, what));
            let lost = if is_read && is_live && !is_ours && lacks(What::Read) {
                2
            } else if self.is_outgoing(entry)
                && is_elsewhere
                && !lacks(What::Message)
                && lacks(What::Stored)
            {
                1
            } else {
                continue;
            };
            findings.missing(format!(
                "{} has not heard of status {lost} of {}: {message:?}",
                self.who(),
                entry.id
            ));
        }
    }
}
