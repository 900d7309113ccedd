//! What several of these tests need: nodes beside each other, and a look at what they share.

use std::path::Path;
use std::time::Instant;

use crate::support::node::{Conditions, Start, owned};
use crate::support::{Client, DEADLINE, Database, Node, Postgres};

/// The number in an environment variable, or `default` where it is not set.
pub fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

/// A new, empty database of the PostgreSQL that all tests share.
pub fn empty_database() -> Database {
    Postgres::shared().new_database()
}

/// Runs a node on a database, beside those that are there. It answers after [`Node::wait_until_ready`].
pub fn spawn_node(directory: &Path, database: &Database, flags: &[&str]) -> Node {
    let base = vec![
        "--listen=127.0.0.1:0".to_owned(),
        format!("--database-url={}", database.url()),
    ];
    let start = Start {
        base,
        flags: owned(flags),
        conditions: Conditions::default(),
    };
    Node::spawn(directory, start)
}

/// Polls until `holds`, and fails with the name of the thing after the [`DEADLINE`].
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "waited {DEADLINE:?} in vain for {what}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Shows that each of these nodes takes messages in, and delivers those of the one before it. The users are new.
pub async fn assert_all_serve(nodes: &[&Node], users: &str) {
    let mut clients = Vec::new();
    for number in 0..nodes.len().max(2) {
        let node = nodes[number % nodes.len()];
        clients.push(Client::connect(node, &format!("{users}-{number}")).await);
    }
    for number in 0..clients.len() {
        let next = (number + 1) % clients.len();
        let (from, to) = (format!("{users}-{number}"), format!("{users}-{next}"));
        let id = clients[number].deliver(&to, "hello").await;
        clients[next].expect_message(&from, &to, &id, "hello").await;
    }
}

/// All that a database holds, tables and rows, in a few lines: two of these are the same if nothing was changed.
pub fn contents(database: &Database) -> Vec<String> {
    let columns =
        "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
         || coalesce(column_default, '') FROM information_schema.columns
         WHERE table_schema = 'public' ORDER BY 1";
    let indexes = "SELECT indexdef || '' FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1";
    let mut contents = database.query(columns);
    contents.extend(database.query(indexes));
    for table in tables(database) {
        let rows = database.query(&format!(
            "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ' ' ORDER BY t::text)), '')
             FROM \"{table}\" AS t"
        ));
        contents.push(format!("{table}: {rows:?}"));
    }
    contents
}

/// The tables of a database.
pub fn tables(database: &Database) -> Vec<String> {
    database.query(
        "SELECT tablename || '' FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
    )
}
