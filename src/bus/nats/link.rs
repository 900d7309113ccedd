//! What all tasks of a [`NatsBus`](super::NatsBus) know of its connection.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// NATS may complain of every message: so often it is logged.
const COMPLAINTS: Duration = Duration::from_secs(10);

/// How the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// There is none, or the server does not answer.
    Down,
    /// There is one, of which nothing is proven yet.
    Joining,
    /// The server answers, and all that was subscribed is in force.
    Up,
}

/// See the module.
pub struct Link {
    /// The servers, for the log: hosts and ports, nothing secret.
    names: String,
    state: AtomicU8,
    /// Letters that were dropped instead of published, since somebody last asked.
    lost: AtomicU64,
    /// Letters are being dropped for want of room, and the log says so.
    overrun: AtomicBool,
    /// Something happened to the connection: the keeper looks at it.
    woken: Notify,
    complained: Mutex<Option<Instant>>,
    /// The server does not let us publish or subscribe as we must.
    forbidden: AtomicBool,
}

impl Link {
    /// A link that is down, to servers of these names.
    pub fn new(names: String) -> Self {
        Self {
            names,
            state: AtomicU8::new(State::Down as u8),
            lost: AtomicU64::new(0),
            overrun: AtomicBool::new(false),
            woken: Notify::new(),
            complained: Mutex::default(),
            forbidden: AtomicBool::new(false),
        }
    }

    /// The servers, for the log.
    pub fn names(&self) -> &str {
        &self.names
    }

    /// Whether letters need not be tried.
    pub fn is_down(&self) -> bool {
        self.state.load(Ordering::Relaxed) == State::Down as u8
    }

    /// Whether letters are known to pass.
    pub fn is_up(&self) -> bool {
        self.state.load(Ordering::Relaxed) == State::Up as u8
            && !self.forbidden.load(Ordering::Relaxed)
    }

    /// Only the keeper says how the connection is.
    pub fn set(&self, state: State) {
        if state == State::Joining {
            // A new connection: the server may have been told better meanwhile.
            self.forbidden.store(false, Ordering::Relaxed);
        }
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// A letter was dropped.
    pub fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        if !self.is_down() && !self.overrun.swap(true, Ordering::Relaxed) {
            log::warn!(
                "letters to other nodes are being dropped; those nodes read the store instead"
            );
        }
    }

    /// How many letters were dropped since this was last asked.
    pub fn take_lost(&self) -> u64 {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost == 0 {
            self.overrun.store(false, Ordering::Relaxed);
        }
        lost
    }

    /// Has the keeper look at the connection.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Until somebody calls [`Self::wake`].
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Logs what the server says is wrong, now and then.
    pub fn complain(&self, what: &str) {
        if what.to_ascii_lowercase().contains("permissions violation") {
            self.forbidden.store(true, Ordering::Relaxed);
        }
        let mut last = self
            .complained
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= COMPLAINTS) {
            *last = Some(Instant::now());
            log::warn!("the bus: {what}");
        }
    }
}
