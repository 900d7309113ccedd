//! A file that has come in without a name gets one, where that can be: so none of its bytes is written twice.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, linkat};

/// Makes all of a file durable, and gives it this name, under which it is seen whole or not at all. Returns whether it
/// has it: not every file system gives a name to what has none.
///
/// # Errors
/// Where the disk fails. What it has of the file is then not to be relied upon, even where it can be read.
pub fn give_name(file: &File, path: &Path) -> io::Result<bool> {
    file.sync_all()?;
    let folder = path.parent().unwrap_or(path);
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        sync(folder.parent().unwrap_or(folder))?;
    }
    // By its descriptor (open(2), O_TMPFILE).
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    if let Err(error) = linkat(CWD, nameless, CWD, path, AtFlags::SYMLINK_FOLLOW) {
        log::debug!("a spool cannot be given a name: {error}");
        return Ok(false);
    }
    sync(folder)?;
    Ok(true)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
