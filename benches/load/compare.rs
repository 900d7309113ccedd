//! Two binaries of the server in turns: what one revision has won or lost against another.

use serde_json::{Value, json};

use crate::child::Kind;
use crate::ground::On;
use crate::report::{header, row, shown};
use crate::{Bench, Outcome, idle, ladder, load, median};

/// Messages a second in the open loop.
const RATE: f64 = 1_000.0;

/// Something of both that can be measured.
struct Figure {
    name: &'static str,
    /// Of how many figures one measurement gives, their names.
    measure: fn(&Bench<'_>, Kind, On) -> Outcome<Vec<f64>>,
    more: &'static [&'static str],
}

const FIGURES: [Figure; 4] = [
    Figure {
        name: "messages/s, 100 pairs × 1",
        measure: |bench, kind, on| closed(bench, kind, on, 1),
        more: &[],
    },
    Figure {
        name: "messages/s, 100 pairs × 10",
        measure: |bench, kind, on| closed(bench, kind, on, 10),
        more: &[],
    },
    Figure {
        name: "connects/s",
        measure: |bench, kind, on| {
            let sample = idle::measure(bench.setup(kind, on), bench.plan.users)?;
            Ok(vec![sample.rate, sample.memory])
        },
        more: &["KiB of an idle user"],
    },
    Figure {
        name: "ack p50 ms at 1,000/s",
        measure: |bench, kind, on| {
            let sample = ladder::measure(bench.setup(kind, on), RATE, bench.plan)?;
            Ok(sample.answers.to_vec())
        },
        more: &["ack p99 ms at 1,000/s", "ack p99.9 ms at 1,000/s"],
    },
];

fn closed(bench: &Bench<'_>, kind: Kind, on: On, depth: usize) -> Outcome<Vec<f64>> {
    let pairs = bench.plan.pairs.iter().copied().max().unwrap_or(100);
    let sample = load::measure(bench.setup(kind, on), pairs, depth, bench.plan)?;
    Ok(vec![sample.rate])
}

/// A table for each ground.
pub fn scenario(bench: &Bench<'_>) -> Outcome<Value> {
    let mut kept = Vec::new();
    for &on in &bench.plan.on {
        let title = format!(
            "The base and the present in turns, {} times, on {}",
            bench.plan.repeat,
            on.name()
        );
        let head = ["", "base", "from – to", "present", "from – to", "ratio"];
        header(&title, &head);
        for figure in &FIGURES {
            kept.extend(figure.compare(bench, on)?);
        }
    }
    Ok(json!(kept))
}

impl Figure {
    fn compare(&self, bench: &Bench<'_>, on: On) -> Outcome<Vec<Value>> {
        let (mut base, mut present) = (Vec::new(), Vec::new());
        for _ in 0..bench.plan.repeat {
            base.push((self.measure)(bench, Kind::Base, on)?);
            present.push((self.measure)(bench, Kind::Yanshu, on)?);
        }
        let names = [self.name].into_iter().chain(self.more.iter().copied());
        let rows = names.enumerate().map(|(at, name)| {
            let column = |values: &[Vec<f64>]| values.iter().map(|v| v[at]).collect::<Vec<_>>();
            print(on, name, column(&base), column(&present))
        });
        Ok(rows.collect())
    }
}

fn print(on: On, name: &str, mut base: Vec<f64>, mut present: Vec<f64>) -> Value {
    let kept = json!({"on": on.name(), "figure": name, "base": base, "present": present});
    let (before, now) = (median(&mut base), median(&mut present));
    let digits = if before < 100.0 { 2 } else { 0 };
    let spread = |sorted: &[f64]| {
        let ends = [sorted.first(), sorted.last()].map(|end| end.copied().unwrap_or(f64::NAN));
        ends.map(|end| shown(digits, end)).join(" – ")
    };
    row(&[
        name.to_owned(),
        shown(digits, before),
        spread(&base),
        shown(digits, now),
        spread(&present),
        shown(3, now / before),
    ]);
    kept
}
