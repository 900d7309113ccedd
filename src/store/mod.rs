//! What lasts: users, messages, receipts, contacts and ID grants, in diesel.
//!
//! [`Store`] is the only door. All writing goes through [`Store::write`], one batch after another
//! in one transaction each (group commit, `docs/ARCHITECTURE.md`); reading happens beside it, on connections of
//! its own, and sees exactly what is committed and synced. Nothing here knows of actors or frames.
//!
//! One row is asked for with `get_result`, not `first`: that adds a `LIMIT` with a bound number, and
//! SQLite then prepares the statement anew at every use (a quarter of the writing lane's time).

mod batch;
mod connection;
mod contacts;
mod history;
mod ids;
mod import;
mod messages;
#[cfg(test)]
mod plans;
mod receipts;
mod schema;
mod timeline;
mod url;
mod users;

use std::time::Duration;

use connection::{Lane, Pool};

pub use batch::{Connected, NewMessage, Outcome, Refused, Write};
pub use contacts::{AUTOMATIC_CONTACTS_MAX, Contact};
pub use history::{Page, PageQuery};
pub use import::{ContactRow, Imported, UserRow};
pub use messages::StoredMessage;
pub use timeline::{Entry, Event, Fetch, Fetched};
pub use url::{DatabaseUrl, UrlError};

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
    /// A lane died or fell silent.
    #[error("the store does not answer")]
    Gone,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How many connections read beside the writing one.
    pub readers: u32,
    /// How long a statement waits for a lock, and a caller for a connection.
    pub timeout: Duration,
}

/// The database: one connection that writes, several that read. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: Pool,
    readers: Pool,
    recent: contacts::Recent,
}

impl Store {
    /// Opens the database, creating it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// Where the file cannot be opened, is no database, or is of a newer Yanshu.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let writer = connection::pool(options, Lane::Writing)?;
        connection::migrate(&mut *writer.get()?)?;
        let readers = connection::pool(options, Lane::Reading)?;
        Ok(Self {
            writer,
            readers,
            recent: contacts::Recent::default(),
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
        batch::apply(&mut *self.writer.get()?, batch, &self.recent)
    }

    /// The next part of what a device has to receive.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn fetch(&self, fetch: &Fetch) -> Result<Fetched, StoreError> {
        timeline::fetch(&mut *self.readers.get()?, fetch)
    }

    /// A page of history, or `None` where its base is not in what was asked for.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn history(&self, query: &PageQuery) -> Result<Option<Page>, StoreError> {
        history::page(&mut *self.readers.get()?, query)
    }

    /// All contacts of a user, by their IDs.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn contacts(&self, user: &str) -> Result<Vec<Contact>, StoreError> {
        contacts::list(&mut *self.readers.get()?, user)
    }

    /// Asks for as little as possible: that the database answers.
    ///
    /// # Errors
    /// Where it does not.
    pub fn ping(&self) -> Result<(), StoreError> {
        ids::ping(&mut *self.readers.get()?)
    }

    /// Whether no user exists yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        users::none(&mut *self.readers.get()?)
    }

    /// Creates users or renames them, all or none.
    ///
    /// # Errors
    /// Where the database fails; nothing is changed then.
    pub fn import_users(
        &self,
        rows: &[UserRow],
        progress: impl FnMut(),
    ) -> Result<Imported, StoreError> {
        import::users(&mut *self.writer.get()?, rows, progress)
    }

    /// Adds contacts or renames them, all or none; users that do not exist are created.
    ///
    /// # Errors
    /// Where the database fails; nothing is changed then.
    pub fn import_contacts(
        &self,
        rows: &[ContactRow],
        progress: impl FnMut(),
    ) -> Result<Imported, StoreError> {
        import::contacts(&mut *self.writer.get()?, rows, progress)
    }
}

/// Seconds since 1970, by this machine's clock.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
