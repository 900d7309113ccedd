//! How each step is done: who does it to what, and what the model is told to expect.

use super::history::{Act, History, Pick};
use super::model::{Ask, Message, Model, Number, PageAsked};
use super::observe::Fault;
use super::support::frames;
use super::verdict::{self, Archive};
use super::world::World;

/// What a large message has beside its ID.
const LARGE: usize = 16 * 1024;

/// So many messages with so much beside their IDs are more than the buffers of a narrow device and the server's
/// window for it.
const FLOOD: usize = 110;
const LARGEST: usize = 30 * 1024;

/// More devices of a user than this do not connect at once.
const DEVICES: usize = 4;

/// An ID that nobody was granted.
const NOBODYS: &str = "MSG888888888";

impl World<'_> {
    /// Does all of it, and judges.
    pub async fn live(&mut self, history: &History) -> Result<(), Fault> {
        for step in &history.steps {
            self.take_what_came()?;
            self.act(&step.act).await?;
            if step.settle {
                self.settle().await?;
            }
        }
        let archive = self.end_and_read().await?;
        verdict::pronounce(&self.model, &archive)
    }

    async fn act(&mut self, act: &Act) -> Result<(), Fault> {
        match *act {
            Act::Connect { user, narrow } => self.connect_one(user, narrow).await,
            Act::Kill { node } => self.restart(node, true).await,
            Act::Stop { node } => self.restart(node, false).await,
            Act::Resume { device } => {
                let on = picked(&self.paused(true), device).copied();
                on.map_or(Ok(()), |on| self.set_paused(on, false))
            }
            Act::Pause { device }
            | Act::FallBehind { device, .. }
            | Act::Close { device }
            | Act::Cut { device }
            | Act::ConnectAgain { device }
            | Act::GetIds { device }
            | Act::Send { device, .. }
            | Act::Resend { device, .. }
            | Act::Conflict { device, .. }
            | Act::StealId { device, .. }
            | Act::Impersonate { device, .. }
            | Act::Malformed { device, .. }
            | Act::Read { device, .. }
            | Act::ReadOthers { device, .. }
            | Act::ReadMisnamed { device, .. }
            | Act::Heartbeat { device }
            | Act::Contacts { device }
            | Act::Page { device, .. } => match picked(&self.connected(), device).copied() {
                Some(on) => self.act_on(on, act).await,
                None => Ok(()),
            },
        }
    }

    async fn act_on(&mut self, on: Number, act: &Act) -> Result<(), Fault> {
        let user = self.user(on);
        match *act {
            Act::Pause { .. } => return self.set_paused(on, true),
            Act::FallBehind { other, .. } => return self.fall_behind(on, other).await,
            Act::Close { .. } => {
                self.set_paused(on, false)?;
                return self.close(on).await;
            }
            Act::Cut { .. } => return self.cut(on).await,
            Act::Send {
                to, large, count, ..
            } => {
                let to = self.users[to % self.users.len()].clone();
                let bytes = if large { LARGE } else { 0 };
                return self.send_some(on, &to, bytes, count).await;
            }
            Act::ConnectAgain { .. } => self.ask(on, 1, Ask::Connect, &frames::connect(&user)),
            Act::GetIds { .. } => self.ask(on, 2, Ask::Ids, &frames::get_ids(&user)),
            Act::Contacts { .. } => self.ask(on, 12, Ask::Contacts, &frames::contacts(&user)),
            Act::Heartbeat { .. } => self.send(on, &frames::heartbeat(&user)),
            Act::Resend { message, .. } => self.resend(on, message),
            Act::Conflict { message, .. } => self.conflict(on, message),
            Act::StealId { id, .. } => self.steal_id(on, id),
            Act::Impersonate { user, action, .. } => self.impersonate(on, user, action),
            Act::Malformed { action, .. } => self.malformed(on, action),
            Act::Read {
                message,
                count,
                twice,
                ..
            } => self.read_some(on, message, count, twice),
            Act::ReadOthers { message, .. } => self.read_others(on, message),
            Act::ReadMisnamed {
                message, sender, ..
            } => self.read_misnamed(on, message, sender),
            Act::Page {
                partner,
                base,
                size,
                ..
            } => self.page(on, partner, base, size),
            Act::Connect { .. } | Act::Resume { .. } | Act::Kill { .. } | Act::Stop { .. } => {}
        }
        Ok(())
    }

    /// The connections that are answered their connect. Those that read nothing can still send.
    fn connected(&self) -> Vec<Number> {
        let connections = &self.model.connections;
        let numbers = self.devices.keys().copied();
        numbers
            .filter(|on| connections[*on].ready.is_some())
            .collect()
    }

    /// Those of them that read nothing, or the others.
    fn paused(&self, paused: bool) -> Vec<Number> {
        let mut connected = self.connected();
        connected.retain(|on| self.model.connections[*on].paused == paused);
        connected
    }

    /// The IDs of those messages of which this is true, the last one sent first.
    fn messages(&self, is_one: impl Fn(&Message) -> bool) -> Vec<String> {
        let sent = self.model.sent.iter().rev();
        sent.filter(|id| is_one(&self.model.messages[*id]))
            .cloned()
            .collect()
    }

    async fn connect_one(&mut self, user: Pick, narrow: bool) -> Result<(), Fault> {
        let place = user % self.users.len();
        let user = self.users[place].clone();
        let theirs = |on: &&Number| self.model.connections[**on].user == user;
        if self.devices.keys().filter(theirs).count() < DEVICES {
            let before = self
                .model
                .connections
                .iter()
                .filter(|c| c.user == user)
                .count();
            self.connect(&user, place + before, narrow).await;
        }
        Ok(())
    }

    fn set_paused(&mut self, on: Number, paused: bool) -> Result<(), Fault> {
        self.model.connections[on].paused = paused;
        self.devices[&on].set_reading(!paused);
        Ok(())
    }

    async fn fall_behind(&mut self, on: Number, other: Pick) -> Result<(), Fault> {
        self.set_paused(on, true)?;
        match picked(&self.paused(false), other).copied() {
            Some(sender) => self.send_some(sender, &self.user(on), LARGEST, FLOOD).await,
            None => Ok(()),
        }
    }

    async fn send_some(
        &mut self,
        on: Number,
        to: &str,
        bytes: usize,
        count: usize,
    ) -> Result<(), Fault> {
        self.fill_reserve(on, count).await?;
        for _ in 0..count {
            self.send_new(on, to, bytes);
        }
        Ok(())
    }

    fn resend(&mut self, on: Number, message: Pick) {
        let user = self.user(on);
        let own = self.messages(|message| message.from == user);
        if let Some(id) = picked(&own, message) {
            self.send_again(on, id);
        }
    }

    fn conflict(&mut self, on: Number, message: Pick) {
        let user = self.user(on);
        let own = self.messages(|message| message.from == user && message.stored.is_some());
        if let Some(id) = picked(&own, message) {
            let to = &self.model.messages[id].to;
            let frame = frames::message(&user, to, id, "another text");
            self.ask(on, 3, refused("id_conflict", id), &frame);
        }
    }

    fn steal_id(&mut self, on: Number, id: Pick) {
        let user = self.user(on);
        let reserves = self.model.reserves.iter();
        let mut others: Vec<String> = reserves
            .filter(|(owner, _)| **owner != user)
            .flat_map(|(_, ids)| ids.iter().take(2).cloned())
            .collect();
        others.extend(self.messages(|message| message.from != user));
        others.push(NOBODYS.to_owned());
        let id = picked(&others, id).expect("there is one at least");
        // Even as its owner sent it.
        let (to, text) = match self.model.messages.get(id) {
            Some(message) => (message.to.clone(), message.text.clone()),
            None => (user.clone(), "stolen".to_owned()),
        };
        let frame = frames::message(&user, &to, id, &text);
        self.ask(on, 3, refused("id_not_granted", id), &frame);
    }

    fn impersonate(&mut self, on: Number, user: Pick, action: Pick) {
        let other = self.users[user % self.users.len()].clone();
        if other == self.user(on) {
            return;
        }
        let (action, frame) = match action % 5 {
            0 => (2, frames::get_ids(&other)),
            1 => (3, frames::message(&other, &other, NOBODYS, "forged")),
            2 => (4, frames::read(&other, &other, NOBODYS)),
            3 => (12, frames::contacts(&other)),
            _ => (12, frames::history(&other, None, None, None)),
        };
        self.ask(on, action, Ask::Refused("forbidden", None), &frame);
    }

    fn malformed(&mut self, on: Number, action: Pick) {
        let user = self.user(on);
        let (action, mut frame) = match action % 3 {
            0 => (3, frames::message(&user, &user, NOBODYS, "")),
            1 => (4, frames::read(&user, &user, NOBODYS)),
            _ => (12, frames::history(&user, None, None, None)),
        };
        match action {
            4 => frame["chatMsg"]["status"] = 1.into(),
            12 => frame["pageSize"] = "many".into(),
            _ => {}
        }
        self.ask(on, action, Ask::Refused("bad_frame", None), &frame);
    }

    fn read_some(&mut self, on: Number, message: Pick, count: usize, twice: bool) {
        let user = self.user(on);
        let theirs = self.messages(|message| message.to == user && message.stored.is_some());
        for place in message..message + count.min(theirs.len()) {
            for _ in 0..=usize::from(twice) {
                self.read(on, &theirs[place % theirs.len()]);
            }
        }
    }

    fn read_others(&mut self, on: Number, message: Pick) {
        let user = self.user(on);
        let others = self.messages(|message| message.to != user && message.stored.is_some());
        if let Some(id) = picked(&others, message) {
            let from = self.model.messages[id].from.clone();
            let code = if from == user {
                "forbidden"
            } else {
                "unknown_message"
            };
            self.ask(on, 4, refused(code, id), &frames::read(&user, &from, id));
        }
    }

    fn read_misnamed(&mut self, on: Number, message: Pick, sender: Pick) {
        let user = self.user(on);
        let theirs = self.messages(|message| message.to == user && message.stored.is_some());
        let sender = self.users[sender % self.users.len()].clone();
        if let Some(id) = picked(&theirs, message)
            && self.model.messages[id].from != sender
        {
            let frame = frames::read(&user, &sender, id);
            self.ask(on, 4, refused("unknown_message", id), &frame);
        }
    }

    fn page(&mut self, on: Number, partner: Option<Pick>, base: Option<Pick>, size: Option<i64>) {
        let user = self.user(on);
        let partner = partner.map(|partner| self.users[partner % self.users.len()].clone());
        let base =
            base.and_then(|base| picked(&self.messages(|m| m.stored.is_some()), base).cloned());
        let frame = frames::history(&user, partner.as_deref(), base.as_deref(), size);
        let model = &self.model;
        let outside = base
            .as_ref()
            .filter(|base| !is_in_conversation(model, base, &user, partner.as_deref()));
        let ask = match outside {
            Some(base) => refused("unknown_message", base),
            None => Ask::Page(PageAsked {
                partner,
                base,
                size: usize::try_from(size.unwrap_or(10).clamp(1, 100)).expect("a small number"),
            }),
        };
        self.ask(on, 12, ask, &frame);
    }

    /// All who stopped reading read on. Then, at every node, everyone connects once more, writes to themselves,
    /// behind whatever is on its way, and reads their history to its beginning.
    async fn end_and_read(&mut self) -> Result<Archive, Fault> {
        for on in self.paused(true) {
            self.set_paused(on, false)?;
        }
        self.settle().await?;
        let mut last = Vec::new();
        for node in 0..self.model.nodes {
            for user in self.users.clone() {
                last.push(self.connect(&user, node, false).await);
            }
        }
        self.settle().await?;
        for on in &last {
            self.send_some(*on, &self.user(*on), 0, 1).await?;
        }
        self.settle().await?;
        let mut archive = Archive::new();
        for on in last {
            let history = self.read_history(on).await?;
            let user = self.user(on);
            let first = archive.entry(user).or_insert_with(|| history.clone());
            if *first != history {
                let who = self.model.who(on);
                return Err(format!(
                    "{who} is shown {history:?}, and the first one {first:?}"
                ));
            }
        }
        self.settle().await?;
        Ok(archive)
    }

    async fn read_history(&mut self, on: Number) -> Result<Vec<String>, Fault> {
        let user = self.user(on);
        for partner in self.users.clone() {
            let asked = PageAsked {
                partner: Some(partner),
                base: None,
                size: 100,
            };
            self.ask_page(on, &user, asked);
        }
        let mut history = Vec::new();
        loop {
            let base = history.first().cloned();
            self.ask_page(
                on,
                &user,
                PageAsked {
                    partner: None,
                    base,
                    size: 100,
                },
            );
            self.settle().await?;
            let page = self.model.pages.last().expect("it has come");
            if page.ids.is_empty() {
                return Ok(history);
            }
            history.splice(0..0, page.ids.iter().cloned());
        }
    }

    fn ask_page(&mut self, on: Number, user: &str, page: PageAsked) {
        let size = i64::try_from(page.size).ok();
        let frame = frames::history(user, page.partner.as_deref(), page.base.as_deref(), size);
        self.ask(on, 12, Ask::Page(page), &frame);
    }
}

fn picked<T>(among: &[T], pick: Pick) -> Option<&T> {
    among.get(pick % among.len().max(1))
}

fn refused(code: &'static str, id: &str) -> Ask {
    Ask::Refused(code, Some(id.to_owned()))
}

fn is_in_conversation(model: &Model, id: &str, user: &str, partner: Option<&str>) -> bool {
    let message = &model.messages[id];
    message.concerns(user) && partner.is_none_or(|partner| message.partner(user) == partner)
}
