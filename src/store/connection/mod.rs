//! Connections to either database: pools, transactions, migrations.
//!
//! A [`Link`] is a connection of whichever kind. Queries that both databases understand are written
//! once, inside [`on!`]; what must differ is in [`super::bulk`] and in the two files here.

mod checkpoints;
mod log_file;
mod postgres;
mod sqlite;
mod whereabouts;

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::r2d2::{ConnectionManager, PooledConnection, R2D2Connection};
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, RunQueryDsl, migration::MigrationVersion};

use super::fixed::sql;
use super::recall::Recall;
use super::{DatabaseUrl, StoreError, StoreOptions, Write};

use checkpoints::Checkpoints;
pub use postgres::{APPLICATION_NAME, Deployment, check_server, migrate_and, with_parameters};
pub use sqlite::migrations as sqlite_migrations;
use whereabouts::Whereabouts;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// One that writes.
    Writing,
    /// One that reads.
    Reading,
}

/// A connection to either database.
pub enum Link<'a> {
    /// The embedded one.
    Sqlite(&'a mut SqliteConnection),
    /// The shared one.
    Postgres(&'a mut PgConnection),
}

/// Runs a query that is written once on whichever connection a [`Link`] is.
macro_rules! on {
    ($link:expr, $connection:ident => $query:expr) => {
        match $link {
            $crate::store::connection::Link::Sqlite(connection) => {
                let $connection: &mut diesel::sqlite::SqliteConnection = connection;
                $query
            }
            $crate::store::connection::Link::Postgres(connection) => {
                let $connection: &mut diesel::pg::PgConnection = connection;
                $query
            }
        }
    };
}
pub(super) use on;

impl Link<'_> {
    /// Reads from one snapshot: what is committed meanwhile is not seen by any of the queries.
    pub fn snapshot<T>(
        &mut self,
        read: impl FnOnce(&mut Link<'_>) -> QueryResult<T>,
    ) -> QueryResult<T> {
        match self {
            Self::Sqlite(connection) => {
                connection.transaction(|connection| read(&mut Link::Sqlite(connection)))
            }
            Self::Postgres(connection) => connection
                .build_transaction()
                .read_only()
                .repeatable_read()
                .run(|connection| read(&mut Link::Postgres(connection))),
        }
    }

    /// Writes in one transaction. On SQLite it excludes every other from its beginning; on PostgreSQL
    /// it sees, at each statement, what others have committed by then, and excludes by locking rows.
    pub fn writing<T, E: From<diesel::result::Error>>(
        &mut self,
        write: impl FnOnce(&mut Link<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(connection) => immediate(connection, |connection| {
                write(&mut Link::Sqlite(connection))
            }),
            Self::Postgres(connection) => connection
                .build_transaction()
                .read_committed()
                .run(|connection| write(&mut Link::Postgres(connection))),
        }
    }
}

/// A transaction on SQLite, as diesel's `immediate_transaction`, which prepares `BEGIN` and `COMMIT` anew each time.
fn immediate<T, E: From<diesel::result::Error>>(
    connection: &mut SqliteConnection,
    write: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    sql!("BEGIN IMMEDIATE", []).execute(connection)?;
    let written = write(connection).and_then(|written| {
        sql!("COMMIT", []).execute(connection)?;
        Ok(written)
    });
    if written.is_err() {
        // It fails only where SQLite has rolled back by itself.
        let _ = connection.batch_execute("ROLLBACK");
    }
    written
}

impl Link<'_> {
    /// A number that changes when another connection, of whatever process, has written to SQLite since this one
    /// was asked last. `None` for PostgreSQL, where others always write.
    pub fn written_elsewhere(&mut self) -> QueryResult<Option<i64>> {
        match self {
            Self::Sqlite(connection) => sql!("PRAGMA data_version" => BigInt, [])
                .get_result(*connection)
                .map(Some),
            Self::Postgres(_) => Ok(None),
        }
    }

    /// The present transaction may take as long as it needs.
    pub fn take_time(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(connection) => {
                connection.batch_execute("SET LOCAL statement_timeout = 0")
            }
        }
    }
}

/// The connections of a lane. Cheap to clone.
#[derive(Clone)]
pub enum Pool {
    Sqlite(
        r2d2::Pool<ConnectionManager<SqliteConnection>>,
        Option<Whereabouts>,
        Option<Checkpoints>,
    ),
    Postgres(r2d2::Pool<ConnectionManager<PgConnection>>),
}

/// A connection out of a [`Pool`], to which it goes back.
pub enum Pooled {
    Sqlite(PooledConnection<ConnectionManager<SqliteConnection>>),
    Postgres(PooledConnection<ConnectionManager<PgConnection>>),
}

