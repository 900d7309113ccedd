//! Removes what is too old to be kept, a little at a time, beside everything else.

use std::time::{Duration, Instant};

use actix::Addr;
use tokio::time::sleep;

use super::db_executor::{DbExecutor, Run};
use crate::metrics::Metrics;
use crate::store::{StoreError, Sweep, Swept};

/// From one sweep to the next; a sweep that failed is begun anew after it, too.
const REST: Duration = Duration::from_secs(3600);
/// After each step the sweep pauses so many times as long as that took, but not less than the least: the
/// database is there for messages.
const PAUSES: u32 = 4;
const PAUSE_MIN: Duration = Duration::from_millis(2);

/// Sweeps for ever.
pub async fn sweep_regularly(lane: Addr<DbExecutor>, retain: Duration, metrics: Metrics) {
    loop {
        match sweep(&lane, retain, &metrics).await {
            Ok(0) => {}
            Ok(removed) => log::info!("{removed} old messages were removed"),
            Err(error) => log::warn!("old messages were not all removed, again later: {error}"),
        }
        sleep(REST).await;
    }
}

/// Goes through everything once. Returns how many messages were removed.
async fn sweep(
    lane: &Addr<DbExecutor>,
    retain: Duration,
    metrics: &Metrics,
) -> Result<usize, StoreError> {
    let mut at = Some(Sweep::new(retain));
    let mut removed = 0;
    while let Some(sweep) = at {
        let began = Instant::now();
        let step = lane.send(Run::new(move |store| store.sweep(sweep))).await;
        let Swept { messages, next } = step.unwrap_or(Err(StoreError::Gone))?;
        metrics.removed.inc_by(messages as u64);
        removed += messages;
        at = next;
        sleep((began.elapsed() * PAUSES).max(PAUSE_MIN)).await;
    }
    Ok(removed)
}
