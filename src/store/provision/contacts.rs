//! The contacts of a user, one at a time.

use diesel::prelude::*;
use diesel::result::Error;

use super::super::StoreError;
use super::super::at_most::AtMost;
use super::super::connection::{Link, on};
use super::super::schema::{contacts as table, users};
use super::{Listed, Put, Removed, existing, lock_both, lock_rows, revise};
use crate::protocol::UserId;

/// An entry of a contact list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactEntry {
    /// The contact's ID.
    pub id: String,
    /// The owner's name for them.
    pub alias: Option<String>,
}

/// See [`super::super::Store::contact_entries`].
pub fn contacts(
    link: &mut Link<'_>,
    owner: &str,
    after: i64,
    limit: usize,
) -> Result<Option<Listed<ContactEntry>>, StoreError> {
    let Some(owner) = existing(link, owner)? else {
        return Ok(None);
    };
    let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    // Not as a join, which PostgreSQL might plan for good as one with all users.
    let of = users::table.filter(users::id.eq(table::contact));
    type Row = (i64, Option<String>, Option<String>);
    let found: Vec<Row> = on!(link, connection => table::table
        .filter(table::owner.eq(owner))
        .filter(table::contact.gt(after))
        .order(table::contact)
        .select((
            table::contact,
            of.select(users::login).single_value(),
            table::alias,
        ))
        .at_most(rows)
        .load(connection))?;
    let Listed { items, next } = Listed::cut(found, limit, |row| row.0.to_string());
    let items = items.into_iter().filter_map(|(_, id, alias)| {
        let id = id?;
        Some(ContactEntry { id, alias })
    });
    Ok(Some(Listed {
        items: items.collect(),
        next,
    }))
}

/// See [`super::super::Store::put_contact`].
pub fn put_contact(
    link: &mut Link<'_>,
    owner: &UserId,
    contact: &UserId,
    alias: Option<&str>,
) -> Result<Put, StoreError> {
    Ok(link.writing(|link| {
        let Some((mut of, with)) = lock_both(link, owner, contact)? else {
            return Ok::<_, Error>(Put::NoSuchUser);
        };
        let pair = (of.id, with.id);
        let known = link.bulk().contacts(&[pair])?.contains(&pair);
        if !known {
            link.bulk().insert_contacts(&[pair])?;
            of.contacts += 1;
            link.bulk().save_users(&[of])?;
        }
        link.bulk().name_contacts(&[(pair, alias)])?;
        Ok(if known { Put::Updated } else { Put::Created })
    })?)
}

/// See [`super::super::Store::remove_contact`].
pub fn remove_contact(
    link: &mut Link<'_>,
    owner: &UserId,
    contact: &UserId,
) -> Result<Removed, StoreError> {
    Ok(link.writing(|link| {
        let Some((mut of, with)) = lock_rows(link, owner, contact)? else {
            return Ok::<_, Error>(Removed::NotThere);
        };
        let entry = table::table.find((of.id, with.id));
        let removed = on!(&mut *link, connection => diesel::delete(entry).execute(connection))?;
        if removed == 0 {
            return Ok(Removed::NotThere);
        }
        of.contacts -= 1;
        link.bulk().save_users(&[of])?;
        revise(link, of.id)?;
        Ok(Removed::Gone)
    })?)
}
