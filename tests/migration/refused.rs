//! What is refused, in one sentence, before anything is changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::common::{
    Running, Source, assert_refused, assert_same, has_tables, hold, migrate, migrate_all,
    refuses_to_start, rows, target,
};
use crate::support::server::run;
use crate::support::{Client, Database, Server};

#[tokio::test]
async fn a_source_that_is_not_there_is_not_made() {
    let source = Source::new();
    let to = target();
    assert_refused(&source.database, &to, &["yanshu.db: No such file"]);
    let directory = source.beside("");
    assert_eq!(fs::read_dir(directory).expect("it is there").count(), 0);
    assert!(!has_tables(&to));
}

#[tokio::test]
async fn what_is_no_database_of_yanshu_is_refused_and_stays_as_it_is() {
    let source = Source::new();
    let to = target();
    let path = source.database.path();
    for content in [&b""[..], b"a text, which is not a database at all"] {
        fs::write(path, content).expect("it can be written");
        assert_refused(&source.database, &to, &["it is no database of yanshu"]);
        assert_eq!(fs::read(path).expect("it is there"), content);
    }
    fs::remove_file(path).expect("it is there");
    for sql in [
        "CREATE TABLE users (id INTEGER)",
        "CREATE TABLE __diesel_schema_migrations (version TEXT); INSERT INTO __diesel_schema_migrations VALUES ('1')",
    ] {
        source.database.execute(sql);
        assert_refused(&source.database, &to, &["it is no database of yanshu"]);
    }
    assert_refused(
        &Database::Sqlite(source.beside("")),
        &to,
        &["Is a directory"],
    );
    assert!(!has_tables(&to));
}

#[tokio::test]
async fn a_source_of_another_version_is_refused() {
    let source = Source::empty().await;
    let to = target();
    let insert = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')";
    source.database.execute(insert);
    assert_refused(&source.database, &to, &["29991231000000", "the newer one"]);
    assert!(!has_tables(&to));
}

#[tokio::test]
async fn a_source_that_a_server_runs_on_is_refused_and_the_server_goes_on() {
    let source = Source::empty().await;
    let to = target();
    let server = Server::on(&source.database, &[&[]]);
    let mut client = Client::connect(&server, "HK0001").await;
    client.deliver("HK0002", "before").await;
    assert_refused(&source.database, &to, &["has it open", "stop that first"]);
    assert!(!has_tables(&to));
    client.deliver("HK0002", "after").await;
}

#[tokio::test]
async fn a_source_whose_server_was_killed_is_copied_with_all_that_was_acknowledged() {
    let source = Source::empty().await;
    let mut server = Server::on(&source.database, &[&[]]);
    let mut client = Client::connect(&server, "HK0001").await;
    for text in ["one", "two", "three"] {
        client.deliver("HK0002", text).await;
    }
    server.kill9();
    let to = target();
    migrate_all(&source.database, &to);
    assert_eq!(rows(&to, "messages"), 3);
}

/// The files of a source, by name.
fn files(source: &Source) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(source.beside("")).expect("it is there");
    let entries = entries.map(|entry| entry.expect("it can be listed"));
    entries
        .map(|entry| {
            let content = fs::read(entry.path()).expect("it can be read");
            (entry.file_name(), content)
        })
        .collect()
}

#[tokio::test]
async fn the_source_is_the_same_to_the_byte_afterwards() {
    let source = Source::of_messages(2_000).await;
    let mut server = Server::on(&source.database, &[&[]]);
    let mut client = Client::connect(&server, "HK0001").await;
    client.deliver("HK0002", "in the log").await;
    server.kill9();
    let before = files(&source);
    assert_eq!(
        before.len(),
        3,
        "the database, its log and the index over it"
    );
    let to = target();
    for _ in 0..2 {
        let ended = migrate(&source.database, &to);
        assert!(ended.status.success(), "{}", ended.stderr);
        assert!(files(&source) == before, "a file has changed");
    }
    assert_refused(&source.database, &full().await, &["it is in use"]);
    assert!(files(&source) == before, "a file has changed");
    assert_same(&source.database, &to);
}

