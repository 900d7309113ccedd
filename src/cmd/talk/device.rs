//! A device that stays connected: what was not acknowledged is sent again, what was said comes as events.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::Rng as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::wire::{Lost, Wire};
use crate::protocol::Timestamp;
use crate::settings::TalkSettings;

/// First and longest pause before another attempt.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// After so long a connection was a good one, and the next pause is the shortest again.
const GOOD: Duration = Duration::from_secs(30);
/// What was refused for the moment is sent again after so long.
const AGAIN: Duration = Duration::from_secs(2);
/// IDs to have in reserve.
const RESERVE: usize = 10;
/// Orders and events that wait.
const QUEUE: usize = 64;

/// What a device is told to do.
#[derive(Debug)]
pub enum Order {
    /// Write to somebody.
    Write { to: String, text: String },
    /// Report a message as read: its ID and its sender.
    Read { id: String, from: String },
    /// Ask for the newest messages of a conversation.
    History { with: String, size: u8 },
}

/// What a device has to tell.
#[derive(Debug)]
pub enum Event {
    /// There is a connection, maybe again.
    Connected,
    /// There is none; another attempt follows.
    Disconnected(String),
    /// There will be none.
    Ended(String),
    /// A message that was delivered: its frame.
    Message(Value),
    /// What was written has this ID.
    Written { id: String, text: String },
    /// A message of this user to `to` has this status.
    Status { id: String, to: String, status: u64 },
    /// The newest messages of a conversation, oldest first.
    History(Vec<Value>),
    /// A message that will not be sent, and why.
    Refused { id: String, why: String },
}

/// Gives orders to a device. It ends when all that was written is acknowledged and nobody has one of these.
pub type Orders = mpsc::Sender<Order>;

/// A device at work.
pub struct Device {
    settings: TalkSettings,
    orders: mpsc::Receiver<Order>,
    /// Whether orders may still come.
    is_open: bool,
    events: mpsc::Sender<Event>,
    ids: VecDeque<String>,
    is_asking: bool,
    /// Written, and waiting for an ID: to whom, and what.
    unnamed: VecDeque<(String, String)>,
    /// Sent, and not acknowledged, in their order.
    outbox: Vec<Letter>,
    /// Questions for history, in the order in which they are answered.
    asked: VecDeque<Value>,
    /// Pause before the next attempt.
    pause: Duration,
    /// What the server could not do is asked for again then.
    again: Option<Instant>,
}

/// A message that is on its way.
struct Letter {
    id: String,
    to: String,
    text: String,
    time: Timestamp,
}

impl Letter {
    fn frame(&self) -> Value {
        json!({
            "action": "3",
            "toId": self.to,
            "chatMsg": {
                "id": self.id,
                "type": 0,
                "message": self.text,
                "status": 0,
                "time": self.time.as_str(),
            },
        })
    }
}

/// The listener has gone.
struct Deaf;

/// Why a connection is left.
enum Left {
    Lost(Lost),
    /// There is nothing more to do, or nobody to do it for.
    Done,
}

impl From<Lost> for Left {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<Deaf> for Left {
    fn from(Deaf: Deaf) -> Self {
        Self::Done
    }
}

impl Device {
    /// Begins, in a task of its own.
    pub fn start(settings: TalkSettings) -> (Orders, mpsc::Receiver<Event>) {
        let (give, orders) = mpsc::channel(QUEUE);
        let (events, hear) = mpsc::channel(QUEUE);
        let device = Self {
            settings,
            orders,
            is_open: true,
            events,
            ids: VecDeque::new(),
            is_asking: false,
            unnamed: VecDeque::new(),
            outbox: Vec::new(),
            asked: VecDeque::new(),
            pause: SHORTEST,
            again: None,
        };
        tokio::spawn(device.run());
        (give, hear)
    }

    async fn run(mut self) {
        loop {
            let lost = match Wire::connect(&self.settings).await {
                Err(lost) => lost,
                Ok(wire) => {
                    let since = Instant::now();
                    let Left::Lost(lost) = self.serve(wire).await else {
                        return;
                    };
                    if since.elapsed() >= GOOD {
                        self.pause = SHORTEST;
                    }
                    lost
                }
            };
            if !lost.may_return {
                let _ = self.tell(Event::Ended(lost.why)).await;
                return;
            }
            if self.tell(Event::Disconnected(lost.why)).await.is_err() {
                return;
            }
            // After a restart all clients of a server come at once: chance spreads them.
            let share: f64 = rand::rng().random();
            sleep(self.pause.mul_f64(share)).await;
            self.pause = (self.pause * 2).min(LONGEST);
        }
    }

    /// Does what there is to do on a connection.
    async fn serve(&mut self, mut wire: Wire) -> Left {
        match self.talk(&mut wire).await {
            Err(Left::Lost(lost)) => Left::Lost(lost),
            _ => {
                wire.close().await;
                Left::Done
            }
        }
    }

