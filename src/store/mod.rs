//! What lasts: users, messages, receipts, contacts and ID grants, in diesel, on SQLite or PostgreSQL.
//!
//! [`Store`] is the only door, but for [`migrate_data()`], which works while no server does. What clients do is
//! written by [`Store::write`], each batch in one transaction of its own (group commit, `docs/ARCHITECTURE.md`);
//! what is done from outside, imports and retention over the same connections, in transactions of their own
//! (`Store::changing`). Reading happens beside it, on connections of its own, and sees exactly what is committed
//! and synced. Nothing here knows of actors or frames.
//!
//! One row is asked for with `get_result`, not `first`, and so many with `at_most`, not `limit`: those bind a
//! number, for which SQLite prepares the statement anew at every use.

mod at_most;
mod batch;
mod bulk;
mod carried;
mod connection;
mod contacts;
mod files;
mod fixed;
mod gather;
mod history;
mod ids;
mod import;
mod leftovers;
mod lookup;
mod messages;
mod migrate_data;
mod optimistic;
#[cfg(test)]
mod plans;
mod provision;
mod recall;
mod receipts;
mod retention;
mod rules;
mod schema;
mod timeline;
mod url;
mod users;

use std::time::Duration;

use crate::protocol::UserId;
use connection::{Deployment, Lane, Link, Pool, Pooled};

pub use batch::{Connected, NewMessage, Outcome, Refused, Write};
pub use contacts::{AUTOMATIC_CONTACTS_MAX, Contact};
pub use files::{Admitted, FILE_OVERHEAD, FileInfo, Picture, Usage};
pub use history::{Page, PageQuery};
pub use import::{ContactRow, Imported, UserRow};
pub use leftovers::{FileSweep, FilesSwept};
pub use messages::StoredMessage;
pub use migrate_data::{
    MigrateDataError, Migrated, MigratedTable, Progress, Step, Why, migrate_data,
};
pub use provision::{ContactEntry, Listed, Profile, Put, Removed};
pub use retention::{RETAIN_MIN, Sweep, Swept};
pub use timeline::{Entry, Event, Fetch, Fetched};
pub use url::{DatabaseUrl, UrlError};
pub use users::Head;

/// Why the store did not do what it was asked. The outcome of a failed write is unknown.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection to the database.
    #[error("the database cannot be opened: {0}")]
    Pool(#[from] r2d2::Error),
    /// The database refused or failed.
    #[error("the database failed: {0}")]
    Database(#[from] diesel::result::Error),
    /// The tables could not be brought up to date.
    #[error("the database cannot be migrated: {0}")]
    Migration(String),
    /// The file is not where it was opened: what is written to it, nobody finds.
    #[error("the database is not where it was: {0} is gone, or is another file")]
    Moved(String),
    /// The log of SQLite could not be laid out.
    #[error("the log cannot be laid out: {0}")]
    Log(String),
    /// The system gave no thread.
    #[error("no thread: {0}")]
    Thread(String),
    /// Others created the same users again and again while something was being written.
    #[error("the database was too busy with the same users")]
    Overtaken,
    /// A lane died or fell silent.
    #[error("the store does not answer")]
    Gone,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How many connections write; SQLite has one, whatever is said here.
    pub writers: u32,
    /// How many connections read beside those.
    pub readers: u32,
    /// How long a statement waits for a lock, and a caller for a connection.
    pub timeout: Duration,
    /// Whether a message to somebody who does not exist makes them exist.
    pub strangers: bool,
}

/// The database: connections that write and others that read. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writers: Pool,
    readers: Pool,
    recall: recall::Recall,
    hopes: optimistic::Hopes,
    policy: rules::Policy,
    deployment: Deployment,
}

