//! Users: who there is, what they are called, and their end.

use diesel::prelude::*;
use diesel::result::{Error, QueryResult};

use super::super::at_most::AtMost;
use super::super::batch::ATTEMPTS;
use super::super::connection::{Link, on};
use super::super::schema::{blocks, contacts, sent_by_key, users};
use super::super::{StoreError, now};
use super::{Listed, Put, lock};
use crate::protocol::UserId;

/// So many keys are forgotten at once.
const KEYS_AT_ONCE: i64 = 1_000;

/// A user, as they are known outside.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct Profile {
    /// The user ID.
    #[diesel(column_name = login)]
    pub id: String,
    /// The display name.
    pub name: Option<String>,
}

/// See [`super::super::Store::profile`].
pub fn profile(link: &mut Link<'_>, user: &str) -> Result<Option<Profile>, StoreError> {
    Ok(on!(link, connection => users::table
        .filter(users::login.eq(user))
        .filter(users::deleted.eq(false))
        .select(Profile::as_select())
        .get_result(connection)
        .optional())?)
}

/// See [`super::super::Store::profiles`].
pub fn profiles(
    link: &mut Link<'_>,
    after: &str,
    limit: usize,
) -> Result<Listed<Profile>, StoreError> {
    let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let found = on!(link, connection => users::table
        .filter(users::login.gt(after))
        .filter(users::deleted.eq(false))
        .order(users::login)
        .select(Profile::as_select())
        .at_most(rows)
        .load(connection))?;
    Ok(Listed::cut(found, limit, |profile| profile.id.clone()))
}

/// See [`super::super::Store::put_user`].
pub fn put_user(link: &mut Link<'_>, user: &UserId, name: Option<&str>) -> Result<Put, StoreError> {
    for _ in 0..ATTEMPTS {
        match link.writing(|link| put(link, user, name)) {
            // Somebody else created them meanwhile: nothing of this was written.
            Err(Error::NotFound) => {}
            result => return Ok(result?),
        }
    }
    Err(StoreError::Overtaken)
}

fn put(link: &mut Link<'_>, user: &UserId, name: Option<&str>) -> QueryResult<Put> {
    let login = [user.as_str()];
    let (id, put) = match link.bulk().lock_users(&login)?.first() {
        Some((_, state)) if state.deleted => {
            link.bulk().revive_users(&[state.id])?;
            (Some(state.id), Put::Created)
        }
        Some((_, state)) => (Some(state.id), Put::Updated),
        None => (
            link.bulk().create_users(&login)?.first().copied(),
            Put::Created,
        ),
    };
    if let Some(id) = id {
        link.bulk().name_users(&[(id, name)])?;
    }
    Ok(put)
}

/// See [`super::super::Store::delete_user`].
pub fn delete_user(link: &mut Link<'_>, user: &UserId) -> Result<Option<i64>, StoreError> {
    let deleted = link.writing(|link| delete(link, user))?;
    let Some((id, tenure)) = deleted else {
        return Ok(None);
    };
    // They may be many, and are of no harm: whoever has the ID next sends under keys of their own.
    while forget_keys(link, id)? {}
    Ok(Some(tenure))
}

/// Forgets some of the keys under which messages were sent for a user. Returns whether there may be more.
fn forget_keys(link: &mut Link<'_>, user: i64) -> QueryResult<bool> {
    let some: Vec<i64> = on!(&mut *link, connection => sent_by_key::table
        .filter(sent_by_key::sender.eq(user))
        .order(sent_by_key::key)
        .select(sent_by_key::message_id)
        .at_most(KEYS_AT_ONCE)
        .load(connection))?;
    if some.is_empty() {
        return Ok(false);
    }
    // By their IDs, as retention does.
    let rows = sent_by_key::table.filter(sent_by_key::message_id.eq_any(&some));
    on!(link, connection => diesel::delete(rows).execute(connection))?;
    Ok(true)
}

fn delete(link: &mut Link<'_>, user: &UserId) -> QueryResult<Option<(i64, i64)>> {
    let Some(state) = lock(link, user)? else {
        return Ok(None);
    };
    let (id, tenure) = (state.id, now().max(state.voided + 1));
    on!(&mut *link, connection => diesel::delete(contacts::table.filter(contacts::owner.eq(id)))
            .execute(connection))?;
    on!(&mut *link, connection => diesel::delete(blocks::table.filter(blocks::owner.eq(id)))
            .execute(connection))?;
    on!(link, connection => diesel::update(users::table.find(id))
            .set((
                users::name.eq(None::<String>),
                users::contacts.eq(0),
                users::told.eq(users::timeline),
                users::hidden.eq(users::timeline),
                users::voided.eq(tenure),
                users::deleted.eq(true),
                users::revision.eq(users::revision + 1),
            ))
            .execute(connection))?;
    Ok(Some((id, tenure)))
}
