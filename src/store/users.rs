//! Users: their rows, and those of them that a batch works on.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;

use super::StoreError;
use super::schema::users;
use crate::protocol::UserId;

/// A user's row, as far as writing needs it.
#[derive(Debug, Clone, Queryable)]
pub struct UserState {
    pub id: i64,
    pub timeline: i64,
    pub told: i64,
    pub contacts: i64,
}

/// The users a batch has to do with: read once, changed in memory, written once.
///
/// Timeline numbers are drawn here; they count only when [`Self::save`] has run in the same
/// transaction as the rows that bear them.
#[derive(Default)]
pub struct Working {
    states: HashMap<UserId, Option<UserState>>,
    changed: BTreeSet<UserId>,
}

impl Working {
    /// The user's row, where there is one.
    pub fn find(
        &mut self,
        connection: &mut SqliteConnection,
        user: &UserId,
    ) -> QueryResult<Option<&mut UserState>> {
        if !self.states.contains_key(user) {
            let state = users::table
                .filter(users::login.eq(user.as_str()))
                .select((users::id, users::timeline, users::told, users::contacts))
                .get_result(connection)
                .optional()?;
            self.states.insert(user.clone(), state);
        }
        Ok(self.states.get_mut(user).and_then(Option::as_mut))
    }

    /// The user's number, creating the user where there is none.
    pub fn ensure(&mut self, connection: &mut SqliteConnection, user: &UserId) -> QueryResult<i64> {
        if let Some(state) = self.find(connection, user)? {
            return Ok(state.id);
        }
        let id: i64 = diesel::insert_into(users::table)
            .values(users::login.eq(user.as_str()))
            .returning(users::id)
            .get_result(connection)?;
        let state = UserState {
            id,
            timeline: 0,
            told: 0,
            contacts: 0,
        };
        self.states.insert(user.clone(), Some(state));
        Ok(id)
    }

    /// Changes a user that [`Self::ensure`] or [`Self::find`] found, and remembers to save it.
    pub fn change<T>(
        &mut self,
        user: &UserId,
        change: impl FnOnce(&mut UserState) -> T,
    ) -> Option<T> {
        let state = self.states.get_mut(user)?.as_mut()?;
        if !self.changed.contains(user) {
            self.changed.insert(user.clone());
        }
        Some(change(state))
    }

    /// Draws the next number of a user's timeline.
    pub fn next_seq(&mut self, user: &UserId) -> QueryResult<i64> {
        self.change(user, |state| {
            state.timeline += 1;
            state.timeline
        })
        .ok_or(diesel::result::Error::NotFound)
    }

    /// Writes every changed row.
    pub fn save(self, connection: &mut SqliteConnection) -> QueryResult<()> {
        for user in &self.changed {
            let Some(Some(state)) = self.states.get(user) else {
                continue;
            };
            diesel::update(users::table.find(state.id))
                .set((
                    users::timeline.eq(state.timeline),
                    users::told.eq(state.told),
                    users::contacts.eq(state.contacts),
                ))
                .execute(connection)?;
        }
        Ok(())
    }
}

/// The number of a user, for reading.
pub fn id_of(connection: &mut SqliteConnection, login: &str) -> QueryResult<Option<i64>> {
    users::table
        .filter(users::login.eq(login))
        .select(users::id)
        .get_result(connection)
        .optional()
}

/// The IDs on the wire of these users.
pub fn logins(
    connection: &mut SqliteConnection,
    ids: impl IntoIterator<Item = i64>,
) -> QueryResult<HashMap<i64, String>> {
    let mut ids: Vec<i64> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, String)> = users::table
        .filter(users::id.eq_any(ids))
        .select((users::id, users::login))
        .load(connection)?;
    Ok(rows.into_iter().collect())
}

/// Whether there are no users at all.
pub fn none(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let any: Option<i64> = users::table
        .select(users::id)
        .first(connection)
        .optional()?;
    Ok(any.is_none())
}
