//! A row of a table for what was measured in the open loop.

use serde_json::{Value, json};

use super::sample::Sample;
use crate::report::{cores, of, row, shown};

/// What all such tables have, after columns of their own.
pub const HEAD: [&str; 11] = [
    "offered/s",
    "achieved/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "delivery p50 ms",
    "p99 ms",
    "p99.9 ms",
    "sent late, p99 ms",
    "generator",
    "cores",
];

/// The head of such a table.
pub fn head<'a>(own: &[&'a str]) -> Vec<&'a str> {
    own.iter().copied().chain(HEAD).collect()
}

/// A row; the repetitions of one point.
pub fn print(own: &[String], samples: &[Sample]) {
    let mut cells = own.to_vec();
    cells.push(shown(0, of(samples, |s| s.offered)));
    cells.push(shown(0, of(samples, |s| s.achieved)));
    cells.extend([0, 1, 2].map(|at| shown(2, of(samples, |s| s.answers[at]))));
    cells.extend([0, 1, 2].map(|at| shown(2, of(samples, |s| s.deliveries[at]))));
    cells.push(shown(2, of(samples, |s| s.generator.lag[1])));
    cells.push(limits(samples));
    cells.push(cores(samples, |s| s.cores));
    row(&cells);
}

/// What the generator hit itself, in most of the repetitions.
fn limits(samples: &[Sample]) -> String {
    let mut names: Vec<&str> = samples.iter().flat_map(|s| s.generator.limits()).collect();
    names.sort_unstable();
    let most: Vec<&str> = names
        .chunk_by(|a, b| a == b)
        .filter(|same| 2 * same.len() > samples.len())
        .map(|same| same[0])
        .collect();
    if most.is_empty() {
        "free".to_owned()
    } else {
        most.join(", ")
    }
}

/// Every repetition.
pub fn json(samples: &[Sample]) -> Value {
    json!(samples.iter().map(Sample::json).collect::<Vec<_>>())
}
