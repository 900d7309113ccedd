//! Pages of history out of a large database: how long they take alone, and what they take off writing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::child::{Kind, Server};
use crate::door::Door;
use crate::fill::{Base, Filled};
use crate::ground::On;
use crate::open::sample::Sample;
use crate::open::{PAGE, Shot, Stage, What, report as table};
use crate::report::{header, of, row, shown};
use crate::stored::Talk;
use crate::world::{Writing, name};
use crate::{Bench, Outcome, Plan, block_on};

/// What one run of one server gave.
struct Round {
    alone: Sample,
    beside: Sample,
    /// Messages a second, without pages and with them.
    writing: [f64; 2],
}

/// Pages alone, and beside writing.
pub fn scenario(bench: &Bench<'_>) -> Outcome<Value> {
    let plan = bench.plan;
    let mut grounds = Vec::new();
    for on in plan.single_nodes() {
        let filled = bench.filled(on)?;
        let round = |_| measure(bench, on, filled);
        let rounds: Vec<Round> = (0..plan.repeat).map(round).collect::<Outcome<_>>()?;
        grounds.push((on, filled.messages, rounds));
    }
    let title = format!("Pages of {PAGE} out of random depths, open loop");
    header(&title, &table::head(&["on", "stored", ""]));
    for (on, stored, rounds) in &grounds {
        let own = |what: &str| [on.name().to_owned(), stored.to_string(), what.to_owned()];
        let samples = |of: fn(&Round) -> Sample| rounds.iter().map(of).collect::<Vec<_>>();
        table::print(&own("alone"), &samples(|round| round.alone));
        table::print(&own("beside writing"), &samples(|round| round.beside));
    }
    header(
        "Writing beside pages of history",
        &[
            "on",
            "stored",
            "pages/s",
            "messages/s, no pages",
            "messages/s",
            "ratio",
        ],
    );
    for (on, stored, rounds) in &grounds {
        let [without, with] = [0, 1].map(|at| of(rounds, |round| round.writing[at]));
        row(&[
            on.name().into(),
            stored.to_string(),
            shown(0, plan.page_rate),
            shown(0, without),
            shown(0, with),
            shown(2, with / without),
        ]);
    }
    let kept = grounds.iter().map(|(on, stored, rounds)| {
        let rounds = rounds.iter().map(Round::json).collect::<Vec<_>>();
        json!({"on": on.name(), "stored": stored, "rounds": rounds})
    });
    Ok(kept.collect())
}

impl Round {
    fn json(&self) -> Value {
        json!({
            "alone": self.alone.json(),
            "beside_writing": self.beside.json(),
            "messages_per_second": {"no_pages": self.writing[0], "with_pages": self.writing[1]},
        })
    }
}

fn measure(bench: &Bench<'_>, on: On, filled: &Filled<'_>) -> Outcome<Round> {
    let plan = bench.plan;
    filled.read_everything(&filled.database);
    filled.database.settle()?;
    let server = Server::start_on(bench.setup(Kind::Yanshu, on), &filled.database)?;
    block_on(async {
        let mut readers = Readers::connect(&server.door(), filled).await?;
        let shots = readers.shots(plan, plan.warm_up);
        readers.stage.run(shots, Arc::default()).await?;
        let alone = readers.read(&server, plan, plan.open.seconds, Arc::default());
        let alone = alone.await?;
        // The readers stay connected all the time, so that both times as much is delivered.
        let mut talk = Talk::begin(&server, &filled.world, Writing::Zipf, plan).await?;
        let without = beside_nothing(&mut readers, &mut talk, plan).await?;
        talk.prepare(plan.seconds).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let writing = async {
            let tally = talk.go_on(plan.seconds).await;
            stop.store(true, Ordering::Relaxed);
            tally
        };
        // The pages begin before the writing does, and end after it.
        let seconds = plan.seconds + 10.0;
        let reading = readers.read(&server, plan, seconds, Arc::clone(&stop));
        let (with, beside) = futures_util::try_join!(writing, reading)?;
        Ok(Round {
            alone,
            beside,
            writing: [without, with.rate()],
        })
    })
}

/// The readers take what is written to them, and ask nothing.
async fn beside_nothing(
    readers: &mut Readers<'_>,
    talk: &mut Talk<'_>,
    plan: &Plan,
) -> Outcome<f64> {
    tokio::select! {
        tally = talk.go_on(plan.seconds) => Ok(tally?.rate()),
        failed = readers.stage.only_listen() => Err(failed),
    }
}

/// Who reads, and what there is to read.
struct Readers<'a> {
    stage: Stage,
    bases: &'a [Base],
    /// The number of a user among the names.
    numbers: HashMap<usize, usize>,
    rng: StdRng,
}

impl<'a> Readers<'a> {
    async fn connect(door: &Door, filled: &'a Filled<'_>) -> Outcome<Self> {
        let mut users: Vec<(usize, usize)> = filled.world.readers().map(|user| (user, 1)).collect();
        // Those whom they have written with need a name alone.
        users.extend(filled.bases.iter().map(|base| (base.with, 0)));
        let numbers = users.iter().enumerate();
        let numbers = numbers.map(|(number, (user, _))| (*user, number)).collect();
        let users = users.iter().map(|(user, devices)| (name(*user), *devices));
        let mut stage = Stage::connect(door, users.collect()).await?;
        stage.crowded = true;
        Ok(Self {
            stage,
            bases: &filled.bases,
            numbers,
            rng: StdRng::seed_from_u64(3),
        })
    }

    /// Questions for random pages.
    fn shots(&mut self, plan: &Plan, seconds: f64) -> Vec<Shot> {
        let arrivals = plan.open.arrivals;
        let moments = arrivals.moments(plan.page_rate, seconds, &mut self.rng);
        let shots = moments.into_iter().filter_map(|due| {
            let base = self
                .bases
                .get(self.rng.random_range(0..self.bases.len().max(1)))?;
            let what = What::Page {
                with: *self.numbers.get(&base.with)?,
                base: base.id,
            };
            // The readers come first among the names, each with one connection.
            let socket = *self.numbers.get(&base.reader)?;
            Some(Shot { due, socket, what })
        });
        shots.collect()
    }

    async fn read(
        &mut self,
        server: &Server<'_>,
        plan: &Plan,
        seconds: f64,
        stop: Arc<AtomicBool>,
    ) -> Outcome<Sample> {
        let shots = self.shots(plan, seconds);
        let watch = server.watch()?;
        let run = self.stage.run(shots, stop).await?;
        Sample::new(&run, watch.end()?)
    }
}
