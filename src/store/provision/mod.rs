//! Users, contacts and blocks, changed from outside one at a time, each in a transaction of its own.
//!
//! Whatever batches may remember of a user ([`super::recall`]) is made void by a new revision, in the same
//! transaction. Rows are locked in the order in which batches lock them.

mod blocks;
mod contacts;
mod door;
mod users;

use diesel::result::QueryResult;

use super::connection::{Link, on};
use super::users::UserState;
use super::{StoreError, schema};
use crate::protocol::UserId;

pub use blocks::{block, blocks, unblock};
pub use contacts::{ContactEntry, contacts, put_contact, remove_contact};
pub use users::{Profile, delete_user, profile, profiles, put_user};

/// What became of something that was put somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not there before.
    Created,
    /// It was, and is as was said now.
    Updated,
    /// This user does not exist.
    NoSuchUser,
}

/// What became of something that was to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// It was not there.
    NotThere,
}

/// A part of a list, and from where it goes on; `None`: it is the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The part.
    pub items: Vec<T>,
    /// To be given back for the next part.
    pub next: Option<String>,
}

impl<T> Listed<T> {
    /// The part of a list of which one more than `limit` was asked for.
    fn cut(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(key);
        Self { items, next }
    }
}

/// Locks two users, and returns their rows where there are such.
fn lock_rows(
    link: &mut Link<'_>,
    first: &UserId,
    second: &UserId,
) -> QueryResult<Option<(UserState, UserState)>> {
    let mut logins = vec![first.as_str(), second.as_str()];
    logins.dedup();
    let found = link.bulk().lock_users(&logins)?;
    let find = |user: &UserId| {
        let mut rows = found.iter().filter(|(login, _)| login == user.as_str());
        rows.next().map(|(_, state)| *state)
    };
    Ok(find(first).zip(find(second)))
}

/// The same for two users who exist.
fn lock_both(
    link: &mut Link<'_>,
    first: &UserId,
    second: &UserId,
) -> QueryResult<Option<(UserState, UserState)>> {
    let rows = lock_rows(link, first, second)?;
    Ok(rows.filter(|(first, second)| !first.deleted && !second.deleted))
}

/// Locks a user, where they exist.
fn lock(link: &mut Link<'_>, user: &UserId) -> QueryResult<Option<UserState>> {
    Ok(lock_both(link, user, user)?.map(|(state, _)| state))
}

/// Makes void what is remembered of a user.
fn revise(link: &mut Link<'_>, user: i64) -> QueryResult<()> {
    use diesel::prelude::*;
    use schema::users;
    on!(link, connection => diesel::update(users::table.find(user))
        .set(users::revision.eq(users::revision + 1))
        .execute(connection))?;
    Ok(())
}

/// The number of a user who exists, for reading.
fn existing(link: &mut Link<'_>, login: &str) -> Result<Option<i64>, StoreError> {
    use diesel::prelude::*;
    use schema::users;
    Ok(on!(link, connection => users::table
        .filter(users::login.eq(login))
        .filter(users::deleted.eq(false))
        .select(users::id)
        .get_result(connection)
        .optional())?)
}
