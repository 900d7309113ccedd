//! What the server does under load, beside what it could do at best.
//!
//! Scenarios, each with a table of its own:
//!
//! | | |
//! |---|---|
//! | `pairs` | pairs of users. In the **closed loop** ([`load`]), with a fixed number of messages in flight, for the maxima: messages a second from the send to the durable acknowledgement *and* the delivery, beside two limits that are measured in turn with it. In the **open loop** ([`open`], [`ladder`]) for what people see at a rate that nothing of the server can change: a frame is due by a schedule, and its latency counts from then |
//! | `connects` | a storm of new users, and the memory of a crowd that is connected and says nothing ([`idle`]) |
//! | `celebrity`, `devices` | many write to one user, who has one device, or eight ([`stars`]) |
//! | `reconnects` | kill -9; everybody comes back at once, each with unread messages, while others write in the open loop ([`reconnects`]) |
//! | `stored` | writing, and starting, with millions of messages stored, as ratios to the same on an empty database ([`stored`]). A thousand talkers are connected; whom they write to need not be: there, a message is in flight until it is acknowledged ([`crowd`]) |
//! | `history` | pages of history out of the same database, alone and beside writing ([`history`]) |
//! | `binary` | the size of the stripped release binary |
//! | `compare` | two binaries in turns; only where it is named: `make bench-compare` ([`compare`]) |
//!
//! The limits beside the closed loop are the same sockets with no store at all ([`null`]), for two nodes with
//! NATS between them; and the store with no sockets, in batches of all that is in flight at that point: on
//! SQLite [`yanshu::store::Store::write`] in a loop ([`inserts`]), on PostgreSQL the bare rows over the best
//! number of connections ([`rows`]). Beside each rate of the open loop, the same rate with no store: what the
//! machine leaves of a latency.
//!
//! Servers run on SQLite, on PostgreSQL, and as two nodes on PostgreSQL and NATS with each pair's users on
//! different nodes; on fresh databases in the target directory, unless much is to be stored. PostgreSQL and
//! nats-server are started from the installed binaries, with the settings they come with; what is not
//! installed is skipped. IDs are fetched between the measurements.
//!
//! The generator of the open loop is a thread that sends and a thread that reads. It says which limits it hit
//! itself: late frames (p99 over 1 ms), a rate it did not keep, a thread that has no core left, sockets that
//! took no more, descriptors. Figures beside such a word are of the generator, too. Its sleeps end some
//! 0.06 ms late; that is within the latencies.
//!
//! ```text
//! cargo bench --bench load                  everything: most of an hour, and 10 GB in the target directory
//! YANSHU_BENCH_SCENARIOS=pairs,history      which scenarios (all but compare)
//! YANSHU_BENCH_ON=postgres,cluster          on what (sqlite,postgres,cluster)
//! YANSHU_BENCH_REPEAT=1                     repetitions, of which the median counts (3)
//! YANSHU_BENCH_SECONDS=1                    seconds for each measurement in the closed loop (3)
//! YANSHU_BENCH_OPEN_SECONDS=5               and in the open loop (10)
//! YANSHU_BENCH_WARM_UP=1                    seconds before each (1)
//! YANSHU_BENCH_PAIRS=100                    pairs; a list (1,10,100). The open loop takes the most
//! YANSHU_BENCH_IN_FLIGHT=10                 messages in flight for each pair; a list (1,10)
//! YANSHU_BENCH_LIMITS=off                   leaves out the limits (on)
//! YANSHU_BENCH_RATES=1000,50%               open loop: messages a second, or a share of the maximum just
//!                                           measured; a list (1000,25%,50%,75%,90%)
//! YANSHU_BENCH_ARRIVALS=constant            at equal distances, or poisson (poisson)
//! YANSHU_BENCH_USERS=5000                   connects: users (15000)
//! YANSHU_BENCH_WRITERS=100                  celebrity: who writes (1000)
//! YANSHU_BENCH_CROWD=1000                   reconnects: users (10000)
//! YANSHU_BENCH_UNREAD=5                     reconnects: unread messages of each (20)
//! YANSHU_BENCH_STORED=1000000               stored, history: messages (10000000)
//! YANSHU_BENCH_PAGES=50                     history: pages a second (200)
//! YANSHU_BENCH_SERVER=/path/to/yanshu       the server to start (the one of this build)
//! YANSHU_BENCH_BASE=/path/to/yanshu         compare: the other one
//! YANSHU_BENCH_TARGET=ws://host:8080/ws     a server that is there already, by its WebSocket
//! YANSHU_BENCH_TOKEN_SECRET=…               what it takes tokens of (HS256), where it asks for them
//! ```
//!
//! With a target nothing is started. What needs the server's process or its database is left out, with a word;
//! users have a random prefix, so that a used database does no harm (and they stay in it). A server with
//! limits of rate refuses such a load: it is measured with `--limits off`, or with limits that let it pass.
//!
//! The figures go to stdout as Markdown and to `target/bench/load.json`, pictures to `target/bench/*.svg`.
//! Without `--bench` (under `cargo test --benches`) everything runs for a moment, and nothing is kept.

mod binary;
mod child;
mod compare;
mod connects;
mod cores;
mod crowd;
mod database;
mod door;
mod fill;
mod frames;
mod ground;
mod history;
mod idle;
mod inserts;
mod keep;
mod ladder;
mod load;
mod machine;
mod messages;
mod null;
mod open;
mod pair;
mod plan;
mod reconnects;
mod report;
mod rows;
mod scenarios;
mod socket;
mod stars;
mod stored;
mod storm;
mod support;
mod world;

use std::error::Error;
use std::{env, fs};

use serde_json::{Map, json};
use tempfile::TempDir;

use child::{Kind, Setup};
use fill::Filled;
use ground::{Ground, On};
use plan::Plan;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The text of every message: a hundred bytes, what people write.
const TEXT: &str = "The wild geese come back in the third month, and each of them has \
                    a letter tied to its foot, or so";
/// The time of every message.
const TIME: &str = "2021-12-14 12:00:00";
/// Where the databases are.
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// What every scenario works with.
struct Bench<'a> {
    plan: &'a Plan,
    ground: &'a Ground,
    /// What is filled once for all scenarios.
    filled: fill::Shelf<'a>,
}

impl<'a> Bench<'a> {
    fn setup(&self, kind: Kind, on: On) -> Setup<'a> {
        let ground = self.ground;
        Setup { kind, on, ground }
    }

    /// A database with messages in it.
    fn filled(&self, on: On) -> Outcome<&Filled<'a>> {
        self.filled
            .get(self.setup(Kind::Yanshu, on), self.plan.stored)
    }
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
    let ground = Ground::prepare(&mut plan)?;
    let bench = Bench {
        plan: &plan,
        ground: &ground,
        filled: fill::Shelf::default(),
    };
    let mut all = Map::new();
    all.insert("machine".to_owned(), facts);
    for name in &plan.scenarios {
        all.insert(name.clone(), scenarios::run(name, &bench)?);
        if plan.keep {
            keep::results(&json!(all))?;
        }
    }
    Ok(())
}