impl Store {
    /// Opens the database, creating it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// Where the file cannot be opened, is no database, or is of a newer Yanshu.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let recall = recall::Recall::default();
        let writers = Pool::open(options, Lane::Writing, &recall)?;
        let deployment = connection::migrate(&mut writers.get()?.link())?;
        let readers = Pool::open(options, Lane::Reading, &recall)?;
        Ok(Self {
            writers,
            readers,
            recall,
            hopes: optimistic::Hopes::default(),
            policy: rules::Policy {
                strangers: options.strangers,
            },
            deployment,
        })
    }

    /// Applies a batch in one transaction; on return it is committed and synced.
    ///
    /// The outcomes are those of the writes, in their order: a write that the rules refuse is
    /// [`Outcome::Refused`] and does not touch the others.
    ///
    /// # Errors
    /// Where the transaction failed. Nothing of the batch was stored, or, if the failure was at
    /// the commit itself, all of it: the caller must say that the outcome is unknown.
    pub fn write(&self, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        // When the database was restarted, every connection of the pool may be broken.
        let mut chances = self.writers.size() + 1;
        loop {
            let mut pooled = self.writer()?;
            let _unless_panic = self.recall.cleared_by_panic();
            chances -= 1;
            let result = batch::apply(
                &mut pooled.link(),
                batch,
                &self.recall,
                &self.hopes,
                self.policy,
            );
            let failed = match result {
                Ok(outcomes) => {
                    self.writers.wrote(batch, &mut pooled);
                    return Ok(outcomes);
                }
                Err(failed) => failed,
            };
            self.recall.clear();
            let broken = pooled.is_broken(&failed.error);
            if !failed.before_commit || chances == 0 || !broken {
                return Err(failed.error);
            }
        }
    }

    /// A connection to write over.
    fn writer(&self) -> Result<Pooled, StoreError> {
        let pooled = self.writers.get()?;
        // Afterwards: a new connection makes a log where there is none.
        self.writers.check_whereabouts()?;
        Ok(pooled)
    }

    /// A connection to write over what batches do not know of. What they remember they hold against nothing but
    /// that others have not written ([`Link::written_elsewhere`]), on SQLite: here the one that writes is theirs.
    fn changing(&self) -> Result<Pooled, StoreError> {
        let pooled = self.writer()?;
        if matches!(pooled, Pooled::Sqlite(_)) {
            self.recall.clear();
        }
        Ok(pooled)
    }

    /// Reads, over another connection where one turns out to be broken.
    fn read<T>(
        &self,
        read: impl Fn(&mut Link<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut chances = self.readers.size() + 1;
        loop {
            let mut pooled = self.readers.get()?;
            chances -= 1;
            match read(&mut pooled.link()) {
                Err(error) if pooled.is_broken(&error) && chances > 0 => {}
                result => return result,
            }
        }
    }

    /// The next part of what a device has to receive.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn fetch(&self, fetch: &Fetch) -> Result<Fetched, StoreError> {
        self.read(|link| timeline::fetch(link, fetch))
    }

    /// A page of history, or `None` where its base is not in what was asked for.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn history(&self, query: &PageQuery) -> Result<Option<Page>, StoreError> {
        self.read(|link| history::page(link, query))
    }

    /// All contacts of a user, by their IDs.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn contacts(&self, user: &str) -> Result<Vec<Contact>, StoreError> {
        self.read(|link| contacts::list(link, user))
    }

    /// How many connections write, and how many of those are idle; the same for those that read.
    pub fn pools(&self) -> [(u32, u32); 2] {
        [self.writers.state(), self.readers.state()]
    }

    /// Asks for as little as possible: that the database answers, and is where it was.
    ///
    /// # Errors
    /// Where it does not, or is not.
    pub fn ping(&self) -> Result<(), StoreError> {
        self.writers.check_whereabouts()?;
        self.read(ids::ping)
    }

    /// The name by which the nodes of this database find each other on the bus; empty for SQLite.
    pub fn cluster(&self) -> &str {
        &self.deployment.cluster
    }

    /// The ends of the timelines of those of these users who have one.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn heads(&self, users: &[UserId]) -> Result<Vec<(UserId, Head)>, StoreError> {
        let logins: Vec<&str> = users.iter().map(UserId::as_str).collect();
        let heads = self
            .read(|link| Ok(lookup::heads(link, &logins)?))?
            .into_iter();
        Ok(heads
            .filter_map(|(login, head)| Some((UserId::parse(&login).ok()?, head)))
            .collect())
    }

    /// Whether no user exists yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.read(users::none)
    }

    /// Creates users or renames them, all or none.
    ///
    /// # Errors
    /// Where the database fails; nothing is changed then.
    pub fn import_users(
        &self,
        rows: &[UserRow],
        mut progress: impl FnMut(usize),
    ) -> Result<Imported, StoreError> {
        import::unless_overtaken(|| {
            import::users(&mut self.changing()?.link(), rows, &mut progress)
        })
    }

    /// Adds contacts or renames them, all or none; users that do not exist are created.
    ///
    /// # Errors
    /// Where the database fails; nothing is changed then.
    pub fn import_contacts(
        &self,
        rows: &[ContactRow],
        mut progress: impl FnMut(usize),
    ) -> Result<Imported, StoreError> {
        import::unless_overtaken(|| {
            import::contacts(&mut self.changing()?.link(), rows, &mut progress)
        })
    }
}

/// What is changed beside what clients do: in `files` and `provision`, too.
#[allow(clippy::missing_errors_doc)]
impl Store {
    /// Writes over a connection of the writing lanes.
    fn provide<T>(
        &self,
        write: impl FnOnce(&mut Link<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        write_over(self.changing()?, write)
    }

    /// The same, for what batches remember nothing of.
    fn beside<T>(
        &self,
        write: impl FnOnce(&mut Link<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        write_over(self.writer()?, write)
    }

    /// Takes a step of removing what is too old.
    pub fn sweep(&self, sweep: Sweep) -> Result<Swept, StoreError> {
        self.provide(|link| retention::step(link, sweep))
    }
}

/// Writes, and says to the pool if that has broken the connection.
fn write_over<T>(
    mut pooled: Pooled,
    write: impl FnOnce(&mut Link<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let result = write(&mut pooled.link());
    if let Err(error) = &result {
        pooled.is_broken(error);
    }
    result
}

/// Seconds since 1970, by this machine's clock.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
