//! What everybody in a soak has in common.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::watch;

use super::ledger::Ledger;
use super::settings::Settings;

/// Connections may still break for so long after everything is up again; in the short form, where something is
/// broken most of the time, not quite as long.
const AFTERMATH: Duration = Duration::from_secs(3);
const SHORT_AFTERMATH: Duration = Duration::from_secs(1);

/// What the devices are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Whatever the driver says.
    Talk,
    /// Bring to an end what was begun, and stay connected.
    Settle,
    /// Leave for good.
    Leave,
}

/// See the module.
pub struct Shared {
    pub settings: Settings,
    /// The ports of the nodes.
    pub ports: Vec<u16>,
    pub phase: watch::Sender<Phase>,
    pub began: Instant,
    pub gauges: Gauges,
    pub weather: Weather,
    ledger: Mutex<Ledger>,
}

/// What is sampled of the clients.
pub struct Gauges {
    /// Devices that are connected.
    pub connected: AtomicI64,
    /// Messages that were acknowledged to the device that wrote them.
    pub acked: AtomicU64,
    /// Frames that were refused for a time: the store failed, or there was too much to do.
    pub refused: AtomicU64,
    /// Orders that nobody could carry out: the device was away too long, or it waited for too much already.
    pub skipped: AtomicU64,
    /// Hostile connections that were had.
    pub hostile: AtomicU64,
    /// Microseconds from the sending of a message to its acknowledgement, since the last sample.
    acks: Mutex<Histogram<u64>>,
}

/// Whether something is being broken.
pub struct Weather {
    is_rough: AtomicBool,
    /// When it was rough last, if it ever was.
    cleared: Mutex<Option<Instant>>,
    aftermath: Duration,
}

impl Shared {
    /// That of a soak which begins now.
    pub fn new(settings: Settings, ports: Vec<u16>) -> Shared {
        let aftermath = if settings.is_short {
            SHORT_AFTERMATH
        } else {
            AFTERMATH
        };
        Shared {
            ledger: Mutex::new(Ledger::new(settings.users)),
            settings,
            ports,
            phase: watch::Sender::new(Phase::Talk),
            began: Instant::now(),
            gauges: Gauges {
                connected: AtomicI64::new(0),
                acked: AtomicU64::new(0),
                refused: AtomicU64::new(0),
                skipped: AtomicU64::new(0),
                hostile: AtomicU64::new(0),
                acks: Mutex::new(Gauges::no_acks()),
            },
            weather: Weather {
                is_rough: AtomicBool::new(false),
                cleared: Mutex::default(),
                aftermath,
            },
        }
    }

    /// What the clients did and heard.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nobody panicked")
    }

    /// The present phase.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Notes what no client should have met.
    pub fn complain(&self, complaint: String) {
        let at = self.began.elapsed();
        self.ledger()
            .complain(format!("after {at:.1?}: {complaint}"));
    }

    /// [`Shared::complain`], unless it may be the work of a fault.
    pub fn complain_if_calm(&self, complaint: String) {
        if self.weather.is_calm() {
            self.complain(complaint);
        }
    }

    /// Seconds since the beginning.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

impl Gauges {
    fn no_acks() -> Histogram<u64> {
        Histogram::new_with_bounds(1, 120_000_000, 2).expect("the bounds are in order")
    }

    /// A message was acknowledged.
    pub fn acked(&self, time: Duration) {
        self.acked.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut acks = self.acks.lock().expect("nobody panicked");
        acks.saturating_record(micros);
    }

    /// The times of the acknowledgements since this was asked last.
    pub fn take_acks(&self) -> Histogram<u64> {
        let mut acks = self.acks.lock().expect("nobody panicked");
        std::mem::replace(&mut acks, Gauges::no_acks())
    }
}

impl Weather {
    /// Something is about to be broken.
    pub fn roughens(&self) {
        self.is_rough.store(true, Ordering::SeqCst);
    }

    /// Everything is up again.
    pub fn clears(&self) {
        *self.cleared.lock().expect("nobody panicked") = Some(Instant::now());
        self.is_rough.store(false, Ordering::SeqCst);
    }

    /// Whether nothing is broken, nor was a moment ago.
    pub fn is_calm(&self) -> bool {
        self.is_calm_for(Duration::ZERO)
    }

    /// [`Weather::is_calm`], also for so long before.
    pub fn is_calm_for(&self, time: Duration) -> bool {
        let cleared = *self.cleared.lock().expect("nobody panicked");
        let is_over = cleared.is_none_or(|cleared| cleared.elapsed() > self.aftermath + time);
        is_over && !self.is_rough.load(Ordering::SeqCst)
    }
}
