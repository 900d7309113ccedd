//! Whose messages a user does not get.

use diesel::prelude::*;
use diesel::result::Error;

use super::super::StoreError;
use super::super::at_most::AtMost;
use super::super::connection::{Link, on};
use super::super::schema::{blocks as table, users};
use super::{Listed, Put, Removed, existing, lock_both, lock_rows, revise};
use crate::protocol::UserId;

/// See [`super::super::Store::blocks`].
pub fn blocks(
    link: &mut Link<'_>,
    owner: &str,
    after: i64,
    limit: usize,
) -> Result<Option<Listed<String>>, StoreError> {
    let Some(owner) = existing(link, owner)? else {
        return Ok(None);
    };
    let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let of = users::table.filter(users::id.eq(table::blocked));
    let found: Vec<(i64, Option<String>)> = on!(link, connection => table::table
        .filter(table::owner.eq(owner))
        .filter(table::blocked.gt(after))
        .order(table::blocked)
        .select((table::blocked, of.select(users::login).single_value()))
        .at_most(rows)
        .load(connection))?;
    let Listed { items, next } = Listed::cut(found, limit, |row| row.0.to_string());
    let items = items.into_iter().filter_map(|(_, login)| login);
    Ok(Some(Listed {
        items: items.collect(),
        next,
    }))
}

/// See [`super::super::Store::block`].
pub fn block(link: &mut Link<'_>, owner: &UserId, blocked: &UserId) -> Result<Put, StoreError> {
    Ok(link.writing(|link| {
        let Some((of, whom)) = lock_both(link, owner, blocked)? else {
            return Ok::<_, Error>(Put::NoSuchUser);
        };
        let pair = (of.id, whom.id);
        if link.bulk().blocked(&[pair])?.contains(&pair) {
            return Ok(Put::Updated);
        }
        on!(&mut *link, connection => diesel::insert_into(table::table)
            .values((table::owner.eq(of.id), table::blocked.eq(whom.id)))
            .execute(connection))?;
        revise(link, of.id)?;
        Ok(Put::Created)
    })?)
}

/// See [`super::super::Store::unblock`].
pub fn unblock(
    link: &mut Link<'_>,
    owner: &UserId,
    blocked: &UserId,
) -> Result<Removed, StoreError> {
    Ok(link.writing(|link| {
        let Some((of, whom)) = lock_rows(link, owner, blocked)? else {
            return Ok::<_, Error>(Removed::NotThere);
        };
        let entry = table::table.find((of.id, whom.id));
        let removed = on!(&mut *link, connection => diesel::delete(entry).execute(connection))?;
        if removed == 0 {
            return Ok(Removed::NotThere);
        }
        revise(link, of.id)?;
        Ok(Removed::Gone)
    })?)
}
