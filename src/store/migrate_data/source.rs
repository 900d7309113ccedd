//! The SQLite database that is left: opened alone, and only read.

use std::fs::OpenOptions;
use std::mem::ManuallyDrop;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{Error, QueryResult};
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Why;
use crate::store::connection::{self, Link};

/// What of a path is not written as itself in a URI.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// A source. Until this process ends, nobody else can open the database, not even for reading.
pub struct Source {
    /// Never closed: SQLite would put the log, which a server leaves behind, into the file. The source
    /// stays as it is to the byte.
    connection: ManuallyDrop<SqliteConnection>,
    /// Where it is, from the root.
    pub path: String,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

impl Source {
    /// Opens a database that is there, takes it for itself, and looks whether it is of this version.
    pub fn open(path: &str) -> Result<Self, Why> {
        // Who may not write to a file cannot lock it.
        let file = OpenOptions::new().read(true).write(true).open(path);
        drop(file.map_err(Why::NoFile)?);
        let absolute = std::path::absolute(Path::new(path)).map_err(Why::NoFile)?;
        let absolute = absolute.to_string_lossy().into_owned();
        // Without the mode a file that is gone by now would be created.
        let uri = format!("file://{}?mode=rw", utf8_percent_encode(&absolute, ESCAPED));
        let connection = SqliteConnection::establish(&uri).map_err(Why::Unreachable)?;
        let mut source = Self {
            connection: ManuallyDrop::new(connection),
            path: absolute,
        };
        source.lock().map_err(not_locked)?;
        source.check_version()?;
        Ok(source)
    }

    /// Its connection.
    pub fn link(&mut self) -> Link<'_> {
        Link::Sqlite(&mut self.connection)
    }

    /// Takes the whole database, which fails while any other connection is open to it. The write lock
    /// alone would let a server run on: what it acknowledged after the copy would not be in it.
    fn lock(&mut self) -> QueryResult<()> {
        self.connection.batch_execute(
            "PRAGMA busy_timeout = 1000;
             PRAGMA locking_mode = EXCLUSIVE;
             BEGIN EXCLUSIVE;
             PRAGMA query_only = ON;",
        )
    }

    fn check_version(&mut self) -> Result<(), Why> {
        let applied = sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version")
            .load(&mut *self.connection);
        let applied: Vec<Applied> = match applied {
            Err(Error::DatabaseError(_, why)) if why.message().starts_with("no such table") => {
                return Err(Why::NotYanshu);
            }
            applied => applied?,
        };
        let applied: Vec<String> = applied.into_iter().map(|row| row.version).collect();
        compare_versions(&applied, &connection::sqlite_migrations()?)
    }
}

/// Whether the migrations that a database has had are exactly those that this build knows.
fn compare_versions(applied: &[String], known: &[String]) -> Result<(), Why> {
    if !applied.iter().any(|version| known.contains(version)) {
        return Err(Why::NotYanshu);
    }
    if let Some(version) = applied.iter().find(|version| !known.contains(version)) {
        return Err(Why::Newer(version.clone()));
    }
    if known.iter().any(|version| !applied.contains(version)) {
        return Err(Why::Older);
    }
    Ok(())
}

/// Why the database could not be taken.
fn not_locked(error: Error) -> Why {
    match &error {
        Error::DatabaseError(_, why) if why.message() == "database is locked" => Why::HeldByOthers,
        Error::DatabaseError(_, why) if why.message() == "file is not a database" => Why::NotYanshu,
        _ => Why::Database(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(applied: &[&str]) -> Result<(), Why> {
        let owned = |versions: &[&str]| -> Vec<String> {
            versions
                .iter()
                .map(|version| (*version).to_owned())
                .collect()
        };
        compare_versions(&owned(applied), &owned(&["1", "2"]))
    }

    #[test]
    fn a_source_has_had_each_migration_and_no_other() {
        assert!(compare(&["1", "2"]).is_ok());
        assert!(matches!(compare(&["1"]), Err(Why::Older)));
        assert!(matches!(compare(&["1", "2", "3"]), Err(Why::Newer(version)) if version == "3"));
        for versions in [&[][..], &["7", "8"]] {
            assert!(matches!(compare(versions), Err(Why::NotYanshu)));
        }
    }
}
