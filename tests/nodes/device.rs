//! A device of the crowd: it sends what is planned, reports what it reads, and remembers in which order everything
//! came, by four bytes a frame.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::ledger::{Ledger, Phase};
use super::plan::Plan;
use super::support::{Node, frames};
use super::wire::{Incoming, Wire, id_of, number_of};

/// Whom no message is from or to: a page of theirs is empty.
const NOBODY: &str = "nobody";

/// What a small receive buffer is.
const SMALL: u32 = 8 * 1024;

/// A frame that came: a message and what was said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(u32);

/// What a frame says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The message itself.
    Message,
    /// Status 1.
    Stored,
    /// Status 2.
    Read,
}

impl Seen {
    fn new(index: u32, said: Said) -> Seen {
        Seen(index * 4 + said as u32)
    }

    /// The message.
    pub fn index(self) -> u32 {
        self.0 / 4
    }

    /// What came of it.
    pub fn said(self) -> Said {
        [Said::Message, Said::Stored, Said::Read][(self.0 % 4) as usize]
    }
}

/// A connected device.
pub struct Device {
    ledger: Arc<Ledger>,
    number: usize,
    name: String,
    wire: Wire,
    seen: Vec<Seen>,
    ids: VecDeque<u32>,
    asked_for_ids: bool,
    /// How many of its messages were sent.
    sent: usize,
    /// When those were sent that are not acknowledged.
    unacknowledged: HashMap<u32, Instant>,
    window: usize,
}

impl Device {
    /// Connects the device of this number in the plan.
    pub async fn connect(ledger: Arc<Ledger>, number: usize, node: &Node) -> Device {
        let planned = &ledger.plan.devices[number];
        let name = Plan::name(planned.user);
        let buffer = (ledger.plan.slow == Some(number)).then_some(SMALL);
        let wire = Wire::connect(node, &name, buffer).await;
        let window = (planned.sends.len() / 20).clamp(4, 64);
        Device {
            ledger,
            number,
            name,
            wire,
            seen: Vec::new(),
            ids: VecDeque::new(),
            asked_for_ids: false,
            sent: 0,
            unacknowledged: HashMap::new(),
            window,
        }
    }

    /// Sends and receives until the crowd ends. Returns what came, or what should not have come.
    pub async fn live(mut self) -> Result<(usize, Vec<Seen>), String> {
        let mut phase = self.ledger.phase.subscribe();
        let is_slow = self.ledger.plan.slow == Some(self.number);
        let begin = if is_slow {
            Phase::Reading
        } else {
            Phase::Sending
        };
        reached(&mut phase, begin).await;
        self.send_on();
        let mut ending = false;
        loop {
            tokio::select! {
                frame = self.wire.next() => {
                    let frame = frame.ok_or_else(|| format!("the connection of {self} ended"))?;
                    if self.take(&frame)? {
                        return Ok((self.number, self.seen));
                    }
                }
                () = reached(&mut phase, Phase::Ending), if !ending => {
                    ending = true;
                    let fence = frames::history(&self.name, Some(NOBODY), None, Some(1));
                    self.wire.send(fence.to_string());
                }
            }
        }
    }

    /// Takes a frame. Returns whether it is the last one, which was asked for at the end.
    fn take(&mut self, frame: &str) -> Result<bool, String> {
        let incoming = Incoming::parse(frame);
        match incoming.action {
            "2" => {
                self.asked_for_ids = false;
                let ids = incoming.chat().message.split(',').map(number_of);
                self.ids.extend(ids);
            }
            "3" => self.take_message(&incoming),
            "4" => self.take_status(&incoming),
            "12" => return Ok(true),
            _ => return Err(format!("to {self} came {frame}")),
        }
        self.send_on();
        Ok(false)
    }

    fn take_message(&mut self, incoming: &Incoming<'_>) {
        let index = self.ledger.check(incoming);
        self.seen.push(Seen::new(index, Said::Message));
        self.ledger.count_message();
        if self.ledger.plan.reads(self.number, index) {
            let receipt = frames::read(&self.name, incoming.from, incoming.chat().id);
            self.wire.send(receipt.to_string());
        }
    }

    fn take_status(&mut self, incoming: &Incoming<'_>) {
        let chat = incoming.chat();
        let index = self.ledger.index(number_of(chat.id));
        let said = match chat.status {
            1 => Said::Stored,
            2 => Said::Read,
            other => panic!("status {other} came to {self}"),
        };
        self.seen.push(Seen::new(index, said));
        self.ledger.count_status(chat.status);
        if said == Said::Stored
            && let Some(sent) = self.unacknowledged.remove(&index)
        {
            self.ledger.settle(sent.elapsed());
        }
    }

    /// Sends what may be sent now.
    fn send_on(&mut self) {
        let ledger = Arc::clone(&self.ledger);
        let sends = &ledger.plan.devices[self.number].sends;
        while self.unacknowledged.len() < self.window && self.sent < sends.len() {
            let Some(number) = self.ids.pop_front() else {
                if !std::mem::replace(&mut self.asked_for_ids, true) {
                    self.wire.send(frames::get_ids(&self.name).to_string());
                }
                return;
            };
            let index = sends[self.sent];
            ledger.send(index, number);
            let to = Plan::name(ledger.plan.to(index));
            let text = ledger.plan.text(index);
            let frame = frames::message(&self.name, &to, &id_of(number), &text);
            self.wire.send(frame.to_string());
            self.sent += 1;
            self.unacknowledged.insert(index, Instant::now());
        }
    }
}

impl Ledger {
    /// The message in a frame or in a page, which must be as it was sent.
    pub fn check(&self, incoming: &Incoming<'_>) -> u32 {
        let chat = incoming.chat();
        let index = self.index(number_of(chat.id));
        let plan = &self.plan;
        let sent = (Plan::name(plan.from(index)), Plan::name(plan.to(index)));
        assert_eq!((incoming.from, incoming.to), (&*sent.0, &*sent.1));
        assert_eq!(chat.message, plan.text(index), "{}", chat.id);
        index
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let node = self.ledger.plan.devices[self.number].node;
        write!(f, "device {} of {} on node {node}", self.number, self.name)
    }
}

/// Until the crowd is so far.
async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    let reached = phase.wait_for(|phase| *phase >= wanted).await;
    reached.expect("the crowd is there");
}
