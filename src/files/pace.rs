//! How fast files come in, all together: what they leave of processor and disk is for messages.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After a rest, so much may come at once.
const BURST: Duration = Duration::from_millis(100);

/// Whose turn it is, and when.
pub struct Pace {
    /// Bytes a second.
    rate: f64,
    /// When what was let in so far will have been written, at this rate.
    busy_until: Mutex<Instant>,
}

impl Pace {
    /// So many bytes a second.
    pub fn new(rate: u64) -> Self {
        Self {
            rate: rate.max(1) as f64,
            busy_until: Mutex::new(Instant::now()),
        }
    }

    /// When so many bytes more may come. Those who ask first come first.
    pub fn turn(&self, bytes: usize) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / self.rate);
        let now = Instant::now();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let mut busy_until = self
            .busy_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let begins = (*busy_until).max(earliest);
        *busy_until = begins + takes;
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_follow_one_another_at_the_rate_and_a_rest_is_not_saved_up() {
        let pace = Pace::new(1_000);
        let begins = Instant::now();
        for at in [0, 1, 2] {
            assert_eq!(pace.turn(1_000), begins + Duration::from_secs(at));
        }
        tokio::time::advance(Duration::from_secs(3600)).await;
        let now = Instant::now();
        let turns: Vec<Instant> = (0..3).map(|_| pace.turn(100)).collect();
        assert_eq!(turns, [now - BURST, now, now + BURST]);
    }
}
