//! PostgreSQL: how a connection is set up, its pool, its migrations.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, R2D2Connection};
use diesel::result::{DatabaseErrorKind, Error};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Lane, StoreError, StoreOptions, foreign, migration_failed, unknown_migration};
use crate::store::recall::Recall;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Two nodes that start at once must not both create the tables. (A number of ours, for nobody else.)
const MIGRATION_LOCK: i64 = 0x7961_6e73_6875;
/// The oldest PostgreSQL that is tested.
const OLDEST: i32 = 150_000;
/// How long a running node waits for a connection before it says that the store fails.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// A connection lives so long: after a failover behind one name, all of them have moved on.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The name under which a server's connections are seen in `pg_stat_activity`.
pub const APPLICATION_NAME: &str = "yanshu";

/// What libpq is told unless the URL says otherwise, so that a server that is gone without a word
/// is noticed: seconds to connect, and milliseconds without an answer on a connection.
const PARAMETERS: [(&str, &str); 7] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "5000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("application_name", APPLICATION_NAME),
    // A standby refuses what is written, and what is read from one may be of a while ago.
    ("target_session_attrs", "read-write"),
];

/// The pool of a lane. Connections are not tested at each checkout: a statement on a broken one
/// says so itself, and the pool then throws it away.
pub fn pool(
    url: &str,
    options: &StoreOptions,
    lane: Lane,
    recall: Recall,
) -> Result<r2d2::Pool<ConnectionManager<PgConnection>>, StoreError> {
    let size = match lane {
        Lane::Writing => options.writers.max(1),
        Lane::Reading => options.readers.max(1),
    };
    let setup = Setup {
        lane,
        timeout: options.timeout,
        recall,
    };
    Ok(r2d2::Pool::builder()
        .max_size(size)
        .min_idle(Some(size))
        .test_on_check_out(false)
        .idle_timeout(None)
        .max_lifetime(Some(LIFETIME))
        .connection_timeout(options.timeout.max(PATIENCE))
        // Whoever needs a connection says that there is none, and why.
        .error_handler(Box::new(r2d2::NopErrorHandler))
        .connection_customizer(Box::new(setup))
        .build(ConnectionManager::new(with_parameters(url)))?)
}

/// See [`super::Pooled::is_broken`].
pub fn is_broken(connection: &mut PgConnection, error: &StoreError) -> bool {
    use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
    if let StoreError::Database(Error::DatabaseError(kind, _)) = error
        && matches!(kind, ClosedConnection | UnableToSendCommand)
    {
        // diesel looks at the connection when a statement was run, and not where it could not even be
        // prepared. Nothing is sent on one that is closed.
        let _ = connection.batch_execute("");
    }
    R2D2Connection::is_broken(connection)
}

/// The URL, with the parameters that it leaves to us.
pub fn with_parameters(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in PARAMETERS {
        if !url.contains(&format!("{name}=")) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{name}={value}"));
        }
    }
    url
}

#[derive(Debug)]
struct Setup {
    lane: Lane,
    timeout: Duration,
    recall: Recall,
}

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for Setup {
    fn on_acquire(&self, connection: &mut PgConnection) -> Result<(), diesel::r2d2::Error> {
        // Behind the same name there may be another database now, one that lacks the last commits, and
        // no statement need have failed since.
        if self.lane == Lane::Writing {
            self.recall.clear();
        }
        // Promise 1 rests on synchronous_commit: only what is weaker than `on` is changed. A node that
        // is cut off inside a transaction must not hold its locks for long. Every statement finds its
        // rows by an index, also one that was planned when its table was small: a plan is kept, and
        // a table can grow a thousandfold before the next ANALYZE; so no joins of whole tables
        // either, with what are never more rows than a batch has. (Without seqscans, a table of one
        // row costs so much on paper that it would be compiled: hence no JIT.) And a statement is
        // planned once: for arrays of any length, PostgreSQL itself would plan it anew at each use.
        let read_only = match self.lane {
            Lane::Writing => "off",
            Lane::Reading => "on",
        };
        let timeout = self.timeout.as_millis();
        connection
            .batch_execute(&format!(
                "SELECT set_config('synchronous_commit', 'on', false)
                     WHERE current_setting('synchronous_commit') IN ('off', 'local');
                 SET client_encoding = 'UTF8';
                 SET default_transaction_isolation = 'read committed';
                 SET default_transaction_read_only = {read_only};
                 SET enable_seqscan = off;
                 SET enable_hashjoin = off;
                 SET enable_mergejoin = off;
                 SET jit = off;
                 SET plan_cache_mode = force_generic_plan;
                 SET statement_timeout = {timeout};
                 SET idle_in_transaction_session_timeout = {timeout};"
            ))
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// What the database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// By this name its nodes find each other on the bus.
    pub cluster: String,
}

impl Deployment {
    /// Of a database that no other node shares.
    pub fn alone() -> Self {
        Self {
            cluster: String::new(),
        }
    }
}

#[derive(QueryableByName)]
pub struct DeploymentRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    cluster: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    needs_migration: String,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    migrated: bool,
}

