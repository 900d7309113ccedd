//! SQLite's log: laid out in advance, and copied into the database beside the connection that writes.
//!
//! A checkpoint copies what was committed from the log into the database and syncs it. Left to SQLite, the
//! commit that finds the log long enough does so, and whoever waits for that commit waits for some
//! thousand pages. Here a thread of its own copies while commits go on. What is left to the writer is the
//! last piece, when the log is to begin anew: a checkpoint beside a writer never quite catches up with it.
//!
//! And a log that grows makes every sync write down its new length, too, which takes about as long as the pages
//! themselves. So it gets its full length before the first checkpoint: zeros, which SQLite takes for what
//! they are, the end of what was committed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::connection::{Connection, SimpleConnection};
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::Integer;
use diesel::sqlite::SqliteConnection;

use super::StoreError;

/// The log begins anew when it has so many pages of 4 KiB: what is not copied by then the commit copies that
/// finds it so.
pub const LOG_PAGES: u32 = 8_000;
/// And its length, in bytes: those pages, each with a head of 24.
pub const LOG_BYTES: u64 = 32 * 1024 * 1024;
/// It is laid out in pieces of so many, between which others write.
const PIECE: usize = 512 * 1024;

/// A checkpoint is due after so many writes: some 500 to 3,000 pages, as many or few share a commit.
const EVERY: usize = 500;
/// It is repeated, for what was committed meanwhile, until no more than so many pages are left, and at most so
/// many times.
const LEFT: i32 = 100;
const TIMES: u32 = 4;

/// A database's checkpoints. Cheap to clone; with the last clone its thread ends.
#[derive(Clone)]
pub struct Checkpoints {
    written: Arc<AtomicUsize>,
    thread: Arc<Thread>,
}

struct Thread {
    /// `None` when it is to end.
    due: Option<SyncSender<()>>,
    handle: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Begins them, over a connection of their own to the database of this name, which must be set up; where
    /// its log is a plain file, it is this one.
    ///
    /// # Errors
    /// Where it cannot be opened, or no thread be started.
    pub fn begin(path: &str, log: Option<PathBuf>, patience: Duration) -> Result<Self, StoreError> {
        // Now and never again: opened when the file is gone, it would make an empty one.
        let mut connection = SqliteConnection::establish(path).map_err(|error| {
            StoreError::Database(diesel::result::Error::QueryBuilderError(Box::new(error)))
        })?;
        // As the writer's: it syncs what it copies, before the log may begin anew.
        connection.batch_execute(&format!(
            "PRAGMA busy_timeout = {};
             PRAGMA synchronous = FULL;
             PRAGMA cache_size = -1024;",
            patience.as_millis()
        ))?;
        let (due, dues) = sync_channel(1);
        let thread = std::thread::Builder::new().name("checkpoints".into());
        let handle = thread
            .spawn(move || run(connection, log, &dues))
            .map_err(|error| StoreError::Thread(error.to_string()))?;
        Ok(Self {
            written: Arc::default(),
            thread: Arc::new(Thread {
                due: Some(due),
                handle: Some(handle),
            }),
        })
    }

    /// So many writes were committed.
    pub fn count(&self, writes: usize) {
        if self.written.fetch_add(writes, Ordering::Relaxed) + writes < EVERY {
            return;
        }
        self.written.store(0, Ordering::Relaxed);
        if let Some(due) = &self.thread.due {
            // One that is due already serves both.
            let _ = due.try_send(());
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.due = None;
        // When a store is gone, so is its log, which the last connection removes: not some time later.
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

fn run(mut connection: SqliteConnection, mut log: Option<PathBuf>, dues: &Receiver<()>) {
    while dues.recv().is_ok() {
        // The writer meets whatever stands in the way as well, and says so to those who wait for it.
        if let Some(log) = log.take()
            && let Err(error) = lay_out(&mut connection, &log)
        {
            log::debug!("the log is as long as it is: {error}");
        }
        if let Err(error) = catch_up(&mut connection) {
            log::debug!("a checkpoint failed: {error}");
        }
    }
}

/// Gives a log its full length.
fn lay_out(connection: &mut SqliteConnection, log: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Log(error.to_string());
    let file = File::options().write(true).open(log).map_err(failed)?;
    loop {
        // Nobody else makes the log longer, or shorter, as long as this has the right to write.
        connection.batch_execute("BEGIN IMMEDIATE")?;
        let written = lengthen(&file);
        connection.batch_execute("ROLLBACK")?;
        if !written.map_err(failed)? {
            return file.sync_data().map_err(failed);
        }
    }
}

/// Appends zeros, unless there are enough.
fn lengthen(file: &File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    let is_short = length < LOG_BYTES;
    if is_short {
        file.write_all_at(&[0; PIECE], length)?;
    }
    Ok(is_short)
}

#[derive(QueryableByName)]
struct Progress {
    /// Pages in the log; -1 where it is no log.
    #[diesel(sql_type = Integer)]
    log: i32,
    /// Those of them that the database has.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

fn catch_up(connection: &mut SqliteConnection) -> QueryResult<()> {
    for _ in 0..TIMES {
        let checkpoint = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)");
        let progress: Progress = checkpoint.get_result(connection)?;
        if progress.log - progress.checkpointed <= LEFT {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::store::{DatabaseUrl, Store, StoreOptions, Write};

    fn length(path: &Path) -> u64 {
        std::fs::metadata(path).map_or(0, |file| file.len())
    }

    fn wait_for(what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds() {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn after_some_writes_the_log_has_its_full_length_and_the_database_what_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("yanshu.db");
        let log = directory.path().join("yanshu.db-wal");
        let store = Store::open(&StoreOptions {
            url: DatabaseUrl::Sqlite(path.to_str().unwrap().to_owned()),
            writers: 1,
            readers: 1,
            timeout: Duration::from_secs(5),
            strangers: true,
        })
        .unwrap();
        store.write(&vec![Write::Probe; EVERY - 1]).unwrap();
        assert!(length(&log) < LOG_BYTES, "short-lived servers write none");
        let before = length(&path);
        store.write(&[Write::Probe]).unwrap();
        wait_for("the log to be laid out", || length(&log) == LOG_BYTES);
        wait_for("a checkpoint", || length(&path) > before);
        store.write(&[Write::Probe]).unwrap();
        store.ping().unwrap();
    }
}
