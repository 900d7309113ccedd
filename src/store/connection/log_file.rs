//! The file of SQLite's log, laid out in advance.
//!
//! A log that grows makes every sync write down its new length, too, which takes about as long as the pages
//! themselves. So it gets its full length once: zeros, which SQLite takes for what they are, the end of what was
//! committed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;

use super::StoreError;

/// Its full length, in bytes.
pub const LOG_BYTES: u64 = 128 * 1024 * 1024;
/// It is laid out in pieces of so many, between which others write.
const PIECE: usize = 512 * 1024;
/// A disk keeps so many times the log's length free: its room is for messages, not for zeros.
const KEPT_FREE: u64 = 4;

/// Gives a log its full length. Nobody who writes waits for more of it than one piece, neither to begin nor
/// for the sync of a commit.
///
/// # Errors
/// Where the disk is nearly full, or fails.
pub fn lay_out(connection: &mut SqliteConnection, log: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::Log(error.to_string());
    check_room(log).map_err(failed)?;
    let file = File::options().write(true).open(log).map_err(failed)?;
    loop {
        let began = Instant::now();
        // Nobody else makes the log longer, or shorter, as long as this has the right to write.
        connection.batch_execute("BEGIN IMMEDIATE")?;
        let written = lengthen(&file);
        connection.batch_execute("ROLLBACK")?;
        if !written.map_err(failed)? {
            return Ok(());
        }
        file.sync_data().map_err(failed)?;
        // SQLite asks for the right to write again and again, and not all the time.
        sleep(began.elapsed());
    }
}

fn check_room(log: &Path) -> io::Result<()> {
    let disk = rustix::fs::statvfs(log)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    match free >= KEPT_FREE * LOG_BYTES {
        true => Ok(()),
        false => Err(io::ErrorKind::StorageFull.into()),
    }
}

/// Appends zeros, unless there are enough.
fn lengthen(file: &File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let missing = usize::try_from(LOG_BYTES.saturating_sub(length)).unwrap_or(PIECE);
    let is_short = missing > 0;
    if is_short {
        file.write_all_at(&[0; PIECE][..missing.min(PIECE)], length)?;
    }
    Ok(is_short)
}
