//! Tables for people, JSON for programs; both say medians.

use serde_json::{Value, json};

use crate::cores::Cores;
use crate::ground::On;
use crate::{idle, load, median};

/// The repetitions of one point.
pub struct Point<S> {
    pub yanshu: Vec<S>,
    pub no_store: Vec<S>,
    /// Messages or connects a second of the store alone.
    pub inserts: Vec<f64>,
}

impl<S> Point<S> {
    pub fn new() -> Self {
        Self {
            yanshu: Vec::new(),
            no_store: Vec::new(),
            inserts: Vec::new(),
        }
    }
}

/// The median of one figure of the repetitions.
pub fn of<S>(samples: &[S], figure: impl Fn(&S) -> f64) -> f64 {
    median(&mut samples.iter().map(figure).collect::<Vec<_>>())
}

/// A number with so many digits after the point; a dash if there is none.
pub fn shown(digits: usize, number: f64) -> String {
    if number.is_nan() {
        "–".to_owned()
    } else {
        format!("{number:.digits$}")
    }
}

/// Prints a row of a table.
pub fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Prints a heading and the head of a table.
pub fn header(title: &str, cells: &[&str]) {
    println!("\n## {title}\n");
    row(&cells.iter().map(|&cell| cell.into()).collect::<Vec<_>>());
    row(&vec!["---:".into(); cells.len()]);
}

pub fn machine(facts: &Value) {
    let text = |name: &str| match &facts[name] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number
            .as_f64()
            .map_or_else(String::new, |n| format!("{n:.4}")),
        _ => "unknown".into(),
    };
    println!(
        "{} cores ({}), Linux {}, databases on {} in {}, {} ms for 4 KiB appended and synced, \
         load average {} at the start.\n\n\
         The client is one thread that shares the cores with the server; frames are masked and \
         found by plain byte work. In the open loop, frames are sent by a second thread when they are due, and \
         latencies count from then; the column \"generator\" names the limits that it hit itself, if any. \
         \"Cores\" says who used how many of them in the measured time \
         (server + client + PostgreSQL and nats-server + everything else on the machine); nothing is \
         pinned. Every figure is a median; the servers, their sockets without a store and the \
         stores without sockets took turns.",
        text("cores").trim_end_matches('0').trim_end_matches('.'),
        text("cpu"),
        text("kernel"),
        text("file_system"),
        text("directory"),
        text("sync_ms"),
        text("load_before"),
    );
}

fn percent(share: f64) -> String {
    match shown(0, 100.0 * share).as_str() {
        "–" => "–".to_owned(),
        number => format!("{number} %"),
    }
}

pub const LOAD_HEAD: [&str; 12] = [
    "on",
    "pairs",
    "messages/s",
    "ack p50 ms",
    "p99 ms",
    "p99.9 ms",
    "sockets, no store /s",
    "its p50 ms",
    "store, no sockets /s",
    "of the smaller limit",
    "cores",
    "cores, no store",
];

pub fn cores<S>(samples: &[S], get: impl Fn(&S) -> Cores) -> String {
    if samples.is_empty() {
        return "–".to_owned();
    }
    format!(
        "{:.2} + {:.2} + {:.2} + {:.2}",
        of(samples, |s| get(s).server),
        of(samples, |s| get(s).client),
        of(samples, |s| get(s).ground),
        of(samples, |s| get(s).others),
    )
}

/// Prints a row of a table of messages.
pub fn load_row(on: On, pairs: usize, point: &Point<load::Sample>) {
    let (yanshu, no_store) = (&point.yanshu, &point.no_store);
    let rate = of(yanshu, |s| s.rate);
    let (sockets, store) = (of(no_store, |s| s.rate), of(&point.inserts, |&rate| rate));
    let mut cells = vec![on.name().into(), pairs.to_string(), shown(0, rate)];
    cells.extend([0, 1, 2].map(|at| shown(2, of(yanshu, |s| s.acks[at]))));
    cells.extend([
        shown(0, sockets),
        shown(2, of(no_store, |s| s.acks[0])),
        shown(0, store),
        percent(rate / sockets.min(store)),
        cores(yanshu, |s| s.cores),
        cores(no_store, |s| s.cores),
    ]);
    row(&cells);
}

pub const CONNECT_HEAD: [&str; 6] = [
    "users",
    "connects/s",
    "sockets, no store /s",
    "store, no sockets /s",
    "of the smaller limit",
    "cores",
];

pub const MEMORY_HEAD: [&str; 3] = ["idle users", "KiB each", "KiB each, no store"];

/// Prints the row of the table of connects.
pub fn connect_row(point: &Point<idle::Sample>) {
    let rate = of(&point.yanshu, |s| s.rate);
    let sockets = of(&point.no_store, |s| s.rate);
    let store = of(&point.inserts, |&rate| rate);
    row(&[
        shown(0, of(&point.yanshu, |s| s.users as f64)),
        shown(0, rate),
        shown(0, sockets),
        shown(0, store),
        percent(rate / sockets.min(store)),
        cores(&point.yanshu, |s| s.cores),
    ]);
}

/// Prints the row of the table of memory.
pub fn memory_row(point: &Point<idle::Sample>) {
    row(&[
        shown(0, of(&point.yanshu, |s| s.users as f64)),
        shown(1, of(&point.yanshu, |s| s.memory)),
        shown(1, of(&point.no_store, |s| s.memory)),
    ]);
}

pub fn cores_json(cores: Cores) -> Value {
    json!({"server": cores.server, "client": cores.client, "ground": cores.ground, "others": cores.others})
}

/// Every repetition of a point of messages.
pub fn load_json(on: On, (pairs, depth): (usize, usize), point: &Point<load::Sample>) -> Value {
    let samples = |samples: &[load::Sample]| -> Vec<Value> {
        let one = |s: &load::Sample| {
            json!({
                "per_second": s.rate,
                "ack_ms": {"p50": s.acks[0], "p99": s.acks[1], "p99.9": s.acks[2]},
                "id_requests_meanwhile": s.asks,
                "cores": cores_json(s.cores),
            })
        };
        samples.iter().map(one).collect()
    };
    json!({
        "on": on.name(),
        "pairs": pairs,
        "in_flight": depth,
        "yanshu": samples(&point.yanshu),
        "no_store": samples(&point.no_store),
        "inserts_per_second": point.inserts,
    })
}

/// Every repetition of the idle users.
pub fn idle_json(point: &Point<idle::Sample>) -> Value {
    let samples = |samples: &[idle::Sample]| -> Vec<Value> {
        let one = |s: &idle::Sample| json!({"users": s.users, "connects_per_second": s.rate, "kib_each": s.memory, "cores": cores_json(s.cores)});
        samples.iter().map(one).collect()
    };
    json!({
        "yanshu": samples(&point.yanshu),
        "no_store": samples(&point.no_store),
        "inserts_per_second": point.inserts,
    })
}
