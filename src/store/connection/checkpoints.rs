//! SQLite's log is copied into the database beside the connection that writes.
//!
//! A checkpoint copies what was committed from the log into the database and syncs it. Left to SQLite, the
//! commit that finds the log long enough does so, and whoever waits for that commit waits for some
//! thousand pages. Here a thread of its own copies while commits go on. What is left to the writer is the
//! last piece, with which the log begins anew: a checkpoint beside a writer never quite catches up with it.
//!
//! Seldom is better than often, up to a point: pages that were changed many times are copied and synced once.
//! What is written past the batches, as an import, counts for nothing here: its commits are its own.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
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
use super::log_file::lay_out;
use crate::store::Write;

/// What is not copied when the log has so many pages of 4 KiB, the commit copies that finds it so. More than is
/// written between two checkpoints: it is for when they cannot keep up.
pub const LOG_PAGES: u32 = 32_000;
/// It begins anew once it has so many pages: the last piece holds up a commit, and is worth it once in a while.
const FULL: i32 = 16_000;

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
    /// The log is to begin anew.
    full: Arc<AtomicBool>,
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
        let full = Arc::new(AtomicBool::new(false));
        let work = Work {
            connection,
            log,
            database: database(path)?,
            full: Arc::clone(&full),
            fails: false,
        };
        let handle = thread
            .spawn(move || work.run(&dues))
            .map_err(|error| StoreError::Thread(error.to_string()))?;
        Ok(Self {
            written: Arc::default(),
            full,
            thread: Arc::new(Thread {
                due: Some(due),
                handle: Some(handle),
            }),
        })
    }

    /// These writes were committed by this connection, which may have the last piece to copy.
    pub fn wrote(&self, batch: &[Write], connection: &mut SqliteConnection) {
        if self.full.load(Ordering::Relaxed)
            && let Err(error) = self.begin_anew(connection)
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

    /// Copies what is left of a full log, with which the next commit begins it anew, unless a reader stands in
    /// the way: then the commit after that, and so on.
    fn begin_anew(&self, connection: &mut SqliteConnection) -> QueryResult<()> {
        if checkpoint(connection, "NOOP")?.log < FULL {
            self.full.store(false, Ordering::Relaxed);
        } else {
            checkpoint(connection, "PASSIVE")?;
        }
        Ok(())
    }
}

/// The database's own file, where it is one, to be synced.
///
/// It is never closed: with any descriptor of it, the process would lose SQLite's locks
/// (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
fn database(path: &str) -> Result<Option<ManuallyDrop<File>>, StoreError> {
    match File::open(path) {
        Ok(file) => Ok(Some(ManuallyDrop::new(file))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::Log(error.to_string())),
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

/// What the thread has.
struct Work {
    connection: SqliteConnection,
    /// The log, until it was laid out.
    log: Option<PathBuf>,
    database: Option<ManuallyDrop<File>>,
    full: Arc<AtomicBool>,
    /// The last checkpoint failed.
    fails: bool,
}

impl Work {
    fn run(mut self, dues: &Receiver<()>) {
        while dues.recv().is_ok() {
            if let Some(log) = self.log.take()
                && let Err(error) = lay_out(&mut self.connection, &log)
            {
                log::debug!("the log is as long as it is: {error}");
            }
            let pages = self.catch_up();
            if let Ok(pages) = &pages {
                self.full.store(*pages >= FULL, Ordering::Relaxed);
            }
            self.tell(pages.err());
        }
    }

    /// Returns how many pages the log has.
    fn catch_up(&mut self) -> Result<i32, StoreError> {
        let mut pages = 0;
        for _ in 0..TIMES {
            let progress = checkpoint(&mut self.connection, "PASSIVE")?;
            pages = progress.log;
            // Where the writer copies at this moment, that is not known.
            if pages >= 0 && pages - progress.checkpointed <= LEFT {
                break;
            }
        }
        // SQLite syncs what it copied when all is copied, which beside a writer is the writer's to do: it is not
        // to wait for more than its last piece.
        let synced = self.database.as_ref().map(|file| file.sync_data());
        let synced = synced.unwrap_or(Ok(()));
        synced.map_err(|error| StoreError::Log(error.to_string()))?;
        Ok(pages)
    }

    /// Tells of failures, once: commits go on, and nobody else would say why the log grows.
    fn tell(&mut self, failure: Option<StoreError>) {
        match failure {
            Some(error) if !self.fails => {
                log::error!("checkpoints fail, and SQLite's log grows: {error}");
                self.fails = true;
            }
            None if self.fails => {
                log::info!("checkpoints succeed again");
                self.fails = false;
            }
            Some(_) | None => {}
        }
    }
}

#[derive(QueryableByName)]
struct Progress {
    /// Pages in the log; -1 where it is no log, or another checkpoint is at work.
    #[diesel(sql_type = Integer)]
    log: i32,
    /// Those of them that the database has.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

/// `PASSIVE` copies what no reader stands in the way of, and waits for nobody; `NOOP` looks.
fn checkpoint(connection: &mut SqliteConnection, mode: &str) -> QueryResult<Progress> {
    diesel::sql_query(format!("PRAGMA wal_checkpoint({mode})")).get_result(connection)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::path::Path;
    use std::time::Instant;

    use super::super::log_file::LOG_BYTES;
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
    fn the_commits_after_a_checkpoint_copy_what_it_left_until_a_full_log_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("yanshu.db");
        let log = directory.path().join("yanshu.db-wal");
        let _store = open(&path);
        let name = path.to_str().unwrap();
        let mut reader = SqliteConnection::establish(name).unwrap();
        let mut writer = SqliteConnection::establish(name).unwrap();
        let settings = format!("PRAGMA wal_autocheckpoint = {LOG_PAGES}");
        writer.batch_execute(&settings).unwrap();
        let checkpoints = Checkpoints::begin(name, None, Duration::from_secs(5)).unwrap();
        let mut began_anew = |by: &str| {
            let before = log_beginnings(&log);
            for write in [by, "UPDATE id_allocation SET probes = probes + 1"] {
                writer.batch_execute(write).unwrap();
                checkpoints.wrote(&[Write::Probe], &mut writer);
            }
            log_beginnings(&log) != before
        };
        let little = "UPDATE id_allocation SET probes = probes + 2";
        checkpoints.full.store(true, Ordering::Relaxed);
        assert!(!began_anew(little), "it is not full");
        let much = format!("CREATE TABLE much AS SELECT zeroblob({})", FULL * 4096);
        assert!(
            !began_anew(&much),
            "the thread says when it is to begin anew"
        );
        checkpoints.full.store(true, Ordering::Relaxed);
        let read = "BEGIN; SELECT count(*) FROM users; ";
        reader.batch_execute(read).unwrap();
        assert!(!began_anew(little), "who reads still needs it");
        reader.batch_execute("COMMIT").unwrap();
        assert!(began_anew(little));
        assert!(!began_anew(little), "once is enough");
        assert!(!checkpoints.full.load(Ordering::Relaxed));
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
