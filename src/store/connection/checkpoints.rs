//! Checkpoints of SQLite's log, beside the connection that writes.
//!
//! A checkpoint copies what was committed from the log into the database and syncs it. Left to SQLite, the
//! commit that finds the log long enough does so, and whoever waits for that commit waits for some
//! thousand pages. Here a thread of its own copies while commits go on; what is left to the writer is the
//! last piece, when the log is to begin anew: a checkpoint beside a writer never catches up with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use diesel::connection::{Connection, SimpleConnection};
use diesel::sqlite::SqliteConnection;

use super::StoreError;

/// A checkpoint is due after so many writes: some 500 to 4,000 pages, as many or few share a commit.
const EVERY: usize = 500;

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
    /// Begins them, over a connection of their own to the database of this name, which must be set up.
    ///
    /// # Errors
    /// Where it cannot be opened, or no thread be started.
    pub fn begin(path: &str) -> Result<Self, StoreError> {
        // Now and never again: opened when the file is gone, it would make an empty one.
        let mut connection = SqliteConnection::establish(path).map_err(|error| {
            StoreError::Database(diesel::result::Error::QueryBuilderError(Box::new(error)))
        })?;
        // As the writer's: it syncs what it copies, before the log may begin anew.
        connection.batch_execute("PRAGMA synchronous = FULL; PRAGMA cache_size = -1024;")?;
        let (due, dues) = sync_channel(1);
        let thread = std::thread::Builder::new().name("checkpoints".into());
        let handle = thread
            .spawn(move || run(connection, &dues))
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

fn run(mut connection: SqliteConnection, dues: &Receiver<()>) {
    while dues.recv().is_ok() {
        // The writer meets whatever stands in the way as well, and says so to those who wait for it.
        if let Err(error) = connection.batch_execute("PRAGMA wal_checkpoint(PASSIVE)") {
            log::debug!("a checkpoint failed: {error}");
        }
    }
}
