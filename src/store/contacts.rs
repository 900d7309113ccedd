//! Contacts: those that messages make, and the list.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;

use super::StoreError;
use super::schema::{contacts, users as users_table};
use super::users::{self, Working};
use crate::protocol::UserId;

/// Up to this many contacts a user gets by messages alone.
pub const AUTOMATIC_CONTACTS_MAX: i64 = 5_000;

/// How many pairs are remembered as contacts already; beyond, the memory starts anew.
const RECENT_MAX: usize = 65_536;

/// An entry of a contact list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The contact's ID.
    pub id: String,
    /// The owner's alias, else the user's name, else the ID.
    pub name: String,
}

/// Pairs known to be contacts of each other, so that a message between them asks no table.
///
/// Only pairs of committed batches are in it, and nothing removes a contact while a server runs.
#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<HashSet<(i64, i64)>>>);

impl Recent {
    /// Whether a message between these two has nothing to add.
    pub fn holds(&self, pair: (i64, i64)) -> bool {
        let pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.contains(&pair)
    }

    /// Remembers the pairs of a batch that was committed.
    pub fn add(&self, new: impl IntoIterator<Item = (i64, i64)>) {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pairs.len() >= RECENT_MAX {
            pairs.clear();
        }
        pairs.extend(new);
    }
}

/// Makes two users each other's contact, as far as their lists have room.
pub fn acquaint(
    connection: &mut SqliteConnection,
    working: &mut Working,
    a: (&UserId, i64),
    b: (&UserId, i64),
) -> QueryResult<()> {
    add(connection, working, a, b.1)?;
    if a.1 != b.1 {
        add(connection, working, b, a.1)?;
    }
    Ok(())
}

fn add(
    connection: &mut SqliteConnection,
    working: &mut Working,
    (owner, owner_id): (&UserId, i64),
    contact: i64,
) -> QueryResult<()> {
    let count = working.find(connection, owner)?.map_or(0, |s| s.contacts);
    if count >= AUTOMATIC_CONTACTS_MAX {
        return Ok(());
    }
    let added = diesel::insert_or_ignore_into(contacts::table)
        .values((contacts::owner.eq(owner_id), contacts::contact.eq(contact)))
        .execute(connection)?;
    if added > 0 {
        working.change(owner, |state| state.contacts += 1);
    }
    Ok(())
}

/// The full list of a user, by contact ID.
pub fn list(connection: &mut SqliteConnection, user: &str) -> Result<Vec<Contact>, StoreError> {
    let Some(owner) = users::id_of(connection, user)? else {
        return Ok(Vec::new());
    };
    let rows: Vec<(String, Option<String>, Option<String>)> = contacts::table
        .inner_join(users_table::table.on(users_table::id.eq(contacts::contact)))
        .filter(contacts::owner.eq(owner))
        .order(users_table::login)
        .select((users_table::login, users_table::name, contacts::alias))
        .load(connection)?;
    let list = rows.into_iter().map(|(id, name, alias)| Contact {
        name: alias.or(name).unwrap_or_else(|| id.clone()),
        id,
    });
    Ok(list.collect())
}
