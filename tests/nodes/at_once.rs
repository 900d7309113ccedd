//! Nodes that are started at the same moment on an empty database: all of them come up, and the schema is
//! there once.

use std::fs;
use std::path::Path;

use super::common::{assert_all_serve, empty_database, setting, spawn_node, tables};
use super::support::{Database, Nats, Node};
use super::waiting::MigrationLock;

/// How many nodes there are in a crowd.
const MANY: usize = 8;

/// How many migrations there are in this version.
fn migrations() -> i64 {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let migrations = fs::read_dir(directory).expect("the migrations can be listed");
    i64::try_from(migrations.count()).expect("they are few")
}

fn assert_the_schema_is_there_once(database: &Database) {
    for (table, rows) in [
        ("__diesel_schema_migrations", migrations()),
        ("deployment", 1),
        ("id_allocation", 1),
    ] {
        let count = database.query_i64(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(count, rows, "rows of {table}");
    }
    let tables = tables(database);
    for table in [
        "users",
        "messages",
        "receipts",
        "contacts",
        "grants",
        "__diesel_schema_migrations",
    ] {
        assert!(tables.iter().any(|name| name == table), "{tables:?}");
    }
}

/// Starts so many nodes at once on a new database, `hold` of them before any may migrate it.
async fn start_at_once(count: usize, hold: bool, round: u64) {
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let bus = format!("--nats-url={}", Nats::shared().url());
    let lock = hold.then(|| MigrationLock::take(&database));
    let nodes: Vec<Node> = (0..count)
        .map(|_| spawn_node(directory.path(), &database, &[&bus]))
        .collect();
    if let Some(lock) = lock {
        lock.wait_for_waiting(count).await;
        lock.release();
    }
    for node in &nodes {
        node.wait_until_ready();
    }
    assert_the_schema_is_there_once(&database);
    let nodes: Vec<&Node> = nodes.iter().collect();
    assert_all_serve(&nodes, &format!("round-{round}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_are_started_at_the_same_moment_on_an_empty_database_both_serve() {
    for round in 0..setting("YANSHU_START_ROUNDS", 5) {
        start_at_once(2, false, round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_are_let_go_at_the_same_moment_on_an_empty_database_all_serve() {
    for round in 0..setting("YANSHU_START_ROUNDS", 5).div_ceil(3) {
        start_at_once(MANY, true, round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_nodes_that_are_started_at_the_same_moment_on_an_empty_database_all_serve() {
    for round in 0..setting("YANSHU_START_ROUNDS", 5).div_ceil(3) {
        start_at_once(MANY, false, round).await;
    }
}
