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
    // Not as a join, which PostgreSQL might plan for good as one with all users.
    let of = || users_table::table.filter(users_table::id.eq(contacts::contact));
    let rows: Vec<(Option<String>, Option<String>, Option<String>)> = on!(link, connection => contacts::table
        .filter(contacts::owner.eq(owner))
        .select((
            of().select(users_table::login).single_value(),
            of().select(users_table::name).single_value(),
            contacts::alias,
        ))
        .load(connection))?;
    let rows = rows.into_iter();
    let list = rows.filter_map(|(id, name, alias)| {
        let id = id?;
        let name = alias.or(name).unwrap_or_else(|| id.clone());
        Some(Contact { id, name })
    });
    let mut list: Vec<Contact> = list.collect();
    // Nor by the database, which might read the index of all users for their order.
    list.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(list)
}
