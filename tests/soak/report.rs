//! What a soak leaves: numbers as JSON, curves as SVG, and a summary for people.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bounds::Memory;
use super::faults::Strike;
use super::ledger::Totals;
use super::plot::Plot;
use super::sample::Sample;

/// Everything that is worth knowing of a soak.
#[derive(Debug, Serialize)]
pub struct Report {
    pub ground: &'static str,
    pub is_short: bool,
    pub build: &'static str,
    pub seed: u64,
    pub seconds: f64,
    pub rate: f64,
    pub users: u16,
    pub devices: usize,
    pub totals: Totals,
    pub refused: u64,
    pub skipped: u64,
    pub hostile: u64,
    pub strikes: Vec<Strike>,
    /// Of each node, before anybody came and after everybody left.
    pub descriptors: [Vec<u64>; 2],
    pub memory: Vec<Memory>,
    /// What is wrong. A soak without findings passes.
    pub findings: Vec<String>,
    pub samples: Vec<Sample>,
}

impl Report {
    /// Where it is left: the short form does not replace what a soak has found.
    fn directory(&self) -> PathBuf {
        let soaks = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/soak");
        if self.is_short {
            soaks.join("short")
        } else {
            soaks
        }
    }

    /// Writes the numbers and the curves.
    pub fn write(&self) {
        let directory = self.directory();
        fs::create_dir_all(&directory).expect("the directory can be made");
        let numbers = serde_json::to_string_pretty(self).expect("numbers make JSON");
        let path = directory.join(format!("{}.json", self.ground));
        fs::write(path, numbers).expect("the file can be written");
        for (name, y, series) in self.pictures() {
            let title = format!("{name}, {} for {:.0} min", self.ground, self.seconds / 60.0);
            let plot = Plot {
                title: &title,
                x: "minutes",
                y,
                log: false,
                series,
            };
            let path = directory.join(format!("{}-{name}.svg", self.ground));
            // Only where there is nothing to show.
            if let Err(error) = plot.write(&path) {
                println!("no curve: {error}");
            }
        }
    }

    /// For people, as Markdown.
    pub fn summary(&self) -> String {
        let Totals {
            connections,
            messages,
            acked,
            delivered,
            read,
            granted,
            resent,
        } = self.totals;
        let median = |value: &dyn Fn(&Sample) -> Option<f64>| {
            let mut values: Vec<f64> = self.samples.iter().filter_map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        let count = |wanted: bool| {
            let strikes = self.strikes.iter();
            strikes
                .filter(|strike| strike.fault.ends_a_node() == wanted)
                .count()
        };
        let longest = self
            .strikes
            .iter()
            .map(|strike| strike.lasted)
            .fold(0.0, f64::max);
        let size = self.samples.iter().rev().find_map(|sample| sample.database);
        let memory = self.memory.iter().map(|memory| {
            let mib = |kib: u64| kib as f64 / 1024.0;
            format!(
                "{:.0} → {:.0} MiB",
                mib(memory.quarter_kib),
                mib(memory.end_kib)
            )
        });
        let memory: Vec<String> = memory.collect();
        let [before, after] = &self.descriptors;
        let rows = [
            (
                "messages sent, acknowledged",
                format!("{messages}, {acked}"),
            ),
            ("delivered, read", format!("{delivered}, {read}")),
            (
                "connections, hostile ones",
                format!("{connections}, {}", self.hostile),
            ),
            ("IDs granted", granted.to_string()),
            ("sent again on purpose", resent.to_string()),
            (
                "refused for a time, not sent at all",
                format!("{}, {}", self.refused, self.skipped),
            ),
            (
                "ends of a node, other faults",
                format!("{}, {}", count(true), count(false)),
            ),
            ("longest time to recover", format!("{longest:.1} s")),
            (
                "acknowledged a second (median)",
                format!("{:.0}", median(&|sample| Some(sample.acked_a_second))),
            ),
            (
                "ack p50, p99 (median of the intervals)",
                format!(
                    "{:.1} ms, {:.1} ms",
                    median(&|sample| sample.p50_ms),
                    median(&|sample| sample.p99_ms)
                ),
            ),
            (
                "processors in use by the nodes (median)",
                format!("{:.2}", median(&|sample| Some(sample.processors))),
            ),
            (
                "memory, last life: after a quarter → at the end",
                memory.join(", "),
            ),
            (
                "descriptors: before → after",
                format!("{before:?} → {after:?}"),
            ),
            (
                "database at the end",
                format!("{} MiB", size.unwrap_or_default().0 / 1024 / 1024),
            ),
            ("findings", self.findings.len().to_string()),
        ];
        let head = format!(
            "Soak on {}, {}: {:.1} min, {} users with {} devices, {} messages/s asked for, YANSHU_SEED={}\n\n| what | |\n|---|---|\n",
            self.ground,
            self.build,
            self.seconds / 60.0,
            self.users,
            self.devices,
            self.rate,
            self.seed
        );
        let rows = rows
            .iter()
            .map(|(what, value)| format!("| {what} | {value} |\n"));
        head + &rows.collect::<String>()
    }
}
