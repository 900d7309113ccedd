//! What a device knows of its present connection: plain data.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::support::outbox::PAUSE;

/// Within this time everything is answered, whatever fails. The store of a server gives up after five seconds, and
/// its pages after ten; the rest is for a busy machine.
pub const BOUND: Duration = Duration::from_secs(25);

/// How long it takes a device that read nothing to read all that has come meanwhile.
const CATCHING_UP: Duration = Duration::from_secs(10);

/// A request that must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    Connect,
    Ids,
    Message(u32),
    Page(Page),
    Contacts,
}

/// Which page of history is asked for; only one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Page {
    pub partner: Option<u16>,
    pub size: u16,
}

/// A connection: what was asked on it, and what is to be said again.
pub struct Line {
    /// Its number in the ledger.
    pub number: u32,
    /// Whether its user is known to the node.
    pub is_connected: bool,
    /// When to send the connect frame again.
    connect_at: Option<Instant>,
    asked: HashMap<Asked, Instant>,
    /// Messages whose reading the store failed to note, and when to report them again.
    reports: Vec<(u32, Instant)>,
    /// For how long its device read nothing, last, and when it began to read again.
    stalled: Option<(Duration, Instant)>,
}

impl Line {
    /// A connection whose connect frame is about to be sent.
    pub fn new(number: u32) -> Line {
        Line {
            number,
            is_connected: false,
            connect_at: None,
            asked: HashMap::from([(Asked::Connect, Instant::now())]),
            reports: Vec::new(),
            stalled: None,
        }
    }

    /// Notes that something is asked.
    pub fn ask(&mut self, what: Asked) {
        self.asked.insert(what, Instant::now());
    }

    /// Something is answered. Returns how long that took, where it was asked.
    pub fn answered(&mut self, what: Asked) -> Option<Duration> {
        Some(self.asked.remove(&what)?.elapsed())
    }

    /// Whether this was asked and not answered.
    pub fn waits_for(&self, what: Asked) -> bool {
        self.asked.contains_key(&what)
    }

    /// The page that was asked for and did not come yet.
    pub fn page(&self) -> Option<Page> {
        self.asked.keys().find_map(|asked| match asked {
            Asked::Page(page) => Some(*page),
            _ => None,
        })
    }

    /// Whether nothing is waited for, and nothing to be said again.
    pub fn is_idle(&self) -> bool {
        self.is_connected && self.asked.is_empty() && self.reports.is_empty()
    }

    /// A request that should have been answered by now.
    pub fn overdue(&self) -> Option<Asked> {
        let mut late = self.asked.iter().filter(|(_, at)| at.elapsed() > BOUND);
        late.next().map(|(asked, _)| *asked)
    }

    /// Nothing was read for this time: it does not count for what is overdue.
    pub fn stalled(&mut self, time: Duration) {
        self.stalled = Some((time, Instant::now()));
        self.asked.values_mut().for_each(|at| *at += time);
    }

    /// How old the news may be that is being read.
    pub fn lag(&self) -> Duration {
        match self.stalled {
            Some((time, end)) if end.elapsed() < CATCHING_UP => time + CATCHING_UP,
            _ => Duration::ZERO,
        }
    }

    /// The store failed at the connect frame.
    pub fn refuse_connect(&mut self) {
        self.connect_at = Some(Instant::now() + PAUSE);
    }

    /// Whether to send the connect frame again now.
    pub fn is_to_connect(&mut self) -> bool {
        let is_due = self.connect_at.is_some_and(|at| at <= Instant::now());
        if is_due {
            self.connect_at = None;
            self.ask(Asked::Connect);
        }
        is_due
    }

    /// The store failed at a report.
    pub fn refuse_report(&mut self, id: u32) {
        self.reports.push((id, Instant::now() + PAUSE));
    }

    /// What is to be reported as read now, once more.
    pub fn reports_due(&mut self) -> Vec<u32> {
        let now = Instant::now();
        let due = self.reports.extract_if(.., |(_, at)| *at <= now);
        due.map(|(id, _)| id).collect()
    }
}
