//! How much of what was pushed to a session has not yet gone out, without a message for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Deliveries to a device stop while so many bytes are untaken. (Answers do not stop: a session is
/// owed at most as many as it asked for.)
pub const WINDOW_BYTES: u64 = 64 * 1024;

/// Deliveries to all devices stop while so many bytes are untaken by all of them.
pub const ALL_BYTES: u64 = 64 * 1024 * 1024;

/// But a device with less than this untaken takes live frames even then: some that do not read must
/// not silence those that do.
pub const RESERVE_BYTES: u64 = 4 * 1024;

/// Bytes that were pushed to any session and have not gone out. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Untaken(Arc<AtomicU64>);

/// Shared by the ChatServer, which pushes, and one session, which takes.
#[derive(Debug)]
pub struct Flow {
    /// Bytes pushed, ever.
    pushed: AtomicU64,
    /// Bytes of them that the session wrote and its socket took. While the socket takes nothing,
    /// the session's actor is not polled, and this stands still.
    taken: AtomicU64,
    /// The ChatServer waits for room: the session says so when there is some.
    wanted: AtomicBool,
    all: Untaken,
    /// Bytes of requests in hand for this session: see [`crate::chat::Budget`].
    pub in_hand: Arc<AtomicUsize>,
}

/// Whether a device that is behind can be sent more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Now.
    Now,
    /// When its session says so.
    WhenTaken,
    /// When others have taken theirs: ask again.
    Later,
}

impl Flow {
    /// The flow of a new session, counted among all.
    pub fn new(all: &Untaken) -> Self {
        Self {
            pushed: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
            all: all.clone(),
            in_hand: Arc::default(),
        }
    }

    fn untaken(&self) -> u64 {
        let pushed = self.pushed.load(Ordering::SeqCst);
        pushed.saturating_sub(self.taken.load(Ordering::SeqCst))
    }

    fn all_full(&self) -> bool {
        self.all.0.load(Ordering::Relaxed) >= ALL_BYTES
    }

    /// So many bytes are on their way to the session.
    pub fn push(&self, bytes: u64) {
        self.pushed.fetch_add(bytes, Ordering::SeqCst);
        self.all.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether there is room for a live delivery, with so many bytes about to be pushed.
    pub fn has_room(&self, about_to: u64) -> bool {
        let untaken = self.untaken() + about_to;
        untaken < RESERVE_BYTES || (untaken < WINDOW_BYTES && !self.all_full())
    }

    /// Whether there is room for a part of a backlog: when half of the window is free.
    pub fn room(&self) -> Room {
        let half_free = || self.untaken() <= WINDOW_BYTES / 2;
        if !half_free() {
            // Asked first and looked at again after: a session that takes its last push in between
            // either sees the question or is seen here.
            self.wanted.store(true, Ordering::SeqCst);
            if !half_free() {
                return Room::WhenTaken;
            }
        }
        if self.all_full() {
            Room::Later
        } else {
            Room::Now
        }
    }

    /// So many bytes have gone out. Returns whether the ChatServer waits to hear of it.
    pub fn take(&self, bytes: u64) -> bool {
        self.taken.fetch_add(bytes, Ordering::SeqCst);
        self.all.0.fetch_sub(bytes, Ordering::Relaxed);
        self.wanted.load(Ordering::SeqCst) && self.wanted.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.untaken(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_is_reported_once_when_it_empties() {
        let flow = Flow::new(&Untaken::default());
        assert!(flow.has_room(WINDOW_BYTES - 1));
        flow.push(WINDOW_BYTES);
        assert!(!flow.has_room(0));
        assert_eq!(flow.room(), Room::WhenTaken);
        assert!(flow.take(WINDOW_BYTES));
        flow.push(1);
        assert!(!flow.take(1));
        assert_eq!(flow.room(), Room::Now);
    }

    #[test]
    fn what_all_have_not_taken_is_bounded_and_goes_with_its_session() {
        let all = Untaken::default();
        let hoarder = Flow::new(&all);
        hoarder.push(ALL_BYTES);
        let other = Flow::new(&all);
        assert!(
            other.has_room(RESERVE_BYTES - 1),
            "live frames go on for those who read"
        );
        assert!(!other.has_room(RESERVE_BYTES));
        assert_eq!(other.room(), Room::Later);
        drop(hoarder);
        assert!(other.has_room(RESERVE_BYTES));
        assert_eq!(other.room(), Room::Now);
    }
}