impl Pool {
    /// Connects.
    pub fn open(options: &StoreOptions, lane: Lane, recall: &Recall) -> Result<Self, StoreError> {
        match &options.url {
            DatabaseUrl::Sqlite(path) => {
                let pool = sqlite::pool(path, options, lane)?;
                let whereabouts = Whereabouts::of(path);
                let checkpoints = match lane {
                    Lane::Writing => {
                        let log = whereabouts.as_ref().map(Whereabouts::log);
                        Some(Checkpoints::begin(path, log, options.timeout)?)
                    }
                    Lane::Reading => None,
                };
                Ok(Self::Sqlite(pool, whereabouts, checkpoints))
            }
            DatabaseUrl::Postgres(url) => {
                postgres::pool(url, options, lane, recall.clone()).map(Self::Postgres)
            }
        }
    }

    /// How many connections there are at most.
    pub fn size(&self) -> u32 {
        match self {
            Self::Sqlite(pool, ..) => pool.max_size(),
            Self::Postgres(pool) => pool.max_size(),
        }
    }

    /// How many connections there are now, and how many of those are idle.
    pub fn state(&self) -> (u32, u32) {
        let state = match self {
            Self::Sqlite(pool, ..) => pool.state(),
            Self::Postgres(pool) => pool.state(),
        };
        (state.connections, state.idle_connections)
    }

    /// Whether the database is where it was when it was opened.
    pub fn check_whereabouts(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_, Some(whereabouts), _) => whereabouts.check(),
            Self::Sqlite(_, None, _) | Self::Postgres(_) => Ok(()),
        }
    }

    /// These writes were committed by this connection.
    pub fn wrote(&self, batch: &[Write], pooled: &mut Pooled) {
        if let (Self::Sqlite(_, _, Some(checkpoints)), Pooled::Sqlite(connection)) = (self, pooled)
        {
            checkpoints.wrote(batch, connection);
        }
    }

    /// Takes a connection out, waiting for one that is in use.
    pub fn get(&self) -> Result<Pooled, StoreError> {
        Ok(match self {
            Self::Sqlite(pool, ..) => Pooled::Sqlite(pool.get()?),
            Self::Postgres(pool) => Pooled::Postgres(pool.get_timeout(postgres::PATIENCE)?),
        })
    }
}

impl Pooled {
    /// Whether the database is gone from the other end, after it failed like this. The pool throws such a
    /// connection away.
    pub fn is_broken(&mut self, error: &StoreError) -> bool {
        match self {
            Self::Sqlite(connection) => R2D2Connection::is_broken(&mut **connection),
            Self::Postgres(connection) => postgres::is_broken(connection, error),
        }
    }

    /// The connection itself.
    pub fn link(&mut self) -> Link<'_> {
        match self {
            Self::Sqlite(connection) => Link::Sqlite(connection),
            Self::Postgres(connection) => Link::Postgres(connection),
        }
    }
}

/// Runs the migrations that are still pending, and returns what the database says of itself.
///
/// A database with migrations that this build does not know belongs to a newer Yanshu and is
/// refused rather than damaged, unless that says that builds like this one can work with it.
pub fn migrate(link: &mut Link<'_>) -> Result<Deployment, StoreError> {
    match link {
        Link::Sqlite(connection) => sqlite::migrate(connection).map(|()| Deployment::alone()),
        Link::Postgres(connection) => postgres::migrate(connection),
    }
}

/// Where there is one, a migration that was applied and that this build does not know.
fn foreign<'a>(
    applied: &'a [MigrationVersion<'static>],
    known: &[String],
) -> Option<&'a MigrationVersion<'static>> {
    applied
        .iter()
        .find(|version| !known.contains(&version.to_string()))
}

fn unknown_migration(version: &MigrationVersion<'_>) -> StoreError {
    StoreError::Migration(format!(
        "it holds migration {version}, which this version of yanshu does not know"
    ))
}

fn migration_failed(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Migration(error.to_string())
}

#[cfg(test)]
mod tests {
    use diesel::result::Error;

    use super::*;

    #[test]
    fn a_transaction_that_fails_leaves_nothing_and_the_connection_goes_on() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        let create = |connection: &mut SqliteConnection| {
            connection.batch_execute("CREATE TABLE once (number BIGINT)")
        };
        for by_itself in [false, true] {
            let failed: Result<(), Error> = immediate(&mut connection, |connection| {
                create(connection)?;
                if by_itself {
                    connection.batch_execute("ROLLBACK")?;
                }
                Err(Error::RollbackTransaction)
            });
            assert_eq!(failed, Err(Error::RollbackTransaction));
        }
        immediate(&mut connection, create).unwrap();
        assert!(immediate(&mut connection, create).is_err(), "it is there");
    }
}