#[derive(QueryableByName)]
struct ServerRow {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    version: i32,
    #[diesel(sql_type = diesel::sql_types::Text)]
    encoding: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    fsync: String,
}

/// See [`super::migrate`].
pub fn migrate(connection: &mut PgConnection) -> Result<Deployment, StoreError> {
    check_server(connection)?;
    let row = migrate_and(connection, |_, row| Ok::<_, StoreError>(row))?;
    if !row.migrated {
        let text = "the data of another database is on its way into it: run `yanshu migrate-data` to its end first";
        return Err(StoreError::Migration(text.to_owned()));
    }
    Ok(Deployment {
        cluster: row.cluster,
    })
}

/// Brings the tables up to date and does `more`, in one transaction that no other node's migration and
/// no start of a server overlaps.
pub fn migrate_and<T, E>(
    connection: &mut PgConnection,
    more: impl FnOnce(&mut PgConnection, DeploymentRow) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<diesel::result::Error> + From<StoreError>,
{
    // Whatever the database's default is: what another node commits while this one waits for it is to
    // be seen afterwards.
    let mut transaction = connection.build_transaction().read_committed();
    transaction.run(|connection| {
        // Waiting for another node's migrations can take as long as they do.
        connection.batch_execute(&format!(
            "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({MIGRATION_LOCK});"
        ))?;
        let row = migrate_locked(connection)?;
        more(connection, row)
    })
}

fn migrate_locked(connection: &mut PgConnection) -> Result<DeploymentRow, StoreError> {
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(migration_failed)?;
    let mut known: Vec<String> = known
        .iter()
        .map(|m| m.name().version().to_string())
        .collect();
    known.sort();
    let applied = connection.applied_migrations().map_err(migration_failed)?;
    let newer = foreign(&applied, &known);
    if newer.is_none() {
        connection
            .run_pending_migrations(MIGRATIONS)
            .map_err(migration_failed)?;
    }
    if let Some(version) = newer
        && !has_deployment(connection)?
    {
        return Err(unknown_migration(version)); // it is not ours at all
    }
    let row: DeploymentRow =
        diesel::sql_query("SELECT cluster, needs_migration, migrated FROM deployment")
            .get_result(connection)?;
    if let Some(version) = newer {
        if known
            .last()
            .is_none_or(|newest| *newest < row.needs_migration)
        {
            return Err(unknown_migration(version));
        }
        log::warn!(
            "the database is of a newer yanshu (migration {version}), which allows this version beside it for an upgrade"
        );
    }
    Ok(row)
}

fn has_deployment(connection: &mut PgConnection) -> QueryResult<bool> {
    diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>(
        "to_regclass('deployment') IS NOT NULL",
    ))
    .get_result(connection)
}

/// Refuses a server that is too old, and warns of one that loses what was committed.
pub fn check_server(connection: &mut PgConnection) -> Result<(), StoreError> {
    let server: ServerRow = diesel::sql_query(
        "SELECT current_setting('server_version_num')::int AS version,
             current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync",
    )
    .get_result(connection)?;
    if server.version < OLDEST {
        let (major, needed) = (server.version / 10_000, OLDEST / 10_000);
        return Err(StoreError::Migration(format!(
            "it is PostgreSQL {major}, and yanshu needs {needed} or newer"
        )));
    }
    if server.encoding != "UTF8" {
        return Err(StoreError::Migration(format!(
            "its encoding is {}, and yanshu needs UTF8, which a database gets when it is created",
            server.encoding
        )));
    }
    if server.fsync != "on" {
        log::warn!(
            "PostgreSQL runs with fsync={}: a crash of its machine can lose acknowledged messages",
            server.fsync
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_url_says_itself_is_left_alone() {
        let url = with_parameters("postgres://db/yanshu?connect_timeout=9");
        assert!(url.starts_with("postgres://db/yanshu?connect_timeout=9&tcp_user_timeout="));
        assert!(with_parameters("postgres://db/yanshu").contains("yanshu?connect_timeout=2&"));
    }
}
