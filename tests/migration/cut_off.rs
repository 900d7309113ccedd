//! The command, killed; its database, killed: what is there afterwards is a part that is known as one, and the
//! same command again makes it whole.

use crate::common::{
    Running, Source, assert_same, has_tables, hold, is_complete, migrate_all, refuses_to_start,
    rows, target,
};
use crate::support::{Database, Postgres};

/// The message rows of the source, to which come about as many others.
const MESSAGES: i64 = 100_000;

async fn source() -> Source {
    Source::of_messages(u32::try_from(MESSAGES).expect("it fits")).await
}

/// Waits until so many rows of a table have arrived.
#[track_caller]
fn wait_for_rows(running: &mut Running, to: &Database, table: &str, count: i64) {
    let what = format!("{count} rows of {table}");
    running.wait_until(&what, || rows(to, table) >= count);
}

#[tokio::test]
async fn killed_at_any_moment_it_goes_on_where_it_stopped_and_nothing_is_missing() {
    let source = source().await;
    let to = target();
    let receipts = MESSAGES * 2 / 3;
    let mut held = None;
    for (table, count) in [
        ("users", 1),
        ("grants", 1),
        ("messages", 1),
        ("messages", MESSAGES / 3),
        ("messages", MESSAGES),
        ("receipts", receipts / 2),
        ("contacts", 5_000),
    ] {
        let mut running = Running::start(&source.database, &to);
        running.wait_until("tables", || has_tables(&to));
        held.get_or_insert_with(|| hold(&to));
        wait_for_rows(&mut running, &to, table, count);
        running.kill9();
        assert!(!is_complete(&to), "killed at {count} rows of {table}");
    }
    // All rows are there, and nobody knows yet that they are.
    drop(held);
    let sentence = refuses_to_start(&to);
    assert!(sentence.contains("migrate-data"), "{sentence}");
    let ended = migrate_all(&source.database, &to);
    assert!(ended.stdout.contains("\ndone: "), "{}", ended.stdout);
    assert!(
        ended
            .stdout
            .contains("messages          100000  the same in both"),
        "{}",
        ended.stdout
    );
}

#[tokio::test]
async fn no_server_starts_on_a_target_that_is_half_full() {
    let source = source().await;
    let to = target();
    let mut running = Running::start(&source.database, &to);
    running.wait_until("tables", || has_tables(&to));
    let held = hold(&to);
    wait_for_rows(&mut running, &to, "messages", 1);
    running.signal("STOP");
    let sentence = refuses_to_start(&to);
    assert!(sentence.contains("on its way into it"), "{sentence}");
    running.signal("CONT");
    drop(held);
    assert!(running.ended().0.success());
    assert_same(&source.database, &to);
}

#[tokio::test]
async fn no_server_starts_on_a_source_that_is_being_copied() {
    let source = source().await;
    let to = target();
    let mut running = Running::start(&source.database, &to);
    running.wait_until("tables", || has_tables(&to));
    let held = hold(&to);
    wait_for_rows(&mut running, &to, "messages", 1);
    running.signal("STOP");
    let sentence = refuses_to_start(&source.database);
    assert!(sentence.contains("locked"), "{sentence}");
    running.signal("CONT");
    drop(held);
    assert!(running.ended().0.success());
    assert_same(&source.database, &to);
}

#[tokio::test]
async fn when_postgres_is_killed_it_says_that_it_can_be_run_again() {
    let source = source().await;
    let postgres = Postgres::start();
    let to = postgres.new_database();
    let mut running = Running::start(&source.database, &to);
    wait_for_rows(&mut running, &to, "messages", MESSAGES / 3);
    postgres.kill9();
    let (status, sentence) = running.ended();
    assert_eq!(status.code(), Some(1));
    assert!(
        sentence.contains("run the same command again"),
        "{sentence}"
    );
    postgres.restart();
    assert!(!is_complete(&to));
    assert!(rows(&to, "messages") < MESSAGES);
    migrate_all(&source.database, &to);
}
