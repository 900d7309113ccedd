//! Contacts: those that messages make, and the list.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::prelude::*;

use super::StoreError;
use super::connection::{Link, on};
use super::schema::{contacts, users as users_table};
use super::users;

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
/// Only pairs of committed batches are in it, and nothing removes a contact while servers run and the
/// database does not fail.
#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<HashSet<(i64, i64)>>>);

impl Recent {
    /// Whether a message between these two has nothing to add.
    pub fn holds(&self, pair: (i64, i64)) -> bool {
        let pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.contains(&pair)
    }

    /// Forgets everything: what answers after a failure may be a database that lacks the last commits.
    pub fn clear(&self) {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.clear();
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

/// The full list of a user, by contact ID.
pub fn list(link: &mut Link<'_>, user: &str) -> Result<Vec<Contact>, StoreError> {
    let Some(owner) = users::id_of(link, user)? else {
        return Ok(Vec::new());
    };
    let rows: Vec<(String, Option<String>, Option<String>)> = on!(link, connection => contacts::table
        .inner_join(users_table::table.on(users_table::id.eq(contacts::contact)))
        .filter(contacts::owner.eq(owner))
        .order(users_table::login)
        .select((users_table::login, users_table::name, contacts::alias))
        .load(connection))?;
    let list = rows.into_iter().map(|(id, name, alias)| Contact {
        name: alias.or(name).unwrap_or_else(|| id.clone()),
        id,
    });
    Ok(list.collect())
}
