//! Databases of the bench's own.

use std::fs::{self, File};

use tempfile::TempDir;

use crate::support::database::Database as Tables;
use crate::support::postgres::Postgres;
use crate::{Outcome, scratch};

/// A database, gone when dropped.
pub struct Database<'a> {
    /// What to give to `--database-url`.
    pub url: String,
    /// Looked into while no server uses it.
    pub tables: Tables,
    /// Who has it, where it is no file.
    postgres: Option<&'a Postgres>,
    _directory: Option<TempDir>,
}

impl<'a> Database<'a> {
    /// A file, which is made by the first server.
    pub fn file() -> Outcome<Self> {
        let directory = scratch()?;
        let tables = Tables::Sqlite(directory.path().join("yanshu.db"));
        Ok(Self {
            url: tables.url(),
            tables,
            postgres: None,
            _directory: Some(directory),
        })
    }

    /// An empty one.
    pub fn on(postgres: &'a Postgres) -> Self {
        let tables = postgres.new_database();
        // What others have left behind is not to be written during the next measurement.
        postgres.execute("CHECKPOINT");
        Self {
            url: tables.url(),
            tables,
            postgres: Some(postgres),
            _directory: None,
        }
    }

    /// One with the same content as this, which nobody uses.
    pub fn copy(&self) -> Outcome<Self> {
        let Some(postgres) = self.postgres else {
            let copy = Self::file()?;
            fs::copy(self.tables.path(), copy.tables.path())?;
            copy.settle()?;
            return Ok(copy);
        };
        let copy = Self::on(postgres);
        self.tables.wait_until_unused();
        let (from, to) = (name(&self.url), name(&copy.url));
        postgres.execute(&format!("DROP DATABASE {to} WITH (FORCE)"));
        postgres.execute(&format!(
            "CREATE DATABASE {to} TEMPLATE {from} STRATEGY FILE_COPY"
        ));
        copy.settle()?;
        Ok(copy)
    }

    /// Brings all that was written, also what a killed server has left in its log, to the disk, so that it
    /// is not written during a measurement.
    pub fn settle(&self) -> Outcome<()> {
        if let Some(postgres) = self.postgres {
            postgres.execute("CHECKPOINT");
        } else {
            self.tables.execute("PRAGMA wal_checkpoint(TRUNCATE);");
            File::open(self.tables.path())?.sync_all()?;
        }
        Ok(())
    }
}

/// The name of a database of PostgreSQL.
fn name(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if let Some(postgres) = self.postgres {
            // At the end of the bench everything is gone with PostgreSQL itself.
            let drop = format!("DROP DATABASE {} WITH (FORCE)", name(&self.url));
            let _ = postgres.database("postgres").try_execute(&drop);
        }
    }
}
