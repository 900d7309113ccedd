//! What a device still has to get acknowledged, in the order in which it wrote it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a device waits before it sends again what was refused because of the store.
pub const PAUSE: Duration = Duration::from_millis(250);

/// How many messages wait for their acknowledgement at most.
const WINDOW: usize = 8;

/// Messages by their place among those the user sent. `None`: it was sent on this connection, and an answer will
/// come.
#[derive(Debug, Default)]
pub struct Outbox(BTreeMap<usize, Option<Instant>>);

impl Outbox {
    /// Whether one more may be written.
    pub fn has_room(&self) -> bool {
        self.0.len() < WINDOW
    }

    /// A new message, to be sent at once.
    pub fn add(&mut self, place: usize) {
        self.0.insert(place, Some(Instant::now()));
    }

    /// What is to be sent now, in order; it counts as sent.
    pub fn take_due(&mut self) -> Vec<usize> {
        let now = Instant::now();
        let due = self.0.iter_mut().filter_map(|(place, at)| {
            let is_due = at.is_some_and(|at| at <= now);
            is_due.then(|| {
                *at = None;
                *place
            })
        });
        due.collect()
    }

    /// The store failed at it.
    pub fn refused(&mut self, place: usize) {
        if let Some(at) = self.0.get_mut(&place) {
            *at = Some(Instant::now() + PAUSE);
        }
    }

    /// It is acknowledged. Returns whether that is news.
    pub fn acked(&mut self, place: usize) -> bool {
        self.0.remove(&place).is_some()
    }

    /// On a new connection everything is sent again.
    pub fn resend_all(&mut self) {
        let now = Instant::now();
        self.0.values_mut().for_each(|at| *at = Some(now));
    }
}
