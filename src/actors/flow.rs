//! How much of what was pushed to a session it has not yet taken, without a message for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Deliveries stop while so many bytes are untaken. (Answers do not stop: a session is owed at
/// most as many as it asked for.)
pub const WINDOW_BYTES: u64 = 64 * 1024;

/// Shared by the ChatServer, which pushes, and one session, which takes.
#[derive(Debug, Default)]
pub struct Flow {
    /// Bytes of pushes that the session has handled, ever. While the socket takes nothing, the
    /// session's actor is not polled, and this stands still.
    taken: AtomicU64,
    /// The ChatServer waits for room: the session says so when there is some.
    wanted: AtomicBool,
    /// Bytes of requests in hand for this session: see [`crate::chat::Budget`].
    pub in_hand: Arc<AtomicUsize>,
}

impl Flow {
    /// Whether there is room for more, when `pushed` bytes were pushed so far.
    pub fn has_room(&self, pushed: u64) -> bool {
        pushed.saturating_sub(self.taken.load(Ordering::SeqCst)) < WINDOW_BYTES
    }

    /// The same for a catch-up, which waits until half of the window is free; where there is no
    /// room, the session will report when there is.
    pub fn has_room_or_asks(&self, pushed: u64) -> bool {
        let half_free =
            || pushed.saturating_sub(self.taken.load(Ordering::SeqCst)) <= WINDOW_BYTES / 2;
        if half_free() {
            return true;
        }
        // Asked first and looked at again after: a session that takes its last push in between
        // either sees the question or is seen here.
        self.wanted.store(true, Ordering::SeqCst);
        half_free()
    }

    /// The session took so many bytes. Returns whether the ChatServer waits to hear of it.
    pub fn take(&self, bytes: u64) -> bool {
        self.taken.fetch_add(bytes, Ordering::SeqCst);
        self.wanted.load(Ordering::Relaxed) && self.wanted.swap(false, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_is_reported_once_when_it_empties() {
        let flow = Flow::default();
        assert!(flow.has_room(WINDOW_BYTES - 1));
        assert!(!flow.has_room(WINDOW_BYTES));
        assert!(!flow.has_room_or_asks(WINDOW_BYTES));
        assert!(flow.take(WINDOW_BYTES));
        assert!(!flow.take(1));
        assert!(flow.has_room_or_asks(WINDOW_BYTES));
    }
}
