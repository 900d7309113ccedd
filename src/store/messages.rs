//! The rows of `messages`: storing one, looking one up, loading those of a page.

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::connection::{Link, on};
use super::lookup;
use super::schema::messages;
use super::users::{self, Numbers};
use crate::hash::HashMap;
use crate::protocol::MessageId;

/// Stored, and not read by its recipient.
pub const UNREAD: i16 = 1;
/// Read by its recipient.
pub const READ: i16 = 2;

/// How many bodies are loaded at once: a page stops soon after it has enough bytes.
const LOAD_AT_ONCE: usize = 16;

/// A message as it stands, with the IDs its users have on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its ID.
    pub id: MessageId,
    /// Who sent it.
    pub from: String,
    /// Whom it is for.
    pub to: String,
    /// 0 text, 1 file.
    pub kind: i16,
    /// Its content.
    pub text: String,
    /// 1 unread, 2 read.
    pub status: i16,
    /// The sender's time.
    pub time: String,
    /// The connection that sent it.
    pub origin: i64,
}

/// Where a message stands.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = messages)]
pub struct Key {
    pub sender: i64,
    pub recipient: i64,
    pub sender_seq: i64,
    pub recipient_seq: i64,
    pub lo: i64,
    pub hi: i64,
    pub lo_seq: i64,
}

impl Key {
    /// The message's number in the timeline of `user`, who must be one of the two.
    pub fn seq_of(&self, user: i64) -> i64 {
        if self.sender == user {
            self.sender_seq
        } else {
            self.recipient_seq
        }
    }
}

/// Whose a stored message is, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = messages)]
pub struct Found {
    pub sender: i64,
    pub recipient: i64,
    pub status: i16,
    pub sender_seq: i64,
    pub recipient_seq: i64,
}

/// A row to store.
#[derive(Debug, Insertable)]
#[diesel(table_name = messages)]
pub struct NewRow<'a> {
    pub id: i64,
    pub sender: i64,
    pub recipient: i64,
    pub sender_seq: i64,
    pub recipient_seq: i64,
    pub lo: i64,
    pub hi: i64,
    pub lo_seq: i64,
    pub kind: i16,
    pub body: &'a str,
    pub sent_at: &'a str,
    pub status: i16,
    pub origin: i64,
    pub stored_at: i64,
}

impl NewRow<'_> {
    /// Puts in the numbers of users that the batch created, and with them the conversation.
    pub fn number(&mut self, numbers: &Numbers) {
        self.sender = numbers.of(self.sender);
        self.recipient = numbers.of(self.recipient);
        self.lo = self.sender.min(self.recipient);
        self.hi = self.sender.max(self.recipient);
        self.lo_seq = if self.lo == self.sender {
            self.sender_seq
        } else {
            self.recipient_seq
        };
    }
}

/// The row with this ID.
pub fn key(link: &mut Link<'_>, id: MessageId) -> QueryResult<Option<Key>> {
    on!(link, connection => messages::table
        .find(id.number())
        .select(Key::as_select())
        .get_result(connection)
        .optional())
}

/// A message as it stands.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = messages)]
pub struct Row {
    pub id: i64,
    pub sender: i64,
    pub recipient: i64,
    pub kind: i16,
    pub body: String,
    pub sent_at: String,
    pub status: i16,
    pub origin: i64,
}

/// Loads messages in the order of their IDs given, until their bodies pass `bytes`; at least the
/// first. IDs that are gone meanwhile are left out.
///
/// Returns the messages and how many of the IDs were dealt with.
pub fn load(
    link: &mut Link<'_>,
    ids: &[i64],
    bytes: usize,
) -> QueryResult<(Vec<StoredMessage>, usize)> {
    let mut rows: Vec<Row> = Vec::with_capacity(ids.len());
    let (mut size, mut done) = (0, 0);
    'load: for chunk in ids.chunks(LOAD_AT_ONCE) {
        let found = lookup::messages(link, chunk)?.into_iter();
        let mut found: HashMap<i64, Row> = found.map(|row| (row.id, row)).collect();
        for id in chunk {
            if let Some(row) = found.remove(id) {
                size += row.body.len();
                if size > bytes && !rows.is_empty() {
                    break 'load;
                }
                rows.push(row);
            }
            done += 1;
        }
    }
    let logins = users::logins(link, rows.iter().flat_map(|r| [r.sender, r.recipient]))?;
    let login = |id: i64| logins.get(&id).cloned().unwrap_or_default();
    let messages = rows.into_iter().map(|row| StoredMessage {
        id: MessageId::new(row.id),
        from: login(row.sender),
        to: login(row.recipient),
        kind: row.kind,
        text: row.body,
        status: row.status,
        time: row.sent_at,
        origin: row.origin,
    });
    Ok((messages.collect(), done))
}
