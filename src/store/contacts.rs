//! Contacts: how many messages make, and the list.

use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Nullable, Text};

use super::StoreError;
use super::connection::Link;
use super::fixed::sql;
use super::schema::{contacts, users as users_table};

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
    let rows = named(link, user)?;
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

/// An ID, the name of who has it, and what the owner calls them.
type Named = (Option<String>, Option<String>, Option<String>);

/// The contacts of a user, in any order. Not by a join, which PostgreSQL might plan for good as one with all users.
fn named(link: &mut Link<'_>, owner: &str) -> QueryResult<Vec<Named>> {
    match link {
        Link::Sqlite(connection) => sql!(
            "SELECT (SELECT login FROM users WHERE id = contact), (SELECT name FROM users WHERE id = contact), \
             alias FROM contacts WHERE owner = (SELECT id FROM users WHERE login = ?)"
                => (Nullable<Text>, Nullable<Text>, Nullable<Text>),
            [owner]
        )
        .load(*connection),
        Link::Postgres(connection) => {
            let of = || users_table::table.filter(users_table::id.eq(contacts::contact));
            let owner = users_table::table.filter(users_table::login.eq(owner));
            contacts::table
                .filter(
                    contacts::owner
                        .nullable()
                        .eq(owner.select(users_table::id).single_value()),
                )
                .select((
                    of().select(users_table::login).single_value(),
                    of().select(users_table::name).single_value(),
                    contacts::alias,
                ))
                .load(*connection)
        }
    }
}
