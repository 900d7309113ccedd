//! The model takes what came: each frame is due, or is a fault.

use serde_json::Value;

use super::model::{Ask, Due, Message, Model, Number, Page, PageAsked, Time};
use super::support::frames::{TIME, text};

/// What is wrong, as a sentence.
pub type Fault = String;

/// The number of a frame's action, or that of another field.
fn number(value: &Value) -> u8 {
    let number = value.as_str().map(str::parse);
    number.and_then(Result::ok).unwrap_or(u8::MAX)
}

impl Model {
    /// Takes a frame that came on a connection.
    pub fn observe(&mut self, on: Number, frame: &str) -> Result<(), Fault> {
        self.tick();
        let taken = match serde_json::from_str(frame) {
            Ok(parsed) => self.take(on, &parsed),
            Err(error) => Err(error.to_string()),
        };
        taken.map_err(|fault| format!("to {} came {frame:.300}: {fault}", self.who(on)))
    }

    fn take(&mut self, on: Number, frame: &Value) -> Result<(), Fault> {
        let action = number(&frame["action"]);
        if self.connections[on].ready.is_none() && action != 1 {
            return Err("the answer to connect must be the first frame".into());
        }
        let user = self.connections[on].user.clone();
        let to_another = matches!(action, 0 | 1 | 2 | 11) && frame["toId"] != user
            || action == 12 && frame["fromId"] != user;
        if to_another {
            return Err("it is addressed to another user".into());
        }
        match action {
            0 => self.take_refusal(on, frame),
            1 => self.take_connected(on),
            2 => self.take_ids(on, frame),
            3 => self.take_message(on, frame),
            4 => self.take_status(on, frame),
            11 => self.take_contacts(on, frame),
            12 => self.take_page(on, frame),
            _ => Err("no such action".into()),
        }
    }

    /// The request that this answers: the oldest of its action.
    fn answered(&mut self, on: Number, action: u8) -> Result<(Ask, Time), Fault> {
        let asks = self.connections[on].asks.get_mut(&action);
        let ask = asks.and_then(std::collections::VecDeque::pop_front);
        ask.ok_or_else(|| "nothing asked for it".into())
    }

    fn take_connected(&mut self, on: Number) -> Result<(), Fault> {
        let now = self.now;
        let ready = &mut self.connections[on].ready;
        if ready.is_none() {
            *ready = Some(now);
            return Ok(());
        }
        match self.answered(on, 1)? {
            (Ask::Connect, _) => Ok(()),
            (ask, _) => Err(format!("it should answer {ask:?}")),
        }
    }

    fn take_refusal(&mut self, on: Number, frame: &Value) -> Result<(), Fault> {
        let error = &frame["error"];
        let action = number(&error["action"]);
        let mut ask = self.answered(on, if action == 11 { 12 } else { action })?.0;
        while let Ask::Read(id) = &ask {
            // What is behind it is answered, so it was taken.
            self.is_read(&id.clone());
            ask = self.answered(on, action)?.0;
        }
        match ask {
            Ask::Refused(code, id) if error["code"] == code => match id {
                Some(id) if frame["chatMsg"]["id"] != id => Err(format!("it should be of {id}")),
                _ => Ok(()),
            },
            ask => Err(format!("it should answer {ask:?}")),
        }
    }

    fn take_ids(&mut self, on: Number, frame: &Value) -> Result<(), Fault> {
        let (Ask::Ids, _) = self.answered(on, 2)? else {
            return Err("it was to be refused".into());
        };
        let list = text(&frame["chatMsg"]["message"]);
        let ids: Vec<&str> = list.split(',').collect();
        if ids.len() != 10 {
            return Err("it should be ten".into());
        }
        let user = self.connections[on].user.clone();
        for id in ids {
            if !self.issued.insert(id.to_owned()) {
                return Err(format!("{id} was issued before"));
            }
            let reserve = self.reserves.entry(user.clone()).or_default();
            reserve.push_back(id.to_owned());
        }
        Ok(())
    }

    fn take_message(&mut self, on: Number, frame: &Value) -> Result<(), Fault> {
        let id = self.check_content(frame)?;
        let message = &self.messages[&id];
        let connection = &self.connections[on];
        if frame["chatMsg"]["status"] != 0 {
            return Err("its status should be 0".into());
        }
        if self.message_due(on, message) == Due::Never {
            return Err("it must not come here".into());
        }
        if connection.messages.contains(&id) {
            return Err("it came before".into());
        }
        if connection.came_after(message.stored) {
            let old = |told: &&String| connection.came_after(self.messages[*told].read);
            if let Some(told) = connection.told.iter().find(old) {
                return Err(format!(
                    "it was unread at connect, and the receipt of {told} came first"
                ));
            }
        }
        let told = connection.stored.contains(&id) || connection.told.contains(&id);
        if told && !message.origins().contains(&on) {
            return Err("its status came first".into());
        }
        self.connections[on].messages.push(id.clone());
        self.is_stored(&id);
        Ok(())
    }

