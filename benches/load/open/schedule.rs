//! When each frame is due: fixed before the first is sent.

use std::str::FromStr;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

/// How what is due is spread over the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    Constant,
    /// As many people do who know nothing of each other: at distances of exponential distribution.
    Poisson,
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "constant" => Ok(Self::Constant),
            "poisson" => Ok(Self::Poisson),
            other => Err(format!("{other:?} is neither constant nor poisson")),
        }
    }
}

impl Arrivals {
    /// The moments of so many seconds, from the beginning.
    pub fn moments(self, rate: f64, seconds: f64, rng: &mut StdRng) -> Vec<Duration> {
        let mut moments = Vec::with_capacity((rate * seconds * 1.1) as usize);
        let mut at = 0.0;
        loop {
            at += match self {
                Self::Constant => 1.0 / rate,
                Self::Poisson => -(1.0 - rng.random::<f64>()).ln() / rate,
            };
            if at >= seconds {
                return moments;
            }
            moments.push(Duration::from_secs_f64(at));
        }
    }
}
