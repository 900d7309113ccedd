//! What stands between a server and its disk and clock: a library in C that is loaded before the C library.
//!
//! It keeps a journal of all that is written and synced, so that a test can take away what a power cut may; it
//! fails as a disk does; and it sets the clock. Nothing of it needs root, a mount or another machine.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Its source.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/shim");

/// How a disk can fail: as `errno` says it, on every Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskError {
    /// `EIO`: nothing is written, and nothing synced.
    Broken = 5,
    /// `ENOSPC`: nothing is written any more, as where also what is overwritten takes new room.
    Full = 28,
    /// `EROFS`: nothing is written, nor opened for it.
    ReadOnly = 30,
}

/// The shim of one server, over all of its lives. It gives orders until it is dropped.
pub struct Shim {
    directory: TempDir,
    orders: File,
}

impl Shim {
    /// Compiles it. Everything works, until something is ordered.
    pub fn new() -> Shim {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        compile(&directory.path().join("shim.so"));
        let orders = File::create(directory.path().join("orders")).expect("a file can be made");
        orders.set_len(24).expect("a file can be made");
        Shim { directory, orders }
    }

    /// What the server needs in its environment, for its files below this directory.
    pub fn environment(&self, below: &Path) -> Vec<(String, String)> {
        // SQLite opens files by their real names.
        let below = fs::canonicalize(below).expect("the directory is there");
        let variables = [
            ("LD_PRELOAD", self.path("shim.so")),
            ("SHIM_ORDERS", self.path("orders")),
            ("SHIM_JOURNAL", self.journal()),
            ("SHIM_BELOW", below),
        ];
        let text = |(name, path): (&str, PathBuf)| {
            let path = path.to_str().expect("the path is UTF-8");
            (name.to_owned(), path.to_owned())
        };
        variables.map(text).to_vec()
    }

    /// The journal: `shim/disk.c` says what is in it.
    pub fn journal(&self) -> PathBuf {
        self.path("journal")
    }

    /// From now on the disk fails like this, or works again.
    pub fn order_disk_error(&self, error: Option<DiskError>) {
        let number = error.map_or(0, |error| error as i32);
        self.order(0, &number.to_ne_bytes());
    }

    /// From now on every sync is said to be done, and none is.
    pub fn order_lies(&self) {
        self.order(4, &1_i32.to_ne_bytes());
    }

    /// From now on the clock is wrong by so many seconds.
    pub fn order_clock_offset(&self, seconds: i64) {
        self.order(8, &seconds.to_ne_bytes());
    }

    /// The server kills itself at so many of the next things that it does to the disk, or, where it is to die in a
    /// checkpoint, to the database itself. Holds for each of its lives, until it is [taken back](Self::take_back_death).
    pub fn order_death(&self, after: i32, in_checkpoint: bool) {
        self.order(20, &i32::from(in_checkpoint).to_ne_bytes());
        self.order(16, &after.to_ne_bytes());
    }

    /// The server may live.
    pub fn take_back_death(&self) {
        self.order_death(0, false);
    }

    /// Writes a field of `struct orders`.
    fn order(&self, offset: u64, bytes: &[u8]) {
        let given = self.orders.write_all_at(bytes, offset);
        given.expect("orders can be written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn compile(library: &Path) {
    let sources = ["orders.c", "clock.c", "disk.c"];
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-pthread", "-o"])
        .arg(library)
        .args(sources.map(|source| Path::new(SOURCE).join(source)))
        .arg("-ldl")
        .output()
        .expect("these tests need a C compiler, as the build does: install one, and have it on the PATH as cc");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cc failed:\n{errors}");
}
