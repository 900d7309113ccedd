//! Users and contacts from outside, all or none in one transaction.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;

use super::StoreError;
use super::schema::{contacts as contacts_table, users as users_table};
use crate::protocol::UserId;

/// A user to create, or to rename where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The user ID.
    pub id: UserId,
    /// The display name; `None` takes an old one away.
    pub name: Option<String>,
}

/// A contact to add, or to rename where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// In whose list.
    pub owner: UserId,
    /// Who is listed.
    pub contact: UserId,
    /// The owner's name for them; `None` takes an old one away.
    pub alias: Option<String>,
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows that were not there before.
    pub added: usize,
    /// Rows that were there and were written again.
    pub updated: usize,
}

impl Imported {
    fn count(&mut self, added: bool) {
        if added {
            self.added += 1;
        } else {
            self.updated += 1;
        }
    }
}

/// Creates or renames users: see [`super::Store::import_users`].
pub fn users(
    connection: &mut SqliteConnection,
    rows: &[UserRow],
    mut progress: impl FnMut(),
) -> Result<Imported, StoreError> {
    Ok(connection.immediate_transaction(|connection| {
        let mut imported = Imported::default();
        for row in rows {
            let (id, added) = ensure(connection, &row.id)?;
            diesel::update(users_table::table.find(id))
                .set(users_table::name.eq(row.name.as_deref()))
                .execute(connection)?;
            imported.count(added);
            progress();
        }
        Ok::<_, diesel::result::Error>(imported)
    })?)
}

/// Adds or renames contacts: see [`super::Store::import_contacts`].
pub fn contacts(
    connection: &mut SqliteConnection,
    rows: &[ContactRow],
    mut progress: impl FnMut(),
) -> Result<Imported, StoreError> {
    Ok(connection.immediate_transaction(|connection| {
        let mut imported = Imported::default();
        let mut numbers: HashMap<&UserId, i64> = HashMap::new();
        for row in rows {
            for user in [&row.owner, &row.contact] {
                if !numbers.contains_key(user) {
                    numbers.insert(user, ensure(connection, user)?.0);
                }
            }
            let (owner, contact) = (numbers[&row.owner], numbers[&row.contact]);
            imported.count(put(connection, owner, contact, row.alias.as_deref())?);
            progress();
        }
        Ok::<_, diesel::result::Error>(imported)
    })?)
}

/// The number of a user, created where there is none, and whether it was.
fn ensure(connection: &mut SqliteConnection, user: &UserId) -> QueryResult<(i64, bool)> {
    if let Some(id) = super::users::id_of(connection, user.as_str())? {
        return Ok((id, false));
    }
    let id = diesel::insert_into(users_table::table)
        .values(users_table::login.eq(user.as_str()))
        .returning(users_table::id)
        .get_result(connection)?;
    Ok((id, true))
}

/// Writes a contact and says whether it is new.
fn put(
    connection: &mut SqliteConnection,
    owner: i64,
    contact: i64,
    alias: Option<&str>,
) -> QueryResult<bool> {
    let added = diesel::insert_or_ignore_into(contacts_table::table)
        .values((
            contacts_table::owner.eq(owner),
            contacts_table::contact.eq(contact),
        ))
        .execute(connection)?
        > 0;
    if added {
        diesel::update(users_table::table.find(owner))
            .set(users_table::contacts.eq(users_table::contacts + 1))
            .execute(connection)?;
    }
    diesel::update(contacts_table::table.find((owner, contact)))
        .set(contacts_table::alias.eq(alias))
        .execute(connection)?;
    Ok(added)
}
