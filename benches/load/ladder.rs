//! Pairs in the open loop, at one rate after another: what people see who write when they please.

use rand::Rng;
use serde_json::{Value, json};

use crate::child::{Kind, Server, Setup};
use crate::ground::On;
use crate::open::sample::Sample;
use crate::open::{self, Stage, Way, report as table};
use crate::plan::Rate;
use crate::report::{self, of};
use crate::{Bench, Outcome, Plan, block_on, keep};

/// Milliseconds that the acknowledgement may take at a rate: 99 % and 99.9 %.
const TARGETS: [(Rate, [f64; 2]); 2] = [
    (Rate::Absolute(1000.0), [2.0, 10.0]),
    (Rate::Share(50.0), [10.0, 25.0]),
];

/// One rate on one ground.
struct Step {
    on: On,
    rate: Rate,
    samples: Vec<Sample>,
    /// The same sockets with no store, in turn with those: what the machine leaves of a latency.
    bare: Vec<Sample>,
}

/// A table, and a picture. Of the rates of the closed loop on each ground the first is the maximum.
pub fn climb(bench: &Bench<'_>, closed: &[(On, f64)]) -> Outcome<Value> {
    let plan = bench.plan;
    let mut steps = Vec::new();
    let title = format!("{} pairs in the open loop", pairs(plan));
    report::header(&title, &table::head(&["on", "rate", "target"]));
    for &on in &plan.on {
        let max = closed.iter().find(|(ground, _)| *ground == on);
        for &rate in &plan.open.rates {
            let Some(number) = in_numbers(rate, max.map(|(_, max)| *max)) else {
                continue;
            };
            let mut step = Step {
                on,
                rate,
                samples: Vec::new(),
                bare: Vec::new(),
            };
            for _ in 0..plan.repeat {
                let measure = |kind| measure(bench.setup(kind, on), number, plan);
                step.samples.push(measure(Kind::Yanshu)?);
                if plan.limits && on != On::Outside {
                    step.bare.push(measure(Kind::NoStore)?);
                }
            }
            step.print();
            steps.push(step);
        }
    }
    if plan.keep {
        plot(plan, &steps)?;
    }
    Ok(steps.iter().map(Step::json).collect())
}

/// As many pairs as there are at most.
fn pairs(plan: &Plan) -> usize {
    plan.pairs.iter().copied().max().unwrap_or(1)
}

fn in_numbers(rate: Rate, max: Option<f64>) -> Option<f64> {
    match rate {
        Rate::Absolute(rate) => Some(rate),
        Rate::Share(share) => max.map(|max| max * share / 100.0),
    }
}

/// A fresh server under so many messages a second.
pub fn measure(setup: Setup<'_>, rate: f64, plan: &Plan) -> Outcome<Sample> {
    let server = Server::start(setup)?;
    let pairs = pairs(plan);
    block_on(async {
        let mut stage = Stage::pairs(&server.door(), pairs).await?;
        open::measure(&mut stage, &server, rate, plan, |rng| {
            let pair = rng.random_range(0..pairs);
            Way {
                socket: 2 * pair,
                to: 2 * pair + 1,
                devices: 1,
            }
        })
        .await
    })
}

impl Step {
    fn name(&self) -> String {
        match self.rate {
            Rate::Absolute(rate) => format!("{rate}/s"),
            Rate::Share(share) => format!("{share} % of the maximum"),
        }
    }

    /// What is asked for, and whether it is kept.
    fn target(&self) -> Option<([f64; 2], bool)> {
        let (_, target) = TARGETS.iter().find(|(rate, _)| *rate == self.rate)?;
        let kept = |at: usize| of(&self.samples, |s| s.answers[at + 1]) <= target[at];
        Some((*target, kept(0) && kept(1)))
    }

    fn print(&self) {
        let target = self.target().map(|([p99, p999], kept)| {
            let kept = if kept { "kept" } else { "missed" };
            format!("p99 {p99}, p99.9 {p999}: {kept}")
        });
        let own = [
            self.on.name().to_owned(),
            self.name(),
            target.unwrap_or_default(),
        ];
        table::print(&own, &self.samples);
        if !self.bare.is_empty() {
            let on = format!("{}, no store", self.on.name());
            table::print(&[on, self.name(), String::new()], &self.bare);
        }
    }

    fn json(&self) -> Value {
        json!({
            "on": self.on.name(),
            "rate": self.name(),
            "target_ms": self.target().map(|([p99, p999], _)| json!({"p99": p99, "p99.9": p999})),
            "target_kept": self.target().map(|(_, kept)| kept),
            "samples": table::json(&self.samples),
            "samples_no_store": table::json(&self.bare),
        })
    }
}

/// What is done against what it takes.
fn plot(plan: &Plan, steps: &[Step]) -> Outcome<()> {
    let mut series = Vec::new();
    for &on in &plan.on {
        for (name, at) in [("p99", 1), ("p99.9", 2)] {
            let steps = steps.iter().filter(|step| step.on == on);
            let mut points: Vec<(f64, f64)> = steps
                .map(|step| {
                    let samples = &step.samples;
                    (of(samples, |s| s.achieved), of(samples, |s| s.answers[at]))
                })
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            series.push((format!("{}, {name}", on.name()), points));
        }
    }
    keep::plot(
        "pairs",
        crate::support::plot::Plot {
            title: "Pairs in the open loop: acknowledgement",
            x: "messages/s",
            y: "ms from due to acknowledgement",
            log: true,
            series,
        },
    )
}
