//! The reference model: what users did, what is known to be stored and read, and so what each connection must
//! receive, may receive, and must never receive.
//!
//! It knows two times of everything, on a clock that counts what the test did and saw: when it was asked for, and
//! when it was known to have happened. What lies between is open, and so is, for ever, what was asked for on a
//! connection that ended before the answer. Every rule in here is one of docs/PROTOCOL.md.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A point on the clock.
pub type Time = u64;

/// The number of a connection.
pub type Number = usize;

/// Whether a frame comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It is a fault if it does.
    Never,
    /// Either is right.
    May,
    /// It is a fault if it does not.
    Must,
}

/// A message, from its first sending.
#[derive(Debug)]
pub struct Message {
    pub id: String,
    pub from: String,
    pub to: String,
    pub text: String,
    /// Every sending of the same frame: the connection, and when.
    pub sendings: Vec<(Number, Time)>,
    /// When it was first known to be stored.
    pub stored: Option<Time>,
    /// Every receipt of its recipient.
    pub readings: Vec<(Number, Time)>,
    /// When it was first known to be read.
    pub read: Option<Time>,
}

/// What a request asks for. Those of one action are answered in their order.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Action 1, again.
    Connect,
    /// Action 2.
    Ids,
    /// A message, to be acknowledged.
    Send(String),
    /// A receipt that will be taken, in silence.
    Read(String),
    /// Action 11.
    Contacts,
    /// Action 12.
    Page(PageAsked),
    /// Whatever is refused with this code, and the ID that the error names.
    Refused(&'static str, Option<String>),
}

/// A page of history that was asked for.
#[derive(Debug, Clone)]
pub struct PageAsked {
    pub partner: Option<String>,
    pub base: Option<String>,
    pub size: usize,
}

/// A page of history that came.
#[derive(Debug, Clone)]
pub struct Page {
    pub user: String,
    pub asked: PageAsked,
    /// When it was asked for, and when it came.
    pub between: (Time, Time),
    pub ids: Vec<String>,
}

/// A connection of a user.
#[derive(Debug)]
pub struct Connection {
    pub user: String,
    pub node: usize,
    pub opened: Time,
    /// When its connect was answered.
    pub ready: Option<Time>,
    pub ended: bool,
    /// It is connected, but reads nothing.
    pub paused: bool,
    /// By action; contacts and history are answered in one order, that of 12.
    pub asks: BTreeMap<u8, VecDeque<(Ask, Time)>>,
    /// The messages that came, in order.
    pub messages: Vec<String>,
    /// The messages of which status 1 came, and not as an answer.
    pub stored: BTreeSet<String>,
    /// The messages of which status 2 came, and not as an answer, in order.
    pub told: Vec<String>,
    /// The highest status of each message that came.
    pub statuses: BTreeMap<String, u8>,
}

/// See the module.
#[derive(Default)]
pub struct Model {
    /// How many nodes the server has.
    pub nodes: usize,
    pub now: Time,
    pub messages: BTreeMap<String, Message>,
    /// The IDs of the messages in the order in which they were first sent.
    pub sent: Vec<String>,
    pub connections: Vec<Connection>,
    /// The unspent IDs of each user.
    pub reserves: BTreeMap<String, VecDeque<String>>,
    /// Every ID that was ever issued by this server.
    pub issued: BTreeSet<String>,
    pub pages: Vec<Page>,
}

impl Message {
    pub fn concerns(&self, user: &str) -> bool {
        self.from == user || self.to == user
    }

    pub fn is_to_oneself(&self) -> bool {
        self.from == self.to
    }

    /// The other one, as this user sees it.
    pub fn partner(&self, user: &str) -> &str {
        if self.from == user {
            &self.to
        } else {
            &self.from
        }
    }

    /// The connections of which one has stored it. A sending after it was known to be stored is but a resend.
    pub fn origins(&self) -> BTreeSet<Number> {
        before(&self.sendings, self.stored)
    }

    /// The connections of which one has raised its status.
    fn readers(&self) -> BTreeSet<Number> {
        before(&self.readings, self.read)
    }
}

fn before(acts: &[(Number, Time)], end: Option<Time>) -> BTreeSet<Number> {
    let acts = acts
        .iter()
        .filter(|(_, at)| end.is_none_or(|end| *at < end));
    acts.map(|(number, _)| *number).collect()
}

/// What is due to one of those that have caused a thing themselves: it is told by an answer, or by nothing.
fn due_to_one_of(causes: &BTreeSet<Number>) -> Due {
    if causes.len() == 1 {
        Due::Never
    } else {
        Due::May
    }
}

fn must_if(certain: bool) -> Due {
    if certain { Due::Must } else { Due::May }
}

