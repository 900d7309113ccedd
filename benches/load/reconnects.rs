//! The server dies, and everybody comes back at once, each with unread messages, while others already
//! write to each other again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::child::{Kind, Server};
use crate::crowd::Crowd;
use crate::door::Door;
use crate::ground::On;
use crate::open::sample::Sample;
use crate::open::{Stage, Way, report as table};
use crate::report::{header, of, row, shown};
use crate::storm::{self, Absent, Storm};
use crate::support::plot::Plot;
use crate::{Bench, Outcome, block_on, idle, keep};

/// Seconds until everything is delivered, and milliseconds of the others' p99 meanwhile.
const TARGETS: (f64, f64) = (15.0, 100.0);
/// Who writes what will be unread, and how much of it is in flight.
const WRITERS: usize = 50;
const DEPTH: usize = 1_000;
/// The pairs that write meanwhile, and their messages a second.
const PAIRS: usize = 10;
const RATE: f64 = 200.0;
/// Their time before the storm; after it they stop.
const CALM: Duration = Duration::from_secs(1);
/// They stop then in any case.
const LONGEST: f64 = 130.0;

/// What one storm gave.
struct Round {
    storm: Storm,
    live: Sample,
    /// Seconds until the killed server listened again.
    restart: f64,
}

const HEAD: [&str; 10] = [
    "on",
    "users",
    "unread each",
    "restart s",
    "all connected s",
    "all delivered s",
    "refused",
    "lost",
    "doubled",
    "target",
];

/// A table of the storms, and one of those who wrote meanwhile.
pub fn scenario(bench: &Bench<'_>) -> Outcome<Value> {
    let plan = bench.plan;
    let mut grounds = Vec::new();
    for on in plan.single_nodes() {
        let rounds = (0..plan.repeat).map(|_| measure(bench, on));
        grounds.push((on, rounds.collect::<Outcome<Vec<Round>>>()?));
    }
    header("Everybody reconnects at once after kill -9", &HEAD);
    for (on, rounds) in &grounds {
        print(bench, *on, rounds);
    }
    let title = format!("{PAIRS} pairs in the open loop meanwhile");
    header(&title, &table::head(&["on", "target"]));
    for (on, rounds) in &grounds {
        let live: Vec<Sample> = rounds.iter().map(|round| round.live).collect();
        let kept = of(&live, |s| s.answers[1]) <= TARGETS.1;
        let target = format!("p99 {}: {}", TARGETS.1, word(kept));
        table::print(&[on.name().to_owned(), target], &live);
    }
    if plan.keep {
        plot(&grounds)?;
    }
    let kept = grounds.iter().map(|(on, rounds)| {
        let rounds: Vec<Value> = rounds.iter().map(Round::json).collect();
        json!({"on": on.name(), "unread_each": plan.unread, "rounds": rounds})
    });
    Ok(kept.collect())
}

fn word(kept: bool) -> &'static str {
    if kept { "kept" } else { "missed" }
}

fn print(bench: &Bench<'_>, on: On, rounds: &[Round]) {
    let last = |round: &Round| round.storm.connected.iter().copied().fold(0.0, f64::max);
    let most = |count: fn(&Storm) -> usize| rounds.iter().map(|r| count(&r.storm)).max();
    let count = |count| most(count).unwrap_or_default().to_string();
    let delivered = of(rounds, |round| round.storm.seconds());
    let whole = rounds.iter().all(|r| r.storm.lost + r.storm.doubled == 0);
    row(&[
        on.name().into(),
        shown(0, of(rounds, |round| round.storm.connected.len() as f64)),
        bench.plan.unread.to_string(),
        shown(2, of(rounds, |round| round.restart)),
        shown(2, of(rounds, last)),
        shown(2, delivered),
        count(|storm| storm.refused),
        count(|storm| storm.lost),
        count(|storm| storm.doubled),
        format!("{} s: {}", TARGETS.0, word(whole && delivered <= TARGETS.0)),
    ]);
}

impl Round {
    fn json(&self) -> Value {
        let Storm {
            refused,
            lost,
            doubled,
            ..
        } = self.storm;
        json!({
            "users": self.storm.connected.len(), "restart_s": self.restart, "delivered_s": self.storm.seconds(),
            "connected_s": self.storm.connected.iter().copied().fold(0.0, f64::max),
            "refused": refused, "lost": lost, "doubled": doubled,
            "live": self.live.json(),
        })
    }
}

