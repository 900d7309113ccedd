//! What the clients of a soak did and heard: numbers only, and only of the present stretch.
//!
//! All devices write into one ledger, which counts what is written: what was noted earlier happened earlier. So a
//! message is noted before it is sent, and what came is noted after it came. [`audit`](super::audit) holds a ledger
//! against the histories of the server, and [`settle`](super::settle) forgets what need not be remembered then.

use std::collections::HashMap;

/// A place in the order of all that was noted. 0 is never.
pub type Moment = u32;

/// A message of this stretch, or one that nobody has read yet.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub from: u16,
    pub to: u16,
    /// The device that wrote it.
    pub device: u16,
    /// The connection on which it was sent first.
    pub connection: u32,
    /// When it was sent first.
    pub sent: Moment,
    /// How often it was sent.
    pub sendings: u16,
    /// When a status of it was heard first.
    pub acked: Moment,
    /// When it was reported as read first.
    pub reported: Moment,
    /// The connection on which it was reported last.
    pub reporter: u32,
    /// The device that reported it last.
    pub reader: u16,
    /// When anybody heard first that it was read.
    pub told: Moment,
    /// Its place in the history of its recipient, once that was seen: it is of an earlier stretch then.
    pub place: Option<u32>,
}

/// A connection of this stretch.
#[derive(Debug, Clone)]
pub struct Connection {
    pub user: u16,
    pub device: u16,
    /// When its last connect frame was sent.
    pub asked: Moment,
    /// When that was answered.
    pub answered: Moment,
    pub ended: Moment,
    /// Everything that came unasked or as an acknowledgement, in order.
    pub heard: Vec<Heard>,
}

/// Something that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    pub id: u32,
    pub at: Moment,
    pub what: What,
}

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Itself.
    Message,
    /// Status 1.
    Stored,
    /// Status 2.
    Read,
}

/// Numbers that only grow.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Totals {
    pub connections: u64,
    pub messages: u64,
    pub acked: u64,
    pub delivered: u64,
    pub read: u64,
    pub granted: u64,
    pub resent: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    pub messages: HashMap<u32, Message>,
    pub connections: HashMap<u32, Connection>,
    /// For each user, what is to be said of the stretches before.
    pub settled: Vec<super::settle::Settled>,
    /// What no client should have met, whatever histories may say.
    pub complaints: Vec<String>,
    pub totals: Totals,
    /// One bit for each ID that was granted.
    granted: Vec<u64>,
    now: Moment,
    last_connection: u32,
}

impl Ledger {
    /// That of a soak which has not begun.
    pub fn new(users: u16) -> Ledger {
        Ledger {
            settled: vec![Default::default(); users.into()],
            ..Ledger::default()
        }
    }

    fn next(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// A device is about to send its connect frame, on a connection that has a number from now on.
    pub fn connect(&mut self, user: u16, device: u16) -> u32 {
        self.last_connection += 1;
        let connection = Connection {
            user,
            device,
            asked: self.next(),
            answered: 0,
            ended: 0,
            heard: Vec::new(),
        };
        self.connections.insert(self.last_connection, connection);
        self.last_connection
    }

    /// The connect frame is about to be sent once more.
    pub fn connect_again(&mut self, connection: u32) {
        let now = self.next();
        self.connection(connection).asked = now;
    }

    /// The connect frame was answered.
    pub fn connected(&mut self, connection: u32) {
        let now = self.next();
        self.totals.connections += 1;
        self.connection(connection).answered = now;
    }

    /// The connection is no more.
    pub fn ended(&mut self, connection: u32) {
        let now = self.next();
        self.connection(connection).ended = now;
    }

    fn connection(&mut self, number: u32) -> &mut Connection {
        let connection = self.connections.get_mut(&number);
        connection.expect("a connection is remembered as long as it lasts")
    }

    /// IDs were granted.
    pub fn granted(&mut self, ids: &[u32]) {
        for id in ids {
            self.totals.granted += 1;
            let (word, bit) = (*id as usize / 64, 1 << (id % 64));
            if self.granted.len() <= word {
                self.granted.resize(word + 1, 0);
            }
            if self.granted[word] & bit != 0 {
                self.complain(format!("the ID {id} was granted twice"));
            }
            self.granted[word] |= bit;
        }
    }

    /// A message is about to be sent, not for the first time perhaps.
    pub fn send(&mut self, connection: u32, id: u32, to: u16) {
        let now = self.next();
        let (from, device) = {
            let Connection { user, device, .. } = self.connection(connection);
            (*user, *device)
        };
        let totals = &mut self.totals;
        let message = self.messages.entry(id).or_insert_with(|| {
            totals.messages += 1;
            Message {
                from,
                to,
                device,
                connection,
                sent: now,
                ..Message::default()
            }
        });
        message.sendings = message.sendings.saturating_add(1);
    }

    /// A message is about to be reported as read.
    pub fn report(&mut self, connection: u32, id: u32) {
        let now = self.next();
        let device = self.connection(connection).device;
        if let Some(message) = self.messages.get_mut(&id) {
            if message.reported == 0 {
                message.reported = now;
                self.totals.read += 1;
            }
            message.reporter = connection;
            message.reader = device;
        }
    }

    /// A message came.
    pub fn hear_message(&mut self, connection: u32, id: u32, from: u16, to: u16) {
        self.totals.delivered += 1;
        let Some(message) = self.messages.get(&id) else {
            let user = self.connection(connection).user;
            return self.complain(format!(
                "{id} came to user {user} on connection {connection}, though it was never sent or was read long ago"
            ));
        };
        if (message.from, message.to) != (from, to) {
            let shown = format!("{id} came as from {from} to {to}, and is {message:?}");
            self.complain(shown);
        }
        self.hear(connection, id, What::Message);
    }

    /// A status came.
    pub fn hear_status(&mut self, connection: u32, id: u32, status: u64) {
        let now = self.next();
        let what = if status == 2 {
            What::Read
        } else {
            What::Stored
        };
        let Some(message) = self.messages.get_mut(&id) else {
            // That it was read may be told again with every connect.
            if status != 2 {
                self.complain(format!("the status of {id} was 2, and fell to {status}"));
            }
            return;
        };
        if message.acked == 0 {
            message.acked = now;
            self.totals.acked += 1;
        }
        if status == 2 && message.told == 0 {
            message.told = now;
        }
        self.hear(connection, id, what);
    }

    fn hear(&mut self, connection: u32, id: u32, what: What) {
        let at = self.next();
        self.connection(connection)
            .heard
            .push(Heard { id, at, what });
    }

    /// Notes what no client should have met.
    pub fn complain(&mut self, complaint: String) {
        // Where everything goes wrong, the first of it says why.
        if self.complaints.len() < 100 {
            self.complaints.push(complaint);
        }
    }
}

impl Connection {
    /// Whether it has been connected and still lasts.
    pub fn is_alive(&self) -> bool {
        self.answered > 0 && self.ended == 0
    }
}
