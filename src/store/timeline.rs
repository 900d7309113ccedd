//! A user's timeline, read in parts: what a device has to receive that it did not get live.
//!
//! A part is read from one snapshot: were its pieces read one after another, a number committed
//! in between would be stepped over for good.

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::StoreError;
use super::at_most::AtMost;
use super::connection::{Link, on};
use super::messages::{self, READ, StoredMessage, UNREAD};
use super::receipts::{self, StoredReceipt};
use super::schema::messages as table;
use super::users::{self, Reader};
use crate::protocol::UserId;

/// What to read next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetch {
    /// Unread messages to the user with numbers above `after`, up to `upto`.
    Unread {
        /// Whose.
        user: UserId,
        /// The last number that was read.
        after: i64,
        /// The last number of this phase.
        upto: i64,
    },
    /// Receipts for the user's own messages with numbers above `after`, up to `upto`.
    Receipts {
        /// Whose.
        user: UserId,
        /// The last number that was read.
        after: i64,
        /// The last number of this phase.
        upto: i64,
    },
    /// Everything with a number above `after`.
    Timeline {
        /// Whose.
        user: UserId,
        /// The last number that was read.
        after: i64,
    },
}

/// A part of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// What there is, by number, ascending.
    pub entries: Vec<Entry>,
    /// The number up to which everything is in `entries`: of the last entry, or, where nothing
    /// more was there, the end of the phase (of a timeline: its last number).
    pub upto: i64,
    /// Whether nothing more was there.
    pub complete: bool,
}

/// One number of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number.
    pub seq: i64,
    /// What happened.
    pub event: Event,
}

/// What stands under a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message to or from the user.
    Message(StoredMessage),
    /// A message of the user's, or one to them, was read.
    Read(StoredReceipt),
}

/// How many entries and how many bytes of bodies a part has at most.
const PART_ENTRIES: usize = 256;
const PART_BYTES: usize = 128 * 1024;

/// An entry before its row is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pointer {
    Message(i64),
    Receipt,
}

/// Reads a part: see [`super::Store::fetch`].
pub fn fetch(link: &mut Link<'_>, fetch: &Fetch) -> Result<Fetched, StoreError> {
    Ok(link.snapshot(|link| match fetch {
        Fetch::Unread { user, after, upto } => {
            let Reader { id, hidden } = reader(link, user)?;
            let rows = received(link, id, UNREAD, hidden.max(*after), *upto)?;
            part(link, id, vec![rows], *upto)
        }
        Fetch::Receipts { user, after, upto } => {
            let Reader { id, .. } = reader(link, user)?;
            let limit = PART_ENTRIES as i64;
            let seqs = receipts::own_numbers(link, id, *after, *upto, limit)?;
            let rows = seqs.into_iter().map(|seq| (seq, Pointer::Receipt));
            part(link, id, vec![rows.collect()], *upto)
        }
        Fetch::Timeline { user, after } => {
            let (id, head) = users::head(link, user.as_str())?;
            let limit = PART_ENTRIES as i64;
            let told = receipts::numbers(link, id, *after, limit)?;
            let sources = vec![
                sent(link, id, *after)?,
                received(link, id, UNREAD, *after, head)?,
                received(link, id, READ, *after, head)?,
                told.into_iter()
                    .map(|seq| (seq, Pointer::Receipt))
                    .collect(),
            ];
            part(link, id, sources, head)
        }
    })?)
}

fn reader(link: &mut Link<'_>, user: &UserId) -> QueryResult<Reader> {
    users::reader(link, user.as_str())?.ok_or(diesel::result::Error::NotFound)
}

fn sent(link: &mut Link<'_>, user: i64, after: i64) -> QueryResult<Vec<(i64, Pointer)>> {
    let rows: Vec<(i64, i64)> = on!(link, connection => table::table
        .filter(table::sender.eq(user))
        .filter(table::sender_seq.gt(after))
        .order(table::sender_seq)
        .select((table::sender_seq, table::id))
        .at_most(PART_ENTRIES as i64)
        .load(connection))?;
    Ok(rows
        .into_iter()
        .map(|(seq, id)| (seq, Pointer::Message(id)))
        .collect())
}

fn received(
    link: &mut Link<'_>,
    user: i64,
    status: i16,
    after: i64,
    upto: i64,
) -> QueryResult<Vec<(i64, Pointer)>> {
    let rows: Vec<(i64, i64)> = on!(link, connection => table::table
        .filter(table::recipient.eq(user))
        .filter(table::status.eq(status))
        .filter(table::recipient_seq.gt(after))
        .filter(table::recipient_seq.le(upto))
        .order(table::recipient_seq)
        .select((table::recipient_seq, table::id))
        .at_most(PART_ENTRIES as i64)
        .load(connection))?;
    Ok(rows
        .into_iter()
        .map(|(seq, id)| (seq, Pointer::Message(id)))
        .collect())
}

/// Merges what the sources found (each ascending and cut at [`PART_ENTRIES`]) and loads the rows.
fn part(
    link: &mut Link<'_>,
    user: i64,
    sources: Vec<Vec<(i64, Pointer)>>,
    end: i64,
) -> QueryResult<Fetched> {
    let exhausted = sources.iter().all(|source| source.len() < PART_ENTRIES);
    let mut pointers: Vec<(i64, Pointer)> = sources.into_iter().flatten().collect();
    pointers.sort_unstable();
    // A message to oneself was both sent and received under its one number.
    pointers.dedup();
    let mut complete = exhausted && pointers.len() <= PART_ENTRIES;
    pointers.truncate(PART_ENTRIES);

    let ids: Vec<i64> = pointers.iter().filter_map(|(_, p)| p.message()).collect();
    let (messages, loaded) = messages::load(link, &ids, PART_BYTES)?;
    if loaded < ids.len() {
        let first_left_out = pointers
            .iter()
            .position(|(_, p)| p.message() == Some(ids[loaded]));
        pointers.truncate(first_left_out.unwrap_or(pointers.len()));
        complete = false;
    }
    let told: Vec<i64> = pointers
        .iter()
        .filter(|(_, p)| *p == Pointer::Receipt)
        .map(|(seq, _)| *seq)
        .collect();
    let mut receipts = receipts::load(link, user, &told)?;
    let mut messages = messages.into_iter().peekable();
    let upto = match pointers.last() {
        Some((seq, _)) if !complete => *seq,
        _ => end,
    };
    let entries = pointers.into_iter().filter_map(|(seq, pointer)| {
        let event = match pointer {
            Pointer::Message(id) => {
                let message = messages.next_if(|m| m.id.number() == id)?;
                Event::Message(message)
            }
            Pointer::Receipt => Event::Read(receipts.remove(&seq)?),
        };
        Some(Entry { seq, event })
    });
    Ok(Fetched {
        entries: entries.collect(),
        upto,
        complete,
    })
}

impl Pointer {
    fn message(&self) -> Option<i64> {
        match self {
            Self::Message(id) => Some(*id),
            Self::Receipt => None,
        }
    }
}
