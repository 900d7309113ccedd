//! Which users a node is subscribed for, how far each of them has come, and who is owed an
//! [`Event::Subscribed`](crate::bus::Event::Subscribed): plain data.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::bus::events::Inlet;
use crate::hash::{HashMap, HashSet};
use crate::protocol::UserId;

/// Who subscribes is told so after this time, even where nothing is proven.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub struct Seats {
    seats: HashMap<UserId, Seat>,
    /// Users the server has not been asked about.
    unsent: HashSet<UserId>,
    /// Users it has been asked about, and has proven nothing.
    unproven: HashSet<UserId>,
    /// When to tell those who wait, in the order of time.
    deadlines: VecDeque<(Instant, UserId)>,
}

struct Seat {
    inlet: Inlet,
    progress: Progress,
    /// Until then nothing is told but what is proven.
    owed: Option<Instant>,
    /// It was told before it was proven.
    hasty: bool,
}

enum Progress {
    Unsent,
    /// The probe of this number will prove it.
    Sent(u64),
    InForce,
}

/// What a probe has proven.
#[derive(Default)]
pub struct Proven {
    /// Who is to be told.
    pub owed: Vec<Inlet>,
    /// Somebody was told before: what came in between may be lost.
    pub hasty: bool,
}

impl Seats {
    /// A user to be subscribed for. Returns whether to tell at once: it is in force already, or the
    /// bus is down.
    pub fn subscribe(&mut self, inlet: &Inlet, down: bool, now: Instant) -> bool {
        let user = inlet.user();
        let seat = self.seats.entry(user.clone()).or_insert_with(|| {
            self.unsent.insert(user.clone());
            Seat {
                inlet: inlet.clone(),
                progress: Progress::Unsent,
                owed: None,
                hasty: false,
            }
        });
        if matches!(seat.progress, Progress::InForce) {
            return true;
        }
        if down {
            seat.hasty = true;
        } else if seat.owed.is_none() {
            let deadline = now + PATIENCE;
            seat.owed = Some(deadline);
            self.deadlines.push_back((deadline, user.clone()));
        }
        down
    }

    /// A user no longer to be subscribed for.
    pub fn unsubscribe(&mut self, user: &UserId) {
        self.seats.remove(user);
        self.unsent.remove(user);
        self.unproven.remove(user);
    }

    /// Somebody the server is to be asked about.
    pub fn unsent(&self) -> Option<&Inlet> {
        let user = self.unsent.iter().next()?;
        self.seats.get(user).map(|seat| &seat.inlet)
    }

    /// The server was asked; the probe of this number will prove it.
    pub fn sent(&mut self, user: &UserId, number: u64) {
        if let Some(seat) = self.seats.get_mut(user) {
            seat.progress = Progress::Sent(number);
            self.unsent.remove(user);
            self.unproven.insert(user.clone());
        }
    }

    /// Whether there is something to prove.
    pub fn is_unproven(&self) -> bool {
        !self.unproven.is_empty()
    }

    /// The probe of this number was answered.
    pub fn proven(&mut self, number: u64) -> Proven {
        let mut proven = Proven::default();
        let seats = &mut self.seats;
        self.unproven.retain(|user| {
            let Some(seat) = seats.get_mut(user) else {
                return false;
            };
            if matches!(seat.progress, Progress::Sent(by) if by > number) {
                return true;
            }
            seat.progress = Progress::InForce;
            proven.hasty |= std::mem::take(&mut seat.hasty);
            if seat.owed.take().is_some() {
                proven.owed.push(seat.inlet.clone());
            }
            false
        });
        proven
    }

    /// A new connection, on which the probe of this number will prove whatever was sent.
    pub fn unprove(&mut self, number: u64) {
        for (user, seat) in &mut self.seats {
            if !matches!(seat.progress, Progress::Unsent) {
                seat.progress = Progress::Sent(number);
                self.unproven.insert(user.clone());
            }
        }
    }

