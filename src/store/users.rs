//! Users: their rows, and those of them that a batch works on.

use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;

use super::StoreError;
use super::connection::{Link, on};
use super::fixed::sql;
use super::lookup;
use super::schema::users;
use crate::hash::HashMap;
use crate::protocol::UserId;

/// A user's row, as far as writing needs it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct UserState {
    pub id: i64,
    pub timeline: i64,
    pub told: i64,
    pub contacts: i64,
    pub revision: i64,
    pub deleted: bool,
    pub hidden: i64,
    pub voided: i64,
}

/// A user's row, before and after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub was: UserState,
    pub is: UserState,
}

/// The users a batch has to do with: read (and locked) once, changed in memory, written once.
///
/// Timeline numbers are drawn here; they count only when the changed rows are saved in the same
/// transaction as the rows that bear them. A user who does not exist yet has a number below zero
/// until the batch has created them. One who was deleted has a row and does not exist.
#[derive(Debug, Default)]
pub struct Working {
    users: HashMap<UserId, Held>,
    created: Vec<UserId>,
    /// The rows of users who were deleted and exist again.
    revived: Vec<i64>,
}

/// One of them.
#[derive(Debug)]
struct Held {
    is: UserState,
    /// Where it changed, as it was.
    was: Option<UserState>,
}

impl Working {
    /// The users that have a row, of all that the batch names.
    pub fn new(states: impl IntoIterator<Item = (UserId, UserState)>) -> Self {
        let held = |(user, is)| (user, Held { is, was: None });
        Self {
            users: states.into_iter().map(held).collect(),
            ..Self::default()
        }
    }

    /// The user's row, where there is one.
    pub fn find(&self, user: &UserId) -> Option<&UserState> {
        self.users.get(user).map(|held| &held.is)
    }

    /// The user's number, where they exist.
    pub fn id(&self, user: &UserId) -> Option<i64> {
        let state = self.find(user).filter(|state| !state.deleted);
        state.map(|state| state.id)
    }

    /// The number of the user's row, whether they exist or are deleted.
    pub fn row_id(&self, user: &UserId) -> Option<i64> {
        self.find(user).map(|state| state.id)
    }

    /// The user's number; they exist from now on.
    pub fn ensure(&mut self, user: &UserId) -> i64 {
        if let Some(Held { is: state, .. }) = self.users.get_mut(user) {
            if std::mem::take(&mut state.deleted) {
                state.revision += 1;
                self.revived.push(state.id);
            }
            return state.id;
        }
        self.created.push(user.clone());
        let is = UserState {
            id: -i64::try_from(self.created.len()).unwrap_or(i64::MAX),
            ..UserState::default()
        };
        self.users.insert(user.clone(), Held { is, was: None });
        is.id
    }

    /// The revisions of two users, that of the smaller number first: what is remembered of the pair holds
    /// while neither changes.
    pub fn revisions(&self, a: &UserId, b: &UserId) -> (i64, i64) {
        let known = |user| {
            let state = self.find(user);
            state.map_or((0, 0), |state| (state.id, state.revision))
        };
        let (a, b) = (known(a), known(b));
        (a.min(b).1, a.max(b).1)
    }

    /// Changes a user that exists, and remembers to save it.
    pub fn change<T>(
        &mut self,
        user: &UserId,
        change: impl FnOnce(&mut UserState) -> T,
    ) -> Option<T> {
        let held = self.users.get_mut(user)?;
        held.was.get_or_insert(held.is);
        Some(change(&mut held.is))
    }

    /// Draws the next number of the timeline of a user that exists.
    pub fn next_seq(&mut self, user: &UserId) -> i64 {
        let next = self.change(user, |state| {
            state.timeline += 1;
            state.timeline
        });
        next.unwrap_or_default()
    }

    /// All of them, as they are afterwards.
    pub fn into_states(self) -> Vec<(UserId, UserState)> {
        let states = self.users.into_iter().map(|(user, held)| (user, held.is));
        states.collect()
    }

    /// Those who are to be created, in the order of their numbers: -1, -2, …
    pub fn created(&self) -> &[UserId] {
        &self.created
    }

