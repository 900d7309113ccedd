//! One device of one user, over as many connections as it takes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::line::{Asked, Line};
use super::{BOUND, Order, User};
use crate::record::{Connection, End, Heard, Letter, Sent, is_to_be_read};
use crate::support::client::split_ids;
use crate::support::frames;
use crate::support::outbox::Outbox;
use crate::support::socket::{NotOpened, Socket};

/// A page is asked for at every so many ticks.
const TICKS_TO_A_PAGE: u64 = 25;

/// See the module.
pub struct Device {
    users: Arc<[User]>,
    /// Whose it is.
    user: usize,
    /// Its number among the user's devices: the first one talks.
    number: usize,
    ports: Vec<u16>,
    /// The node to connect to next.
    at: usize,
    pace: Duration,
    outbox: Outbox,
    /// Granted IDs that no message was sent under.
    ids: VecDeque<String>,
    /// The place of each message among those the user sent.
    places: HashMap<String, usize>,
    line: Line,
}

impl Device {
    /// A device of the user of this number.
    pub fn new(
        users: &Arc<[User]>,
        user: usize,
        number: usize,
        ports: &[u16],
        pace: Duration,
    ) -> Device {
        users[user].book().record.devices.push(Default::default());
        Device {
            at: (users[user].home + number) % ports.len(),
            users: Arc::clone(users),
            user,
            number,
            ports: ports.to_vec(),
            pace,
            outbox: Outbox::default(),
            ids: VecDeque::new(),
            places: HashMap::new(),
            line: Line::default(),
        }
    }

