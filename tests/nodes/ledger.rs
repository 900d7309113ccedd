//! What all devices of a crowd know together while they send and receive.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::plan::{Plan, Totals};

/// What the crowd does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Connects.
    Connecting,
    /// Sends and receives; the slow reader reads nothing.
    Sending,
    /// All is sent: the slow reader reads, too.
    Reading,
    /// All has come: each device makes sure that there is no more.
    Ending,
}

/// See the module.
pub struct Ledger {
    pub plan: Plan,
    pub phase: watch::Sender<Phase>,
    /// The message that was sent under a number, one higher; 0 for none.
    indices: Vec<AtomicU32>,
    messages: AtomicU64,
    acks: AtomicU64,
    receipts: AtomicU64,
    /// Acknowledgements on the devices that sent.
    settled: AtomicU64,
    /// The longest time that one of them took, in milliseconds.
    longest: AtomicU64,
}

impl Ledger {
    /// That of a crowd which has not begun.
    pub fn new(plan: Plan) -> Ledger {
        // Unspent rests of grants and leases included.
        let numbers = 4 * plan.messages.len() + 40 * plan.devices.len() + 50_000;
        Ledger {
            plan,
            phase: watch::Sender::new(Phase::Connecting),
            indices: (0..numbers).map(|_| AtomicU32::new(0)).collect(),
            messages: AtomicU64::new(0),
            acks: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            longest: AtomicU64::new(0),
        }
    }

    /// A message is about to be sent under this number.
    pub fn send(&self, index: u32, number: u32) {
        let before = self.indices[number as usize].swap(index + 1, Ordering::SeqCst);
        assert_eq!(before, 0, "the ID {number} was handed out twice");
    }

    /// The message that was sent under this number.
    pub fn index(&self, number: u32) -> u32 {
        let index = self.indices[number as usize].load(Ordering::SeqCst);
        index
            .checked_sub(1)
            .unwrap_or_else(|| panic!("nobody sent the ID {number}"))
    }

    /// A message came to a device.
    pub fn count_message(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// A status came to a device.
    pub fn count_status(&self, status: u8) {
        let counter = if status == 1 {
            &self.acks
        } else {
            &self.receipts
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A message was acknowledged to the device that sent it, after this time.
    pub fn settle(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).expect("it is not that long");
        self.longest.fetch_max(time, Ordering::Relaxed);
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    /// The longest time that an acknowledgement took.
    pub fn longest(&self) -> Duration {
        Duration::from_millis(self.longest.load(Ordering::Relaxed))
    }

    /// How many messages were acknowledged to the devices that sent them.
    pub fn settled(&self) -> usize {
        usize::try_from(self.settled.load(Ordering::Relaxed)).expect("they can be counted")
    }

    /// What has come so far, to all devices.
    pub fn come(&self) -> Totals {
        Totals {
            messages: self.messages.load(Ordering::Relaxed),
            acks: self.acks.load(Ordering::Relaxed),
            receipts: self.receipts.load(Ordering::Relaxed),
        }
    }
}
