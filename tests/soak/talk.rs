//! What a device says. What it makes of what it hears is in [`hear`](super::hear).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::driver::Order;
use super::letter;
use super::line::{Asked, Line};
use super::shared::{Phase, Shared};
use super::support::frames;
use super::support::outbox::Outbox;

/// How many IDs a device has in reserve, at least.
const RESERVE: usize = 10;

/// Which device of which user it is.
#[derive(Debug, Clone, Copy)]
pub struct Who {
    pub user: u16,
    /// Among all devices.
    pub device: u16,
    /// Among those of its user, of whom there are `count`.
    pub place: u16,
    pub count: u16,
}

/// See the module. It outlives the connections.
pub struct Talk {
    pub(super) who: Who,
    pub(super) name: String,
    /// Granted IDs that no message was written under.
    pub(super) ids: VecDeque<u32>,
    pub(super) outbox: Outbox,
    written: usize,
    /// The ID and the recipient of what is in the outbox, by place.
    pub(super) letters: BTreeMap<usize, (u32, u16)>,
    pub(super) places: HashMap<u32, usize>,
    /// What was acknowledged, to be sent once more.
    pub(super) old: VecDeque<(u32, u16)>,
    /// What has come and is not read yet.
    pub(super) later: VecDeque<u32>,
}

impl Talk {
    /// That of a device which was never connected.
    pub fn new(who: Who) -> Talk {
        Talk {
            who,
            name: letter::name(who.user),
            ids: VecDeque::new(),
            outbox: Outbox::default(),
            written: 0,
            letters: BTreeMap::new(),
            places: HashMap::new(),
            old: VecDeque::new(),
            later: VecDeque::new(),
        }
    }

    /// The connect frame.
    pub fn connect(&self) -> Value {
        frames::connect(&self.name)
    }

    /// A connection begins, with the connect frame.
    pub fn begin(&mut self, shared: &Shared) -> Line {
        self.outbox.resend_all();
        let Who { user, device, .. } = self.who;
        Line::new(shared.ledger().connect(user, device))
    }

    /// It has ended.
    pub fn end(&mut self, shared: &Shared, line: &Line) {
        if line.is_connected {
            shared.gauges.connected.fetch_sub(1, Ordering::Relaxed);
        }
        shared.ledger().ended(line.number);
    }

    /// Whether nothing that was begun is still to be done.
    pub fn is_settled(&self, line: &Line) -> bool {
        line.is_idle() && self.letters.is_empty()
    }

    /// What to send at this moment.
    pub fn tick(&mut self, shared: &Shared, line: &mut Line) -> Vec<Value> {
        if line.is_to_connect() {
            shared.ledger().connect_again(line.number);
            return vec![self.connect()];
        }
        if !line.is_connected {
            return Vec::new();
        }
        let mut frames = self.send_what_is_due(shared, line);
        frames.extend(self.refill(shared, line));
        for id in line.reports_due() {
            frames.extend(self.report(shared, line, id));
        }
        frames
    }

    /// What to send upon an order.
    pub fn obey(&mut self, shared: &Shared, line: &mut Line, order: Order) -> Vec<Value> {
        match order {
            Order::Write(to) => {
                if !self.write(to) {
                    shared.gauges.skipped.fetch_add(1, Ordering::Relaxed);
                }
                let mut frames = self.send_what_is_due(shared, line);
                frames.extend(self.refill(shared, line));
                frames
            }
            Order::Page(page) if line.page().is_none() => {
                line.ask(Asked::Page(page));
                let partner = page.partner.map(letter::name);
                let base = self.old.front().filter(|_| page.partner.is_none());
                let base = base.map(|(id, _)| letter::id(*id));
                let size = Some(page.size.into());
                vec![frames::history(
                    &self.name,
                    partner.as_deref(),
                    base.as_deref(),
                    size,
                )]
            }
            Order::Contacts if !line.waits_for(Asked::Contacts) => {
                line.ask(Asked::Contacts);
                vec![frames::contacts(&self.name)]
            }
            Order::Heartbeat => vec![frames::heartbeat(&self.name)],
            Order::Resend => self.resend(shared, line),
            Order::Page(_) | Order::Contacts | Order::Leave(_) | Order::Stall(_) => Vec::new(),
        }
    }

    /// Puts a new message into the outbox. False where it is full, or no ID is left.
    fn write(&mut self, to: u16) -> bool {
        let id = if self.outbox.has_room() {
            self.ids.pop_front()
        } else {
            None
        };
        let Some(id) = id else {
            return false;
        };
        self.written += 1;
        self.outbox.add(self.written);
        self.letters.insert(self.written, (id, to));
        self.places.insert(id, self.written);
        true
    }

    fn send_what_is_due(&mut self, shared: &Shared, line: &mut Line) -> Vec<Value> {
        let due = self.outbox.take_due();
        let letters = due.iter().map(|place| self.letters[place]);
        letters
            .map(|(id, to)| {
                line.ask(Asked::Message(id));
                shared.ledger().send(line.number, id, to);
                self.frame(shared, id, to)
            })
            .collect()
    }

    fn frame(&self, shared: &Shared, id: u32, to: u16) -> Value {
        let text = letter::text(shared.settings.seed, id);
        frames::message(&self.name, &letter::name(to), &letter::id(id), &text)
    }

    /// A message that was acknowledged long ago, once more.
    fn resend(&mut self, shared: &Shared, line: &mut Line) -> Vec<Value> {
        let Some((id, to)) = self.old.front().copied() else {
            return Vec::new();
        };
        if line.waits_for(Asked::Message(id)) {
            return Vec::new();
        }
        line.ask(Asked::Message(id));
        shared.ledger().totals.resent += 1;
        vec![self.frame(shared, id, to)]
    }

    fn refill(&mut self, shared: &Shared, line: &mut Line) -> Option<Value> {
        let wanted = self.ids.len() < RESERVE
            && !line.waits_for(Asked::Ids)
            && shared.phase() == Phase::Talk;
        wanted.then(|| {
            line.ask(Asked::Ids);
            frames::get_ids(&self.name)
        })
    }

    /// The report that a message is read.
    pub(super) fn report(&self, shared: &Shared, line: &Line, id: u32) -> Option<Value> {
        let mut ledger = shared.ledger();
        let sender = ledger.messages.get(&id)?.from;
        ledger.report(line.number, id);
        Some(frames::read(
            &self.name,
            &letter::name(sender),
            &letter::id(id),
        ))
    }
}