/// A target with users of its own.
async fn full() -> Database {
    let to = target();
    let mut server = Server::on(&to, &[&[]]);
    Client::connect(&server, "HK0001").await.close().await;
    server.terminate().await;
    to.wait_until_unused();
    to
}

#[tokio::test]
async fn a_target_with_users_of_its_own_is_refused() {
    let source = Source::of_messages(100).await;
    let to = full().await;
    assert_refused(&source.database, &to, &["it is in use"]);
    Server::on(&to, &[&[]]);
}

#[tokio::test]
async fn a_target_that_a_server_runs_on_is_refused_even_while_it_is_empty() {
    let source = Source::of_messages(100).await;
    let to = target();
    let mut server = Server::on(&to, &[&[]]);
    assert_refused(&source.database, &to, &["a server is connected to it"]);
    server.terminate().await;
    to.wait_until_unused();
    migrate_all(&source.database, &to);
}

#[tokio::test]
async fn another_source_is_refused_by_a_target_that_is_full_and_by_one_that_is_half_full() {
    let source = Source::of_messages(2_000).await;
    let other = Source::of_messages(100).await;
    let to = target();
    let mut running = Running::start(&source.database, &to);
    running.wait_until("tables", || has_tables(&to));
    let held = hold(&to);
    running.wait_until("users", || rows(&to, "users") > 0);
    running.kill9();
    drop(held);
    let path = source.database.url();
    let path = path.trim_start_matches("sqlite://");
    assert_refused(
        &other.database,
        &to,
        &["a part of", path, "another database"],
    );

    migrate_all(&source.database, &to);
    assert_refused(
        &other.database,
        &to,
        &["was filled from", path, "another database"],
    );
    migrate_all(&source.database, &to);
}

#[tokio::test]
async fn a_source_that_changed_while_half_of_it_was_copied_is_refused() {
    let source = Source::of_messages(100).await;
    let to = target();
    migrate_all(&source.database, &to);
    to.execute("UPDATE deployment SET migrated = FALSE");
    source
        .database
        .execute("UPDATE messages SET status = 3 - status WHERE id = 1");
    assert_refused(
        &source.database,
        &to,
        &["has changed since", "create it anew"],
    );
    refuses_to_start(&to);
}

#[tokio::test]
async fn a_second_command_for_the_same_target_is_refused() {
    let source = Source::of_messages(2_000).await;
    let other = Source::of_messages(100).await;
    let to = target();
    let mut running = Running::start(&source.database, &to);
    running.wait_until("tables", || has_tables(&to));
    let held = hold(&to);
    running.wait_until("contacts", || rows(&to, "contacts") >= 2_000);
    assert_refused(&other.database, &to, &["another yanshu migrate-data"]);
    assert_refused(&source.database, &to, &["has it open"]);
    drop(held);
    assert!(running.ended().0.success());
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_is_named_without_its_password() {
    let source = Source::of_messages(100).await;
    let (from, to) = (
        source.database.url(),
        "postgres://goose:s3cret@127.0.0.1:1/yanshu",
    );
    let ended = run(&["migrate-data", "--from", &from, "--to", to]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("postgres://127.0.0.1:1/yanshu: "),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
}

#[test]
fn it_goes_from_sqlite_to_postgres_and_no_other_way() {
    for (from, to) in [
        ("postgres://db/yanshu", "postgres://db/yanshu"),
        ("sqlite://a.db", "sqlite://b.db"),
        ("a.db", "postgres://db/yanshu"),
    ] {
        let ended = run(&["migrate-data", "--from", from, "--to", to]);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
    let ended = run(&["migrate-data", "--to", "postgres://db/yanshu"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(!Path::new("a.db").exists());
}

#[test]
fn the_help_names_both_flags_and_their_variables() {
    let help = run(&["migrate-data", "--help"]);
    assert!(help.status.success());
    for name in ["--from", "YANSHU_MIGRATE_FROM", "--to", "DATABASE_URL"] {
        assert!(help.stdout.contains(name), "{name}:\n{}", help.stdout);
    }
}
