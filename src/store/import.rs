//! Users and contacts from outside, all or none in one transaction.

use std::collections::BTreeSet;

use diesel::result::{Error, QueryResult};

use super::StoreError;
use super::batch::ATTEMPTS;
use super::connection::Link;
use super::users::UserState;
use crate::hash::HashMap;
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

/// So many rows are written by one statement.
const ROWS_AT_ONCE: usize = 5_000;

/// Begins an import anew where another transaction created one of its users meanwhile: nothing of it was
/// written then.
pub fn unless_overtaken(
    mut import: impl FnMut() -> Result<Imported, StoreError>,
) -> Result<Imported, StoreError> {
    for _ in 0..ATTEMPTS {
        match import() {
            Err(StoreError::Database(Error::NotFound)) => {}
            result => return result,
        }
    }
    Err(StoreError::Overtaken)
}

/// Creates or renames users: see [`super::Store::import_users`].
pub fn users(
    link: &mut Link<'_>,
    rows: &[UserRow],
    mut progress: impl FnMut(usize),
) -> Result<Imported, StoreError> {
    Ok(link.writing(|link| {
        let people: BTreeSet<&UserId> = rows.iter().map(|row| &row.id).collect();
        let (states, added) = ensure(link, &people)?;
        // Of several rows for one user the last counts.
        let names: HashMap<&UserId, Option<&str>> = rows
            .iter()
            .map(|row| (&row.id, row.name.as_deref()))
            .collect();
        let names: Vec<(i64, Option<&str>)> = names
            .into_iter()
            .filter_map(|(user, name)| Some((states.get(user)?.id, name)))
            .collect();
        for chunk in names.chunks(ROWS_AT_ONCE) {
            link.bulk().name_users(chunk)?;
            progress(chunk.len());
        }
        Ok::<_, Error>(Imported {
            added,
            updated: rows.len() - added,
        })
    })?)
}

/// Adds or renames contacts: see [`super::Store::import_contacts`].
pub fn contacts(
    link: &mut Link<'_>,
    rows: &[ContactRow],
    mut progress: impl FnMut(usize),
) -> Result<Imported, StoreError> {
    Ok(link.writing(|link| {
        let people = rows.iter().flat_map(|row| [&row.owner, &row.contact]);
        let (mut states, _) = ensure(link, &people.collect())?;
        // Of several rows for one pair the last counts.
        let aliases: HashMap<(&UserId, &UserId), Option<&str>> = rows
            .iter()
            .map(|row| ((&row.owner, &row.contact), row.alias.as_deref()))
            .collect();
        let aliases: Vec<_> = aliases.into_iter().collect();
        let mut added = 0;
        for chunk in aliases.chunks(ROWS_AT_ONCE) {
            added += put(link, &mut states, chunk)?;
            progress(chunk.len());
        }
        let mut owners: Vec<UserState> = states.into_values().collect();
        owners.sort_unstable_by_key(|state| state.id);
        for chunk in owners.chunks(ROWS_AT_ONCE) {
            link.bulk().save_users(chunk)?;
        }
        Ok::<_, Error>(Imported {
            added,
            updated: rows.len() - added,
        })
    })?)
}

/// Locks these users, creating those that do not exist, and says how many those were.
///
/// All are locked by one statement: in parts, it could wait for a batch that waits for it.
fn ensure<'a>(
    link: &mut Link<'_>,
    users: &BTreeSet<&'a UserId>,
) -> QueryResult<(HashMap<&'a UserId, UserState>, usize)> {
    link.take_time()?;
    let logins: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
    let mut known: HashMap<String, UserState> =
        link.bulk().lock_users(&logins)?.into_iter().collect();
    let missing: Vec<&str> = logins
        .into_iter()
        .filter(|login| !known.contains_key(*login))
        .collect();
    let deleted = known.values().filter(|state| state.deleted);
    let deleted: Vec<i64> = deleted.map(|state| state.id).collect();
    link.bulk().revive_users(&deleted)?;
    for chunk in missing.chunks(ROWS_AT_ONCE) {
        let numbers = link.bulk().create_users(chunk)?;
        let created = chunk.iter().zip(numbers).map(|(login, id)| {
            let state = UserState {
                id,
                ..UserState::default()
            };
            ((*login).to_owned(), state)
        });
        known.extend(created);
    }
    let states = users
        .iter()
        .filter_map(|user| Some((*user, known.remove(user.as_str())?)));
    Ok((states.collect(), missing.len() + deleted.len()))
}

/// Writes contacts, counts the new ones of each owner, and returns how many are new.
fn put(
    link: &mut Link<'_>,
    states: &mut HashMap<&UserId, UserState>,
    rows: &[((&UserId, &UserId), Option<&str>)],
) -> QueryResult<usize> {
    let numbered: Vec<((i64, i64), Option<&str>)> = rows
        .iter()
        .filter_map(|((owner, contact), alias)| {
            Some(((states.get(owner)?.id, states.get(contact)?.id), *alias))
        })
        .collect();
    let pairs: Vec<(i64, i64)> = numbered.iter().map(|(pair, _)| *pair).collect();
    let known = link.bulk().contacts(&pairs)?;
    let new: Vec<(i64, i64)> = pairs
        .into_iter()
        .filter(|pair| !known.contains(pair))
        .collect();
    if !new.is_empty() {
        link.bulk().insert_contacts(&new)?;
    }
    link.bulk().name_contacts(&numbered)?;
    let mut counts: HashMap<i64, i64> = HashMap::default();
    for (owner, _) in &new {
        *counts.entry(*owner).or_default() += 1;
    }
    for state in states.values_mut() {
        state.contacts += counts.get(&state.id).copied().unwrap_or_default();
    }
    Ok(new.len())
}
