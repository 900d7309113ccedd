//! What a batch asks and writes, many rows at once: the statements in which the databases differ.
//!
//! SQLite is a function call away, and answers fastest to one row after another by statements that
//! stay prepared. PostgreSQL is a network away: each of these is one statement over arrays.

pub mod optimistic;
mod postgres;
mod sqlite;
mod statement;
mod storing;

use diesel::result::QueryResult;

use super::connection::Link;
use super::messages::{Found, NewRow};
use super::users::UserState;
use crate::hash::HashSet;

/// A connection that a batch is applied over, inside its transaction.
pub trait Bulk {
    /// Locks the rows of those of these users who exist, in one order for all batches: two that have
    /// users in common wait for one another and cannot wait for each other.
    fn lock_users(&mut self, logins: &[&str]) -> QueryResult<Vec<(String, UserState)>>;

    /// Creates users that do not exist, and returns their numbers in the same order; `NotFound` where
    /// another transaction has created one of them meanwhile.
    fn create_users(&mut self, logins: &[&str]) -> QueryResult<Vec<i64>>;

    /// Writes the counters of these users.
    fn save_users(&mut self, states: &[UserState]) -> QueryResult<()>;

    /// Those of these messages that are stored.
    fn stored(&mut self, ids: &[i64]) -> QueryResult<Vec<(i64, Found)>>;

    /// For each claim, whether the message with its ID has its content.
    fn same_content(&mut self, claims: &[Claim<'_>]) -> QueryResult<Vec<bool>>;

    /// For each of these users: whether there is anything unread, and whether there are receipts for their
    /// own messages that were not told.
    fn backlogs(&mut self, users: &[UserState]) -> QueryResult<Vec<Backlog>>;

    /// Those of these pairs of recipient and sender in which the one blocks the other.
    fn blocked(&mut self, pairs: &[(i64, i64)]) -> QueryResult<HashSet<(i64, i64)>>;

    /// What was sent under those of these keys of senders that are in use.
    fn sent(&mut self, keys: &[(i64, &str)]) -> QueryResult<Vec<(i64, String, i64)>>;

    /// Stores under which keys messages are sent.
    fn insert_keys(&mut self, rows: &[KeyRow<'_>]) -> QueryResult<()>;

    /// Users who were deleted exist again.
    fn revive_users(&mut self, users: &[i64]) -> QueryResult<()>;

    /// Those of these blocks of IDs that are granted: block, user, Unix seconds.
    fn grants(&mut self, blocks: &[i64]) -> QueryResult<Vec<(i64, i64, i64)>>;

    /// Stores grants: block, user, Unix seconds.
    fn insert_grants(&mut self, grants: &[(i64, i64, i64)]) -> QueryResult<()>;

    /// Stores messages.
    fn insert_messages(&mut self, rows: &[NewRow<'_>]) -> QueryResult<()>;

    /// Raises the status of messages to read.
    fn mark_read(&mut self, ids: &[i64]) -> QueryResult<()>;

    /// Stores receipts.
    fn insert_receipts(&mut self, rows: &[ReceiptRow]) -> QueryResult<()>;

    /// Removes of these users the first receipts with smaller numbers than these, so many of each.
    fn remove_receipts(&mut self, before: &[(i64, i64)], many: i64) -> QueryResult<()>;

    /// Those of these pairs of owner and contact that exist.
    fn contacts(&mut self, pairs: &[(i64, i64)]) -> QueryResult<HashSet<(i64, i64)>>;

    /// Stores pairs of owner and contact that do not exist.
    fn insert_contacts(&mut self, pairs: &[(i64, i64)]) -> QueryResult<()>;

    /// Writes the display names of these users, or takes them away, where they are not so already.
    fn name_users(&mut self, names: &[(i64, Option<&str>)]) -> QueryResult<()>;

    /// Writes the owners' names for these contacts, or takes them away: owner and contact, alias.
    fn name_contacts(&mut self, aliases: &[((i64, i64), Option<&str>)]) -> QueryResult<()>;
}

/// What a frame says that a message with this ID holds.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub message: i64,
    pub kind: i16,
    pub text: &'a str,
}

/// What waits for a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Whether there is an unread message.
    pub unread: bool,
    /// Whether there is a receipt, for a message of theirs, that was told to no device.
    pub untold: bool,
}

/// A key to store.
#[derive(Debug, Clone, Copy)]
pub struct KeyRow<'a> {
    pub sender: i64,
    pub key: &'a str,
    pub message: i64,
    pub at: i64,
}

/// A receipt to store.
#[derive(Debug, Clone, Copy)]
pub struct ReceiptRow {
    pub user: i64,
    pub seq: i64,
    pub message: i64,
    pub origin: i64,
}

impl Link<'_> {
    /// The connection, for a batch.
    pub fn bulk(&mut self) -> &mut dyn Bulk {
        match self {
            Self::Sqlite(connection) => *connection,
            Self::Postgres(connection) => *connection,
        }
    }
}
