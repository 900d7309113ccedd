//! Whether the store can commit, as the ChatServer sees it: the health check asks here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::StoreError;

/// Whether the store can commit. Shared with the health check.
#[derive(Debug, Clone)]
pub struct StoreState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    born: Instant,
    lanes: Vec<LaneState>,
    /// When the log was last told that the store fails; `None`: it was told that it works.
    said: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct LaneState {
    /// The last batch failed, and none was written since.
    failing: AtomicBool,
    /// Milliseconds after `born`, plus one, since when a batch is in flight; 0: none is.
    in_flight: AtomicU64,
}

impl StoreState {
    /// A batch in flight for longer is a store that hangs.
    const HANGS: u64 = 3_000;
    /// A store that fails again and again is logged so often.
    const SAID: Duration = Duration::from_secs(10);
    /// It works again when it has not failed anew for so long.
    const QUIET: Duration = Duration::from_millis(500);

    /// The state of a store with so many writing lanes.
    pub fn new(lanes: usize) -> Self {
        Self(Arc::new(Inner {
            born: Instant::now(),
            lanes: (0..lanes).map(|_| LaneState::default()).collect(),
            said: Mutex::default(),
        }))
    }

    /// Whether the last batch of any lane failed, or one hangs.
    pub fn is_failing(&self) -> bool {
        (0..self.0.lanes.len()).any(|lane| self.has_failed(lane)) || self.hangs()
    }

    /// Whether the last batch of a lane failed.
    pub(super) fn has_failed(&self, lane: usize) -> bool {
        let lane = self.0.lanes.get(lane);
        lane.is_some_and(|lane| lane.failing.load(Ordering::Relaxed))
    }

    fn hangs(&self) -> bool {
        let now = self.now();
        let mut lanes = self.0.lanes.iter();
        lanes.any(|lane| match lane.in_flight.load(Ordering::Relaxed) {
            0 => false,
            since => now.saturating_sub(since) > Self::HANGS,
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    pub(super) fn sent(&self, lane: usize) {
        self.note(lane, self.now());
    }

    pub(super) fn returned(&self, lane: usize) {
        self.note(lane, 0);
    }

    fn note(&self, lane: usize, since: u64) {
        if let Some(lane) = self.0.lanes.get(lane) {
            lane.in_flight.store(since, Ordering::Relaxed);
        }
    }

    /// A batch of this lane failed. However many do, the log is told now and then.
    pub(super) fn failed(&self, lane: usize, error: &StoreError) {
        if let Some(lane) = self.0.lanes.get(lane) {
            lane.failing.store(true, Ordering::Relaxed);
        }
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= Self::SAID) {
            *said = Some(Instant::now());
            log::error!("the store fails: {error}");
        }
    }

    /// A batch of this lane was written to the disk.
    pub(super) fn works(&self, lane: usize) {
        let failing = self.0.lanes.get(lane).map(|lane| &lane.failing);
        let healed = failing.is_some_and(|failing| failing.swap(false, Ordering::Relaxed));
        if healed && !self.is_failing() {
            let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
            // A lane that fails and works in turns is not news each time.
            if said.is_some_and(|said| said.elapsed() >= Self::QUIET) {
                *said = None;
                log::info!("the store works again");
            }
        }
    }
}
