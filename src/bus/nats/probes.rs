//! Probes: round trips to the server, as plain data.
//!
//! NATS acknowledges no subscription, but does what a connection sends in its order: the answer to
//! a probe proves all that was sent before it. One probe is in flight, and all subscriptions made
//! meanwhile are proven by the next.

use std::time::Duration;

use tokio::time::Instant;

/// A probe not answered by then is followed by another.
const PATIENCE: Duration = Duration::from_secs(1);
/// From one probe to the next when there is nothing to prove but that the server lives.
const IDLE: Duration = Duration::from_secs(2);
/// Unheard of for so long, the server is taken to be gone.
const SILENCE: Duration = Duration::from_secs(5);

/// See the module.
pub struct Probes {
    /// Number of the last one sent.
    sent: u64,
    /// When it was sent; `None` where it is to be sent at once.
    sent_at: Option<Instant>,
    /// Number of the last one answered.
    answered: u64,
    /// When, or when the connection was made.
    heard_at: Instant,
    /// The first one of this connection.
    first: u64,
}

impl Probes {
    /// Before the first connection.
    pub fn new(now: Instant) -> Self {
        Self {
            sent: 0,
            sent_at: None,
            answered: 0,
            heard_at: now,
            first: 1,
        }
    }

    /// A new connection: what was sent on the one before proves nothing.
    pub fn restart(&mut self, now: Instant) {
        self.sent_at = None;
        self.heard_at = now;
        self.first = self.next();
    }

    /// The number of the next one, whose answer proves what is sent now.
    pub fn next(&self) -> u64 {
        self.sent + 1
    }

    /// Whether the next one is to be sent; eagerly where there is something to prove.
    pub fn due(&self, eagerly: bool, now: Instant) -> bool {
        let Some(sent_at) = self.sent_at else {
            return true;
        };
        let since = now.duration_since(sent_at);
        match self.answered == self.sent {
            true => eagerly || since >= IDLE,
            false => since >= PATIENCE,
        }
    }

    /// The next one was sent.
    pub fn sent(&mut self, now: Instant) {
        self.sent += 1;
        self.sent_at = Some(now);
    }

    /// The one of this number was answered. Returns whether that is news of this connection.
    pub fn answered(&mut self, number: u64, now: Instant) -> bool {
        let news = number > self.answered && (self.first..=self.sent).contains(&number);
        if news {
            self.answered = number;
            self.heard_at = now;
        }
        news
    }

    /// Whether the last one has found no answer in time.
    pub fn unanswered(&self, now: Instant) -> bool {
        let late = |at| now.duration_since(at) >= PATIENCE;
        self.answered != self.sent && self.sent_at.is_some_and(late)
    }

    /// Whether nothing was heard for too long.
    pub fn silent(&self, now: Instant) -> bool {
        now.duration_since(self.heard_at) >= SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_in_flight_and_the_next_follows_its_answer() {
        let now = Instant::now();
        let mut probes = Probes::new(now);
        assert!(probes.due(false, now), "the first one, at once");
        probes.sent(now);
        assert_eq!(probes.next(), 2);
        assert!(!probes.due(true, now));
        assert!(probes.answered(1, now));
        assert!(!probes.answered(1, now), "no news");
        assert!(probes.due(true, now), "something to prove");
        assert!(!probes.due(false, now));
        assert!(probes.due(false, now + IDLE));
    }

    #[test]
    fn one_that_is_lost_is_followed_by_another() {
        let now = Instant::now();
        let mut probes = Probes::new(now);
        probes.sent(now);
        assert!(!probes.unanswered(now));
        assert!(probes.unanswered(now + PATIENCE));
        assert!(probes.due(false, now + PATIENCE));
        probes.sent(now + PATIENCE);
        assert!(probes.answered(1, now + PATIENCE), "late, but an answer");
        assert!(!probes.due(true, now + PATIENCE), "the second is out");
        assert!(probes.silent(now + PATIENCE + SILENCE));
    }

    #[test]
    fn an_answer_from_the_connection_before_proves_nothing() {
        let now = Instant::now();
        let mut probes = Probes::new(now);
        probes.sent(now);
        probes.restart(now);
        assert!(probes.due(false, now));
        assert!(!probes.answered(1, now));
        assert!(!probes.answered(2, now), "never asked");
        probes.sent(now);
        assert!(probes.answered(2, now));
    }
}
