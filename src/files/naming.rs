//! A file that has come in without a name gets one, where that can be: so none of its bytes is written twice.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, linkat};

/// Gives a file without a name this one. It is durable then, and seen whole or not at all.
///
/// # Errors
/// Where the file system does not do that, or fails.
pub fn give_name(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    let folder = path.parent().unwrap_or(path);
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        sync(folder.parent().unwrap_or(folder))?;
    }
    // By its descriptor (open(2), O_TMPFILE).
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(CWD, nameless, CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    sync(folder)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
