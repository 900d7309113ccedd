//! The same command again, after it is done.

use crate::common::{Source, assert_refused, migrate, migrate_all, snapshot, target};
use crate::support::{Client, Server};

#[tokio::test]
async fn a_second_run_compares_and_says_that_it_is_done() {
    let source = Source::of_messages(2_000).await;
    let to = target();
    let first = migrate_all(&source.database, &to);
    let before = snapshot(&to);
    let second = migrate(&source.database, &to);
    assert!(second.status.success(), "{}", second.stderr);
    assert!(second.stdout.contains("already done"), "{}", second.stdout);
    let table = |stdout: &str| {
        stdout
            .lines()
            .take(6)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(table(&second.stdout), table(&first.stdout));
    assert_eq!(snapshot(&to), before);
}

#[tokio::test]
async fn a_moved_source_is_the_same_source() {
    let source = Source::of_messages(2_000).await;
    let to = target();
    migrate_all(&source.database, &to);
    let moved = source.beside("elsewhere 50%?.db");
    std::fs::rename(source.database.path(), &moved).expect("it can be moved");
    let second = migrate(&crate::support::Database::Sqlite(moved), &to);
    assert!(second.stdout.contains("already done"), "{second:?}");
}

#[tokio::test]
async fn a_source_that_was_used_since_is_refused() {
    let source = Source::of_messages(100).await;
    let to = target();
    migrate_all(&source.database, &to);
    let mut server = Server::on(&source.database, &[&[]]);
    let mut client = Client::connect(&server, "HK0001").await;
    client.deliver("HK0002", "later").await;
    server.terminate().await;
    assert_refused(&source.database, &to, &["the source has changed since"]);
}

#[tokio::test]
async fn a_target_that_was_used_since_is_left_alone() {
    let source = Source::of_messages(100).await;
    let to = target();
    migrate_all(&source.database, &to);
    // One that sweeps files would change the target by itself.
    let server = Server::on(&to, &[&["--file-store=off"]]);
    let mut client = Client::connect(&server, "HK0001").await;
    client.deliver("HK0002", "later").await;
    // Beside a server that goes on.
    assert_refused(
        &source.database,
        &to,
        &["filled from this source before", "users"],
    );
    client.deliver("HK0002", "later still").await;
}

#[tokio::test]
async fn nothing_at_all_can_be_migrated_too() {
    let source = Source::empty().await;
    let to = target();
    migrate_all(&source.database, &to);
    let server = Server::on(&to, &[&[]]);
    let mut client = Client::connect(&server, "HK0001").await;
    client.deliver("HK0002", "the first").await;
}

#[tokio::test]
async fn a_target_that_has_issued_more_ids_than_the_source_issues_none_of_them_again() {
    let source = Source::of_messages(100).await;
    let to = target();
    drop(Server::on(&to, &[&[]]));
    to.wait_until_unused();
    to.execute("UPDATE id_allocation SET next = 5001");
    migrate_all(&source.database, &to);
    assert_eq!(to.query_i64("SELECT next FROM id_allocation"), 5001);
}
