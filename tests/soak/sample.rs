//! What is written down every second: memory, descriptors, threads, the size of the database, and how it goes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use tokio::task::block_in_place;
use tokio::time::{MissedTickBehavior, interval};

use super::ground::Ground;
use super::shared::Shared;

/// A process at a moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Process {
    /// Changes with each life.
    pub pid: u32,
    pub rss_kib: u64,
    pub descriptors: u64,
    pub threads: u64,
}

/// Everything at a moment.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// Seconds after the beginning.
    pub at: f64,
    /// Of each node; `None` while it is down.
    pub nodes: Vec<Option<Process>>,
    /// The clients and what is remembered of them.
    pub soak: Option<Process>,
    /// Bytes, and those of them that are a log; `None` while it is down.
    pub database: Option<(u64, u64)>,
    /// Messages that were acknowledged, a second.
    pub acked_a_second: f64,
    /// Milliseconds to an acknowledgement, which 99 in 100 did not exceed; `None` where there was none.
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Devices that are connected.
    pub connected: i64,
    /// Processor seconds of all nodes, a second.
    pub processors: f64,
}

/// Takes samples until it is aborted.
pub async fn run(
    ground: Arc<Ground>,
    shared: Arc<Shared>,
    into: Arc<std::sync::Mutex<Vec<Sample>>>,
) {
    let mut tick = interval(shared.settings.sampling());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = (shared.seconds(), 0, 0.0);
    tick.tick().await;
    loop {
        tick.tick().await;
        let sample = block_in_place(|| sample(&ground, &shared, &mut last));
        into.lock().expect("nobody panicked").push(sample);
    }
}

/// `last` is the time of the last sample, and what was counted until then.
fn sample(ground: &Ground, shared: &Shared, last: &mut (f64, u64, f64)) -> Sample {
    let at = shared.seconds();
    let acked = shared.gauges.acked.load(Ordering::Relaxed);
    let acks = shared.gauges.take_acks();
    let quantile = |part| (!acks.is_empty()).then(|| acks.value_at_quantile(part) as f64 / 1e3);
    let pids = ground.nodes().iter().map(|node| node.pid());
    let nodes: Vec<_> = pids.map(Process::observe).collect();
    let seconds: f64 = ground
        .nodes()
        .iter()
        .map(|node| processor_seconds(node.pid()))
        .sum();
    let passed = at - last.0;
    let sample = Sample {
        at,
        nodes,
        soak: Process::observe(std::process::id()),
        database: ground.database_size(),
        acked_a_second: (acked - last.1) as f64 / passed,
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        connected: shared.gauges.connected.load(Ordering::Relaxed),
        // A node that was restarted counts from its beginning.
        processors: (seconds - last.2).max(0.0) / passed,
    };
    *last = (at, acked, seconds);
    sample
}

impl Process {
    /// `None` where there is no such process, or only what is left of it.
    pub fn observe(pid: u32) -> Option<Process> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Process {
            pid,
            rss_kib: field("VmRSS:")?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64,
            threads: field("Threads:")?,
        })
    }
}

/// What a process has used of the processors so far. The kernel counts in hundredths of a second.
fn processor_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(2);
    times
        .filter_map(|time| time.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
