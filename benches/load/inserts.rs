//! SQLite's store without sockets: its own door, one thread, one batch after another.

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};

use yanshu::protocol::{IDS_PER_GRANT, MessageId, MessageKind, UserId};
use yanshu::store::{NewMessage, Outcome as Written, Store, StoreOptions, Write};

use crate::database::Database;
use crate::{Outcome, Plan, TEXT, TIME, pair};

/// So many grants are made at once, outside of the time.
const GRANTS: i64 = 2_000;

struct World {
    store: Store,
    pairs: Vec<(UserId, UserId)>,
    /// The IDs of each pair's sender.
    ids: Vec<VecDeque<i64>>,
}

fn open(url: &str) -> Outcome<Store> {
    Ok(Store::open(&StoreOptions {
        url: url.parse()?,
        writers: 1,
        readers: 1,
        timeout: Duration::from_secs(5),
        strangers: true,
    })?)
}

/// A fresh database with the users of so many pairs.
pub fn open_with(url: &str, pairs: usize) -> Outcome<(Store, Vec<(UserId, UserId)>)> {
    let store = open(url)?;
    let user = |name: String| UserId::parse(&name);
    let pairs = (0..pairs)
        .map(pair::names)
        .map(|(from, to)| Ok((user(from)?, user(to)?)))
        .collect::<Outcome<Vec<_>>>()?;
    let users = pairs.iter().flat_map(|(a, b)| [a, b]).cloned();
    store.write(&users.map(Write::Connect).collect::<Vec<_>>())?;
    Ok((store, pairs))
}

/// Messages a second in batches of `depth` messages of each of so many pairs.
pub fn messages(pairs: usize, depth: usize, plan: &Plan) -> Outcome<f64> {
    let database = Database::file()?;
    let (store, pairs) = open_with(&database.url, pairs)?;
    let mut world = World {
        store,
        ids: vec![VecDeque::new(); pairs.len()],
        pairs,
    };
    world.batches(depth, plan.warm_up)?;
    world.batches(depth, plan.seconds)
}

impl World {
    /// Writes batches for so many seconds of writing; returns messages a second.
    fn batches(&mut self, depth: usize, seconds: f64) -> Outcome<f64> {
        let (mut spent, mut count) = (Duration::ZERO, 0);
        while spent.as_secs_f64() < seconds {
            let batch = self.batch(depth)?;
            let start = Instant::now();
            let outcomes = self.store.write(&batch)?;
            spent += start.elapsed();
            count += batch.len();
            let stored = |outcome: &Written| matches!(outcome, Written::Stored { .. });
            if !outcomes.iter().all(stored) {
                return Err("a message was not stored".into());
            }
        }
        Ok(count as f64 / spent.as_secs_f64())
    }

    fn batch(&mut self, depth: usize) -> Outcome<Vec<Write>> {
        if self.ids.iter().any(|ids| ids.len() < depth) {
            self.grant(depth)?;
        }
        let mut batch = Vec::with_capacity(depth * self.pairs.len());
        for _ in 0..depth {
            for ((from, to), ids) in self.pairs.iter().zip(&mut self.ids) {
                batch.push(Write::Message(NewMessage {
                    id: MessageId::new(ids.pop_front().ok_or("no IDs left")?),
                    from: from.clone(),
                    to: to.clone(),
                    kind: MessageKind::from_number(0).ok_or("0 is text")?,
                    text: TEXT.to_owned(),
                    time: TIME.to_owned(),
                    origin: 1,
                }));
            }
        }
        Ok(batch)
    }

    fn grant(&mut self, depth: usize) -> Result<(), Box<dyn Error>> {
        let pairs = i64::try_from(self.pairs.len())?;
        let rounds = (GRANTS / pairs).max(i64::try_from(depth)? / IDS_PER_GRANT + 1);
        let count = rounds * pairs * IDS_PER_GRANT;
        let Some(Written::Leased(first)) = self.store.write(&[Write::Lease(count)])?.pop() else {
            return Err("no lease".into());
        };
        let blocks = (first.number()..first.number() + count).step_by(IDS_PER_GRANT as usize);
        let mut grants = Vec::new();
        let users = (0..self.pairs.len()).cycle();
        for (block, at) in blocks.zip(users) {
            let id = MessageId::new(block);
            grants.push(Write::Grant(self.pairs[at].0.clone(), id));
            self.ids[at].extend(block..block + IDS_PER_GRANT);
        }
        self.store.write(&grants)?;
        Ok(())
    }
}

/// Connects of new users a second in batches of this size.
pub fn connects(users: usize, batch: usize) -> Outcome<f64> {
    let database = Database::file()?;
    let store = open(&database.url)?;
    let names = (0..users).map(|n| UserId::parse(&format!("IDLE{n:06}")));
    let writes: Vec<Write> = names
        .map(|name| Ok(Write::Connect(name?)))
        .collect::<Outcome<_>>()?;
    let start = Instant::now();
    for batch in writes.chunks(batch) {
        store.write(batch)?;
    }
    Ok(users as f64 / start.elapsed().as_secs_f64())
}
