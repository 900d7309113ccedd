//! A queue with a limit of entries and of bytes, whose entrance never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::sync::mpsc;

/// What an entry weighs beside its bytes.
const OVERHEAD: usize = 256;

/// The entrance. Cheap to clone.
pub struct Entrance<T> {
    entries: mpsc::Sender<(T, usize)>,
    held: Arc<AtomicUsize>,
    bytes_max: usize,
}

/// The exit.
pub struct Exit<T> {
    entries: mpsc::Receiver<(T, usize)>,
    held: Arc<AtomicUsize>,
}

/// A queue of at most so many entries, and so many bytes.
pub fn queue<T>(entries_max: usize, bytes_max: usize) -> (Entrance<T>, Exit<T>) {
    let (sender, receiver) = mpsc::channel(entries_max);
    let held = Arc::<AtomicUsize>::default();
    let entrance = Entrance {
        entries: sender,
        held: Arc::clone(&held),
        bytes_max,
    };
    let exit = Exit {
        entries: receiver,
        held,
    };
    (entrance, exit)
}

impl<T> Entrance<T> {
    /// Puts an entry at the end. Returns whether there was room for it.
    pub fn push(&self, entry: T, bytes: usize) -> bool {
        let weight = bytes.saturating_add(OVERHEAD);
        let before = self.held.fetch_add(weight, Ordering::Relaxed);
        let fits = before.saturating_add(weight) <= self.bytes_max
            && self.entries.try_send((entry, weight)).is_ok();
        if !fits {
            self.held.fetch_sub(weight, Ordering::Relaxed);
        }
        fits
    }
}

impl<T> Clone for Entrance<T> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            held: Arc::clone(&self.held),
            bytes_max: self.bytes_max,
        }
    }
}

impl<T> Exit<T> {
    /// The next entry, or `None` where all entrances are gone.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let next = ready!(self.entries.poll_recv(cx));
        Poll::Ready(next.map(|(entry, weight)| {
            self.held.fetch_sub(weight, Ordering::Relaxed);
            entry
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn what_was_taken_makes_room() {
        let (entrance, mut exit) = queue(2, 3 * OVERHEAD);
        assert!(entrance.push(1, OVERHEAD));
        assert!(!entrance.push(2, 1), "too many bytes");
        assert!(entrance.push(3, 0));
        assert_eq!(poll_fn(|cx| exit.poll_next(cx)).await, Some(1));
        assert!(entrance.push(4, 0));
        assert!(!entrance.push(5, 0), "too many entries");
        assert_eq!(poll_fn(|cx| exit.poll_next(cx)).await, Some(3));
        assert_eq!(poll_fn(|cx| exit.poll_next(cx)).await, Some(4));
        drop(entrance);
        assert_eq!(poll_fn(|cx| exit.poll_next(cx)).await, None);
        assert_eq!(exit.held.load(Ordering::Relaxed), 0);
    }
}