impl Connection {
    pub fn is_live(&self) -> bool {
        !self.ended && !self.paused
    }

    /// Whether this was known to have happened before it connected.
    pub fn came_after(&self, event: Option<Time>) -> bool {
        event.is_some_and(|event| event < self.opened)
    }

    /// Whether it was connected when this was asked for.
    fn was_there_at(&self, asked: Time) -> bool {
        self.ready.is_some_and(|ready| ready < asked)
    }
}

impl Model {
    pub fn tick(&mut self) -> Time {
        self.now += 1;
        self.now
    }

    /// Action 3 of this message, on this connection.
    pub fn message_due(&self, number: Number, message: &Message) -> Due {
        let connection = &self.connections[number];
        let origins = message.origins();
        let Some((_, first)) = message.sendings.first() else {
            return Due::Never;
        };
        if !message.concerns(&connection.user) {
            return Due::Never;
        }
        if origins.contains(&number) && !message.is_to_oneself() {
            return due_to_one_of(&origins);
        }
        let stored = must_if(message.stored.is_some());
        if connection.was_there_at(*first) {
            return stored;
        }
        let received = message.to == connection.user;
        if connection.came_after(message.stored) && !received {
            return Due::Never;
        }
        if connection.came_after(message.read) {
            return Due::Never;
        }
        if received && message.readings.is_empty() {
            return stored;
        }
        Due::May
    }

    /// Status 1 of this message on this connection, beside the answers to sendings.
    pub fn stored_due(&self, number: Number, message: &Message) -> Due {
        let connection = &self.connections[number];
        let origins = message.origins();
        let Some((_, first)) = message.sendings.first() else {
            return Due::Never;
        };
        if message.from != connection.user || connection.came_after(message.stored) {
            return Due::Never;
        }
        if origins.contains(&number) {
            return due_to_one_of(&origins);
        }
        must_if(message.stored.is_some() && connection.was_there_at(*first))
    }

    /// Status 2 of this message on this connection, beside the answers to sendings. No ping is sent in a
    /// history, so no receipt counts as told: each is told again at every connect of the message's sender.
    pub fn receipt_due(&self, number: Number, message: &Message) -> Due {
        let connection = &self.connections[number];
        let readers = message.readers();
        let Some((_, first)) = message.readings.first() else {
            return Due::Never;
        };
        let read = message.read.is_some();
        if message.from == connection.user {
            return must_if(read);
        }
        if message.to != connection.user || connection.came_after(message.read) {
            return Due::Never;
        }
        if readers.contains(&number) {
            return due_to_one_of(&readers);
        }
        must_if(read && connection.was_there_at(*first))
    }

    /// Whether this connection resent the message. None can tell then which of its statuses are answers.
    pub fn has_resent(&self, number: Number, message: &Message) -> bool {
        let sendings = message.sendings.iter().filter(|(on, _)| *on == number);
        match sendings.count() {
            0 => false,
            1 => !message.origins().into_iter().eq([number]),
            _ => true,
        }
    }

    /// All that must come, and has not, on connections that read.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (number, connection) in self.connections.iter().enumerate() {
            if !connection.is_live() {
                continue;
            }
            let who = self.who(number);
            if connection.ready.is_none() {
                missing.push(format!("{who}: the answer to connect"));
            }
            for (ask, _) in connection.asks.values().flatten() {
                if !matches!(ask, Ask::Read(_)) {
                    missing.push(format!("{who}: an answer to {ask:?}"));
                }
            }
            for message in self.messages.values() {
                self.missing_of(number, message, &mut missing);
            }
        }
        missing
    }

    fn missing_of(&self, number: Number, message: &Message, missing: &mut Vec<String>) {
        let connection = &self.connections[number];
        if !message.concerns(&connection.user) {
            return;
        }
        let id = &message.id;
        let resent = self.has_resent(number, message);
        let has = [
            connection.messages.contains(id),
            resent || connection.stored.contains(id),
            resent || connection.told.contains(id),
        ];
        let due = [
            self.message_due(number, message),
            self.stored_due(number, message),
            self.receipt_due(number, message),
        ];
        for (what, (has, due)) in ["", "status 1 of ", "status 2 of "]
            .iter()
            .zip(has.iter().zip(due))
        {
            if due == Due::Must && !has {
                let who = self.who(number);
                missing.push(format!("{who}: {what}{}", self.named(message)));
            }
        }
    }

    /// How a connection is called in a finding.
    pub fn who(&self, number: Number) -> String {
        let Connection { user, node, .. } = &self.connections[number];
        format!("connection {number} of {user} on node {node}")
    }

    /// How a message is called in a finding.
    pub fn named(&self, message: &Message) -> String {
        format!("{} from {} to {}", message.id, message.from, message.to)
    }
}
