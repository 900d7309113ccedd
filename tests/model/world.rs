//! A history, done: its users' devices at the real server, and beside them the model.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use super::device::{Device, Event};
use super::model::{Ask, Connection, Message, Model, Number};
use super::observe::Fault;
use super::support::{Server, frames, within};

/// How long that may take which must come. Nodes find out every ten seconds what the bus has lost: only where a
/// node was ended may it take so long.
const PATIENCE: Duration = Duration::from_secs(8);
const PATIENCE_AFTER_AN_END: Duration = Duration::from_secs(25);
const HURRIED: Duration = Duration::from_secs(2);

/// A message that was never there.
const NO_MESSAGE: &str = "MSG999999999";

/// See the module.
pub struct World<'s> {
    pub server: &'s Server,
    pub model: Model,
    pub users: Vec<String>,
    pub devices: BTreeMap<Number, Device>,
    events: mpsc::UnboundedReceiver<(Number, Event)>,
    sender: mpsc::UnboundedSender<(Number, Event)>,
    patience: Duration,
}

impl World<'_> {
    /// Users of these names, who have never been there.
    pub fn new(server: &Server, users: Vec<String>, model: Model) -> World<'_> {
        let (sender, events) = mpsc::unbounded_channel();
        World {
            server,
            model,
            users,
            devices: BTreeMap::new(),
            events,
            sender,
            patience: PATIENCE,
        }
    }

    /// Waits less long for what must come: where a history that failed is made shorter, much is waited for in vain.
    pub fn hurry(&mut self) {
        self.patience = HURRIED;
    }

    /// Connects one more device of a user to a node, and sends its connect frame.
    pub async fn connect(&mut self, user: &str, node: usize, narrow: bool) -> Number {
        let number = self.model.connections.len();
        let events = self.sender.clone();
        let device = Device::open(self.server.node(node), number, narrow, events).await;
        let opened = self.model.tick();
        self.model.connections.push(Connection {
            user: user.to_owned(),
            node: node % self.model.nodes,
            opened,
            ready: None,
            ended: false,
            paused: false,
            asks: BTreeMap::new(),
            messages: Vec::new(),
            stored: Default::default(),
            told: Vec::new(),
            statuses: BTreeMap::new(),
        });
        device.send(&frames::connect(user));
        self.devices.insert(number, device);
        number
    }

    /// Sends a frame, which asks for something.
    pub fn ask(&mut self, on: Number, action: u8, ask: Ask, frame: &Value) {
        let now = self.model.tick();
        let asks = &mut self.model.connections[on].asks;
        asks.entry(action).or_default().push_back((ask, now));
        self.send(on, frame);
    }

    /// Sends a frame.
    pub fn send(&mut self, on: Number, frame: &Value) {
        self.devices[&on].send(frame);
    }

    /// The user of a connection.
    pub fn user(&self, on: Number) -> String {
        self.model.connections[on].user.clone()
    }

    /// Sees to it that a connection's user has so many unspent IDs, unless it reads nothing.
    pub async fn fill_reserve(&mut self, on: Number, count: usize) -> Result<(), Fault> {
        let user = self.user(on);
        let has = self.model.reserves.get(&user).map_or(0, VecDeque::len);
        for _ in 0..count.saturating_sub(has).div_ceil(10) {
            self.ask(on, 2, Ask::Ids, &frames::get_ids(&user));
        }
        if has < count {
            self.settle().await?;
        }
        Ok(())
    }

    /// An unspent ID of a user: now the newest, now the oldest, since the order of IDs is none.
    fn spend_id(&mut self, user: &str) -> Option<String> {
        let newest = self.model.sent.len() % 3 == 1;
        let reserve = self.model.reserves.get_mut(user)?;
        if newest {
            reserve.pop_back()
        } else {
            reserve.pop_front()
        }
    }

    /// Sends a new message, if there is an ID for it.
    pub fn send_new(&mut self, on: Number, to: &str, bytes: usize) {
        let from = self.user(on);
        let Some(id) = self.spend_id(&from) else {
            return;
        };
        let text = format!("{id} {}", "x".repeat(bytes));
        let message = Message {
            id: id.clone(),
            from,
            to: to.to_owned(),
            text,
            sendings: Vec::new(),
            stored: None,
            readings: Vec::new(),
            read: None,
        };
        self.model.messages.insert(id.clone(), message);
        self.model.sent.push(id.clone());
        self.send_again(on, &id);
    }

    /// Sends a message of the connection's user, for the first time or not.
    pub fn send_again(&mut self, on: Number, id: &str) {
        let now = self.model.tick();
        let message = self.model.messages.get_mut(id).expect("a known message");
        message.sendings.push((on, now));
        let frame = frames::message(&message.from, &message.to, id, &message.text);
        self.ask(on, 3, Ask::Send(id.to_owned()), &frame);
    }

    /// Reports a message to the connection's user as read.
    pub fn read(&mut self, on: Number, id: &str) {
        let now = self.model.tick();
        let message = self.model.messages.get_mut(id).expect("a known message");
        message.readings.push((on, now));
        let frame = frames::read(&message.to, &message.from, id);
        self.ask(on, 4, Ask::Read(id.to_owned()), &frame);
    }

    /// Takes what has come so far.
    pub fn take_what_came(&mut self) -> Result<(), Fault> {
        while let Ok((number, event)) = self.events.try_recv() {
            self.take(number, event)?;
        }
        Ok(())
    }

    fn take(&mut self, number: Number, event: Event) -> Result<(), Fault> {
        match event {
            Event::Frame(frame) => self.model.observe(number, &frame),
            Event::Ended(code) if !self.model.connections[number].ended => {
                let who = self.model.who(number);
                Err(format!("{who} ended by itself, with {code:?}"))
            }
            Event::Ended(_) => Ok(()),
        }
    }

    /// Waits until all has come that must, to all who read.
    pub async fn settle(&mut self) -> Result<(), Fault> {
        self.ask_behind_receipts();
        loop {
            self.take_what_came()?;
            let missing = self.model.missing();
            if missing.is_empty() {
                return Ok(());
            }
            let event = tokio::time::timeout(self.patience, self.events.recv()).await;
            let Ok(Some((number, event))) = event else {
                return Err(format!("these did not come: {missing:#?}"));
            };
            self.take(number, event)?;
        }
    }

    /// A receipt is taken in silence. The refusal of one behind it says that it was.
    fn ask_behind_receipts(&mut self) {
        let silent = |connection: &Connection| {
            let last = connection.asks.get(&4).and_then(|asks| asks.back());
            connection.is_live() && matches!(last, Some((Ask::Read(_), _)))
        };
        let connections = self.model.connections.iter();
        let all = connections
            .enumerate()
            .filter(|(_, connection)| silent(connection));
        let all: Vec<Number> = all.map(|(number, _)| number).collect();
        for number in all {
            let user = self.user(number);
            let refused = Ask::Refused("unknown_message", Some(NO_MESSAGE.to_owned()));
            self.ask(number, 4, refused, &frames::read(&user, &user, NO_MESSAGE));
        }
    }

    /// A device is gone without a word. What had come is taken.
    pub async fn cut(&mut self, number: Number) -> Result<(), Fault> {
        let device = self.devices.remove(&number).expect("it is connected");
        device.cut().await;
        self.take_what_came()?;
        self.end(number);
        Ok(())
    }

    /// All who are there are gone.
    pub async fn leave(&mut self) {
        for device in std::mem::take(&mut self.devices).into_values() {
            device.cut().await;
        }
    }

    /// A device closes, and reads to the end.
    pub async fn close(&mut self, number: Number) -> Result<(), Fault> {
        self.devices[&number].close();
        self.expect_ends(vec![number], Some(1000)).await
    }

    /// Nothing more is due to a connection, and what it had asked for may have been done or not.
    fn end(&mut self, number: Number) {
        self.model.tick();
        let connection = &mut self.model.connections[number];
        connection.ended = true;
        connection.asks.clear();
    }

    /// A node is killed, or stops in order, and starts again. Its devices are gone.
    pub async fn restart(&mut self, node: usize, kill: bool) -> Result<(), Fault> {
        if self.model.nodes > 1 {
            self.patience = PATIENCE_AFTER_AN_END;
        }
        let node = node % self.model.nodes;
        let is_there =
            |(number, _): &(&Number, &Device)| self.model.connections[**number].node == node;
        let there = self.devices.iter().filter(is_there);
        let there: Vec<Number> = there.map(|(number, _)| *number).collect();
        for number in &there {
            if self.model.connections[*number].paused {
                self.cut(*number).await?;
            }
        }
        let node = self.server.node(node);
        if kill {
            node.kill9();
        } else {
            node.signal("TERM");
        }
        let code = if kill { None } else { Some(1001) };
        self.expect_ends(there, code).await?;
        node.ended().await;
        node.restart();
        Ok(())
    }

    /// Waits for the ends of all these that read, in whatever order they come; `None` stands for an end without a
    /// close frame.
    async fn expect_ends(&mut self, mut left: Vec<Number>, code: Option<u16>) -> Result<(), Fault> {
        left.retain(|number| self.devices.contains_key(number));
        while !left.is_empty() {
            let event = within("the end of a connection", self.events.recv()).await;
            match event.expect("a sender is kept") {
                (number, Event::Ended(came)) if left.contains(&number) => {
                    left.retain(|one| *one != number);
                    self.end(number);
                    self.devices.remove(&number);
                    if came != code {
                        let who = self.model.who(number);
                        return Err(format!("{who} ended with {came:?} instead of {code:?}"));
                    }
                }
                (number, event) => self.take(number, event)?,
            }
        }
        Ok(())
    }
}
