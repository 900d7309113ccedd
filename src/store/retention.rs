//! What is old enough to go: read messages with their receipts, grants that have lapsed, keys.
//!
//! A step looks at a range of IDs and removes a few rows in a transaction of its own. IDs are no order of
//! time, so a sweep goes through all of them; there is no index for it, which every message would pay for.
//!
//! An ID must not become free again: while its grant holds, its message would be stored anew if it were sent
//! again. So nothing goes before [`RETAIN_MIN`], by when a grant has lapsed.

use std::time::Duration;

use diesel::prelude::*;
use diesel::result::{Error, QueryResult};

use super::at_most::AtMost;
use super::connection::{Link, on};
use super::messages::READ;
use super::schema::{file_readers, grants, messages, sent_by_key};
use super::{StoreError, now};
use crate::hash::HashMap;
use crate::protocol::IDS_PER_GRANT;

/// The shortest time for which messages are kept: that of a grant, and a day for clocks that differ.
pub const RETAIN_MIN: Duration = Duration::from_secs(31 * 24 * 3600);

/// So many IDs are looked at by a step.
const IDS_AT_ONCE: i64 = 10_000;
/// So many messages are removed by a step.
const ROWS_AT_ONCE: i64 = 200;
/// So many receipts of each of their users. What is left goes with later ones.
const RECEIPTS_AT_ONCE: i64 = 1_000;

/// Where a sweep is, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// All IDs up to this number have been looked at.
    after: i64,
    /// Read messages stored before this second (Unix) go.
    messages_before: i64,
    /// Grants and keys of before this one go.
    grants_before: i64,
}

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many messages were removed.
    pub messages: usize,
    /// From where to go on; `None`: that was all.
    pub next: Option<Sweep>,
}

impl Sweep {
    /// A sweep that leaves what was stored in this time before now.
    pub fn new(retain: Duration) -> Self {
        let before = |kept: Duration| now() - i64::try_from(kept.as_secs()).unwrap_or(i64::MAX / 2);
        Self {
            after: 0,
            messages_before: before(retain.max(RETAIN_MIN)),
            grants_before: before(RETAIN_MIN),
        }
    }
}

/// A read message that is old enough: its ID, and the numbers by which its users have it.
type Old = (i64, i64, i64, i64, i64);

/// Takes a step: see [`super::Store::sweep`].
pub fn step(link: &mut Link<'_>, sweep: Sweep) -> Result<Swept, StoreError> {
    let Some(first) = first_after(link, sweep.after)? else {
        return Ok(Swept::default());
    };
    let upto = first.saturating_add(IDS_AT_ONCE - 1);
    let old = old_messages(link, sweep, first, upto)?;
    let all = old.len() < usize::try_from(ROWS_AT_ONCE).unwrap_or(0);
    let reached = match old.last() {
        Some((id, ..)) if !all => *id,
        _ => upto,
    };
    link.writing(|link| {
        remove_messages(link, &old)?;
        remove_grants(link, sweep, first, reached)
    })?;
    Ok(Swept {
        messages: old.len(),
        next: Some(Sweep {
            after: reached,
            ..sweep
        }),
    })
}

/// The first ID behind this one of which there is a message, or, where it is smaller, a grant.
fn first_after(link: &mut Link<'_>, after: i64) -> QueryResult<Option<i64>> {
    let message: Option<i64> = on!(&mut *link, connection => messages::table
        .filter(messages::id.gt(after))
        .order(messages::id)
        .select(messages::id)
        .at_most(1)
        .get_result(connection)
        .optional())?;
    let block: Option<i64> = on!(link, connection => grants::table
        .filter(grants::block.ge(after / IDS_PER_GRANT))
        .order(grants::block)
        .select(grants::block)
        .at_most(1)
        .get_result(connection)
        .optional())?;
    let granted = block.map(|block| (block * IDS_PER_GRANT + 1).max(after + 1));
    Ok([message, granted].into_iter().flatten().min())
}

fn old_messages(link: &mut Link<'_>, sweep: Sweep, first: i64, upto: i64) -> QueryResult<Vec<Old>> {
    on!(link, connection => messages::table
        .filter(messages::id.ge(first))
        .filter(messages::id.le(upto))
        .filter(messages::status.eq(READ))
        .filter(messages::stored_at.lt(sweep.messages_before))
        .order(messages::id)
        .select((
            messages::id,
            messages::sender,
            messages::sender_seq,
            messages::recipient,
            messages::recipient_seq,
        ))
        .at_most(ROWS_AT_ONCE)
        .load(connection))
}

/// Removes these, and of each of their users receipts that came before: those are for messages that are older
/// still, and read.
fn remove_messages(link: &mut Link<'_>, old: &[Old]) -> QueryResult<()> {
    if old.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = old.iter().map(|(id, ..)| *id).collect();
    on!(&mut *link, connection => diesel::delete(messages::table.filter(messages::id.eq_any(&ids)))
        .execute(connection))?;
    let readers = file_readers::table.filter(file_readers::message_id.eq_any(&ids));
    on!(&mut *link, connection => diesel::delete(readers).execute(connection))?;
    let mut upto: HashMap<i64, i64> = HashMap::default();
    for (_, sender, sender_seq, recipient, recipient_seq) in old {
        for (user, seq) in [(sender, sender_seq), (recipient, recipient_seq)] {
            let last = upto.entry(*user).or_default();
            *last = (*last).max(*seq);
        }
    }
    // In one order for all nodes.
    let mut upto: Vec<(i64, i64)> = upto.into_iter().collect();
    upto.sort_unstable();
    link.bulk().remove_receipts(&upto, RECEIPTS_AT_ONCE)
}

/// Removes the grants of these IDs that have lapsed, and what was sent under keys so long ago.
fn remove_grants(link: &mut Link<'_>, sweep: Sweep, first: i64, upto: i64) -> Result<(), Error> {
    let of_block = |id: i64| (id - 1).div_euclid(IDS_PER_GRANT);
    let lapsed = grants::table
        .filter(grants::block.ge(of_block(first)))
        .filter(grants::block.le(of_block(upto)))
        .filter(grants::granted_at.lt(sweep.grants_before));
    on!(&mut *link, connection => diesel::delete(lapsed).execute(connection))?;
    let keys = sent_by_key::table
        .filter(sent_by_key::message_id.ge(first))
        .filter(sent_by_key::message_id.le(upto))
        .filter(sent_by_key::sent_at.lt(sweep.grants_before));
    on!(link, connection => diesel::delete(keys).execute(connection))?;
    Ok(())
}
