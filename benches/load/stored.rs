//! What it costs that much is stored: the same writing on a database with millions of messages, and on one
//! with the same users and contacts, and none.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::child::{Kind, Server};
use crate::cores::Cores;
use crate::crowd::{Crowd, Tally};
use crate::database::Database;
use crate::fill::Filled;
use crate::ground::On;
use crate::report::{cores, cores_json, header, of, row, shown};
use crate::world::{World, Writing, name};
use crate::{Bench, Outcome, Plan, block_on};

/// In flight, of all talkers together: as many as of a hundred pairs with ten each.
pub const DEPTH: usize = 1_000;
/// For the warm-up, messages a second that a server is thought to be able to take at most.
const MOST: f64 = 40_000.0;

/// What one run of one server gave.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub rate: f64,
    pub acks: [f64; 3],
    pub cores: Cores,
}

const HEAD: [&str; 10] = [
    "on",
    "writing",
    "stored",
    "messages/s, none stored",
    "ack p50 / p99 / p99.9 ms",
    "messages/s",
    "ack p50 / p99 / p99.9 ms",
    "ratio",
    "cores, none stored",
    "cores",
];

/// Writing, then starting.
pub fn scenario(bench: &Bench<'_>) -> Outcome<Value> {
    let plan = bench.plan;
    let mut kept = Vec::new();
    header("Writing where much is stored", &HEAD);
    for on in plan.single_nodes() {
        for writing in [Writing::Zipf, Writing::Random] {
            kept.push(compare(bench, on, writing)?);
        }
    }
    let mut starts = Vec::new();
    header(
        "From the start of the process to the first answer",
        &["on", "stored", "ms, none stored", "ms"],
    );
    for on in plan.single_nodes() {
        starts.push(start(bench, on)?);
    }
    Ok(json!({"writing": kept, "start": starts}))
}

fn compare(bench: &Bench<'_>, on: On, writing: Writing) -> Outcome<Value> {
    let filled = bench.filled(on)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.repeat {
        let empty = filled.empty.copy()?;
        without.push(measure(bench, on, filled, &empty, writing)?);
        with.push(measure(bench, on, filled, &filled.database, writing)?);
    }
    let ratio = of(&with, |s| s.rate) / of(&without, |s| s.rate);
    let acks = |samples: &[Sample]| {
        let one = |at: usize| shown(2, of(samples, |s: &Sample| s.acks[at]));
        [0, 1, 2].map(one).join(" / ")
    };
    row(&[
        on.name().into(),
        writing.name().into(),
        filled.messages.to_string(),
        shown(0, of(&without, |s| s.rate)),
        acks(&without),
        shown(0, of(&with, |s| s.rate)),
        acks(&with),
        shown(2, ratio),
        cores(&without, |s| s.cores),
        cores(&with, |s| s.cores),
    ]);
    let samples = |samples: &[Sample]| samples.iter().map(Sample::json).collect::<Value>();
    Ok(json!({
        "on": on.name(), "writing": writing.name(), "stored": filled.messages, "ratio": ratio,
        "none_stored": samples(&without), "with_stored": samples(&with),
    }))
}

impl Sample {
    fn json(&self) -> Value {
        let [p50, p99, p999] = self.acks;
        json!({
            "per_second": self.rate,
            "ack_ms": {"p50": p50, "p99": p99, "p99.9": p999},
            "cores": cores_json(self.cores),
        })
    }
}

fn measure(
    bench: &Bench<'_>,
    on: On,
    filled: &Filled<'_>,
    database: &Database<'_>,
    writing: Writing,
) -> Outcome<Sample> {
    filled.read_everything(database);
    database.settle()?;
    let server = Server::start_on(bench.setup(Kind::Yanshu, on), database)?;
    block_on(async {
        let mut talk = Talk::begin(&server, &filled.world, writing, bench.plan).await?;
        let watch = server.watch()?;
        let tally = talk.go_on(bench.plan.seconds).await?;
        Ok(Sample {
            rate: tally.rate(),
            acks: [0.5, 0.99, 0.999].map(|share| tally.ack(share)),
            cores: watch.end()?,
        })
    })
}

/// Talkers who write to whomever is drawn.
pub struct Talk<'a> {
    world: &'a World,
    writing: Writing,
    crowd: Crowd,
    rng: StdRng,
    /// What is drawn, and not yet sent.
    draws: Vec<(usize, String)>,
    /// Messages a second, so far.
    rate: f64,
}

impl<'a> Talk<'a> {
    /// Connects the talkers and warms up.
    pub async fn begin(
        server: &Server<'_>,
        world: &'a World,
        writing: Writing,
        plan: &Plan,
    ) -> Outcome<Self> {
        let names = (0..world.talkers).map(name).collect();
        let mut talk = Self {
            world,
            writing,
            crowd: Crowd::connect(&server.door(), names).await?,
            // Each time others: what one run has made known, the next is not to find again.
            rng: StdRng::from_os_rng(),
            draws: Vec::new(),
            rate: MOST,
        };
        talk.prepare(plan.warm_up).await?;
        talk.rate = talk.go_on(plan.warm_up).await?.rate();
        talk.prepare(plan.seconds).await?;
        Ok(talk)
    }

    /// Draws what can be sent in so many seconds, and fetches the IDs.
    pub async fn prepare(&mut self, seconds: f64) -> Outcome<()> {
        let count = (self.rate * seconds * 1.5) as usize + DEPTH;
        self.draws.clear();
        for _ in 0..count {
            let (talker, to) = self.world.draw(self.writing, &mut self.rng);
            self.draws.push((talker, name(to)));
        }
        self.crowd.stock(&self.draws).await
    }

    /// Writes what was prepared, for so many seconds.
    pub async fn go_on(&mut self, seconds: f64) -> Outcome<Tally> {
        let limit = Duration::from_secs_f64(seconds);
        self.crowd.write(&self.draws, DEPTH, limit).await
    }
}

fn start(bench: &Bench<'_>, on: On) -> Outcome<Value> {
    let filled = bench.filled(on)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.repeat {
        let empty = filled.empty.copy()?;
        without.push(first_answer(bench, on, &empty)?);
        with.push(first_answer(bench, on, &filled.database)?);
    }
    let (less, more) = (of(&without, |ms| *ms), of(&with, |ms| *ms));
    row(&[
        on.name().into(),
        filled.messages.to_string(),
        shown(0, less),
        shown(0, more),
    ]);
    Ok(json!({
        "on": on.name(), "stored": filled.messages,
        "none_stored_ms": without, "with_stored_ms": with,
    }))
}

/// Milliseconds until a user is connected.
fn first_answer(bench: &Bench<'_>, on: On, database: &Database<'_>) -> Outcome<f64> {
    database.settle()?;
    let began = Instant::now();
    let server = Server::start_on(bench.setup(Kind::Yanshu, on), database)?;
    block_on(async {
        server.door().connect(0, &name(0)).await?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    })
}
