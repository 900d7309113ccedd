//! How long a soak lasts, and how much goes on in it.

use std::time::Duration;

use super::support::mode::from_environment;

/// The seed of the short form: it is to say something of the change at hand, not of the luck of the day.
const SHORT_SEED: u64 = 20_260_115;

/// The traffic of the short form.
const SHORT: Duration = Duration::from_secs(5);

/// How many messages a second a soak sends by default, in the short form and in the long ones.
const RATES: (f64, f64) = (300.0, 1_000.0);

/// A soak stands still for a moment from time to time, to be held against what the server keeps: so often, within
/// these times.
const STRETCHES: u32 = 4;
const STRETCH: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));

/// What is written down in a run that is shorter than this is too little to tell a leak from warming up.
const ENOUGH_FOR_A_SLOPE: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long there is traffic.
    pub duration: Duration,
    /// Whether everything has to happen within some seconds.
    pub is_short: bool,
    /// Messages a second.
    pub rate: f64,
    /// How many users there are.
    pub users: u16,
    /// What all that is left to chance comes from.
    pub seed: u64,
}

/// Whose seed is meant: each part of a soak draws its own numbers, whatever the others do.
#[derive(Debug, Clone, Copy)]
pub enum Dice {
    Driver,
    Faults,
    Hostile,
    Device(u16),
}

impl Settings {
    /// Those of this run.
    pub fn from_environment() -> Settings {
        let minutes: f64 = from_environment("YANSHU_SOAK_MINUTES", || 0.0);
        let is_short = minutes <= 0.0;
        let rate = if is_short { RATES.0 } else { RATES.1 };
        Settings {
            duration: if is_short {
                SHORT
            } else {
                Duration::from_secs_f64(minutes * 60.0)
            },
            is_short,
            rate: from_environment("YANSHU_SOAK_RATE", || rate),
            users: from_environment("YANSHU_SOAK_USERS", || 200),
            seed: from_environment("YANSHU_SEED", || {
                if is_short { SHORT_SEED } else { rand::random() }
            }),
        }
    }

    /// How many stretches there are, and how long each of them is.
    pub fn stretches(&self) -> (u32, Duration) {
        let wanted = (self.duration / STRETCHES).clamp(STRETCH.0, STRETCH.1);
        let count = self.duration.as_secs_f64() / wanted.as_secs_f64();
        let count = (count.round() as u32).max(1);
        (count, self.duration / count)
    }

    /// How much time lies between two samples.
    pub fn sampling(&self) -> Duration {
        Duration::from_secs(if self.duration > ENOUGH_FOR_A_SLOPE {
            5
        } else {
            1
        })
    }

    /// Whether memory can be said to grow or not.
    pub fn tells_leaks(&self) -> bool {
        self.duration >= ENOUGH_FOR_A_SLOPE
    }

    /// How long a connection lasts on average, before its device leaves it.
    pub fn life(&self) -> Duration {
        Duration::from_secs(if self.is_short { 6 } else { 60 })
    }

    /// A time that is as long in a long run, and short enough in the short form.
    pub fn shortened(&self, long: Duration) -> Duration {
        if self.is_short { long / 20 } else { long }
    }

    /// The seed of one part.
    pub fn seed_of(&self, dice: Dice) -> u64 {
        let number = match dice {
            Dice::Driver => 1,
            Dice::Faults => 2,
            Dice::Hostile => 3,
            Dice::Device(device) => 1_000 + u64::from(device),
        };
        self.seed.wrapping_add(number << 40)
    }
}
