//! Removes what is too old to be kept, and files that nobody can read any more, a little at a time, beside
//! everything else.

use std::time::{Duration, Instant};

use actix::Addr;
use tokio::time::sleep;

use super::db_executor::{DbExecutor, Run};
use crate::files::FileStore;
use crate::metrics::Metrics;
use crate::store::{FileSweep, FilesSwept, Store, StoreError, Sweep, Swept};

/// From one sweep to the next; a sweep that failed is begun anew after it, too.
const REST: Duration = Duration::from_secs(3600);
/// After each step the sweep pauses so many times as long as that took, but not less than the least: the
/// database is there for messages.
const PAUSES: u32 = 4;
const PAUSE_MIN: Duration = Duration::from_millis(2);

/// From one sweep of files to the next at least.
const FILES_REST_MIN: Duration = Duration::from_millis(500);

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

/// Sweeps files for ever: those that were not sent within this time, and whatever else nobody can read.
pub async fn sweep_files_regularly(
    lane: Addr<DbExecutor>,
    files: FileStore,
    grace: Duration,
    metrics: Metrics,
) {
    let rest = (grace / 4).clamp(FILES_REST_MIN, REST);
    loop {
        match sweep_files(&lane, &files, grace, &metrics).await {
            Ok(0) => {}
            Ok(removed) => log::info!("{removed} files that nobody can read were removed"),
            Err(error) => {
                log::warn!("files that nobody can read were not all removed, again later: {error}");
            }
        }
        sleep(rest).await;
    }
}

/// Goes through all files once. Returns how many were removed.
async fn sweep_files(
    lane: &Addr<DbExecutor>,
    files: &FileStore,
    grace: Duration,
    metrics: &Metrics,
) -> Result<usize, String> {
    let mut at = Some(FileSweep::new(grace));
    let mut removed = 0;
    while let Some(sweep) = at {
        let began = Instant::now();
        let FilesSwept { going, next } = ask(lane, move |store| store.sweep_files(sweep)).await?;
        for id in going {
            if let Err(error) = files.remove(id).await {
                // The others go all the same, and this one is met again.
                log::warn!("file {id} that nobody can read cannot be removed: {error}");
                continue;
            }
            ask(lane, move |store| store.forget_file(id)).await?;
            metrics.files_removed.inc();
            removed += 1;
        }
        at = next;
        sleep((began.elapsed() * PAUSES).max(PAUSE_MIN)).await;
    }
    Ok(removed)
}

async fn ask<T: Send + 'static>(
    lane: &Addr<DbExecutor>,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, String> {
    let result = lane.send(Run::new(work)).await;
    let result = result.unwrap_or(Err(StoreError::Gone));
    result.map_err(|error| error.to_string())
}