    /// The message in a frame or in a page, which must be as it was sent.
    fn check_content(&self, frame: &Value) -> Result<String, Fault> {
        let chat = &frame["chatMsg"];
        let id = text(&chat["id"]);
        let message = self.messages.get(&id);
        let message = message.ok_or_else(|| format!("nobody sent {id}"))?;
        let same = frame["fromId"] == message.from
            && frame["toId"] == message.to
            && chat["type"] == 0
            && chat["message"] == message.text
            && chat["time"] == TIME;
        if same {
            Ok(id)
        } else {
            Err(format!("{} is not as it was sent", self.named(message)))
        }
    }

    fn take_status(&mut self, on: Number, frame: &Value) -> Result<(), Fault> {
        let id = text(&frame["chatMsg"]["id"]);
        let message = self.messages.get(&id).ok_or("nobody sent this")?;
        if frame["fromId"] != message.to || frame["toId"] != message.from {
            return Err("it names other users".into());
        }
        let status = match frame["chatMsg"]["status"].as_u64() {
            Some(1) => 1,
            Some(2) if !message.readings.is_empty() => 2,
            _ => return Err("no such status was ever asked for".into()),
        };
        let repeats = self.has_resent(on, message);
        let acknowledged = self.acknowledged(on, &id, status);
        let highest = self.connections[on].statuses.entry(id.clone()).or_default();
        // A device that resends what it has not been given yet hears its present status, and then all of it.
        if status < *highest && !(repeats && acknowledged.is_none()) {
            return Err("a status fell".into());
        }
        *highest = status.max(*highest);
        match acknowledged {
            Some(()) => self.take_acknowledgement(on, &id)?,
            None if status == 1 => self.take_stored(on, &id)?,
            None => self.take_receipt(on, &id)?,
        }
        self.is_stored(&id);
        if status == 2 {
            self.is_read(&id);
        }
        Ok(())
    }

    /// Whether this status answers a sending: it is of the message that is next to be answered, and not from
    /// before it was read.
    fn acknowledged(&mut self, on: Number, id: &str, status: u8) -> Option<()> {
        let read = self.messages[id].read;
        let asks = self.connections[on].asks.get_mut(&3)?;
        let answers = match asks.front()? {
            (Ask::Send(asked), at) => {
                asked == id && (status == 2 || read.is_none_or(|read| read > *at))
            }
            _ => false,
        };
        answers.then(|| asks.pop_front()).map(|_| ())
    }

    fn take_acknowledgement(&self, on: Number, id: &str) -> Result<(), Fault> {
        let message = &self.messages[id];
        let connection = &self.connections[on];
        let came = connection.messages.iter().any(|came| came == id);
        let sole = message.origins().into_iter().eq([on]);
        if sole && message.is_to_oneself() && !came && !self.may_be_behind(on, message) {
            return Err("the message itself should come first".into());
        }
        Ok(())
    }

    /// Whether a message to oneself may have to wait for what this connection is to receive first: for what has
    /// not come, or behind more than the server has in hand for one device. The device that sent it hears at once
    /// that it is stored, but it comes when it is its turn.
    fn may_be_behind(&self, on: Number, sent: &Message) -> bool {
        let connection = &self.connections[on];
        let others = self.messages.values().filter(|other| other.id != sent.id);
        let mut theirs = others.filter(|other| other.concerns(&connection.user));
        theirs.any(|other| other.text.len() > 1_000 || self.is_owed(on, other))
    }

    /// Whether this message, or that it was read, may have yet to come. What the connection sent itself takes the
    /// same way as whatever else it sends.
    fn is_owed(&self, on: Number, message: &Message) -> bool {
        let connection = &self.connections[on];
        let own = message.origins().into_iter().eq([on]);
        let owes = |due, came: &[String]| due != Due::Never && !came.contains(&message.id);
        !own && owes(self.message_due(on, message), &connection.messages)
            || owes(self.receipt_due(on, message), &connection.told)
    }

