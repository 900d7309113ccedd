//! Files that may be replaced while the server runs: keys, certificates.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What changes when a file does, or when another takes its place: time, size, number.
type Stamp = (SystemTime, u64, u64);

/// Files that are looked at once a second.
#[derive(Debug, Clone)]
pub struct Watched {
    paths: Vec<PathBuf>,
    /// `None` for a file that is not there.
    seen: Vec<Option<Stamp>>,
}

impl Watched {
    /// Watches these files from now on. What changes between this and a first reading is noticed, so make
    /// it before that.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let seen = paths.iter().map(|path| stamp(path)).collect();
        Self { paths, seen }
    }

    /// The files.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Waits until it is time to look again, and says whether any file has changed since the last look.
    pub async fn look(&mut self) -> bool {
        tokio::time::sleep(LOOK).await;
        let now: Vec<_> = self.paths.iter().map(|path| stamp(path)).collect();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len(), file.ino()))
}
