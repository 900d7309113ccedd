//! The rows that are copied, whole, of each table: how they are read in the order of their keys, from
//! either database, and written to PostgreSQL.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::max;
use diesel::pg::{PgConnection, PgRowByRowLoadingMode};
use diesel::prelude::*;
use diesel::result::{Error, QueryResult};
use serde::Serialize;

use crate::store::connection::{Link, on};
use crate::store::schema::{
    blocks, contacts, file_readers, files, grants, messages, receipts, sent_by_key, users,
};

/// Where a row stands in its table: its primary key, with 0 for the second number where there is but
/// one.
pub type Key = (i64, i64);

/// Before every row.
pub const START: Key = (i64::MIN, i64::MIN);

/// A row of a table that is copied, with all of its columns.
pub trait Row: Serialize + Sized {
    /// The table's name.
    const TABLE: &'static str;

    /// How many bytes its texts have.
    fn text_bytes(&self) -> usize;

    /// How many rows there are.
    fn count(link: &mut Link<'_>) -> QueryResult<i64>;

    /// The largest key there is.
    fn last(connection: &mut PgConnection) -> QueryResult<Option<Key>>;

    /// Reads the rows with keys above `after`, in the order of their keys, one at a time: of a table of
    /// any size no more is in memory than `take` keeps.
    fn each<E: From<Error>>(
        link: &mut Link<'_>,
        after: Key,
        take: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E>;

    /// Stores rows, all or none. By COPY: it takes PostgreSQL a quarter less time for messages than the
    /// arrays of [`crate::store::bulk`], and half for shorter rows. That it knows no ON CONFLICT is no
    /// loss: one migration at a time writes, and none writes a row twice.
    fn store(connection: &mut PgConnection, rows: &[Self]) -> QueryResult<()>;
}

/// Runs a query that is written once on whichever connection a [`Link`] is, and takes row after row.
macro_rules! stream {
    ($link:expr, $take:ident, $query:expr) => {
        match $link {
            Link::Sqlite(connection) => {
                let query = $query.select(Self::as_select());
                for row in query.load_iter::<Self, DefaultLoadingMode>(*connection)? {
                    $take(row?)?;
                }
                Ok(())
            }
            Link::Postgres(connection) => {
                let query = $query.select(Self::as_select());
                for row in query.load_iter::<Self, PgRowByRowLoadingMode>(*connection)? {
                    $take(row?)?;
                }
                Ok(())
            }
        }
    };
}

/// A table whose key is one number.
macro_rules! by_number {
    ($row:ident, $table:ident, $key:ident, $bytes:expr) => {
        impl Row for $row {
            const TABLE: &'static str = stringify!($table);

            fn text_bytes(&self) -> usize {
                $bytes(self)
            }

            fn count(link: &mut Link<'_>) -> QueryResult<i64> {
                on!(link, connection => $table::table.count().get_result(connection))
            }

            fn last(connection: &mut PgConnection) -> QueryResult<Option<Key>> {
                let last = $table::table.select(max($table::$key));
                let last: Option<i64> = last.get_result(connection)?;
                Ok(last.map(|key| (key, 0)))
            }

            fn each<E: From<Error>>(
                link: &mut Link<'_>,
                (after, _): Key,
                mut take: impl FnMut(Self) -> Result<(), E>,
            ) -> Result<(), E> {
                let rows = $table::table.filter($table::$key.gt(after));
                stream!(link, take, rows.order($table::$key))
            }

            fn store(connection: &mut PgConnection, rows: &[Self]) -> QueryResult<()> {
                let copied = diesel::copy_from($table::table).from_insertable(rows);
                copied.execute(connection).map(drop)
            }
        }
    };
}

/// A table whose key is two numbers.
macro_rules! by_pair {
    ($row:ident, $table:ident, $first:ident, $second:ident, $bytes:expr) => {
        impl Row for $row {
            const TABLE: &'static str = stringify!($table);

            fn text_bytes(&self) -> usize {
                $bytes(self)
            }

            fn count(link: &mut Link<'_>) -> QueryResult<i64> {
                on!(link, connection => $table::table.count().get_result(connection))
            }

            fn last(connection: &mut PgConnection) -> QueryResult<Option<Key>> {
                $table::table
                    .order(($table::$first.desc(), $table::$second.desc()))
                    .select(($table::$first, $table::$second))
                    .first(connection)
                    .optional()
            }

            fn each<E: From<Error>>(
                link: &mut Link<'_>,
                (first, second): Key,
                mut take: impl FnMut(Self) -> Result<(), E>,
            ) -> Result<(), E> {
                let rows = $table::table
                    .filter($table::$first.ge(first))
                    .filter($table::$first.gt(first).or($table::$second.gt(second)));
                stream!(link, take, rows.order(($table::$first, $table::$second)))
            }

            fn store(connection: &mut PgConnection, rows: &[Self]) -> QueryResult<()> {
                let copied = diesel::copy_from($table::table).from_insertable(rows);
                copied.execute(connection).map(drop)
            }
        }
    };
}

/// A row of `users`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub struct User {
    id: i64,
    login: String,
    name: Option<String>,
    timeline: i64,
    told: i64,
    contacts: i64,
    revision: i64,
    deleted: bool,
    hidden: i64,
    voided: i64,
}

by_number!(User, users, id, |row: &User| {
    row.login.len() + row.name.as_ref().map_or(0, String::len)
});

/// A row of `grants`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = grants, treat_none_as_default_value = false)]
pub struct Grant {
    block: i64,
    user_id: i64,
    granted_at: i64,
}

by_number!(Grant, grants, block, |_| 0);

/// A row of `messages`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = messages, treat_none_as_default_value = false)]
pub struct Message {
    id: i64,
    sender: i64,
    recipient: i64,
    sender_seq: i64,
    recipient_seq: i64,
    lo: i64,
    hi: i64,
    lo_seq: i64,
    kind: i16,
    body: String,
    sent_at: String,
    status: i16,
    origin: i64,
    stored_at: i64,
}

by_number!(Message, messages, id, |row: &Message| {
    row.body.len() + row.sent_at.len()
});

/// A row of `receipts`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = receipts, treat_none_as_default_value = false)]
pub struct Receipt {
    user_id: i64,
    seq: i64,
    message_id: i64,
    origin: i64,
}

by_pair!(Receipt, receipts, user_id, seq, |_| 0);

/// A row of `contacts`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = contacts, treat_none_as_default_value = false)]
pub struct ContactOf {
    owner: i64,
    contact: i64,
    alias: Option<String>,
}

by_pair!(ContactOf, contacts, owner, contact, |row: &ContactOf| {
    row.alias.as_ref().map_or(0, String::len)
});

/// A row of `blocks`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = blocks, treat_none_as_default_value = false)]
pub struct Block {
    owner: i64,
    blocked: i64,
}

by_pair!(Block, blocks, owner, blocked, |_| 0);

/// A row of `sent_by_key`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = sent_by_key, treat_none_as_default_value = false)]
pub struct SentByKey {
    message_id: i64,
    sender: i64,
    key: String,
    sent_at: i64,
}

by_number!(SentByKey, sent_by_key, message_id, |row: &SentByKey| row
    .key
    .len());

/// A row of `files`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = files, treat_none_as_default_value = false)]
pub struct FileOf {
    id: i64,
    token: String,
    owner: i64,
    tenure: i64,
    name: String,
    mime: String,
    size: i64,
    sha256: String,
    width: Option<i64>,
    height: Option<i64>,
    thumbnail: Option<String>,
    state: i16,
    created_at: i64,
}

by_number!(FileOf, files, id, |row: &FileOf| {
    row.name.len() + row.mime.len() + row.token.len() + row.sha256.len()
});

/// A row of `file_readers`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = file_readers, treat_none_as_default_value = false)]
pub struct FileReader {
    message_id: i64,
    user_id: i64,
    file: i64,
    seq: i64,
}

by_pair!(FileReader, file_readers, message_id, user_id, |_| 0);
