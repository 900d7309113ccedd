//! Whether the store can commit, as the ChatServer sees it: the health check asks here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::store::StoreError;

/// Whether the store can commit. Shared with the health check.
#[derive(Debug, Clone)]
pub struct StoreState(Arc<StoreStateInner>);

#[derive(Debug)]
struct StoreStateInner {
    born: Instant,
    failing: AtomicBool,
    /// Milliseconds after `born`, plus one, since when a batch is in flight; 0: none is.
    in_flight: AtomicU64,
}

impl Default for StoreState {
    fn default() -> Self {
        Self(Arc::new(StoreStateInner {
            born: Instant::now(),
            failing: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
        }))
    }
}

impl StoreState {
    /// A batch in flight for longer is a store that hangs.
    const HANGS: u64 = 3_000;

    /// Whether the last batch failed, or hangs.
    pub fn is_failing(&self) -> bool {
        let since = self.0.in_flight.load(Ordering::Relaxed);
        let hangs = since > 0 && self.now().saturating_sub(since) > Self::HANGS;
        hangs || self.0.failing.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    pub(super) fn sent(&self) {
        self.0.in_flight.store(self.now(), Ordering::Relaxed);
    }

    pub(super) fn returned(&self) {
        self.0.in_flight.store(0, Ordering::Relaxed);
    }

    /// A batch failed. Said once, however many follow.
    pub(super) fn failed(&self, error: &StoreError) {
        if !self.0.failing.swap(true, Ordering::Relaxed) {
            log::error!("the store fails: {error}");
        }
    }

    /// A batch was written to the disk.
    pub(super) fn works(&self) {
        if self.0.failing.swap(false, Ordering::Relaxed) {
            log::info!("the store works again");
        }
    }
}
