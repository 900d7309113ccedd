//! The same rows, written straight to PostgreSQL: what a client gets that asks nothing first.
//!
//! One prepared statement counts up the users' timelines and inserts the messages, and is a
//! transaction by itself: a round trip and a sync for each batch. Nothing is checked, and nobody
//! but the connection itself touches its users.

use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, SmallInt, Text};
use yanshu::protocol::IDS_PER_GRANT;

use crate::ground::{Ground, On};
use crate::{Outcome, Plan, TEXT, TIME, inserts};

/// So many connections are tried, as far as there are pairs for them.
const CONNECTIONS: [usize; 3] = [1, 2, 4];

/// Plans that hold for tables of any size; else as a connection is by itself.
const SETUP: &str =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET jit = off; SET plan_cache_mode = force_generic_plan;";

/// The connection and the time that every message says it comes from.
const ORIGIN: i64 = 1;
const STORED_AT: i64 = 1_700_000_000;

diesel::table! {
    users (id) {
        id -> BigInt,
        login -> Text,
    }
}

/// Messages a second in batches of `depth` messages of each of so many pairs, over the best number of
/// connections. The warm-up tells which one that is.
pub fn messages(ground: &Ground, count: usize, depth: usize, plan: &Plan) -> Outcome<f64> {
    let database = ground.database(On::Postgres)?;
    drop(inserts::open_with(&database.url, count)?);
    let numbers: Vec<i64> = users::table
        .order(users::login)
        .select(users::id)
        .load(&mut PgConnection::establish(&database.url)?)?;
    let pairs = numbers.chunks_exact(2);
    let pairs = pairs.map(|pair| Pair::new(pair[0], pair[1])).collect();
    let mut world = World {
        url: database.url.clone(),
        pairs,
        depth,
        ids: AtomicI64::new(1),
    };
    let mut best = (0.0, 1);
    for connections in CONNECTIONS.into_iter().filter(|c| *c <= count) {
        let rate = world.write(connections, plan.warm_up)?;
        if rate > best.0 {
            best = (rate, connections);
        }
    }
    world.write(best.1, plan.seconds)
}

struct World {
    url: String,
    pairs: Vec<Pair>,
    depth: usize,
    /// The next block of IDs.
    ids: AtomicI64,
}

/// The numbers of two users, their timelines and the sender's IDs.
struct Pair {
    sender: i64,
    recipient: i64,
    timeline: i64,
    ids: Range<i64>,
}

impl Pair {
    fn new(sender: i64, recipient: i64) -> Self {
        Self {
            sender,
            recipient,
            timeline: 0,
            ids: 0..0,
        }
    }
}

impl World {
    /// Writes for so many seconds over so many connections; returns messages a second.
    fn write(&mut self, connections: usize, seconds: f64) -> Outcome<f64> {
        let (url, depth, ids) = (self.url.as_str(), self.depth, &self.ids);
        let shares = self.pairs.len().div_ceil(connections);
        let shares: Vec<_> = self.pairs.chunks_mut(shares).collect();
        let start = Barrier::new(shares.len());
        let work = |pairs| {
            let connection = connect(url);
            start.wait();
            let mut connection = connection.map_err(|error| error.to_string())?;
            batches(&mut connection, pairs, depth, ids, seconds).map_err(|e| e.to_string())
        };
        let rates: Result<Vec<f64>, String> = thread::scope(|scope| {
            let threads = shares.into_iter().map(|pairs| scope.spawn(|| work(pairs)));
            let threads: Vec<_> = threads.collect();
            let rates = threads.into_iter().map(|thread| {
                let rate = thread.join();
                rate.unwrap_or_else(|_| Err("a connection's thread panicked".to_owned()))
            });
            rates.collect()
        });
        Ok(rates?.iter().sum())
    }
}

fn connect(url: &str) -> ConnectionResult<PgConnection> {
    let mut connection = PgConnection::establish(url)?;
    connection
        .batch_execute(SETUP)
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// Writes one batch after another for so many seconds; returns messages a second.
fn batches(
    connection: &mut PgConnection,
    pairs: &mut [Pair],
    depth: usize,
    ids: &AtomicI64,
    seconds: f64,
) -> QueryResult<f64> {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < seconds {
        let batch = Batch::new(pairs, depth, ids);
        let size = batch.body.len();
        batch.execute(connection)?;
        count += size;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// The columns of the messages of a batch, and its users with the last numbers of their timelines.
struct Batch {
    /// Those of eight bytes, in the order of the statement.
    numbers: [Vec<i64>; 10],
    kind: Vec<i16>,
    status: Vec<i16>,
    sent_at: Vec<&'static str>,
    body: Vec<&'static str>,
    users: Vec<i64>,
    timelines: Vec<i64>,
}

impl Batch {
    fn new(pairs: &mut [Pair], depth: usize, ids: &AtomicI64) -> Self {
        let size = pairs.len() * depth;
        let mut batch = Self {
            numbers: Default::default(),
            kind: vec![0; size],
            status: vec![1; size],
            sent_at: vec![TIME; size],
            body: vec![TEXT; size],
            users: Vec::new(),
            timelines: Vec::new(),
        };
        for _ in 0..depth {
            for pair in &mut *pairs {
                let row = pair.next(ids);
                batch
                    .numbers
                    .iter_mut()
                    .zip(row)
                    .for_each(|(column, n)| column.push(n));
            }
        }
        for pair in pairs {
            batch.users.extend([pair.sender, pair.recipient]);
            batch.timelines.extend([pair.timeline; 2]);
        }
        batch
    }
}

impl Pair {
    /// The numbers of the next message.
    fn next(&mut self, ids: &AtomicI64) -> [i64; 10] {
        self.timeline += 1;
        let id = self.ids.next().unwrap_or_else(|| {
            let first = ids.fetch_add(IDS_PER_GRANT, Ordering::Relaxed);
            self.ids = first + 1..first + IDS_PER_GRANT;
            first
        });
        let (a, b, seq) = (self.sender, self.recipient, self.timeline);
        [
            id,
            a,
            b,
            seq,
            seq,
            a.min(b),
            a.max(b),
            seq,
            ORIGIN,
            STORED_AT,
        ]
    }
}

impl QueryFragment<Pg> for Batch {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH counted AS (UPDATE users SET timeline = new.timeline FROM UNNEST(");
        out.push_bind_param::<Array<BigInt>, _>(&self.users)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.timelines)?;
        out.push_sql(
            ") AS new (id, timeline) WHERE users.id = new.id)
             INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, lo, hi, lo_seq,
                 origin, stored_at, kind, status, sent_at, body) SELECT * FROM UNNEST(",
        );
        for column in &self.numbers {
            out.push_bind_param::<Array<BigInt>, _>(column)?;
            out.push_sql(", ");
        }
        for column in [&self.kind, &self.status] {
            out.push_bind_param::<Array<SmallInt>, _>(column)?;
            out.push_sql(", ");
        }
        out.push_bind_param::<Array<Text>, _>(&self.sent_at)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.body)?;
        out.push_sql(")");
        Ok(())
    }
}

/// The text is the same for every batch: it stays prepared.
impl QueryId for Batch {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Batch {}
