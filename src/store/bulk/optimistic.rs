//! A whole batch in two statements on PostgreSQL, each of them a transaction by itself: one that sees
//! what the rules ask, and one that writes what they decided if its users are still as they were seen.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text};

use super::statement::Statement;
use crate::store::messages::{Found, READ};
use crate::store::rules::{Effects, Questions};
use crate::store::users::{Change, UserState};

/// What a batch asks, as it was at one moment.
#[derive(Debug, Default)]
pub struct Seen {
    /// Those of its users who exist.
    pub users: Vec<(String, UserState)>,
    /// Those of its messages that are stored.
    pub stored: Vec<(i64, Found)>,
    /// Those of its blocks of IDs that are granted: block, user, Unix seconds.
    pub grants: Vec<(i64, i64, i64)>,
}

/// What a row of [`SEE`] tells of.
const USER: i16 = 1;
const MESSAGE: i16 = 2;
const GRANT: i16 = 3;

const SEE: &str = "
    SELECT ?, id, timeline, told, contacts, revision, hidden, voided, deleted, login
    FROM users WHERE login = ANY (?)
    UNION ALL
    SELECT ?, id, sender, recipient, status::bigint, sender_seq, recipient_seq, 0, false, NULL
    FROM messages WHERE id = ANY (?)
    UNION ALL
    SELECT ?, block, user_id, granted_at, 0, 0, 0, 0, false, NULL
    FROM grants WHERE block = ANY (?)";
type Numbers = (i64, i64, i64, i64, i64, i64, i64);
type SeenRow = (i16, Numbers, bool, Option<String>);
type SeenTypes = (
    SmallInt,
    (BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt),
    Bool,
    Nullable<Text>,
);

/// What a batch asks. Nothing is locked.
pub fn see(connection: &mut PgConnection, questions: &Questions<'_>) -> QueryResult<Seen> {
    let logins: Vec<&str> = questions.users.iter().map(|user| user.as_str()).collect();
    let rows: Vec<SeenRow> = Statement::<SeenTypes>::new(SEE)
        .small_number(USER)
        .texts(&logins, |login| *login)
        .small_number(MESSAGE)
        .numbers(&questions.messages, |id| *id)
        .small_number(GRANT)
        .numbers(&questions.blocks, |block| *block)
        .load(connection)?;
    let mut seen = Seen::default();
    for (what, (id, a, b, c, d, e, f), deleted, login) in rows {
        match (what, login) {
            (USER, Some(login)) => {
                let state = UserState {
                    id,
                    timeline: a,
                    told: b,
                    contacts: c,
                    revision: d,
                    deleted,
                    hidden: e,
                    voided: f,
                };
                seen.users.push((login, state));
            }
            (MESSAGE, _) => {
                let found = Found {
                    sender: a,
                    recipient: b,
                    status: i16::try_from(c).unwrap_or(READ),
                    sender_seq: d,
                    recipient_seq: e,
                };
                seen.stored.push((id, found));
            }
            _ => seen.grants.push((id, a, b)),
        }
    }
    Ok(seen)
}

/// Writes nothing where one of the messages is stored. Where a timeline that is to grow, or the revision
/// of its user, is not as it was seen, it becomes null, which it must not be; where a user is gone, one is
/// divided by zero: the statement fails, and with it the transaction. (`told` only rises, whoever raises
/// it. The contacts of a user do not change here.)
///
/// Users are locked in the order of the array, as by all batches, and **before anything else is
/// written**: without `done`, PostgreSQL would insert first, and two batches could wait for each other.
const SAVE: &str = "
    WITH new AS MATERIALIZED (
        SELECT NOT EXISTS (SELECT FROM messages WHERE id = ANY (?)) AS yes
    ), saved AS (
        UPDATE users SET timeline = CASE WHEN revision <> at THEN NULL
                WHEN timeline = seen THEN next
                WHEN next = seen THEN timeline END,
            told = GREATEST(told, known)
        FROM UNNEST(?, ?, ?, ?, ?) AS change (of, seen, at, next, known)
        WHERE users.id = ANY (ARRAY[change.of]) AND (SELECT yes FROM new)
        RETURNING 1
    ), done AS MATERIALIZED (
        SELECT CASE WHEN yes THEN 1 / ((SELECT count(*) FROM saved) = ?)::int ELSE 0 END = 1 AS yes
        FROM new
    )";
const STORE: &str = ", stored AS (
        INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, lo, hi, lo_seq,
            kind, status, origin, stored_at, sent_at, body)
        SELECT * FROM UNNEST(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE (SELECT yes FROM done)
    )";
const MARK: &str = ", marked AS (
        UPDATE messages SET status = ? WHERE id = ANY (?) AND (SELECT yes FROM done)
    )";
const TELL: &str = ", told AS (
        INSERT INTO receipts (user_id, seq, message_id, origin)
        SELECT * FROM UNNEST(?, ?, ?, ?) WHERE (SELECT yes FROM done)
    )";
const GIVE: &str = ", given AS (
        INSERT INTO grants (block, user_id, granted_at)
        SELECT * FROM UNNEST(?, ?, ?) WHERE (SELECT yes FROM done)
    )";

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of it is committed.
    All,
    /// Nothing, since a message of the batch is stored.
    Stored,
    /// Nothing, since a timeline had grown, or a message was stored at the same moment.
    Overtaken,
}

/// Writes what a batch decided, unless somebody else has written for its users since they were seen.
///
/// The text depends on what there is to write: one of sixteen, each of which stays prepared.
pub fn write_if_unchanged(
    connection: &mut PgConnection,
    changes: &[Change],
    effects: &Effects<'_>,
) -> QueryResult<Written> {
    let Effects {
        rows,
        read,
        receipts,
        grants,
        names: _,
        acquainted: _,
        keys: _,
        readers: _,
    } = effects;
    let parts = [
        (STORE, rows.is_empty()),
        (MARK, read.is_empty()),
        (TELL, receipts.is_empty()),
        (GIVE, grants.is_empty()),
    ];
    let mut text = SAVE.to_owned();
    let parts = parts.iter().filter(|(_, is_empty)| !is_empty);
    parts.for_each(|(part, _)| text.push_str(part));
    text.push_str(" SELECT yes FROM done");

    let mut statement = Statement::<Bool>::new(text)
        .numbers(rows, |r| r.id)
        .numbers(changes, |c| c.is.id)
        .numbers(changes, |c| c.was.timeline)
        .numbers(changes, |c| c.was.revision)
        .numbers(changes, |c| c.is.timeline)
        .numbers(changes, |c| c.is.told)
        .number(i64::try_from(changes.len()).unwrap_or(i64::MAX));
    if !rows.is_empty() {
        statement = statement.messages(rows);
    }
    if !read.is_empty() {
        statement = statement.small_number(READ).numbers(read, |id| *id);
    }
    if !receipts.is_empty() {
        statement = statement.receipts(receipts);
    }
    if !grants.is_empty() {
        statement = statement.grants(grants);
    }
    // The row comes before the commit does. diesel reads on to the end of the transaction before it
    // gives out a row, so a commit that fails is an error here, too.
    match statement.get_result(connection) {
        Ok(true) => Ok(Written::All),
        Ok(false) => Ok(Written::Stored),
        Err(Error::DatabaseError(
            DatabaseErrorKind::NotNullViolation | DatabaseErrorKind::UniqueViolation,
            _,
        )) => Ok(Written::Overtaken),
        Err(error) => Err(error),
    }
}
