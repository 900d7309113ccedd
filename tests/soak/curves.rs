//! What a soak is drawn as.

use super::report::Report;
use super::sample::{Process, Sample};

type Points = Vec<(f64, f64)>;
type Series = Vec<(String, Points)>;

/// A picture: its name, what its vertical axis counts, and its curves.
pub type Picture = (&'static str, &'static str, Series);

const MIB: f64 = 1024.0 * 1024.0;

impl Report {
    /// All pictures.
    pub fn pictures(&self) -> Vec<Picture> {
        let pictures = [
            ("memory", "resident memory, MiB", self.memory()),
            ("descriptors", "descriptors and threads", self.descriptors()),
            ("database", "size, MiB", self.database()),
            (
                "throughput",
                "messages acknowledged a second",
                self.throughput(),
            ),
            ("latency", "sending to acknowledgement, ms", self.latency()),
        ];
        let with_faults = |(name, y, mut series): Picture| {
            // On the axis, where they struck.
            let strikes = self.strikes.iter().map(|strike| (strike.at / 60.0, 0.0));
            series.push(("faults".to_owned(), strikes.collect()));
            (name, y, series)
        };
        pictures.map(with_faults).into()
    }

    fn memory(&self) -> Series {
        let mib = |process: &Process| process.rss_kib as f64 / 1024.0;
        let mut series = self.of_nodes(mib);
        series.push(self.curve("the clients", |sample| sample.soak.as_ref().map(mib)));
        series
    }

    fn descriptors(&self) -> Series {
        let mut series = self.of_nodes(|node| node.descriptors as f64);
        let threads = |sample: &Sample| Some(sample.nodes[0]?.threads as f64);
        series.extend([
            self.curve("connected devices", |sample| Some(sample.connected as f64)),
            self.curve("threads of node 0", threads),
        ]);
        series
    }

    fn database(&self) -> Series {
        let all = |sample: &Sample| Some(sample.database?.0 as f64 / MIB);
        let log = |sample: &Sample| Some(sample.database?.1 as f64 / MIB);
        vec![
            self.curve("all", all),
            self.curve("write-ahead log (SQLite)", log),
        ]
    }

    fn throughput(&self) -> Series {
        vec![self.curve("acknowledged", |sample| Some(sample.acked_a_second))]
    }

    fn latency(&self) -> Series {
        vec![
            self.curve("p99", |sample| sample.p99_ms),
            self.curve("p50", |sample| sample.p50_ms),
        ]
    }

    fn curve(&self, name: &str, value: impl Fn(&Sample) -> Option<f64>) -> (String, Points) {
        let samples = self.samples.iter();
        let points = samples.filter_map(|sample| Some((sample.at / 60.0, value(sample)?)));
        (name.to_owned(), points.collect())
    }

    fn of_nodes(&self, value: impl Fn(&Process) -> f64) -> Series {
        let nodes = self.descriptors[0].len();
        let curve = |node: usize| {
            let value = |sample: &Sample| sample.nodes[node].as_ref().map(&value);
            self.curve(&format!("node {node}"), value)
        };
        (0..nodes).map(curve).collect()
    }
}
