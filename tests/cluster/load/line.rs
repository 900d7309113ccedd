//! What a device knows of its present connection: plain data.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand::Rng;

use super::{BOUND, PAGE_BOUND};
use crate::support::outbox::PAUSE;

/// A device leaves after this time at the latest, without a word, as those of people on the move do.
const LONGEST: Duration = Duration::from_secs(10);

/// But it does not leave where an answer takes longer than this: whether it comes is to be seen.
const USUAL: Duration = Duration::from_secs(1);

/// A request that must be answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asked {
    Connect,
    Ids,
    Message(String),
    Page,
}

impl Asked {
    /// Within which time.
    fn bound(&self) -> Duration {
        match self {
            Asked::Page => PAGE_BOUND,
            Asked::Connect | Asked::Ids | Asked::Message(_) => BOUND,
        }
    }
}

/// A connection: what was asked on it, and what was read.
#[derive(Default)]
pub struct Line {
    /// Whether its user is known to the node.
    pub connected: bool,
    /// How often the device looked at what there is to do.
    pub ticks: u64,
    /// When to send the connect frame.
    connect_at: Option<Instant>,
    asked: HashMap<Asked, Instant>,
    /// The sender of each message that was reported as read, and when to report it again.
    readings: HashMap<String, (String, Option<Instant>)>,
    /// When the device leaves.
    end: Option<Instant>,
}

impl Line {
    /// A connection that was just opened: the connect frame comes first.
    pub fn open() -> Line {
        let now = Instant::now();
        Line {
            connect_at: Some(now),
            end: Some(now + rand::rng().random_range(Duration::ZERO..LONGEST)),
            ..Line::default()
        }
    }

    /// Whether the device leaves now.
    pub fn has_lasted(&self) -> bool {
        let waits = self.asked.values().any(|at| at.elapsed() > USUAL);
        !waits && self.end.is_some_and(|end| end <= Instant::now())
    }

    /// Whether to send the connect frame now.
    pub fn is_to_connect(&mut self) -> bool {
        let is_due = self.connect_at.is_some_and(|at| at <= Instant::now());
        if is_due {
            self.connect_at = None;
        }
        is_due
    }

    /// The store failed at the connect frame.
    pub fn connect_again(&mut self) {
        self.connect_at = Some(Instant::now() + PAUSE);
    }

    /// Notes that something is asked.
    pub fn ask(&mut self, what: Asked) {
        self.asked.insert(what, Instant::now());
    }

    /// Whether this was asked and not answered.
    pub fn waits_for(&self, what: &Asked) -> bool {
        self.asked.contains_key(what)
    }

    /// Something is answered. Returns how long that took.
    pub fn answered(&mut self, what: &Asked) -> Option<Duration> {
        Some(self.asked.remove(what)?.elapsed())
    }

    /// A request that should have been answered by now.
    pub fn overdue(&self) -> Option<&Asked> {
        let asked = self.asked.iter();
        let mut late = asked.filter(|(asked, at)| at.elapsed() > asked.bound());
        late.next().map(|(asked, _)| asked)
    }

    /// A message of this sender is reported as read.
    pub fn read(&mut self, id: String, sender: String) {
        self.readings.insert(id, (sender, None));
    }

    /// The store failed at a reading. Returns whether it was this device's.
    pub fn read_again(&mut self, id: &str) -> bool {
        let reading = self.readings.get_mut(id);
        reading
            .map(|(_, at)| *at = Some(Instant::now() + PAUSE))
            .is_some()
    }

    /// What is to be reported as read once more: IDs and senders.
    pub fn readings_due(&mut self) -> Vec<(String, String)> {
        let now = Instant::now();
        let readings = self.readings.iter_mut();
        let due = readings.filter(|(_, (_, at))| at.is_some_and(|at| at <= now));
        due.map(|(id, (sender, at))| {
            *at = None;
            (id.clone(), sender.clone())
        })
        .collect()
    }
}