    fn take_stored(&mut self, on: Number, id: &str) -> Result<(), Fault> {
        let message = &self.messages[id];
        if self.stored_due(on, message) == Due::Never {
            return Err("it must not come here".into());
        }
        let origin = message.origins().contains(&on);
        let repeats = self.has_resent(on, message);
        let connection = &mut self.connections[on];
        if !origin && !connection.messages.iter().any(|came| came == id) {
            return Err("the message itself should come first".into());
        }
        if connection.stored.insert(id.to_owned()) || repeats {
            Ok(())
        } else {
            Err("it came before".into())
        }
    }

    fn take_receipt(&mut self, on: Number, id: &str) -> Result<(), Fault> {
        let message = &self.messages[id];
        if self.receipt_due(on, message) == Due::Never {
            return Err("it must not come here".into());
        }
        let connection = &self.connections[on];
        let came = connection.messages.iter().any(|came| came == id);
        if !came && connection.ready.is_some() && self.message_due(on, message) == Due::Must {
            return Err("the message itself should come first".into());
        }
        if connection.told.iter().any(|told| told == id) {
            return if self.has_resent(on, message) {
                Ok(())
            } else {
                Err("it came before".into())
            };
        }
        self.connections[on].told.push(id.to_owned());
        Ok(())
    }

    fn take_contacts(&mut self, on: Number, frame: &Value) -> Result<(), Fault> {
        let (Ask::Contacts, asked) = self.answered(on, 12)? else {
            return Err("something else is to be answered first".into());
        };
        let user = self.connections[on].user.as_str();
        let list = frame["contacts"].as_array().ok_or("no list")?;
        let ids: Vec<String> = list.iter().map(|contact| text(&contact["toId"])).collect();
        if !ids.is_sorted_by(|one, next| one < next) {
            return Err("it is not in order".into());
        }
        if let Some(contact) = list
            .iter()
            .find(|contact| contact["toId"] != contact["toName"])
        {
            return Err(format!("nobody named {contact}"));
        }
        let theirs = || {
            self.messages
                .values()
                .filter(|message| message.concerns(user))
        };
        for id in &ids {
            if !theirs().any(|message| message.partner(user) == id) {
                return Err(format!("{id} is a stranger"));
            }
        }
        let known = theirs().filter(|message| message.stored.is_some_and(|at| at < asked));
        match known
            .map(|message| message.partner(user))
            .find(|id| !ids.iter().any(|i| i == id))
        {
            Some(lacks) => Err(format!("{lacks} is not in it")),
            None => Ok(()),
        }
    }

    fn take_page(&mut self, on: Number, frame: &Value) -> Result<(), Fault> {
        let (Ask::Page(page), asked) = self.answered(on, 12)? else {
            return Err("something else is to be answered first".into());
        };
        if frame["toId"].as_str() != page.partner.as_deref() {
            return Err("it is of another conversation".into());
        }
        let user = self.connections[on].user.clone();
        let shown = frame["historyMsgs"].as_array().ok_or("no list")?;
        let mut ids = Vec::new();
        for shown in shown {
            let id = self.check_shown(&user, &page, shown, asked)?;
            self.is_stored(&id);
            if shown["chatMsg"]["status"] == 2 {
                self.is_read(&id);
            }
            ids.push(id);
        }
        self.pages.push(Page {
            user,
            asked: page,
            between: (asked, self.now),
            ids,
        });
        Ok(())
    }

    /// A message in a page that was asked for then.
    fn check_shown(
        &self,
        user: &str,
        page: &PageAsked,
        shown: &Value,
        asked: Time,
    ) -> Result<String, Fault> {
        let id = self.check_content(shown)?;
        let message = &self.messages[&id];
        let partner = page.partner.as_deref();
        let asked_for = partner.is_none_or(|partner| message.partner(user) == partner);
        if !message.concerns(user) || !asked_for {
            return Err(format!("{} is not of it", self.named(message)));
        }
        let right = match shown["chatMsg"]["status"].as_u64() {
            Some(1) => message.read.is_none_or(|read| read > asked),
            Some(2) => !message.readings.is_empty(),
            _ => false,
        };
        if right {
            Ok(id)
        } else {
            Err(format!("{} has a wrong status", self.named(message)))
        }
    }

    fn is_stored(&mut self, id: &str) {
        let now = self.now;
        let message = self.messages.get_mut(id).expect("it was looked up");
        message.stored.get_or_insert(now);
    }

    fn is_read(&mut self, id: &str) {
        let now = self.now;
        let message = self.messages.get_mut(id).expect("it was looked up");
        message.read.get_or_insert(now);
    }
}
