//! Pages of history: the last messages before a base, of one conversation or of all.

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::StoreError;
use super::at_most::AtMost;
use super::connection::{Link, on};
use super::messages::{self, Key, READ, StoredMessage, UNREAD};
use super::schema::messages as table;
use super::users::{self, Reader};
use crate::protocol::MessageId;

/// Which page.
#[derive(Debug, Clone)]
pub struct PageQuery {
    /// Who asks.
    pub user: String,
    /// The other side of one conversation, or all.
    pub with: Option<String>,
    /// The page ends just before this message; `None`: it ends with the newest.
    pub before: Option<MessageId>,
    /// At most so many messages.
    pub limit: i64,
    /// It ends where the bodies pass so many bytes, but holds one message at least.
    pub bytes: usize,
}

/// Messages, newest first, each with its present status.
pub type Page = Vec<StoredMessage>;

/// Reads a page from one snapshot: see [`super::Store::history`].
pub fn page(link: &mut Link<'_>, query: &PageQuery) -> Result<Option<Page>, StoreError> {
    Ok(link.snapshot(|link| {
        let user = users::reader(link, &query.user)?;
        let with = match &query.with {
            Some(with) => Some(users::id_of(link, with)?),
            None => None,
        };
        let base = match query.before {
            None => None,
            Some(id) => match base(link, id, user, with)? {
                Some(base) => Some(base),
                None => return Ok(None),
            },
        };
        // A user that does not exist has written nothing and was written nothing.
        let ids = match (user, with) {
            (None, _) | (_, Some(None)) => Vec::new(),
            (Some(user), Some(Some(with))) => {
                conversation(link, user, with, base.as_ref(), query.limit)?
            }
            (Some(user), None) => everything(link, user, base.as_ref(), query.limit)?,
        };
        let (page, _) = messages::load(link, &ids, query.bytes)?;
        Ok(Some(page))
    })?)
}

/// The base's row, where it belongs to what is asked for.
fn base(
    link: &mut Link<'_>,
    id: MessageId,
    user: Option<Reader>,
    with: Option<Option<i64>>,
) -> QueryResult<Option<Key>> {
    let (Some(key), Some(user)) = (messages::key(link, id)?, user) else {
        return Ok(None);
    };
    let mine = [key.sender, key.recipient].contains(&user.id) && key.seq_of(user.id) > user.hidden;
    let asked = match with {
        Some(Some(with)) => (key.lo, key.hi) == (user.id.min(with), user.id.max(with)),
        Some(None) => false,
        None => true,
    };
    Ok((mine && asked).then_some(key))
}

fn conversation(
    link: &mut Link<'_>,
    user: Reader,
    with: i64,
    base: Option<&Key>,
    limit: i64,
) -> QueryResult<Vec<i64>> {
    let before = base.map_or(i64::MAX, |base| base.lo_seq);
    let rows: Vec<(i64, Key)> = on!(link, connection => table::table
        .filter(table::lo.eq(user.id.min(with)))
        .filter(table::hi.eq(user.id.max(with)))
        .filter(table::lo_seq.lt(before))
        .order(table::lo_seq.desc())
        .select((table::id, Key::as_select()))
        .at_most(limit)
        .load(connection))?;
    // Going back, the numbers of either of the two fall: what is hidden is the end of the page.
    let rows = rows.into_iter();
    let seen = rows.take_while(|(_, key)| key.seq_of(user.id) > user.hidden);
    Ok(seen.map(|(id, _)| id).collect())
}

/// The user's timeline backwards, messages only.
fn everything(
    link: &mut Link<'_>,
    Reader { id: user, hidden }: Reader,
    base: Option<&Key>,
    limit: i64,
) -> QueryResult<Vec<i64>> {
    let before = base.map_or(i64::MAX, |base| base.seq_of(user));
    let mut found: Vec<(i64, i64)> = on!(link, connection => table::table
        .filter(table::sender.eq(user))
        .filter(table::sender_seq.lt(before))
        .filter(table::sender_seq.gt(hidden))
        .order(table::sender_seq.desc())
        .select((table::sender_seq, table::id))
        .at_most(limit)
        .load(connection))?;
    for status in [UNREAD, READ] {
        let received: Vec<(i64, i64)> = on!(link, connection => table::table
            .filter(table::recipient.eq(user))
            .filter(table::status.eq(status))
            .filter(table::recipient_seq.lt(before))
            .filter(table::recipient_seq.gt(hidden))
            .order(table::recipient_seq.desc())
            .select((table::recipient_seq, table::id))
            .at_most(limit)
            .load(connection))?;
        found.extend(received);
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    // A message to oneself was both sent and received under its one number.
    found.dedup();
    let newest = found.into_iter().take(usize::try_from(limit).unwrap_or(0));
    Ok(newest.map(|(_, id)| id).collect())
}
