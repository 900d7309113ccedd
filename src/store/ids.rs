//! Message IDs: leases to a node, grants to a user.

use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;

use super::schema::{grants, id_allocation};
use super::{StoreError, now};
use crate::protocol::{IDS_PER_GRANT, MessageId};

/// An unspent grant lapses after 30 days.
const GRANT_LIFETIME_SECONDS: i64 = 30 * 24 * 3600;

/// Takes the next `count` IDs for this node, for good, and returns the first.
pub fn lease(connection: &mut SqliteConnection, count: i64) -> QueryResult<MessageId> {
    let first: i64 = id_allocation::table
        .select(id_allocation::next)
        .get_result(connection)?;
    diesel::update(id_allocation::table)
        .set(id_allocation::next.eq(first + count))
        .execute(connection)?;
    Ok(MessageId::new(first))
}

/// Gives IDs back that a lease ended with, unless somebody leased after it.
pub fn give_back(connection: &mut SqliteConnection, from: i64, end: i64) -> QueryResult<()> {
    diesel::update(id_allocation::table.filter(id_allocation::next.eq(end)))
        .set(id_allocation::next.eq(from))
        .execute(connection)?;
    Ok(())
}

/// Changes a row: proves that the store can commit. (One that stayed as it is would not be written.)
pub fn probe(connection: &mut SqliteConnection) -> QueryResult<()> {
    diesel::update(id_allocation::table)
        .set(id_allocation::probes.eq(id_allocation::probes + 1))
        .execute(connection)?;
    Ok(())
}

/// Reads one row.
pub fn ping(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let _: i64 = id_allocation::table
        .select(id_allocation::next)
        .get_result(connection)?;
    Ok(())
}

/// The block that holds an ID: see the table.
fn block(id: MessageId) -> i64 {
    (id.number() - 1).div_euclid(IDS_PER_GRANT)
}

/// Grants the [`IDS_PER_GRANT`] IDs from `first` on to a user.
pub fn grant(connection: &mut SqliteConnection, first: MessageId, user: i64) -> QueryResult<()> {
    debug_assert_eq!((first.number() - 1) % IDS_PER_GRANT, 0);
    diesel::insert_into(grants::table)
        .values((
            grants::block.eq(block(first)),
            grants::user_id.eq(user),
            grants::granted_at.eq(now()),
        ))
        .execute(connection)?;
    Ok(())
}

/// Whether this user holds a grant of this ID that has not lapsed.
pub fn granted(connection: &mut SqliteConnection, id: MessageId, user: i64) -> QueryResult<bool> {
    let grant: Option<(i64, i64)> = grants::table
        .find(block(id))
        .select((grants::user_id, grants::granted_at))
        .get_result(connection)
        .optional()?;
    Ok(grant.is_some_and(|(owner, at)| owner == user && now() - at <= GRANT_LIFETIME_SECONDS))
}
