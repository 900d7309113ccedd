//! What writes cost, on a new database and on a filled one.

use std::fs;
use std::path::Path;
use std::time::Instant;

use diesel::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::candidates::Candidate;
use crate::database::{checkpoint, grant, mark_read, open, store};
use crate::world::{LOADS, Load, Message, World};
use crate::{Outcome, header, quantile, row};

const REPETITIONS: usize = 3;

/// One kind of write that is measured.
#[derive(Clone, Copy)]
struct Burst {
    load: Load,
    rows: usize,
    batch: usize,
}

/// The rates of one candidate.
#[derive(Clone, Default)]
struct Rates {
    /// For each kind of burst: on new databases, and on the filled one.
    stored: Vec<[Vec<f64>; 2]>,
    read: Vec<f64>,
}

impl Burst {
    /// Messages stored a second; what the checkpoint still owes at the end is paid, and counted.
    fn rate(self, conn: &mut SqliteConnection, c: &Candidate, first: i64) -> Outcome<f64> {
        let mut messages = World::new(first as u64).burst(self.load, first, self.rows);
        grant(conn, c, first, self.rows)?;
        checkpoint(conn)?;
        let start = Instant::now();
        for batch in messages.chunks_mut(self.batch) {
            store(conn, c, batch)?;
        }
        checkpoint(conn)?;
        Ok(self.rows as f64 / start.elapsed().as_secs_f64())
    }
}

/// Messages marked read a second, in batches of 50.
fn read_rate(conn: &mut SqliteConnection, c: &Candidate, unread: &[Message]) -> Outcome<f64> {
    checkpoint(conn)?;
    let start = Instant::now();
    for batch in unread.chunks(50) {
        mark_read(conn, c, batch)?;
    }
    checkpoint(conn)?;
    Ok(unread.len() as f64 / start.elapsed().as_secs_f64())
}

/// Measures every kind of write, candidates taking turns, and prints the table.
pub fn measure(
    conns: &mut [SqliteConnection],
    all: &[Candidate],
    dir: &Path,
    messages: &[Message],
    sizes: &[i64],
) -> Outcome<()> {
    let rows = (messages.len() / 100).clamp(50, 10_000);
    let kinds = LOADS.map(|(load, _)| [10, 50].map(|batch| Burst { load, rows, batch }));
    let mut unread: Vec<_> = messages.iter().filter(|m| m.status == 1).cloned().collect();
    unread.shuffle(&mut StdRng::seed_from_u64(9));
    let reads = (unread.len() / REPETITIONS).clamp(1, 2_500);
    let mut rates = vec![
        Rates {
            stored: vec![Default::default(); 6],
            read: vec![]
        };
        all.len()
    ];
    let mut first = messages.len() as i64 + 1;
    for unread in unread.chunks(reads).take(REPETITIONS) {
        for (kind, burst) in kinds.iter().flatten().enumerate() {
            for ((conn, c), rates) in conns.iter_mut().zip(all).zip(&mut rates) {
                let path = dir.join("burst.db");
                fs::copy(dir.join(c.file("empty")), &path)?;
                // Closing it, as the statement ends, takes its WAL along.
                rates.stored[kind][0].push(burst.rate(&mut open(&path)?, c, 1)?);
                rates.stored[kind][1].push(burst.rate(conn, c, first)?);
            }
            first += rows as i64 + 10;
        }
        for ((conn, c), rates) in conns.iter_mut().zip(all).zip(&mut rates) {
            rates.read.push(read_rate(conn, c, unread)?);
        }
    }
    print(all, sizes, rates);
    Ok(())
}

fn print(all: &[Candidate], sizes: &[i64], rates: Vec<Rates>) {
    println!("\nMessages a second, new → filled, by load and batch size; marked read a second.");
    let kinds = LOADS.map(|(_, name)| [10, 50].map(|batch| format!("{name}, {batch}")));
    let mut titles = ["", "schema", "bytes a message"].map(String::from).to_vec();
    titles.extend(kinds.into_iter().flatten());
    titles.push("read".into());
    header(&titles);
    for ((c, size), mut rates) in all.iter().zip(sizes).zip(rates) {
        let mut cells = vec![c.name.to_owned(), c.what.to_owned(), size.to_string()];
        for times in &mut rates.stored {
            let [new, filled] = times.each_mut().map(|rates| quantile(rates, 0.5));
            cells.push(format!("{new:.0} → {filled:.0}"));
        }
        cells.push(format!("{:.0}", quantile(&mut rates.read, 0.5)));
        row(&cells);
    }
}
