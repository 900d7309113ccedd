//! What PostgreSQL can have against a start. The start then ends, soon, with one sentence that says what is wrong
//! and holds no password; and whatever is in the database stays as it was.

use std::net::TcpListener;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::common::{assert_all_serve, contents, empty_database, eventually, spawn_node};
use super::support::postgres::Durability;
use super::support::server::run_with_env;
use super::support::{Database, Postgres};

/// In less than this a start ends that cannot succeed, on a busy machine too.
const SOON: Duration = Duration::from_secs(8);

/// Part of every password here, and of no output.
pub const SECRET: &str = "hunter2";

/// Starts a server that must not come up, and returns the sentence that says why.
pub fn refusal(arguments: &[&str]) -> String {
    let mut all = vec!["serve", "--listen=127.0.0.1:0"];
    all.extend(arguments);
    let asked = Instant::now();
    // All that is ever logged is searched for the password.
    let ended = run_with_env(&all, &[("RUST_LOG", "trace")]);
    let took = asked.elapsed();
    assert!(took < SOON, "it took {took:?}: {ended:?}");
    assert!(!ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout, "", "nothing is ready: {ended:?}");
    assert!(!ended.stderr.contains(SECRET), "a password: {ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap_or_default();
    let sentence = last.strip_prefix("yanshu: ");
    let sentence = sentence.unwrap_or_else(|| panic!("its last line is no sentence: {ended:?}"));
    sentence.to_owned()
}

/// [`refusal`] of a database, which must say each of these.
fn assert_refused(url: &str, says: &[&str]) {
    let sentence = refusal(&["--database-url", url]);
    for part in says {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
}

/// The URL of a database for somebody else, at the same place.
fn url_as(database: &Database, user: &str) -> String {
    database.url().replacen("postgres@", &format!("{user}@"), 1)
}

/// A PostgreSQL that wants to know the password of whoever is called `goose`.
fn guarded() -> &'static Postgres {
    static GUARDED: OnceLock<Postgres> = OnceLock::new();
    GUARDED.get_or_init(|| {
        let postgres = Postgres::with(Durability::Fast);
        let file = postgres.directory().join("data/pg_hba.conf");
        let rules = std::fs::read_to_string(&file).expect("it can be read");
        let rule = "host all goose 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(&file, rule.to_owned() + &rules).expect("it can be written");
        postgres.execute(&format!(
            "CREATE ROLE goose SUPERUSER LOGIN PASSWORD '{SECRET}!'; SELECT pg_reload_conf();"
        ));
        postgres
    })
}

#[test]
fn a_postgres_that_is_not_there_is_named_within_seconds() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = nobody.local_addr().expect("it has an address");
    drop(nobody);
    let url = format!("postgres://goose:{SECRET}@{address}/yanshu");
    let port = address.port().to_string();
    assert_refused(&url, &["127.0.0.1", &port, "refused"]);
}

#[test]
fn a_postgres_that_only_reads_is_refused() {
    let database = empty_database();
    database.execute(
        "DO $$ BEGIN EXECUTE format(
             'ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
         END $$",
    );
    assert_refused(&database.url(), &["read-only"]);
}

#[test]
fn a_postgres_that_says_nothing_is_given_up_within_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it has an address");
    let url = format!("postgres://goose:{SECRET}@{address}/yanshu");
    assert_refused(&url, &[&address.to_string()]);
}

#[test]
fn a_host_that_nobody_knows_is_named() {
    let url = format!("postgres://goose:{SECRET}@no-such-host.invalid/yanshu");
    assert_refused(&url, &["no-such-host.invalid"]);
}

#[tokio::test]
async fn a_wrong_password_is_called_so_and_never_shown() {
    let database = guarded().new_database();
    let right = url_as(&database, &format!("goose:{SECRET}!"));
    let wrong = url_as(&database, &format!("goose:{SECRET}-not"));
    eventually("the password to be asked for", || {
        Database::Postgres(wrong.clone())
            .try_execute("SELECT 1")
            .is_err()
    })
    .await;
    assert_refused(&wrong, &["password authentication failed", "goose"]);
    let none = url_as(&database, "goose");
    assert_refused(&none, &["no password"]);

    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let node = spawn_node(directory.path(), &Database::Postgres(right), &[]);
    node.wait_until_ready();
    assert_all_serve(&[&node], "with-a-password").await;
    assert!(!node.log().contains(SECRET), "{}", node.log());
}

#[test]
fn a_database_that_does_not_exist_is_named() {
    let database = Postgres::shared().database("no_such_database");
    assert_refused(&database.url(), &["no_such_database", "does not exist"]);
}

#[test]
fn a_user_who_may_not_create_tables_is_told_so() {
    let database = empty_database();
    database.execute("CREATE ROLE reader LOGIN");
    let before = contents(&database);
    assert_refused(&url_as(&database, "reader"), &["permission denied"]);
    assert_eq!(contents(&database), before, "it changed something");
}

#[test]
fn a_user_with_too_few_connections_is_told_so() {
    let database = empty_database();
    database.execute("CREATE ROLE lonely LOGIN CONNECTION LIMIT 0");
    assert_refused(&url_as(&database, "lonely"), &["too many connections"]);
}

#[test]
fn somebody_elses_database_with_a_table_of_the_same_name_stays_as_it_is() {
    let database = empty_database();
    database.execute(
        "CREATE TABLE users (id BIGINT PRIMARY KEY, mail TEXT NOT NULL);
         INSERT INTO users VALUES (1, 'goose@pond.example')",
    );
    let before = contents(&database);
    assert_refused(&database.url(), &["users", "already exists"]);
    assert_eq!(contents(&database), before, "it changed something");
}

#[test]
fn a_database_with_migrations_of_another_program_stays_as_it_is() {
    let database = empty_database();
    database.execute(
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL,
             run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
         INSERT INTO __diesel_schema_migrations (version) VALUES ('20200101000000');
         CREATE TABLE ponds (id BIGINT PRIMARY KEY);",
    );
    let before = contents(&database);
    assert_refused(&database.url(), &["20200101000000", "does not know"]);
    assert_eq!(contents(&database), before, "it changed something");
}

#[test]
fn a_database_that_cannot_hold_every_text_is_refused() {
    let postgres = Postgres::shared();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("in_{}", encoding.to_lowercase());
        postgres.execute(&format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        ));
        let database = postgres.database(&name);
        assert_refused(&database.url(), &[encoding, "UTF8"]);
        assert_eq!(contents(&database), [""; 0], "it changed something");
    }
}
