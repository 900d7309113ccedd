//! What the numbers were measured on.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::{Outcome, SCRATCH, median, scratch};

/// Syncs that are timed to say what the disk is like.
const SYNCS: usize = 300;

/// Cores, kernel, file system, how long a sync takes, and what else was going on.
pub fn facts() -> Outcome<Value> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    Ok(json!({
        "cores": std::thread::available_parallelism()?.get(),
        "cpu": model.map(|model| model.trim_start_matches([' ', '\t', ':'])),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "directory": SCRATCH,
        "file_system": file_system(&read("/proc/mounts"))?,
        "sync_ms": sync()?,
        "load_before": read("/proc/loadavg").split(' ').next(),
    }))
}

/// The type of the file system that holds the databases.
fn file_system(mounts: &str) -> Outcome<String> {
    let directory = Path::new(SCRATCH).canonicalize()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let point = fields.next()?;
        let kind = fields.next()?;
        directory
            .starts_with(point)
            .then(|| (point.len(), kind.to_owned()))
    });
    let (_, kind) = mounts.max_by_key(|(length, _)| *length).ok_or("no mount")?;
    Ok(kind)
}

/// Milliseconds to append 4 KiB and sync them, as the log of a commit does: the median.
fn sync() -> Outcome<f64> {
    let directory = scratch()?;
    let mut file = File::create(directory.path().join("log"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&mut times))
}
