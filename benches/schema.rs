//! Which SQLite schema should hold the messages? Six candidates, measured side by side.
//!
//! Every candidate stores the same messages and answers the same four questions, a page at a time:
//!
//! - Q1: the conversation of two users, backwards from a message;
//! - Q2: the timeline of a user, backwards (the history of all conversations);
//! - Q3: the timeline of a user, forwards from a cursor (catching up);
//! - Q4: the unread messages of a user, in order.
//!
//! They differ in their indexes, so in what a write costs, and in what a read may cost at worst.
//! Writes are transactions as the server makes them: one thread, WAL, `synchronous=FULL`, grants
//! and duplicates checked, each user's timeline counter read and raised. Candidates take turns and
//! medians are reported, so that a noisy machine treats them alike. Every answer is compared with
//! the other candidates' answers, and every query plan is asserted to use an index.
//!
//! ```text
//! cargo bench --bench schema > schema.md                      some ten minutes, 3 GB in TMPDIR
//! YANSHU_SCHEMA_ROWS=100000 cargo bench --bench schema        a smaller fill
//! YANSHU_SCHEMA_CHECKPOINT=1000 cargo bench --bench schema    WAL pages before a checkpoint
//! YANSHU_SCHEMA_PAGE_SIZE=2048 cargo bench --bench schema     bytes of a database page
//! ```
//!
//! Without `--bench` (under `cargo test --benches`) a small fill checks plans and answers only.

#[path = "schema/candidates.rs"]
mod candidates;
#[path = "schema/database.rs"]
mod database;
#[path = "schema/reads.rs"]
mod reads;
#[path = "schema/statements.rs"]
mod statements;
#[path = "schema/world.rs"]
mod world;
#[path = "schema/writes.rs"]
mod writes;

use std::error::Error;
use std::time::Instant;
use std::{env, fs};

use diesel::prelude::*;

use candidates::candidates;
use database::{create, fill, open};
use world::{USERS, World};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A setting of the bench, from the environment.
fn number(variable: &str, default: usize) -> Outcome<usize> {
    match env::var(variable) {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(default),
    }
}

/// The value below which a share of the values lies; not a number if there are none.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values
        .get(at)
        .or(values.last())
        .copied()
        .unwrap_or(f64::NAN)
}

/// Prints a row of a Markdown table.
fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Prints the head of a Markdown table.
fn header(cells: &[String]) {
    println!();
    row(cells);
    row(&vec!["---".into(); cells.len()]);
}

fn main() -> Outcome<()> {
    let full = env::args().any(|argument| argument == "--bench");
    let rows = number("YANSHU_SCHEMA_ROWS", if full { 1_000_000 } else { 2_000 })?;
    let (dir, all) = (tempfile::tempdir()?, candidates());
    let (messages, counters) = World::new(1).history(rows);
    let (mut conns, mut sizes): (Vec<SqliteConnection>, Vec<i64>) = Default::default();
    for c in &all {
        let start = Instant::now();
        let [empty, filled] = ["empty", "filled"].map(|state| dir.path().join(c.file(state)));
        create(&empty, c)?;
        fs::copy(&empty, &filled)?;
        sizes.push(fill(&filled, c, &messages, &counters)?);
        conns.push(open(&filled)?);
        eprintln!("{}: filled in {:.1?}", c.name, start.elapsed());
    }
    println!("{rows} stored messages, {USERS} users.\n");
    reads::explain(&mut conns, &all)?;
    reads::measure(&mut conns, &all, &messages)?;
    writes::measure(&mut conns, &all, dir.path(), &messages, &sizes)
}
