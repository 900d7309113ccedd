//! A device that stays connected: what was not acknowledged is sent again, what was said comes as events.

use std::collections::VecDeque;
use std::time::Duration;

use rand::Rng as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::said::{Event, Order, Orders};
use super::wire::{Lost, Wire};
use crate::protocol::Timestamp;
use crate::settings::TalkSettings;

/// First and longest pause before another attempt.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// After so long a connection was a good one, and the next pause is the shortest again.
const GOOD: Duration = Duration::from_secs(30);
/// What was refused for the moment is sent again after so long, then after twice as long, up to this.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_LONGEST: Duration = Duration::from_secs(30);
/// Messages on their way at a time.
const WINDOW: usize = 32;
/// Reports that go out at a time, and how often; those of the last minutes are remembered.
const REPORTS: usize = 20;
const REPORTS_EVERY: Duration = Duration::from_millis(500);
const REPORTED: usize = 1_000;
/// IDs to have in reserve.
const RESERVE: usize = 10;
/// Orders and events that wait.
const QUEUE: usize = 64;

/// A device at work.
pub struct Device {
    settings: TalkSettings,
    orders: mpsc::Receiver<Order>,
    /// Whether orders may still come.
    is_open: bool,
    /// Orders that came while nobody could obey.
    waiting: VecDeque<Order>,
    events: mpsc::Sender<Event>,
    ids: VecDeque<String>,
    is_asking: bool,
    /// Written, and not sent: to whom, and what.
    unsent: VecDeque<(String, String)>,
    /// Sent, and not acknowledged, in their order.
    outbox: Vec<Letter>,
    /// Questions for history, in the order in which they are answered.
    asked: VecDeque<Value>,
    /// Read, and to be reported: the ID, and the sender.
    reports: VecDeque<(String, String)>,
    /// Reports that the server may still refuse for the moment.
    reported: VecDeque<(String, String)>,
    next_reports: Instant,
    /// Pause before the next attempt to connect.
    pause: Duration,
    /// What the server could not do is sent again then; nothing new is sent before.
    again: Option<Instant>,
    /// How long that takes the next time.
    again_after: Duration,
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
            waiting: VecDeque::new(),
            events,
            ids: VecDeque::new(),
            is_asking: false,
            unsent: VecDeque::new(),
            outbox: Vec::new(),
            asked: VecDeque::new(),
            reports: VecDeque::new(),
            reported: VecDeque::new(),
            next_reports: Instant::now(),
            pause: SHORTEST,
            again: None,
            again_after: AGAIN,
        };
        tokio::spawn(device.run());
        (give, hear)
    }

    async fn run(mut self) {
        while !self.is_done() {
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
            let pause = lost.pause.unwrap_or(self.pause.mul_f64(share));
            self.rest(Instant::now() + pause).await;
            self.pause = (self.pause * 2).min(LONGEST);
        }
    }

    /// Whether there is nothing to do, and will not be.
    fn is_done(&self) -> bool {
        let has_orders = self.is_open || !self.waiting.is_empty();
        !has_orders && self.outbox.is_empty() && self.unsent.is_empty() && self.reports.is_empty()
    }

    /// Waits without a connection. That there will be no more orders is noticed.
    async fn rest(&mut self, until: Instant) {
        while !self.is_done() {
            tokio::select! {
                () = sleep_until(until) => return,
                order = self.orders.recv(), if self.takes_orders() => self.take(order),
            }
        }
    }

    /// Whether there is room for more that is written.
    fn takes_orders(&self) -> bool {
        self.is_open && self.unsent.len() < QUEUE && self.waiting.len() < QUEUE
    }

    fn take(&mut self, order: Option<Order>) {
        match order {
            Some(order) => self.waiting.push_back(order),
            None => self.is_open = false,
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
        while !self.is_done() {
            while let Some(order) = self.waiting.pop_front() {
                self.obey(order, wire).await?;
            }
            self.send(wire).await?;
            self.report(wire).await?;
            let again = self.again;
            let reports = again.is_none() && !self.reports.is_empty();
            tokio::select! {
                order = self.orders.recv(), if self.takes_orders() => self.take(order),
                frame = wire.next() => self.hear(frame?, wire).await?,
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {
                    self.repeat(wire).await?;
                }
                () = sleep_until(self.next_reports), if reports => {}
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

    /// Sends what was written, as far as there are IDs, and asks for more where they run short. Nothing overtakes
    /// what the server could not take.
    async fn send(&mut self, wire: &mut Wire) -> Result<(), Left> {
        while self.again.is_none() && self.outbox.len() < WINDOW {
            let Some((to, text)) = self.unsent.pop_front() else {
                break;
            };
            let Some(id) = self.ids.pop_front() else {
                self.unsent.push_front((to, text));
                break;
            };
            let letter = Letter {
                id,
                to,
                text,
                time: Timestamp::now(),
            };
            let (id, text) = (letter.id.clone(), letter.text.clone());
            let frame = letter.frame();
            self.outbox.push(letter);
            self.tell(Event::Written { id, text }).await?;
            wire.send(frame).await?;
        }
        let wants_more = self.is_open || !self.unsent.is_empty();
        let may_ask = !self.is_asking && self.again.is_none();
        if self.ids.len() < RESERVE && wants_more && may_ask {
            self.is_asking = true;
            wire.send(json!({"action": "2"})).await?;
        }
        Ok(())
    }

    /// Reports what was read, so many at a time that a long absence is no flood.
    async fn report(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let is_time = self.again.is_none() && Instant::now() >= self.next_reports;
        if self.reports.is_empty() || !is_time {
            return Ok(());
        }
        for _ in 0..REPORTS {
            let Some((id, from)) = self.reports.pop_front() else {
                break;
            };
            let read = json!({"action": "4", "toId": from, "chatMsg": {"id": id, "status": 2}});
            self.reported.push_back((id, from));
            wire.send(read).await?;
        }
        let many = self.reported.len().saturating_sub(REPORTED);
        self.reported.drain(..many);
        self.next_reports = Instant::now() + REPORTS_EVERY;
        Ok(())
    }

    async fn obey(&mut self, order: Order, wire: &mut Wire) -> Result<(), Lost> {
        match order {
            Order::Write { to, text } => self.unsent.push_back((to, text)),
            Order::Read { id, from } => self.reports.push_back((id, from)),
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
                self.again_after = AGAIN;
                let ids = text(&frame["chatMsg"]["message"]);
                self.ids.extend(ids.split(',').map(str::to_owned));
            }
            "3" => self.tell(Event::Message(frame)).await?,
            "4" if frame["toId"] == self.settings.user.as_str() => {
                self.again_after = AGAIN;
                self.outbox.retain(|letter| letter.id != id);
                let status = frame["chatMsg"]["status"].as_u64().unwrap_or_default();
                let to = text(&frame["fromId"]);
                self.tell(Event::Status { id, to, status }).await?;
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
        if may_repeat && self.again.is_none() {
            self.again = Some(Instant::now() + self.again_after);
            self.again_after = (self.again_after * 2).min(AGAIN_LONGEST);
        }
        match error["action"].as_str().unwrap_or_default() {
            "2" => self.is_asking = false,
            "12" if !may_repeat => {
                self.asked.pop_front();
            }
            "4" if may_repeat => {
                let place = self.reported.iter().position(|(of, _)| *of == id);
                self.reports
                    .extend(place.and_then(|place| self.reported.remove(place)));
            }
            "3" if !may_repeat => {
                let Some(place) = self.outbox.iter().position(|letter| letter.id == id) else {
                    return Ok(());
                };
                let letter = self.outbox.remove(place);
                if matches!(code, "id_not_granted" | "id_conflict") {
                    // Nothing of ours is stored under that ID: it goes under another.
                    self.unsent.push_front((letter.to, letter.text));
                    return self.send(wire).await;
                }
                let why = error["message"].as_str().unwrap_or(code).to_owned();
                self.tell(Event::Refused { id, why }).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells the listener, who may be waiting to give an order itself.
    async fn tell(&mut self, event: Event) -> Result<(), Deaf> {
        let room = loop {
            tokio::select! {
                room = self.events.reserve() => break room.map_err(|_| Deaf)?,
                order = self.orders.recv(), if self.is_open => match order {
                    Some(order) => self.waiting.push_back(order),
                    None => self.is_open = false,
                },
            }
        };
        room.send(event);
        Ok(())
    }
}
