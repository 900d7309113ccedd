//! Connections to SQLite: how each is set up, the two pools, the migrations.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection};
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{DatabaseUrl, StoreError, StoreOptions};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

pub type Pool = r2d2::Pool<ConnectionManager<SqliteConnection>>;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The one that writes.
    Writing,
    /// One of those that read.
    Reading,
}

/// The pool of a lane. Connections are not tested at each checkout: SQLite's do not die in the
/// pool, and a failing statement says so itself.
pub fn pool(options: &StoreOptions, lane: Lane) -> Result<Pool, StoreError> {
    let DatabaseUrl::Sqlite(path) = &options.url;
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
                 PRAGMA wal_autocheckpoint = 4000;
                 PRAGMA journal_size_limit = 67108864;
                 PRAGMA cache_size = -{cache_kib};
                 PRAGMA temp_store = MEMORY;
                 PRAGMA query_only = {query_only};",
                self.busy_timeout.as_millis()
            ))
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// Runs the migrations that are still pending.
///
/// A database with migrations that this build does not know belongs to a newer Yanshu and is
/// refused rather than damaged.
pub fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    let known =
        diesel::migration::MigrationSource::<diesel::sqlite::Sqlite>::migrations(&MIGRATIONS)
            .map_err(failed)?;
    let applied = connection.applied_migrations().map_err(failed)?;
    let foreign = applied
        .iter()
        .find(|version| !known.iter().any(|m| m.name().version() == **version));
    if let Some(version) = foreign {
        let text =
            format!("it holds migration {version}, which this version of yanshu does not know");
        return Err(StoreError::Migration(text));
    }
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(failed)?;
    Ok(())
}
