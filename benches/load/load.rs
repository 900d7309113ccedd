//! Pairs of users under load: messages a second, and how long the acknowledgement takes.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::child::{Server, Setup};
use crate::cores::Cores;
use crate::pair::{Pair, Tally};
use crate::{Outcome, Plan, block_on};

/// IDs for the warm-up, of all pairs together.
const WARM_UP_IDS: usize = 30_000;

/// What one run of one server gave.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Messages a second, acknowledged and delivered.
    pub rate: f64,
    /// Milliseconds from send to acknowledgement: median, 99 % and 99.9 %.
    pub acks: [f64; 3],
    /// Requests for IDs that fell into the time all the same.
    pub asks: u64,
    pub cores: Cores,
}

/// Loads a fresh server with so many pairs and so many messages in flight for each.
pub fn measure(setup: Setup<'_>, pairs: usize, depth: usize, plan: &Plan) -> Outcome<Sample> {
    let server = Server::start(setup)?;
    let limit = Duration::from_secs_f64(plan.seconds * 3.0 + 60.0);
    block_on(async {
        let run = run(&server, pairs, depth, plan);
        tokio::time::timeout(limit, run)
            .await
            .map_err(|_| "the server went silent")?
    })
}

async fn run(server: &Server<'_>, pairs: usize, depth: usize, plan: &Plan) -> Outcome<Sample> {
    let door = server.door();
    let connecting = (0..pairs).map(|number| Pair::connect(&door, number));
    let mut pairs = try_join_all(connecting).await?;
    let warm = drive(&mut pairs, depth, plan.warm_up, WARM_UP_IDS).await?;
    let expected = warm.done as f64 / plan.warm_up * plan.seconds * 1.5;
    stock(&mut pairs, expected as usize).await?;
    let watch = server.watch()?;
    let tally = drive(&mut pairs, depth, plan.seconds, 0).await?;
    let cores = watch.end()?;
    let milliseconds = |share: f64| tally.acks.value_at_quantile(share) as f64 / 1e6;
    Ok(Sample {
        rate: tally.done as f64 / plan.seconds,
        acks: [0.5, 0.99, 0.999].map(milliseconds),
        asks: tally.asks,
        cores,
    })
}

async fn drive(pairs: &mut [Pair], depth: usize, seconds: f64, ids: usize) -> Outcome<Tally> {
    stock(pairs, ids).await?;
    let tally = RefCell::new(Tally::new()?);
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    try_join_all(pairs.iter_mut().map(|pair| pair.run(depth, until, &tally))).await?;
    Ok(tally.into_inner())
}

async fn stock(pairs: &mut [Pair], ids: usize) -> Outcome<()> {
    let each = ids / pairs.len() + 100;
    try_join_all(pairs.iter_mut().map(|pair| pair.stock(each))).await?;
    Ok(())
}