    /// The numbers of those who were deleted and exist again.
    pub fn revived(&self) -> &[i64] {
        &self.revived
    }

    /// Gives those who were created their numbers.
    pub fn number(&mut self, numbers: &Numbers) {
        for user in &self.created {
            if let Some(Held { is, .. }) = self.users.get_mut(user) {
                is.id = numbers.of(is.id);
            }
        }
    }

    /// The rows that changed, in one order for all batches.
    pub fn changed(&self) -> Vec<Change> {
        let users = self.users.values();
        let changes = users.filter_map(|Held { is, was }| {
            Some(Change {
                was: (*was)?,
                is: *is,
            })
        });
        let mut changes: Vec<Change> = changes.collect();
        changes.sort_unstable_by_key(|change| change.is.id);
        changes
    }
}

/// The numbers of users that a batch created: of -1, -2, …
#[derive(Debug, Default)]
pub struct Numbers(pub Vec<i64>);

impl Numbers {
    /// The number of a user that may have been created by this batch.
    pub fn of(&self, id: i64) -> i64 {
        let created = usize::try_from(-(id + 1)).ok();
        created.and_then(|n| self.0.get(n)).copied().unwrap_or(id)
    }
}

/// The number of a user, for reading.
pub fn id_of(link: &mut Link<'_>, login: &str) -> QueryResult<Option<i64>> {
    let id = match link {
        Link::Sqlite(connection) => {
            sql!("SELECT id FROM users WHERE login = ?" => BigInt, [login]).get_result(*connection)
        }
        Link::Postgres(connection) => users::table
            .filter(users::login.eq(login))
            .select(users::id)
            .get_result(*connection),
    };
    id.optional()
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct Reader {
    pub id: i64,
    /// What has a number up to this one was somebody else's, who had the ID before.
    pub hidden: i64,
}

/// A user, for reading.
pub fn reader(link: &mut Link<'_>, login: &str) -> QueryResult<Option<Reader>> {
    on!(link, connection => users::table
        .filter(users::login.eq(login))
        .select(Reader::as_select())
        .get_result(connection)
        .optional())
}

/// The number of a user and the last number of their timeline.
pub fn head(link: &mut Link<'_>, login: &str) -> QueryResult<(i64, i64)> {
    on!(link, connection => users::table
        .filter(users::login.eq(login))
        .select((users::id, users::timeline))
        .get_result(connection))
}

/// Where a user's timeline ends, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct Head {
    /// The last number.
    pub timeline: i64,
    /// A number of whoever has the ID: it grows whenever a user is deleted.
    #[diesel(column_name = voided)]
    pub tenure: i64,
}

/// The IDs on the wire of these users.
pub fn logins(
    link: &mut Link<'_>,
    ids: impl IntoIterator<Item = i64>,
) -> QueryResult<HashMap<i64, String>> {
    let mut ids: Vec<i64> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::default());
    }
    let rows = lookup::logins(link, &ids)?;
    Ok(rows.into_iter().collect())
}

/// Whether there are no users at all.
pub fn none(link: &mut Link<'_>) -> Result<bool, StoreError> {
    let any: Option<i64> = on!(link, connection => users::table
        .select(users::id)
        .first(connection)
        .optional())?;
    Ok(any.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_the_batch_get_their_numbers_when_they_are_created() {
        let user = |id: &str| UserId::parse(id).unwrap();
        let mut working = Working::default();
        let (a, b) = (working.ensure(&user("A")), working.ensure(&user("B")));
        assert_eq!((a, b), (-1, -2));
        assert_eq!(working.ensure(&user("A")), -1, "created once");
        assert_eq!(working.next_seq(&user("B")), 1);
        let numbers = Numbers(vec![7, 9]);
        assert_eq!((numbers.of(a), numbers.of(b), numbers.of(3)), (7, 9, 3));
        working.number(&numbers);
        assert_eq!(working.id(&user("B")), Some(9));
        let changed: Vec<i64> = working.changed().iter().map(|c| c.is.id).collect();
        assert_eq!(changed, [9]);
    }
}