    /// Those who have waited long enough, or all who wait where the bus is down.
    pub fn hasten(&mut self, down: bool, now: Instant) -> Vec<Inlet> {
        let mut owed = Vec::new();
        let due = |(at, _): &(Instant, UserId)| down || *at <= now;
        while self.deadlines.front().is_some_and(due)
            && let Some((deadline, user)) = self.deadlines.pop_front()
        {
            let seat = self.seats.get_mut(&user);
            // A seat taken, left and taken again waits for its own deadline.
            if let Some(seat) = seat.filter(|seat| seat.owed == Some(deadline)) {
                seat.owed = None;
                seat.hasty = true;
                owed.push(seat.inlet.clone());
            }
        }
        owed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::events::events;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn inlet(name: &str) -> Inlet {
        events(1).0.inlet(&user(name))
    }

    fn users(inlets: &[Inlet]) -> Vec<&str> {
        inlets.iter().map(|inlet| inlet.user().as_str()).collect()
    }

    #[test]
    fn who_was_subscribed_for_before_a_probe_is_proven_by_it() {
        let now = Instant::now();
        let mut seats = Seats::default();
        for name in ["ann", "bob"] {
            assert!(!seats.subscribe(&inlet(name), false, now));
        }
        seats.sent(&user("ann"), 1);
        seats.sent(&user("bob"), 2);
        assert!(seats.unsent().is_none());
        assert_eq!(users(&seats.proven(1).owed), ["ann"]);
        assert!(seats.is_unproven());
        let proven = seats.proven(2);
        assert_eq!(users(&proven.owed), ["bob"]);
        assert!(!proven.hasty && !seats.is_unproven());
        assert!(seats.subscribe(&inlet("ann"), false, now), "in force");
        assert!(seats.hasten(false, now + PATIENCE).is_empty());
    }

    #[test]
    fn nobody_waits_longer_than_a_second_and_the_proof_is_a_doubt_then() {
        let now = Instant::now();
        let mut seats = Seats::default();
        assert!(!seats.subscribe(&inlet("ann"), false, now));
        seats.sent(&user("ann"), 1);
        assert!(seats.hasten(false, now).is_empty());
        assert_eq!(users(&seats.hasten(false, now + PATIENCE)), ["ann"]);
        let proven = seats.proven(1);
        assert!(proven.owed.is_empty() && proven.hasty);
        assert!(!seats.proven(1).hasty, "once");
    }

    #[test]
    fn where_the_bus_is_down_nobody_waits() {
        let now = Instant::now();
        let mut seats = Seats::default();
        assert!(!seats.subscribe(&inlet("ann"), false, now));
        assert_eq!(users(&seats.hasten(true, now)), ["ann"]);
        assert!(seats.subscribe(&inlet("bob"), true, now));
        for name in ["ann", "bob"] {
            seats.sent(&user(name), 1);
        }
        assert!(seats.proven(1).hasty);
        seats.unprove(2);
        assert!(
            !seats.subscribe(&inlet("bob"), false, now),
            "a new connection"
        );
        assert_eq!(users(&seats.proven(2).owed), ["bob"]);
    }

    #[test]
    fn who_left_is_forgotten_and_who_came_back_waits_anew() {
        let now = Instant::now();
        let later = now + PATIENCE / 2;
        let mut seats = Seats::default();
        seats.subscribe(&inlet("ann"), false, now);
        seats.unsubscribe(&user("ann"));
        assert!(seats.unsent().is_none());
        seats.subscribe(&inlet("ann"), false, later);
        assert!(seats.hasten(false, now + PATIENCE).is_empty());
        assert_eq!(users(&seats.hasten(false, later + PATIENCE)), ["ann"]);
        seats.sent(&user("ann"), 1);
        seats.unsubscribe(&user("ann"));
        assert!(!seats.is_unproven());
        seats.sent(&user("ann"), 2);
        assert!(!seats.is_unproven(), "nobody is subscribed for her");
    }
}
