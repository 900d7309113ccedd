//! Contacts: how many messages make, and the list.

use diesel::prelude::*;

use super::StoreError;
use super::connection::{Link, on};
use super::schema::{contacts, users as users_table};
use super::users;

/// Up to this many contacts a user gets by messages alone.
pub const AUTOMATIC_CONTACTS_MAX: i64 = 5_000;

/// An entry of a contact list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The contact's ID.
    pub id: String,
    /// The owner's alias, else the user's name, else the ID.
    pub name: String,
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
