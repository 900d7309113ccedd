//! The TCP connection under a session, and the watchdog over all of them.
//!
//! While a socket takes nothing, its session's actor is not polled: no timer of its own can end
//! it (actix-web issue 2441). So each connection leaves a handle here, and a task outside the
//! actors wakes those that have been blocked for too long, to be reset.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use crate::metrics::Metrics;

/// A connection that is over has so long to send its last bytes and go.
const LINGER: Duration = Duration::from_secs(10);
/// A file goes at no less than so many bytes a millisecond, on the whole: a connection that drips holds a place
/// that others wait for.
const FILE_RATE: u64 = 1;
/// A connection may take so many times as long to take one page as to take nothing: a client that
/// drips would else hold its page, which others wait for, as long as it likes.
const DRIPS: u32 = 4;

/// A connection's handle. The server's side of the connection holds the only lasting reference.
#[derive(Debug)]
pub struct Link {
    born: Instant,
    /// Milliseconds after `born`, plus one, since when the socket takes nothing; 0: it does.
    blocked: AtomicU64,
    /// Milliseconds after `born`, plus one, since when the socket works on what the session wrote
    /// last; 0: all has gone out.
    busy: AtomicU64,
    /// Milliseconds after `born`, plus one, when the last byte was handed over; 0: not yet.
    ended: AtomicU64,
    /// Bytes that have gone either way since a file is on its way, plus one; 0: none is.
    moved: AtomicU64,
    /// Milliseconds after `born`, plus one, when the last of them went; 0: no more are waited for.
    moved_at: AtomicU64,
    /// So many bytes of a file may come in before those that have are taken; 0: there is no file, or no bound.
    window: AtomicU64,
    /// Bytes that have come in since all were taken.
    ahead: AtomicU64,
    /// A file has come in whole, and the server works on it.
    rests: AtomicBool,
    /// Nothing more is read.
    deaf: AtomicBool,
    /// The connection is to be reset.
    cut: AtomicBool,
    /// The task that the connection waits in.
    task: AtomicWaker,
    /// A request has come, whole but for its body.
    requested: AtomicBool,
    /// The connection is a WebSocket.
    upgraded: AtomicBool,
}

