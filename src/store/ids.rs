//! Message IDs: leases to a node, grants to a user.

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::StoreError;
use super::connection::{Link, on};
use super::schema::id_allocation;
use crate::protocol::{IDS_PER_GRANT, MessageId};

/// An unspent grant lapses after 30 days.
const GRANT_LIFETIME_SECONDS: i64 = 30 * 24 * 3600;

/// Takes the next `count` IDs for this node, for good, and returns the first.
pub fn lease(link: &mut Link<'_>, count: i64) -> QueryResult<MessageId> {
    // One statement: two nodes that read first and wrote then would take the same IDs.
    let next: i64 = on!(link, connection => diesel::update(id_allocation::table)
        .set(id_allocation::next.eq(id_allocation::next + count))
        .returning(id_allocation::next)
        .get_result(connection))?;
    Ok(MessageId::new(next - count))
}

/// Gives IDs back that a lease ended with, unless somebody leased after it.
pub fn give_back(link: &mut Link<'_>, from: i64, end: i64) -> QueryResult<()> {
    on!(link, connection => diesel::update(id_allocation::table.filter(id_allocation::next.eq(end)))
        .set(id_allocation::next.eq(from))
        .execute(connection))?;
    Ok(())
}

/// Changes a row: proves that the store can commit. (One that stayed as it is would not be written.)
pub fn probe(link: &mut Link<'_>) -> QueryResult<()> {
    on!(link, connection => diesel::update(id_allocation::table)
        .set(id_allocation::probes.eq(id_allocation::probes + 1))
        .execute(connection))?;
    Ok(())
}

/// Reads one row.
pub fn ping(link: &mut Link<'_>) -> Result<(), StoreError> {
    let _: i64 = on!(link, connection => id_allocation::table
        .select(id_allocation::next)
        .get_result(connection))?;
    Ok(())
}

/// The block that holds an ID: see the table of grants.
pub fn block(id: MessageId) -> i64 {
    (id.number() - 1).div_euclid(IDS_PER_GRANT)
}

/// Whether a grant of this second of Unix time has lapsed.
pub fn lapsed(granted_at: i64, now: i64) -> bool {
    now - granted_at > GRANT_LIFETIME_SECONDS
}
