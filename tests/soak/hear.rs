//! What a device makes of what it hears.

use std::sync::atomic::Ordering;

use serde_json::Value;

use super::letter;
use super::line::{Asked, Line, Page};
use super::shared::Shared;
use super::support::frames::{self, split_ids};
use super::talk::Talk;

/// How many messages are left unread for later.
const LATER: usize = 20;

/// How many settled messages a device can send once more.
const OLD: usize = 50;

impl Talk {
    /// Takes a frame. Returns what to send upon it.
    pub fn take(&mut self, shared: &Shared, line: &mut Line, frame: &Value) -> Vec<Value> {
        let action = frame["action"].as_str().unwrap_or_default();
        if !line.is_connected && !["0", "1"].contains(&action) {
            shared.complain(format!("{} got {frame} before it was connected", self.name));
        }
        match action {
            "1" => {
                line.is_connected = true;
                line.answered(Asked::Connect);
                shared.gauges.connected.fetch_add(1, Ordering::Relaxed);
                shared.ledger().connected(line.number);
                return self.tick(shared, line);
            }
            "2" => {
                line.answered(Asked::Ids);
                let ids: Vec<u32> = split_ids(frame)
                    .iter()
                    .filter_map(|id| letter::number(id))
                    .collect();
                shared.ledger().granted(&ids);
                self.ids.extend(ids);
            }
            "3" => return self.hear_message(shared, line, frame),
            "4" => self.hear_status(shared, line, frame),
            "11" => {
                line.answered(Asked::Contacts);
                self.check_contacts(shared, frame);
            }
            "12" => {
                if let Some(page) = line.page() {
                    line.answered(Asked::Page(page));
                    self.check_page(shared, page, frame);
                }
            }
            "0" => self.hear_error(shared, line, frame),
            _ => shared.complain(format!("{} got {frame}", self.name)),
        }
        Vec::new()
    }

    fn hear_message(&mut self, shared: &Shared, line: &mut Line, frame: &Value) -> Vec<Value> {
        let Some((id, from, to)) = Talk::meant(frame) else {
            shared.complain(format!("{} got {frame}", self.name));
            return Vec::new();
        };
        let expected = frames::message(
            &letter::name(from),
            &letter::name(to),
            &letter::id(id),
            &letter::text(shared.settings.seed, id),
        );
        if *frame != expected {
            shared.complain(format!("{} got {frame}, and it was {expected}", self.name));
        }
        shared.ledger().hear_message(line.number, id, from, to);
        // One of the user's devices reads it, whichever it is.
        let is_ours =
            to == self.who.user && id % u32::from(self.who.count) == u32::from(self.who.place);
        if !is_ours || self.later.contains(&id) {
            return Vec::new();
        }
        if !letter::is_for_later(id) {
            return self.report(shared, line, id).into_iter().collect();
        }
        self.later.push_back(id);
        if self.later.len() <= LATER {
            return Vec::new();
        }
        let oldest = self.later.pop_front();
        let report = oldest.and_then(|id| self.report(shared, line, id));
        report.into_iter().collect()
    }

    fn hear_status(&mut self, shared: &Shared, line: &mut Line, frame: &Value) {
        let status = frame["chatMsg"]["status"].as_u64();
        let (Some((id, to, from)), Some(status @ 1..=2)) = (Talk::meant(frame), status) else {
            return shared.complain(format!("{} got {frame}", self.name));
        };
        {
            let mut ledger = shared.ledger();
            let message = ledger.messages.get(&id);
            if let Some(message) =
                message.filter(|message| (message.from, message.to) != (from, to))
            {
                let complaint = format!("{} got {frame}, of {message:?}", self.name);
                ledger.complain(complaint);
            }
            ledger.hear_status(line.number, id, status);
        }
        let time = line.answered(Asked::Message(id));
        if let Some(place) = self.places.remove(&id) {
            self.outbox.acked(place);
            self.letters.remove(&place);
            self.old.push_back((id, to));
            if self.old.len() > OLD {
                self.old.pop_front();
            }
            if let Some(time) = time {
                shared.gauges.acked(time);
            }
        }
    }

    /// The message, and who is named as `fromId` and `toId`.
    fn meant(frame: &Value) -> Option<(u32, u16, u16)> {
        let user = |field: &str| letter::user(frame[field].as_str()?);
        let id = letter::number(frame["chatMsg"]["id"].as_str()?)?;
        Some((id, user("fromId")?, user("toId")?))
    }

    /// Each once, by ID.
    fn check_contacts(&self, shared: &Shared, frame: &Value) {
        let contacts = frame["contacts"].as_array();
        let ids = contacts.map(|all| all.iter().map(|contact| contact["toId"].as_str()));
        let ids: Vec<_> = ids.into_iter().flatten().collect();
        if contacts.is_none() || !ids.is_sorted_by(|one, next| one < next) {
            shared.complain(format!("{} got {frame}", self.name));
        }
    }

    /// No more than was asked for, of these two, as it was sent, and each message once.
    fn check_page(&self, shared: &Shared, page: Page, frame: &Value) {
        let messages = frame["historyMsgs"].as_array().map(Vec::as_slice);
        let mut ids = Vec::new();
        let is_right = |message: &Value| {
            let Some((id, from, to)) = Talk::meant(message) else {
                return false;
            };
            ids.push(id);
            let text = letter::text(shared.settings.seed, id);
            let user = self.who.user;
            let partner = if from == user { to } else { from };
            (from == user || to == user)
                && page.partner.is_none_or(|asked| asked == partner)
                && message["chatMsg"]["message"] == text
        };
        let messages = messages.unwrap_or_default();
        let mut all_right = messages.len() <= page.size.into();
        all_right &= messages.iter().all(is_right);
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        if !all_right || ids.len() < count {
            shared.complain(format!("{} asked for {page:?} and got {frame}", self.name));
        }
    }

    /// A store that fails, and a server with too much in hand, are no reason to complain, but to try again.
    fn hear_error(&mut self, shared: &Shared, line: &mut Line, frame: &Value) {
        let code = frame["error"]["code"].as_str().unwrap_or_default();
        if !["storage_unavailable", "busy"].contains(&code) {
            return shared.complain(format!("{} was refused: {frame}", self.name));
        }
        shared.gauges.refused.fetch_add(1, Ordering::Relaxed);
        if shared.weather.is_calm_for(line.lag()) {
            shared.complain(format!("{} was refused: {frame}", self.name));
        }
        let id = frame["chatMsg"]["id"].as_str().and_then(letter::number);
        match (frame["error"]["action"].as_str(), id) {
            (Some("1"), _) => {
                line.answered(Asked::Connect);
                line.refuse_connect();
            }
            (Some("2"), _) => drop(line.answered(Asked::Ids)),
            (Some("3"), Some(id)) => {
                line.answered(Asked::Message(id));
                if let Some(place) = self.places.get(&id) {
                    self.outbox.refused(*place);
                }
            }
            (Some("4"), Some(id)) => line.refuse_report(id),
            (Some("11"), _) => drop(line.answered(Asked::Contacts)),
            (Some("12"), _) => {
                if let Some(page) = line.page() {
                    line.answered(Asked::Page(page));
                }
            }
            _ => shared.complain(format!("{} asked for no such thing: {frame}", self.name)),
        }
    }
}
