//! What the server does under load, beside what it could do at best.
//!
//! For 1, 10 and 100 pairs of users, with 1 and with 10 messages in flight for each pair: messages
//! a second from the send to the durable acknowledgement *and* the delivery to the recipient, and
//! the time to the acknowledgement; of one node on SQLite, of one on PostgreSQL, and of two on
//! PostgreSQL and NATS, with each pair's users on different nodes. Beside each, two limits, measured
//! in turn with it:
//!
//! - the same sockets with no store at all ([`null`]), for two nodes with NATS between them;
//! - the store with no sockets, in batches of all the messages that are in flight at that point: on
//!   SQLite [`yanshu::store::Store::write`] in a loop ([`inserts`]), on PostgreSQL the bare rows over
//!   the best number of connections ([`rows`]).
//!
//! Then, on SQLite, connects a second, and the memory of an idle user ([`idle`]). Each measurement
//! has fresh server processes and a fresh database in the target directory (which file system that
//! is, is printed). PostgreSQL and nats-server are started from the installed binaries, with the
//! settings they come with; what is not installed is skipped. IDs are fetched between the
//! measurements. The client ([`pair`]) waits for answers before it sends more, so its figures are
//! of a system that is never asked for more than it does.
//!
//! ```text
//! cargo bench --bench load                           some twelve minutes
//! YANSHU_BENCH_ON=postgres,cluster                   on what (sqlite,postgres,cluster)
//! YANSHU_BENCH_SECONDS=1 cargo bench --bench load    seconds for each measurement (3)
//! YANSHU_BENCH_WARM_UP=1                             seconds before each (1)
//! YANSHU_BENCH_REPEAT=1                              repetitions, of which the median counts (3)
//! YANSHU_BENCH_PAIRS=100 YANSHU_BENCH_IN_FLIGHT=10   which points; lists with commas
//! YANSHU_BENCH_USERS=5000                            idle users; 0 leaves them out
//! ```
//!
//! The figures go to stdout as Markdown and to `target/bench/load.json`. Without `--bench` (under
//! `cargo test --benches`) everything runs for a moment, and nothing is kept.

mod child;
mod ground;
mod idle;
mod inserts;
mod load;
mod machine;
mod messages;
mod null;
mod pair;
mod report;
mod rows;
mod socket;
mod support;

use std::error::Error;
use std::path::Path;
use std::str::FromStr;
use std::{env, fs};

use serde_json::{Value, json};
use tempfile::TempDir;

use child::{Kind, Setup};
use ground::{Ground, On};
use report::Point;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The text of every message: a hundred bytes, what people write.
const TEXT: &str = "The wild geese come back in the third month, and each of them has \
                    a letter tied to its foot, or so";
/// The time of every message.
const TIME: &str = "2021-12-14 12:00:00";
/// Where the databases are.
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// What to measure, and for how long.
struct Plan {
    on: Vec<On>,
    seconds: f64,
    warm_up: f64,
    repeat: usize,
    pairs: Vec<usize>,
    in_flight: Vec<usize>,
    users: usize,
    keep: bool,
}

impl Plan {
    fn from_env() -> Outcome<Self> {
        let keep = env::args().any(|argument| argument == "--bench");
        let full = |long: &'static str, short: &'static str| if keep { long } else { short };
        Ok(Self {
            on: list("YANSHU_BENCH_ON", "sqlite,postgres,cluster")?,
            seconds: one("YANSHU_BENCH_SECONDS", full("3", "0.2"))?,
            warm_up: one("YANSHU_BENCH_WARM_UP", full("1", "0.1"))?,
            repeat: one("YANSHU_BENCH_REPEAT", full("3", "1"))?,
            pairs: list("YANSHU_BENCH_PAIRS", full("1,10,100", "2"))?,
            in_flight: list("YANSHU_BENCH_IN_FLIGHT", full("1,10", "3"))?,
            users: one("YANSHU_BENCH_USERS", full("5000", "50"))?,
            keep,
        })
    }
}

fn list<T: FromStr<Err: Into<Box<dyn Error>>>>(variable: &str, default: &str) -> Outcome<Vec<T>> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    let values = text.split(',').map(|value| value.trim().parse::<T>());
    values.collect::<Result<_, _>>().map_err(Into::into)
}

fn one<T: FromStr<Err: Into<Box<dyn Error>>>>(variable: &str, default: &str) -> Outcome<T> {
    let mut values = list(variable, default)?;
    Ok(values.pop().ok_or("a setting is empty")?)
}

/// A directory for a database, gone when dropped.
fn scratch() -> Outcome<TempDir> {
    fs::create_dir_all(SCRATCH)?;
    Ok(tempfile::tempdir_in(SCRATCH)?)
}

/// The middle of the values, or of its two middles; not a number if there are none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    let at = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
    (at(low) + at(high)) / 2.0
}

/// Runs the client on this thread alone.
fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn main() -> Outcome<()> {
    if env::args().nth(1).as_deref() == Some(null::ARGUMENT) {
        return null::serve(env::args().skip(2));
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut plan = Plan::from_env()?;
    let facts = machine::facts()?;
    report::machine(&facts);
    let ground = Ground::prepare(&mut plan.on)?;
    let messages = messages::under_load(&plan, &ground)?;
    let idle = if plan.users > 0 && plan.on.contains(&On::Sqlite) {
        Some(idle_users(&plan, &ground)?)
    } else {
        None
    };
    if plan.keep {
        let all = json!({"machine": facts, "messages": messages, "idle": idle});
        keep(&all)?;
    }
    Ok(())
}

/// The sections of connects, and of what stays of them.
fn idle_users(plan: &Plan, ground: &Ground) -> Outcome<Value> {
    let mut point = Point::new();
    let measure = |kind| {
        let on = On::Sqlite;
        idle::measure(Setup { kind, on, ground }, plan.users)
    };
    for _ in 0..plan.repeat {
        point.yanshu.push(measure(Kind::Yanshu)?);
        point.no_store.push(measure(Kind::NoStore)?);
        let rate = inserts::connects(plan.users, idle::AT_ONCE)?;
        point.inserts.push(rate);
    }
    let title = format!("Connects of new users, {} at once", idle::AT_ONCE);
    report::header(&title, &report::CONNECT_HEAD);
    report::connect_row(plan.users, &point);
    report::header("Memory of a connected user", &report::MEMORY_HEAD);
    report::memory_row(plan.users, &point);
    Ok(report::idle_json(plan.users, &point))
}

fn keep(all: &Value) -> Outcome<()> {
    // The directory of temporary files lies in the target directory.
    let target = Path::new(SCRATCH).parent().ok_or("no target directory")?;
    let path = target.join("bench").join("load.json");
    fs::create_dir_all(target.join("bench"))?;
    fs::write(&path, serde_json::to_string_pretty(all)?)?;
    eprintln!("every repetition is in {}", path.display());
    Ok(())
}
