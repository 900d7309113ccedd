//! What reads cost, and proof that they use an index.

use std::time::Instant;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::candidates::Candidate;
use crate::statements::{Value, cached};
use crate::world::{Message, STARS};
use crate::{Outcome, header, quantile, row};

type Page = (BigInt, Text, Text, BigInt, Text, Text, BigInt);
type PageRow = (i64, String, String, i64, String, String, i64);

const TITLES: [&str; 8] = [
    "Q1",
    "Q2",
    "Q3",
    "Q4",
    "Q2, 100",
    "Q4, 100",
    "Q2, 5,000",
    "Q4, 5,000",
];

/// One question (0 to 3) that is put to every candidate, about many messages and their users.
struct Series<'a> {
    question: usize,
    probes: Vec<(&'a Message, usize)>,
}

/// Prints the plan of every question.
pub fn explain(conns: &mut [SqliteConnection], all: &[Candidate]) -> Outcome<()> {
    for (conn, c) in conns.iter_mut().zip(all) {
        for question in 0..4 {
            println!(
                "- {} Q{}: {}",
                c.name,
                question + 1,
                plan(conn, c, question)?
            );
        }
    }
    Ok(())
}

/// The plan of a question in one line; panics where it would read without bound.
fn plan(conn: &mut SqliteConnection, c: &Candidate, question: usize) -> Outcome<String> {
    let sql = format!("EXPLAIN QUERY PLAN {}", c.queries[question]);
    let values: Vec<_> = (0..6).map(|_| c.key(0)).collect();
    let lines =
        cached::<(Integer, Integer, Integer, Text)>(&sql, &values)
            .load::<(i32, i32, i32, String)>(conn)?;
    let mut steps: Vec<_> = lines.into_iter().map(|line| line.3).collect();
    // `page` is the merged page itself, fifty rows long.
    let scans = |step: &String| step.starts_with("SCAN ") && step != "SCAN page";
    assert!(!steps.iter().any(scans), "{}: {steps:?}", c.name);
    let sorts = |step: &String| step.contains("TEMP B-TREE");
    assert!(
        c.per_peer || !steps.iter().any(sorts),
        "{}: {steps:?}",
        c.name
    );
    steps.retain(|step| !step.contains("SCALAR") && !step.contains("SEARCH users"));
    Ok(steps.join("; "))
}

/// Asks one question about a stored message, as its `user`: microseconds, and the IDs found.
fn ask(
    conn: &mut SqliteConnection,
    c: &Candidate,
    question: usize,
    (m, user): (&Message, usize),
) -> Outcome<(f64, Vec<i64>)> {
    let (peer, seq) = match user == m.sender {
        true => (m.recipient, m.sender_seq),
        false => (m.sender, m.recipient_seq),
    };
    let position = if question == 3 { 0 } else { seq };
    let mut values = vec![c.key(user), c.key(peer), Value::Int(position)];
    values.extend(c.place(m));
    let start = Instant::now();
    let rows = cached::<Page>(&c.queries[question], &values).load::<PageRow>(conn)?;
    let time = start.elapsed().as_secs_f64() * 1e6;
    Ok((time, rows.into_iter().map(|row| row.0).collect()))
}

/// Q1 to Q4 about random messages, then Q2 and Q4 for each star.
fn series(messages: &[Message]) -> Vec<Series<'_>> {
    let mut rng = StdRng::seed_from_u64(7);
    let random: Vec<_> = (0..500)
        .map(|_| &messages[rng.random_range(0..messages.len())])
        .map(|m| (m, m.recipient))
        .collect();
    let of_all = (0..4).map(|question| (question, random.clone()));
    let mut all: Vec<_> = of_all
        .map(|(question, probes)| Series { question, probes })
        .collect();
    for (star, _) in STARS {
        let own = messages
            .iter()
            .filter(|m| m.sender == star || m.recipient == star);
        let own: Vec<_> = own.map(|m| (m, star)).collect();
        for question in [1, 3] {
            let probes = (0..100).filter_map(|_| own.get(rng.random_range(0..own.len().max(1))));
            all.push(Series {
                question,
                probes: probes.copied().collect(),
            });
        }
    }
    all
}

/// The times of one series, for each candidate; all candidates must give the same answers.
fn time(
    conns: &mut [SqliteConnection],
    all: &[Candidate],
    Series { question, probes }: &Series<'_>,
) -> Outcome<Vec<Vec<f64>>> {
    let warm_up = probes.len() / 5;
    let mut times = vec![Vec::new(); all.len()];
    for (at, &probe) in probes.iter().enumerate() {
        let mut expected = None;
        // Each probe starts with another candidate: the first to ask pays for a cold processor cache.
        for turn in (at..at + all.len()).map(|turn| turn % all.len()) {
            let c = &all[turn];
            let (time, found) = ask(&mut conns[turn], c, *question, probe)?;
            let expected = expected.get_or_insert_with(|| found.clone());
            assert_eq!(*expected, found, "{} Q{}", c.name, question + 1);
            if at >= warm_up {
                times[turn].push(time);
            }
        }
    }
    Ok(times)
}

/// Times every question and prints the table.
pub fn measure(
    conns: &mut [SqliteConnection],
    all: &[Candidate],
    messages: &[Message],
) -> Outcome<()> {
    let mut table: Vec<_> = all.iter().map(|c| vec![c.name.to_owned()]).collect();
    for series in series(messages) {
        let times = time(conns, all, &series)?;
        for (cells, mut times) in table.iter_mut().zip(times) {
            let [median, p99] = [0.5, 0.99].map(|share| quantile(&mut times, share));
            cells.push(format!("{median:.0} / {p99:.0}"));
        }
    }
    println!("\nReads, µs, median / p99; also for a user with 100 peers and one with 5,000.");
    header(
        &[""]
            .into_iter()
            .chain(TITLES)
            .map(String::from)
            .collect::<Vec<_>>(),
    );
    table.iter().for_each(|cells| row(cells));
    Ok(())
}