    async fn talk(&mut self, wire: &mut Wire) -> Result<(), Left> {
        self.tell(Event::Connected).await?;
        self.is_asking = false;
        self.repeat(wire).await?;
        while self.is_open || !self.outbox.is_empty() || !self.unnamed.is_empty() {
            self.name(wire).await?;
            let again = self.again;
            tokio::select! {
                order = self.orders.recv(), if self.is_open => match order {
                    Some(order) => self.obey(order, wire).await?,
                    None => self.is_open = false,
                },
                frame = wire.next() => self.hear(frame?, wire).await?,
                () = until(again), if again.is_some() => self.repeat(wire).await?,
            }
        }
        Ok(())
    }

    /// Sends what was not answered, in its order.
    async fn repeat(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        self.again = None;
        for letter in &self.outbox {
            wire.send(letter.frame()).await?;
        }
        for question in &self.asked {
            wire.send(question.clone()).await?;
        }
        Ok(())
    }

    /// Sends what was written, as far as there are IDs, and asks for more where they run short.
    async fn name(&mut self, wire: &mut Wire) -> Result<(), Left> {
        while let Some((to, text)) = self.unnamed.pop_front() {
            let Some(id) = self.ids.pop_front() else {
                self.unnamed.push_front((to, text));
                break;
            };
            let letter = Letter {
                id,
                to,
                text,
                time: Timestamp::now(),
            };
            let (id, text) = (letter.id.clone(), letter.text.clone());
            self.tell(Event::Written { id, text }).await?;
            let frame = letter.frame();
            self.outbox.push(letter);
            wire.send(frame).await?;
        }
        let wants_more = self.is_open || !self.unnamed.is_empty();
        if self.ids.len() < RESERVE && wants_more && !self.is_asking {
            self.is_asking = true;
            wire.send(json!({"action": "2"})).await?;
        }
        Ok(())
    }

    async fn obey(&mut self, order: Order, wire: &mut Wire) -> Result<(), Lost> {
        match order {
            Order::Write { to, text } => self.unnamed.push_back((to, text)),
            Order::Read { id, from } => {
                let read = json!({"action": "4", "toId": from, "chatMsg": {"id": id, "status": 2}});
                wire.send(read).await?;
            }
            Order::History { with, size } => {
                let question = json!({"action": "12", "toId": with, "pageSize": size});
                self.asked.push_back(question.clone());
                wire.send(question).await?;
            }
        }
        Ok(())
    }

    async fn hear(&mut self, mut frame: Value, wire: &mut Wire) -> Result<(), Left> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = text(&frame["chatMsg"]["id"]);
        match frame["action"].as_str().unwrap_or_default() {
            "2" => {
                self.is_asking = false;
                let ids = text(&frame["chatMsg"]["message"]);
                self.ids.extend(ids.split(',').map(str::to_owned));
            }
            "3" => self.tell(Event::Message(frame)).await?,
            "4" => {
                let is_mine = frame["toId"] == self.settings.user.as_str();
                if is_mine {
                    self.outbox.retain(|letter| letter.id != id);
                    let status = frame["chatMsg"]["status"].as_u64().unwrap_or_default();
                    let to = text(&frame["fromId"]);
                    self.tell(Event::Status { id, to, status }).await?;
                }
            }
            "12" => {
                self.asked.pop_front();
                if let Value::Array(messages) = frame["historyMsgs"].take() {
                    self.tell(Event::History(messages)).await?;
                }
            }
            "0" => self.refused(&frame, id, wire).await?,
            _ => {}
        }
        Ok(())
    }

    async fn refused(&mut self, frame: &Value, id: String, wire: &mut Wire) -> Result<(), Left> {
        let error = &frame["error"];
        let code = error["code"].as_str().unwrap_or_default();
        let may_repeat = error["retryable"] == true;
        if may_repeat {
            self.again.get_or_insert(Instant::now() + AGAIN);
        }
        match error["action"].as_str().unwrap_or_default() {
            "2" => self.is_asking = false,
            "12" if !may_repeat => {
                self.asked.pop_front();
            }
            "3" if !may_repeat => {
                let Some(place) = self.outbox.iter().position(|letter| letter.id == id) else {
                    return Ok(());
                };
                let letter = self.outbox.remove(place);
                if matches!(code, "id_not_granted" | "id_conflict") {
                    // Nothing of ours is stored under that ID: it goes under another.
                    self.unnamed.push_front((letter.to, letter.text));
                    return self.name(wire).await;
                }
                let why = error["message"].as_str().unwrap_or(code).to_owned();
                self.tell(Event::Refused { id, why }).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn tell(&self, event: Event) -> Result<(), Deaf> {
        self.events.send(event).await.map_err(|_| Deaf)
    }
}

async fn until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment.into()).await;
    }
}