fn measure(bench: &Bench<'_>, on: On) -> Outcome<Round> {
    let mut server = Server::start(bench.setup(Kind::Yanshu, on))?;
    let absent = block_on(absent(bench, &server))?;
    let killed = Instant::now();
    server.start_again()?;
    let restart = killed.elapsed().as_secs_f64();
    let (storm, live) = block_on(beside(&server, absent))?;
    Ok(Round {
        storm,
        live,
        restart,
    })
}

/// A crowd that is connected and gets messages that it does not read, until the server dies.
async fn absent(bench: &Bench<'_>, server: &Server<'_>) -> Outcome<Vec<Absent>> {
    let (door, plan) = (server.door(), bench.plan);
    let crowd = idle::room(server, &door, plan.crowd).await?;
    let there = idle::connect(&door, "IDLE", crowd).await?;
    let names = (0..WRITERS).map(|number| door.user(&format!("WRITER{number:03}")));
    let mut writers = Crowd::connect(&door, names.collect()).await?;
    let users = (0..crowd).map(|number| door.user(&idle::name("IDLE", number)));
    let mut draws: Vec<(usize, String)> = users
        .flat_map(|user| vec![user; plan.unread])
        .enumerate()
        .map(|(number, user)| (number % WRITERS, user))
        .collect();
    draws.shuffle(&mut StdRng::seed_from_u64(5));
    writers.stock(&draws).await?;
    let tally = writers
        .write(&draws, DEPTH, Duration::from_secs(600))
        .await?;
    drop(there);
    let mut unread: HashMap<String, Vec<i64>> = HashMap::new();
    for ((_, user), id) in draws.into_iter().zip(tally.ids) {
        unread.entry(user).or_default().push(id);
    }
    let absent = unread.into_iter();
    Ok(absent
        .map(|(name, unread)| Absent { name, unread })
        .collect())
}

/// The storm, from a thread of its own, and those who write meanwhile.
async fn beside(server: &Server<'_>, absent: Vec<Absent>) -> Outcome<(Storm, Sample)> {
    let door = server.door();
    let mut stage = Stage::pairs(&door, PAIRS).await?;
    let mut rng = StdRng::seed_from_u64(4);
    let moments = crate::open::schedule::Arrivals::Poisson.moments(RATE, LONGEST, &mut rng);
    let way = || {
        let pair = rng.random_range(0..PAIRS);
        Way {
            socket: 2 * pair,
            to: 2 * pair + 1,
            devices: 1,
        }
    };
    let shots = stage.messages(moments, way).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let watch = server.watch()?;
    let storm = start(door, absent, Arc::clone(&stop));
    let run = stage.run(shots, stop).await?;
    let cores = watch.end()?;
    let (began, storm) = storm.join().map_err(|_| "the storm panicked")??;
    let from = began.duration_since(run.start);
    let live = Sample::of_part(
        &run,
        from..from + Duration::from_secs_f64(storm.seconds()),
        cores,
    )?;
    Ok((storm, live))
}

type Raging = thread::JoinHandle<Result<(Instant, Storm), String>>;

fn start(door: Door, absent: Vec<Absent>, stop: Arc<AtomicBool>) -> Raging {
    thread::spawn(move || {
        thread::sleep(CALM);
        let began = Instant::now();
        let storm = block_on(storm::rage(&door, &absent));
        stop.store(true, Ordering::Relaxed);
        Ok((began, storm.map_err(|error| error.to_string())?))
    })
}

/// How much was delivered, and when, in the last round of each.
fn plot(grounds: &[(On, Vec<Round>)]) -> Outcome<()> {
    const POINTS: usize = 200;
    let series = grounds.iter().filter_map(|(on, rounds)| {
        let mut times = rounds.last()?.storm.delivered.clone();
        times.sort_by(f64::total_cmp);
        let step = (times.len() / POINTS).max(1);
        let points = times.iter().enumerate().step_by(step);
        let points = points.map(|(count, time)| (*time, count as f64)).collect();
        Some((on.name().to_owned(), points))
    });
    keep::plot(
        "reconnects",
        Plot {
            title: "Unread messages after everybody has reconnected at once",
            x: "s",
            y: "delivered",
            log: false,
            series: series.collect(),
        },
    )
}
