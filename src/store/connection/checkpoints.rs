//! SQLite's log: laid out in advance, and copied into the database beside the connection that writes.
//!
//! A checkpoint copies what was committed from the log into the database and syncs it. Left to SQLite, the
//! commit that finds the log long enough does so, and whoever waits for that commit waits for some
//! thousand pages. Here a thread of its own copies while commits go on. What is left to the writer is the
//! last piece, with which the log begins anew: a checkpoint beside a writer never quite catches up with it.
//!
//! Seldom is better than often, up to a point: pages that were changed many times are copied and synced once.
//!
//! And a log that grows makes every sync write down its new length, too, which takes about as long as the pages
//! themselves. So it gets its full length before the first checkpoint: zeros, which SQLite takes for what
//! they are, the end of what was committed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::connection::{Connection, SimpleConnection};
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::Integer;
use diesel::sqlite::SqliteConnection;

use super::StoreError;
use crate::store::Write;

/// What is not copied when the log has so many pages of 4 KiB, the commit copies that finds it so. More than is
/// written between two checkpoints: it is for when they cannot keep up.
pub const LOG_PAGES: u32 = 32_000;
/// And its length, in bytes: those pages, each with a head of 24.
pub const LOG_BYTES: u64 = 128 * 1024 * 1024;
/// It begins anew once it has so many pages: the last piece holds up a commit, and is worth it once in a while.
const FULL: i32 = 16_000;
/// It is laid out in pieces of so many, between which others write.
const PIECE: usize = 512 * 1024;

/// A checkpoint is due after so many writes, of which a long text counts as several ([`weight`]): some 4,000 to 24,000
/// pages, as many or few share a commit.
const EVERY: usize = 4_000;
/// So many bytes of a text count as one write.
const TEXT: usize = 1024;
/// It is repeated, for what was committed meanwhile, until no more than so many pages are left, and at most so
/// many times.
const LEFT: i32 = 100;
const TIMES: u32 = 4;

/// A database's checkpoints. Cheap to clone; with the last clone its thread ends.
#[derive(Clone)]
pub struct Checkpoints {
    written: Arc<AtomicUsize>,
    /// All is copied but a last piece.
    nearly: Arc<AtomicBool>,
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
        let nearly = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&nearly);
        let handle = thread
            .spawn(move || run(connection, log, &dues, &done))
            .map_err(|error| StoreError::Thread(error.to_string()))?;
        Ok(Self {
            written: Arc::default(),
            nearly,
            thread: Arc::new(Thread {
                due: Some(due),
                handle: Some(handle),
            }),
        })
    }

    /// These writes were committed by this connection, which may have the last piece to copy.
    pub fn wrote(&self, batch: &[Write], connection: &mut SqliteConnection) {
        if self.nearly.swap(false, Ordering::Relaxed)
            && let Err(error) = checkpoint(connection)
        {
            log::debug!("a checkpoint failed: {error}");
        }
        let weight = batch.iter().map(weight).sum();
        if self.written.fetch_add(weight, Ordering::Relaxed) + weight < EVERY {
            return;
        }
        self.written.store(0, Ordering::Relaxed);
        if let Some(due) = &self.thread.due {
            // One that is due already serves both.
            let _ = due.try_send(());
        }
    }
}

/// As how many writes one counts.
fn weight(write: &Write) -> usize {
    match write {
        Write::Message(message) | Write::Keyed(message, _) => 1 + message.text.len() / TEXT,
        _ => 1,
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

fn run(
    mut connection: SqliteConnection,
    mut log: Option<PathBuf>,
    dues: &Receiver<()>,
    nearly: &AtomicBool,
) {
    while dues.recv().is_ok() {
        // The writer meets whatever stands in the way as well, and says so to those who wait for it.
        if let Some(log) = log.take()
            && let Err(error) = lay_out(&mut connection, &log)
        {
            log::debug!("the log is as long as it is: {error}");
        }
        match catch_up(&mut connection) {
            Ok(pages) => nearly.store(pages >= FULL, Ordering::Relaxed),
            Err(error) => log::debug!("a checkpoint failed: {error}"),
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
    let missing = usize::try_from(LOG_BYTES.saturating_sub(length)).unwrap_or(PIECE);
    let is_short = missing > 0;
    if is_short {
        file.write_all_at(&[0; PIECE][..missing.min(PIECE)], length)?;
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

/// Returns how many pages the log has.
fn catch_up(connection: &mut SqliteConnection) -> QueryResult<i32> {
    let mut progress = checkpoint(connection)?;
    for _ in 1..TIMES {
        if progress.log - progress.checkpointed <= LEFT {
            break;
        }
        progress = checkpoint(connection)?;
    }
    Ok(progress.log)
}

/// Copies what no reader stands in the way of, and waits for nobody.
fn checkpoint(connection: &mut SqliteConnection) -> QueryResult<Progress> {
    diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(connection)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::store::{DatabaseUrl, Store, StoreOptions};

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

    /// How often a log began anew, in its own words (<https://www.sqlite.org/fileformat2.html#walformat>).
    fn log_beginnings(log: &Path) -> [u8; 4] {
        let mut number = [0; 4];
        File::open(log)
            .unwrap()
            .read_exact_at(&mut number, 12)
            .unwrap();
        number
    }

    fn open(path: &Path) -> Store {
        Store::open(&StoreOptions {
            url: DatabaseUrl::Sqlite(path.to_str().unwrap().to_owned()),
            writers: 1,
            readers: 1,
            timeout: Duration::from_secs(5),
            strangers: true,
        })
        .unwrap()
    }

    #[test]
    fn the_commit_after_a_checkpoint_copies_what_it_left_and_the_log_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("yanshu.db");
        let log = directory.path().join("yanshu.db-wal");
        let _store = open(&path);
        let name = path.to_str().unwrap();
        let mut writer = SqliteConnection::establish(name).unwrap();
        let checkpoints = Checkpoints::begin(name, None, Duration::from_secs(5)).unwrap();
        let mut began_anew = |nearly| {
            let before = log_beginnings(&log);
            checkpoints.nearly.store(nearly, Ordering::Relaxed);
            for _ in 0..2 {
                let write = "UPDATE id_allocation SET probes = probes + 1";
                writer.batch_execute(write).unwrap();
                checkpoints.wrote(&[Write::Probe], &mut writer);
            }
            log_beginnings(&log) != before
        };
        assert!(!began_anew(false));
        assert!(began_anew(true));
        assert!(!began_anew(false), "once is enough");
    }

    #[test]
    fn after_some_writes_the_log_has_its_full_length_and_the_database_what_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("yanshu.db");
        let log = directory.path().join("yanshu.db-wal");
        let store = open(&path);
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
