//! The server's database from outside, whichever it is: for tests that look into it or change it.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection, sql_query};

use super::command::STOP_DEADLINE;

/// Where the server stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server, by its URL.
    Postgres(String),
}

/// What a writer needs, held from outside of the server: nothing can be written until it is released or dropped.
/// Reading goes on.
pub struct WriteLock(Holder);

enum Holder {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// One row of one column.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    value: String,
}

impl Database {
    /// What to give to `--database-url`.
    pub fn url(&self) -> String {
        match self {
            Database::Sqlite(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(url) => url.clone(),
        }
    }

    /// The same database of PostgreSQL, asked for at another port of 127.0.0.1: that of a
    /// [`Proxy`](super::proxy::Proxy).
    pub fn at_port(&self, port: u16) -> Database {
        let url = self.url();
        let (before, name) = url.rsplit_once('/').expect("the URL names a database");
        let (host, _) = before.rsplit_once(':').expect("the URL names a port");
        Database::Postgres(format!("{host}:{port}/{name}"))
    }

    /// The file, where it is one.
    pub fn path(&self) -> &Path {
        match self {
            Database::Sqlite(path) => path,
            Database::Postgres(url) => panic!("{url} is no file"),
        }
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql)
            .unwrap_or_else(|error| panic!("{sql} failed: {error}"));
    }

    /// [`Database::execute`], for a database that may be down.
    pub fn try_execute(&self, sql: &str) -> Result<(), String> {
        match self {
            Database::Sqlite(path) => sqlite(path)?.batch_execute(sql).map_err(text),
            Database::Postgres(url) => postgres(url)?.batch_execute(sql).map_err(text),
        }
    }

    /// Waits for the end of what is being written, and lets nothing more be written.
    pub fn lock_writing(&self) -> WriteLock {
        // The tables in the order in which the server's transactions lock them; each begins with one of them.
        const LOCK: &str = "BEGIN; LOCK TABLE users IN EXCLUSIVE MODE; LOCK TABLE id_allocation IN EXCLUSIVE MODE;";
        let locked = match self {
            Database::Sqlite(path) => sqlite(path).and_then(|mut connection| {
                connection.batch_execute("BEGIN IMMEDIATE;").map_err(text)?;
                Ok(Holder::Sqlite(connection))
            }),
            Database::Postgres(url) => postgres(url).and_then(|mut connection| {
                connection.batch_execute(LOCK).map_err(text)?;
                Ok(Holder::Postgres(connection))
            }),
        };
        WriteLock(locked.unwrap_or_else(|error| panic!("writing cannot be locked: {error}")))
    }

    /// Waits until PostgreSQL has noticed that a server has gone, and nobody is connected any more.
    pub fn wait_until_unused(&self) {
        const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let deadline = Instant::now() + STOP_DEADLINE;
        while self.query_i64(OTHERS) > 0 {
            assert!(Instant::now() < deadline, "{self:?} is still used");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The number that a query asks for.
    pub fn query_i64(&self, sql: &str) -> i64 {
        let values = self.query(sql);
        let number = values.first().and_then(|value| value.parse().ok());
        number.unwrap_or_else(|| panic!("no number answers {sql}, but {values:?}"))
    }

    /// The rows of a query for one column, as text.
    pub fn query(&self, sql: &str) -> Vec<String> {
        self.try_query(sql)
            .unwrap_or_else(|error| panic!("{sql} failed: {error}"))
    }

    /// [`Database::query`], for a database that may be down.
    pub fn try_query(&self, sql: &str) -> Result<Vec<String>, String> {
        let query =
            format!("WITH asked (value) AS ({sql}) SELECT CAST(value AS TEXT) AS value FROM asked");
        let rows: Vec<Row> = match self {
            Database::Sqlite(path) => sqlite(path)
                .and_then(|mut connection| sql_query(query).load(&mut connection).map_err(text)),
            Database::Postgres(url) => postgres(url)
                .and_then(|mut connection| sql_query(query).load(&mut connection).map_err(text)),
        }?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }
}

impl WriteLock {
    /// Lets the server write again.
    pub fn release(mut self) {
        let released = match &mut self.0 {
            Holder::Sqlite(connection) => connection.batch_execute("ROLLBACK;"),
            Holder::Postgres(connection) => connection.batch_execute("ROLLBACK;"),
        };
        released.expect("the lock can be released");
    }
}

fn sqlite(path: &Path) -> Result<SqliteConnection, String> {
    let path = path.to_str().expect("the path is UTF-8");
    let mut connection = SqliteConnection::establish(path).map_err(text)?;
    connection
        .batch_execute("PRAGMA busy_timeout = 10000;")
        .map_err(text)?;
    Ok(connection)
}

fn postgres(url: &str) -> Result<PgConnection, String> {
    PgConnection::establish(url).map_err(text)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
