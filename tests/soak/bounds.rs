//! What must hold of the processes themselves: they give back what they took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use super::faults::Strike;
use super::ground::Ground;
use super::sample::{Process, Sample};
use super::settings::Settings;

/// How many descriptors a node may have beyond those it began with, once everybody has left: connections to the
/// database are opened when they are needed.
const MORE_DESCRIPTORS: u64 = 64;

/// How long it may take until what the clients left is closed.
const CLOSING: Duration = Duration::from_secs(40);

/// By how much memory may grow from a quarter of a long life to its end.
const GROWTH: (f64, u64) = (1.25, 16 * 1024);

/// What became of a node's memory in its last life.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Memory {
    /// Seconds after the beginning.
    pub since: f64,
    /// After a quarter of this life, and at its end: medians, in KiB.
    pub quarter_kib: u64,
    pub end_kib: u64,
}

/// The descriptors of all nodes.
pub fn descriptors(ground: &Ground) -> Vec<u64> {
    let nodes = ground.nodes().iter();
    let observed = nodes.map(|node| Process::observe(node.pid()).unwrap_or_default());
    observed.map(|process| process.descriptors).collect()
}

/// Waits until the nodes have closed what the clients left. Returns what they have then, and what is wrong.
pub async fn descriptors_return(ground: &Arc<Ground>, before: &[u64]) -> (Vec<u64>, Vec<String>) {
    let deadline = Instant::now() + CLOSING;
    loop {
        let now = descriptors(ground);
        let mut pairs = now.iter().zip(before);
        let returned = pairs.all(|(now, before)| *now <= before + MORE_DESCRIPTORS);
        if returned {
            return (now, Vec::new());
        }
        if Instant::now() >= deadline {
            let wrong = format!(
                "everybody has left, and the nodes hold {now:?} descriptors after {before:?} at the beginning"
            );
            return (now, vec![wrong]);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The last life of each node: since the last fault that ended one.
pub fn memory(samples: &[Sample], strikes: &[Strike], nodes: usize) -> Vec<Memory> {
    let last_end = strikes
        .iter()
        .rev()
        .find(|strike| strike.fault.ends_a_node());
    let since = last_end.map_or(0.0, |strike| strike.at + strike.lasted);
    let until = samples.last().map_or(since, |sample| sample.at);
    let life = until - since;
    let median = |node: usize, from: f64, to: f64| {
        let (from, to) = (since + life * from, since + life * to);
        let meant = samples
            .iter()
            .filter(|sample| (from..=to).contains(&sample.at));
        let mut sizes: Vec<u64> = meant
            .filter_map(|sample| Some(sample.nodes[node]?.rss_kib))
            .collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied().unwrap_or_default()
    };
    (0..nodes)
        .map(|node| Memory {
            since,
            quarter_kib: median(node, 0.25, 0.3),
            end_kib: median(node, 0.95, 1.0),
        })
        .collect()
}

/// What grew beyond its bound, where the run was long enough to tell.
pub fn leaks(settings: &Settings, memory: &[Memory]) -> Vec<String> {
    let (factor, more) = GROWTH;
    let grew = memory
        .iter()
        .filter(|memory| memory.end_kib > (memory.quarter_kib as f64 * factor) as u64 + more);
    let grew = grew.filter(|_| settings.tells_leaks());
    grew.map(|memory| format!("the memory of a node grew without need: {memory:?}"))
        .collect()
}