impl Link {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            blocked: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            moved_at: AtomicU64::new(0),
            window: AtomicU64::new(0),
            ahead: AtomicU64::new(0),
            rests: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            task: AtomicWaker::new(),
            requested: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
        }
    }

    /// The connection is a WebSocket from now on.
    pub fn upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// The head of a request has come.
    pub fn requested(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Whether the head of a request has come.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// The socket has no room for what the session wrote.
    pub fn handed_over(&self) {
        let now = self.now();
        let _ = self
            .blocked
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The session wrote something that the socket did not take at once.
    pub fn started(&self) {
        self.busy.store(self.now(), Ordering::Relaxed);
    }

    /// The socket took a piece of it, and with it `all`.
    pub fn took(&self, all: bool) {
        self.blocked.store(0, Ordering::Relaxed);
        if all {
            self.busy.store(0, Ordering::Relaxed);
        }
    }

    /// So many bytes have come in.
    pub fn came(&self, bytes: usize) {
        self.moved(bytes);
        if self.window.load(Ordering::Relaxed) != 0 {
            self.ahead.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Whether as many bytes have come in as may. To be asked before more are read; whoever takes those wakes the
    /// connection.
    pub fn is_ahead(&self) -> bool {
        match self.window.load(Ordering::Relaxed) {
            0 => false,
            window => self.ahead.load(Ordering::Acquire) >= window,
        }
    }

    /// So many bytes have gone, one way or the other.
    pub fn moved(&self, bytes: usize) {
        if bytes == 0 || self.moved.load(Ordering::Relaxed) == 0 {
            return; // no file is on its way
        }
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        if self.moved_at.load(Ordering::Relaxed) != 0 {
            self.moved_at.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Whether nothing more is to be read, as if the client had ended.
    pub fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    /// The session is over.
    pub fn over(&self) {
        let now = self.now();
        let _ = self
            .ended
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether the connection has been blocked, over, or no WebSocket for too long.
    fn overdue(&self, stall: Duration) -> bool {
        let for_longer = |since: &AtomicU64, limit: Duration| match since.load(Ordering::Relaxed) {
            0 => false,
            since => u128::from(self.now().saturating_sub(since)) >= limit.as_millis(),
        };
        // What is no WebSocket is there for one request, or for a file.
        let file = Duration::from_millis(self.moved.load(Ordering::Relaxed) / FILE_RATE);
        let is_bounded =
            !self.upgraded.load(Ordering::Relaxed) && !self.rests.load(Ordering::Relaxed);
        let lasts = is_bounded && self.born.elapsed() >= stall * DRIPS + file;
        lasts
            || for_longer(&self.moved_at, stall)
            || for_longer(&self.blocked, stall)
            || for_longer(&self.busy, stall * DRIPS)
            || for_longer(&self.ended, LINGER.min(stall))
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Ready when the connection is to be reset: nothing more is sent, and what is buffered is thrown away. To be
    /// asked by whatever would wait for its socket.
    pub fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.task.register(cx.waker());
        match self.cut.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// A file on its way over a connection, up or down: as long as it moves, the connection may last.
#[derive(Debug, Clone)]
pub struct Transfer(Option<Arc<Link>>);

impl Transfer {
    /// Over this connection.
    pub fn of(link: Option<&Arc<Link>>) -> Self {
        Self(link.cloned())
    }

    /// Bytes are waited for from now on.
    pub fn goes_on(&self) {
        if let Some(link) = &self.0 {
            link.moved.fetch_max(1, Ordering::Relaxed);
            link.moved_at.store(link.now(), Ordering::Relaxed);
        }
    }

    /// Lets so many bytes come in before all are taken: actix-http reads on for 128 KiB, and hands over as many.
    pub fn within(&self, window: u64) {
        if let Some(link) = &self.0 {
            link.window.store(window, Ordering::Relaxed);
            link.task.wake();
        }
    }

    /// All that has come in was taken.
    pub fn took_all(&self) {
        if let Some(link) = &self.0 {
            let was_ahead = link.is_ahead();
            link.ahead.store(0, Ordering::Release);
            if was_ahead {
                link.task.wake();
            }
        }
    }

    /// What comes from now on counts for nothing, and is not read.
    pub fn is_over(&self) {
        if let Some(link) = &self.0 {
            link.deaf.store(true, Ordering::Relaxed);
        }
    }

    /// All has come, and it is the server that is waited for: however long that takes, it is not the client's fault.
    pub fn rests(&self) {
        if let Some(link) = &self.0 {
            link.moved_at.store(0, Ordering::Relaxed);
            link.rests.store(true, Ordering::Relaxed);
        }
    }
}

/// The links of all connections. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Links {
    all: Arc<Mutex<HashMap<u64, Weak<Link>>>>,
    next: Arc<AtomicU64>,
}

impl Links {
    /// Takes a new connection in.
    pub fn register(&self) -> Arc<Link> {
        let link = Arc::new(Link::new());
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(number, Arc::downgrade(&link));
        link
    }

    /// How many connections there are.
    pub fn count(&self) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|link| link.strong_count() > 0).count()
    }

    /// Cuts every connection that has taken nothing for `stall`, and forgets those that are gone.
    /// Returns how many were cut.
    pub fn sweep(&self, stall: Duration) -> usize {
        let mut cut = 0;
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, link| match link.upgrade() {
            None => false,
            Some(link) if link.overdue(stall) => {
                link.cut();
                cut += 1;
                false
            }
            Some(_) => true,
        });
        cut
    }

    /// Sweeps for ever, often enough that nothing is late by more than a quarter of `stall`.
    pub async fn watch(self, stall: Duration, metrics: Metrics) {
        let pause = (stall / 4).clamp(Duration::from_millis(50), Duration::from_secs(5));
        let mut ticks = tokio::time::interval(pause);
        loop {
            ticks.tick().await;
            match self.sweep(stall) {
                0 => {}
                cut => {
                    metrics.cut.inc_by(u64::try_from(cut).unwrap_or(u64::MAX));
                    log::warn!("cut {cut} connections that took nothing for {stall:?}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_sent_all_of_a_file_may_wait_however_long_the_server_takes() {
        let link = Arc::new(Link {
            born: Instant::now().checked_sub(Duration::from_secs(1)).unwrap(),
            ..Link::new()
        });
        let transfer = Transfer::of(Some(&link));
        transfer.goes_on();
        assert!(link.overdue(Duration::ZERO), "bytes are waited for");
        transfer.rests();
        assert!(!link.overdue(Duration::ZERO), "the server is");
        link.handed_over();
        assert!(link.overdue(Duration::ZERO), "and then the answer's way");
    }
}
