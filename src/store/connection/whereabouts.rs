//! Where the file of SQLite and its log are for as long as they are open.
//!
//! SQLite itself does not look: it would go on to write, and to sync, what nobody finds at the next start.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::StoreError;

/// The files of an open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Whereabouts(Arc<Files>);

#[derive(Debug)]
struct Files {
    database: PathBuf,
    /// Its device and inode.
    identity: (u64, u64),
    log: PathBuf,
    /// The log is made when a new database is first used, and stays as long as any connection does.
    log_was_seen: AtomicBool,
}

impl Whereabouts {
    /// Of a database that was opened under this name. `None` where it is no plain path, as a URI is not.
    pub fn of(path: &str) -> Option<Self> {
        // SQLite makes the log beside the file itself, not beside a link to it.
        let database = std::fs::canonicalize(path).ok()?;
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        Some(Self(Arc::new(Files {
            identity: identity(&database).ok()?,
            database,
            log: log.into(),
            log_was_seen: AtomicBool::new(false),
        })))
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.0.log.clone()
    }

    /// Whether the files are still there. It costs two system calls.
    ///
    /// # Errors
    /// Where one is gone, or another file is in the place of the database.
    pub fn check(&self) -> Result<(), StoreError> {
        let files = &self.0;
        let moved = |path: &PathBuf| Err(StoreError::Moved(path.display().to_string()));
        if !identity(&files.database).is_ok_and(|now| now == files.identity) {
            return moved(&files.database);
        }
        if files.log.exists() {
            files.log_was_seen.store(true, Ordering::Relaxed);
        } else if files.log_was_seen.load(Ordering::Relaxed) {
            return moved(&files.log);
        }
        Ok(())
    }
}

fn identity(path: &PathBuf) -> io::Result<(u64, u64)> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}