    /// Connects again and again, and does what it is told, until it is aborted.
    pub async fn run(mut self, order: watch::Receiver<Order>) {
        loop {
            match Socket::open(self.ports[self.at], BOUND).await {
                Ok(socket) => {
                    self.begin();
                    let end = self.converse(socket, &order).await;
                    self.end(end);
                }
                Err(NotOpened::Refused) => {}
                Err(NotOpened::Silent) => self.miss("its connection"),
            }
            self.at = (self.at + 1) % self.ports.len();
            let pause = rand::rng().random_range(20..150);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    fn me(&self) -> &User {
        &self.users[self.user]
    }

    fn talks(&self) -> bool {
        self.number == 0
    }

    fn complain(&self, complaint: String) {
        let name = &self.me().name;
        self.me()
            .complain(format!("device {} of {name}: {complaint}", self.number));
    }

    /// The record of the present connection, to change.
    fn note(&self, change: impl FnOnce(&mut Connection)) {
        let mut book = self.me().book();
        let connections = &mut book.record.devices[self.number].connections;
        change(connections.last_mut().expect("it has begun"));
    }

    fn begin(&mut self) {
        self.line = Line::open();
        self.outbox.resend_all();
        let connection = Connection {
            node: self.at,
            ..Connection::default()
        };
        let mut book = self.me().book();
        book.record.devices[self.number]
            .connections
            .push(connection);
    }

    fn end(&self, end: End) {
        self.note(|connection| connection.end = Some(end));
        // A node that stops, one that is killed, and one that heard of no connect frame while its store was down.
        if !matches!(end, End::Left | End::Broken | End::Closed(1001 | 4408)) {
            self.complain(format!("its connection ended with {end:?}"));
        }
    }

    async fn converse(&mut self, mut socket: Socket, order: &watch::Receiver<Order>) -> End {
        let mut tick = interval(self.pace);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frames = tokio::select! {
                frame = socket.next() => match frame {
                    Ok(frame) => self.take(&frame),
                    Err(end) => return end,
                },
                _ = tick.tick() => {
                    let order = *order.borrow();
                    if self.wants_to_leave(order) {
                        return End::Left;
                    }
                    self.tick(order)
                }
            };
            for frame in frames {
                // Where it cannot be sent, the reading says why.
                socket.send(&frame).await;
            }
        }
    }

    /// What to send at this moment.
    fn tick(&mut self, order: Order) -> Vec<Value> {
        self.line.ticks += 1;
        if self.line.is_to_connect() {
            self.line.ask(Asked::Connect);
            return vec![frames::connect(&self.me().name)];
        }
        if !self.line.connected || !self.talks() {
            return Vec::new();
        }
        let mut requests = Vec::new();
        if order == Order::Talk {
            self.write_a_message();
            requests.extend(self.ask_for_a_page());
            requests.extend(self.ask_for_ids());
        }
        for place in self.outbox.take_due() {
            requests.push(self.send(place));
        }
        requests.extend(self.readings_to_repeat());
        requests
    }

    /// Now and then without a reason; and where the node owes an answer for too long.
    fn wants_to_leave(&self, order: Order) -> bool {
        if let Some(asked) = self.line.overdue() {
            self.miss(&format!("the answer to {asked:?}"));
            return true;
        }
        order == Order::Talk && self.line.has_lasted()
    }

    /// Waits for something no longer.
    fn miss(&self, what: &str) {
        let may_be = self.me().book().forgiving;
        if !may_be {
            self.complain(format!("node {} owes {what}", self.at));
        }
    }

    fn answered(&mut self, what: &Asked) {
        if let Some(taken) = self.line.answered(what) {
            let mut book = self.me().book();
            book.progress.longest = book.progress.longest.max(taken);
        }
    }

    /// Writes the next message, to the next of all users.
    fn write_a_message(&mut self) {
        if !self.outbox.has_room() {
            return;
        }
        let Some(id) = self.ids.pop_front() else {
            return;
        };
        let place = self.places.len();
        let from = self.me().name.clone();
        let to = self.users[(self.user + place) % self.users.len()]
            .name
            .clone();
        let letter = Letter {
            text: format!("number {place} of {from}, to {to}"),
            id: id.clone(),
            from,
            to,
        };
        self.places.insert(id, place);
        self.outbox.add(place);
        self.me().book().record.sent.push(Sent {
            letter,
            sendings: Vec::new(),
            acked: false,
        });
    }

    /// The frame of a message, which is being sent.
    fn send(&mut self, place: usize) -> Value {
        let (id, frame) = {
            let mut book = self.me().book();
            let connection = book.record.devices[0].connections.len() - 1;
            let sent = &mut book.record.sent[place];
            sent.sendings.push(connection);
            let Letter { id, from, to, text } = &sent.letter;
            (id.clone(), frames::message(from, to, id, text))
        };
        self.line.ask(Asked::Message(id));
        frame
    }

    fn ask_for_ids(&mut self) -> Option<Value> {
        let wanted = self.ids.len() < 10 && !self.line.waits_for(&Asked::Ids);
        wanted.then(|| {
            self.line.ask(Asked::Ids);
            frames::get_ids(&self.me().name)
        })
    }

    fn ask_for_a_page(&mut self) -> Option<Value> {
        let is_time = self.line.ticks.is_multiple_of(TICKS_TO_A_PAGE);
        if !is_time || self.line.waits_for(&Asked::Page) {
            return None;
        }
        self.line.ask(Asked::Page);
        let partner = &self.users[(self.user + 1) % self.users.len()].name;
        Some(frames::history(
            &self.me().name,
            Some(partner),
            None,
            Some(5),
        ))
    }

    fn readings_to_repeat(&mut self) -> Vec<Value> {
        let due = self.line.readings_due();
        let reader = &self.me().name;
        due.iter()
            .map(|(id, sender)| frames::read(reader, sender, id))
            .collect()
    }

    /// Takes a frame. Returns what to send upon it.
    fn take(&mut self, frame: &Value) -> Vec<Value> {
        match frame["action"].as_str() {
            Some("1") => {
                self.line.connected = true;
                self.answered(&Asked::Connect);
            }
            Some("2") => {
                self.answered(&Asked::Ids);
                let ids = split_ids(frame);
                self.me().book().record.granted.extend(ids.iter().cloned());
                self.ids.extend(ids);
            }
            Some("3") => return self.hear_message(frame),
            Some("4") => self.hear_status(frame),
            Some("12") => self.answered(&Asked::Page),
            Some("0") => self.hear_error(frame),
            _ => self.complain(format!("it got {frame}")),
        }
        Vec::new()
    }

    fn hear_message(&mut self, frame: &Value) -> Vec<Value> {
        let letter = letter(frame);
        let Letter { id, from, to, .. } = letter.clone();
        self.note(|connection| connection.heard.push(Heard::Message(letter)));
        if !self.talks() {
            return Vec::new();
        }
        self.me().book().progress.heard += 1;
        if to != self.me().name || !is_to_be_read(&id) {
            return Vec::new();
        }
        let reading = frames::read(&to, &from, &id);
        self.line.read(id, from);
        vec![reading]
    }

    fn hear_status(&mut self, frame: &Value) {
        let id = text(&frame["chatMsg"]["id"]);
        let heard = Heard::Status {
            id: id.clone(),
            sender: text(&frame["toId"]),
            recipient: text(&frame["fromId"]),
            status: frame["chatMsg"]["status"].as_u64().unwrap_or_default(),
        };
        self.note(|connection| connection.heard.push(heard));
        self.answered(&Asked::Message(id.clone()));
        if let Some(place) = self.places.get(&id)
            && self.outbox.acked(*place)
        {
            let mut book = self.me().book();
            book.record.sent[*place].acked = true;
            book.progress.acked += 1;
        }
    }

    /// A failing store is no reason to complain, but to try again.
    fn hear_error(&mut self, frame: &Value) {
        if frame["error"]["code"] != "storage_unavailable" {
            return self.complain(format!("it was refused: {frame}"));
        }
        self.me().book().progress.refused += 1;
        let id = frame["chatMsg"]["id"].as_str().unwrap_or_default();
        match frame["error"]["action"].as_str() {
            Some("1") => {
                self.answered(&Asked::Connect);
                self.line.connect_again();
            }
            Some("2") => self.answered(&Asked::Ids),
            Some("3") => {
                self.answered(&Asked::Message(id.to_owned()));
                if let Some(place) = self.places.get(id) {
                    self.outbox.refused(*place);
                }
            }
            Some("4") => {
                if !self.line.read_again(id) {
                    self.complain(format!("it never read that: {frame}"));
                }
            }
            Some("12") => self.answered(&Asked::Page),
            _ => self.complain(format!("it asked for no such thing: {frame}")),
        }
    }
}

fn letter(frame: &Value) -> Letter {
    Letter {
        id: text(&frame["chatMsg"]["id"]),
        from: text(&frame["fromId"]),
        to: text(&frame["toId"]),
        text: text(&frame["chatMsg"]["message"]),
    }
}

fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
