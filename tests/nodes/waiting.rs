//! A node that is started while another one migrates: it waits for the lock, however long that takes, and then
//! goes by what the other one has left.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

use super::common::{assert_all_serve, empty_database, eventually, spawn_node, tables};
use super::next_version::{NEEDED_BY_NEXT, NEXT};
use super::support::Database;

/// The number under which a node that migrates locks out all others.
const LOCK: i64 = 0x7961_6e73_6875;

/// The lock, held by the test as if it were a node that migrates, in a transaction.
pub struct MigrationLock {
    database: Database,
    holder: PgConnection,
}

impl MigrationLock {
    /// Takes it.
    pub fn take(database: &Database) -> MigrationLock {
        let mut holder = PgConnection::establish(&database.url()).expect("PostgreSQL is there");
        holder
            .batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK});"))
            .expect("nobody else holds it");
        MigrationLock {
            database: database.clone(),
            holder,
        }
    }

    /// Changes the database in the transaction that holds the lock.
    pub fn execute(&mut self, sql: &str) {
        self.holder.batch_execute(sql).expect("it can be executed");
    }

    /// Until so many nodes wait for it.
    pub async fn wait_for_waiting(&self, count: usize) {
        let waiting = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
            WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()";
        let count = i64::try_from(count).expect("they are few");
        eventually("nodes to wait for the lock", || {
            self.database.query_i64(waiting) == count
        })
        .await;
    }

    /// Commits, and lets it go.
    pub fn release(mut self) {
        self.execute("COMMIT");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_waits_for_another_one_that_migrates_longer_than_a_statement_may_take() {
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let lock = MigrationLock::take(&database);
    let node = spawn_node(directory.path(), &database, &["--store-timeout=200ms"]);
    lock.wait_for_waiting(1).await;
    // Nothing is waited for: it is to outlast the timeout of statements.
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(node.is_running(), "{}", node.log());
    assert_eq!(tables(&database), [""; 0], "it changed something");
    lock.release();
    node.wait_until_ready();
    assert_all_serve(&[&node], "after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_waited_finds_what_the_next_version_has_left_meanwhile() {
    for default_isolation in ["read committed", "repeatable read", "serializable"] {
        let database = empty_database();
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        spawn_node(directory.path(), &database, &[]).wait_until_ready();
        set_default_isolation(&database, default_isolation);

        let mut lock = MigrationLock::take(&database);
        let node = spawn_node(directory.path(), &database, &[]);
        lock.wait_for_waiting(1).await;
        lock.execute(NEXT);
        lock.release();
        node.wait_until_ready();
        assert!(node.log().contains("newer yanshu"), "{}", node.log());

        let mut lock = MigrationLock::take(&database);
        let late = spawn_node(directory.path(), &database, &[]);
        lock.wait_for_waiting(1).await;
        lock.execute(NEEDED_BY_NEXT);
        lock.release();
        let ended = late.ended().await;
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_start_on_an_empty_database_whatever_its_default_isolation_is() {
    for default_isolation in ["repeatable read", "serializable"] {
        let database = empty_database();
        set_default_isolation(&database, default_isolation);
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let lock = MigrationLock::take(&database);
        let nodes = [(); 2].map(|()| spawn_node(directory.path(), &database, &[]));
        lock.wait_for_waiting(2).await;
        lock.release();
        for node in &nodes {
            node.wait_until_ready();
        }
    }
}

fn set_default_isolation(database: &Database, isolation: &str) {
    database.execute(&format!(
        "DO $$ BEGIN EXECUTE format(
             'ALTER DATABASE %I SET default_transaction_isolation = %L', current_database(), '{isolation}');
         END $$"
    ));
}
