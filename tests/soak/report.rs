//! What a soak leaves: numbers as JSON, curves as SVG, and a summary for people.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bounds::Memory;
use super::faults::Strike;
use super::ledger::Totals;
use super::plot::Plot;
use super::sample::{Process, Sample};

/// Everything that is worth knowing of a soak.
#[derive(Debug, Serialize)]
pub struct Report {
    pub ground: &'static str,
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

/// Where soaks leave what they found.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/soak")
}

impl Report {
    /// Writes the numbers and the curves.
    pub fn write(&self) {
        let directory = directory();
        fs::create_dir_all(&directory).expect("the directory can be made");
        let numbers = serde_json::to_string_pretty(self).expect("numbers make JSON");
        let path = directory.join(format!("{}.json", self.ground));
        fs::write(path, numbers).expect("the file can be written");
        for (name, y, series) in self.curves() {
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

    fn curves(&self) -> [(&'static str, &'static str, Series); 5] {
        let mib = 1024.0 * 1024.0;
        [
            (
                "memory",
                "resident memory, MiB",
                self.of_nodes(|node| node.rss_kib as f64 / 1024.0),
            ),
            ("descriptors", "descriptors and threads", {
                let mut series = self.of_nodes(|node| node.descriptors as f64);
                series
                    .push(self.curve("connected devices", |sample| Some(sample.connected as f64)));
                series.push(self.curve("threads", |sample| Some(sample.nodes[0]?.threads as f64)));
                series
            }),
            (
                "database",
                "size, MiB",
                vec![
                    self.curve("all", |sample| Some(sample.database?.0 as f64 / mib)),
                    self.curve("write-ahead log (SQLite)", |sample| {
                        Some(sample.database?.1 as f64 / mib)
                    }),
                ],
            ),
            (
                "throughput",
                "messages acknowledged a second",
                vec![self.curve("acknowledged", |sample| Some(sample.acked_a_second))],
            ),
            (
                "latency",
                "sending to acknowledgement, ms",
                vec![
                    self.curve("p99", |sample| sample.p99_ms),
                    self.curve("p50", |sample| sample.p50_ms),
                ],
            ),
        ]
        .map(|(name, y, mut series)| {
            // On the axis, where they struck.
            let strikes = self.strikes.iter().map(|strike| (strike.at / 60.0, 0.0));
            series.push(("faults".to_owned(), strikes.collect()));
            (name, y, series)
        })
    }

    fn curve(&self, name: &str, value: impl Fn(&Sample) -> Option<f64>) -> (String, Points) {
        let points = self
            .samples
            .iter()
            .filter_map(|sample| Some((sample.at / 60.0, value(sample)?)));
        (name.to_owned(), points.collect())
    }

    fn of_nodes(&self, value: impl Fn(&Process) -> f64) -> Series {
        let nodes = self.descriptors[0].len();
        (0..nodes)
            .map(|node| {
                let name = format!("node {node}");
                self.curve(&name, |sample| sample.nodes[node].as_ref().map(&value))
            })
            .collect()
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

type Points = Vec<(f64, f64)>;
type Series = Vec<(String, Points)>;
