//! The rows of `receipts`: who is told that a message was read.

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::at_most::AtMost;
use super::connection::{Link, on};
use super::lookup;
use super::schema::{messages, receipts};
use super::users;
use crate::hash::HashMap;
use crate::protocol::MessageId;

/// The origin of a receipt that every device of its user is told of.
pub const TO_ALL: i64 = 0;

/// A receipt with the IDs its users have on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// The message that was read.
    pub message: MessageId,
    /// Who sent it.
    pub sender: String,
    /// Who read it.
    pub reader: String,
    /// The connection that is not told, since it reported the reading.
    pub origin: i64,
}

/// A receipt with its message's users.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = receipts)]
pub struct Told {
    pub seq: i64,
    #[diesel(column_name = message_id)]
    pub message: i64,
    #[diesel(select_expression = messages::sender)]
    pub sender: i64,
    #[diesel(select_expression = messages::recipient)]
    pub reader: i64,
    pub origin: i64,
}

/// The numbers above `after`, up to `upto`, of receipts for messages of the user's own, in order.
pub fn own_numbers(
    link: &mut Link<'_>,
    user: i64,
    after: i64,
    upto: i64,
    limit: i64,
) -> QueryResult<Vec<i64>> {
    on!(link, connection => receipts::table
        .filter(receipts::user_id.eq(user))
        .filter(receipts::seq.gt(after))
        .filter(receipts::seq.le(upto))
        .filter(receipts::origin.eq(TO_ALL))
        .order(receipts::seq)
        .select(receipts::seq)
        .at_most(limit)
        .load(connection))
}

/// The numbers above `after` of all receipts in the user's timeline, in order.
pub fn numbers(link: &mut Link<'_>, user: i64, after: i64, limit: i64) -> QueryResult<Vec<i64>> {
    on!(link, connection => receipts::table
        .filter(receipts::user_id.eq(user))
        .filter(receipts::seq.gt(after))
        .order(receipts::seq)
        .select(receipts::seq)
        .at_most(limit)
        .load(connection))
}

/// The receipts with these numbers. Those whose message is gone are left out.
pub fn load(
    link: &mut Link<'_>,
    user: i64,
    seqs: &[i64],
) -> QueryResult<HashMap<i64, StoredReceipt>> {
    if seqs.is_empty() {
        return Ok(HashMap::default());
    }
    let rows = lookup::receipts(link, user, seqs)?;
    let logins = users::logins(link, rows.iter().flat_map(|r| [r.sender, r.reader]))?;
    let login = |id: i64| logins.get(&id).cloned().unwrap_or_default();
    let load = rows.into_iter().map(|row| {
        let receipt = StoredReceipt {
            message: MessageId::new(row.message),
            sender: login(row.sender),
            reader: login(row.reader),
            origin: row.origin,
        };
        (row.seq, receipt)
    });
    Ok(load.collect())
}
