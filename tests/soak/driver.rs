//! Says who does what, by chance but from a seed: an open pace, whatever the server is up to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use super::crowd::Crowd;
use super::device::SLOW;
use super::line::Page;
use super::settings::Dice;
use super::shared::Shared;

/// How long the driver sleeps between two looks at the time.
const STEP: Duration = Duration::from_millis(5);

/// What comes beside messages, for each of them.
const PAGES: f64 = 0.03;
const CONTACTS: f64 = 0.005;
const HEARTBEATS: f64 = 0.03;
const RESENDS: f64 = 0.02;

/// A slow reader reads nothing for a while once in so many lives of a connection.
const LIVES_TO_A_STALL: f64 = 4.0;

/// What a device is to do.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Write a message to this user.
    Write(u16),
    Page(Page),
    Contacts,
    Heartbeat,
    /// Send once more what was acknowledged long ago.
    Resend,
    /// End the connection.
    Leave(Way),
    /// Read nothing for so long.
    Stall(Duration),
}

/// How a device ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the closing handshake.
    Close,
    /// By a reset of TCP.
    Reset,
    /// By the end of TCP, without a word.
    Drop,
}

/// So many of something a second.
struct Pace {
    rate: f64,
    due: f64,
}

impl Pace {
    fn new(rate: f64) -> Pace {
        Pace { rate, due: 0.0 }
    }

    /// How many are due after this time.
    fn due(&mut self, passed: Duration) -> u32 {
        self.due += self.rate * passed.as_secs_f64();
        let whole = self.due.floor();
        self.due -= whole;
        whole as u32
    }
}

/// See the module.
pub struct Driver {
    shared: Arc<Shared>,
    random: StdRng,
    /// The sum of the popularity of all users up to each, by Zipf's law.
    popularity: Vec<f64>,
}

impl Driver {
    /// That of a soak which has not begun.
    pub fn new(shared: &Arc<Shared>) -> Driver {
        let seed = shared.settings.seed_of(Dice::Driver);
        let mut sum = 0.0;
        let popularity = (1..=shared.settings.users).map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        });
        Driver {
            shared: Arc::clone(shared),
            random: StdRng::seed_from_u64(seed),
            popularity: popularity.collect(),
        }
    }

    /// Gives orders for so long.
    pub async fn run(&mut self, crowd: &Crowd, duration: Duration) {
        let settings = self.shared.settings.clone();
        let life = settings.life().as_secs_f64();
        let devices = crowd.len() as f64;
        let slow = devices / f64::from(SLOW);
        let mut messages = Pace::new(settings.rate);
        let mut leaves = Pace::new(devices / life);
        let mut stalls = Pace::new(slow / (life * LIVES_TO_A_STALL));
        let end = Instant::now() + duration;
        let mut last = Instant::now();
        while last < end {
            sleep(STEP).await;
            let passed = last.elapsed();
            last += passed;
            for _ in 0..messages.due(passed) {
                self.talk(crowd);
            }
            for _ in 0..leaves.due(passed) {
                let device = self.random.random_range(0..crowd.len());
                let way = self.way();
                self.order(crowd, device, Order::Leave(way));
            }
            for _ in 0..stalls.due(passed) {
                let slow = crowd.len().div_ceil(SLOW.into());
                let device = self.random.random_range(0..slow) * usize::from(SLOW);
                let time = Duration::from_millis(self.random.random_range(1_000..40_000));
                let time = settings.shortened(time);
                self.order(crowd, device, Order::Stall(time));
            }
        }
    }

    /// A message, and now and then something else.
    fn talk(&mut self, crowd: &Crowd) {
        let device = self.random.random_range(0..crowd.len());
        let to = if self.random.random_bool(0.02) {
            crowd.user_of(device)
        } else {
            self.popular()
        };
        self.order(crowd, device, Order::Write(to));
        let others = [
            (PAGES, Order::Page(self.page())),
            (CONTACTS, Order::Contacts),
            (HEARTBEATS, Order::Heartbeat),
            (RESENDS, Order::Resend),
        ];
        for (chance, order) in others {
            if self.random.random_bool(chance) {
                let device = self.random.random_range(0..crowd.len());
                self.order(crowd, device, order);
            }
        }
    }

    fn order(&self, crowd: &Crowd, device: usize, order: Order) {
        if !crowd.order(device, order) {
            self.shared.gauges.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn popular(&mut self) -> u16 {
        let sum = self.popularity.last().copied().unwrap_or(1.0);
        let chance = self.random.random_range(0.0..sum);
        let rank = self.popularity.partition_point(|sum| *sum <= chance);
        u16::try_from(rank).expect("the users have numbers of this size")
    }

    fn page(&mut self) -> Page {
        let partner = self.random.random_bool(0.7).then(|| self.popular());
        let size = [10, 10, 50, 100][self.random.random_range(0..4)];
        Page { partner, size }
    }

    fn way(&mut self) -> Way {
        match self.random.random_range(0..10) {
            0..5 => Way::Close,
            5..8 => Way::Reset,
            _ => Way::Drop,
        }
    }
}
