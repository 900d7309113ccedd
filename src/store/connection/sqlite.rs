//! SQLite: how a connection is set up, its pool, its migrations.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::r2d2::{ConnectionManager, CustomizeConnection};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::checkpoints::LOG_PAGES;
use super::log_file::LOG_BYTES;
use super::{Lane, StoreError, StoreOptions, foreign, migration_failed, unknown_migration};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The pool of a lane. Connections are not tested at each checkout: SQLite's do not die in the
/// pool, and a failing statement says so itself.
pub fn pool(
    path: &str,
    options: &StoreOptions,
    lane: Lane,
) -> Result<r2d2::Pool<ConnectionManager<SqliteConnection>>, StoreError> {
    let size = match lane {
        Lane::Writing => 1,
        Lane::Reading => options.readers.max(1),
    };
    let setup = Setup {
        lane,
        busy_timeout: options.timeout,
    };
    Ok(r2d2::Pool::builder()
        .max_size(size)
        .min_idle(Some(size))
        .test_on_check_out(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connection_timeout(options.timeout.max(Duration::from_secs(1)))
        .connection_customizer(Box::new(setup))
        .build(ConnectionManager::new(path))?)
}

#[derive(Debug)]
struct Setup {
    lane: Lane,
    busy_timeout: Duration,
}

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Setup {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        // busy_timeout comes first: the change to WAL takes a lock. synchronous=FULL syncs the log
        // at every commit, before the commit can be seen: promise 1 rests on it.
        let (cache_kib, query_only) = match self.lane {
            Lane::Writing => (32 * 1024, "OFF"),
            Lane::Reading => (8 * 1024, "ON"),
        };
        connection
            .batch_execute(&format!(
                "PRAGMA busy_timeout = {};
                 PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA wal_autocheckpoint = {LOG_PAGES};
                 PRAGMA journal_size_limit = {LOG_BYTES};
                 PRAGMA cache_size = -{cache_kib};
                 PRAGMA temp_store = MEMORY;
                 PRAGMA query_only = {query_only};",
                self.busy_timeout.as_millis()
            ))
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// See [`super::migrate`].
pub fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let known = migrations()?;
    let applied = connection.applied_migrations().map_err(migration_failed)?;
    if let Some(version) = foreign(&applied, &known) {
        return Err(unknown_migration(version));
    }
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(migration_failed)?;
    Ok(())
}

/// The versions of all migrations that this build knows.
pub fn migrations() -> Result<Vec<String>, StoreError> {
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(migration_failed)?;
    let versions = known.iter().map(|m| m.name().version().to_string());
    Ok(versions.collect())
}
