//! The rows that are copied, whole, of each table: how they are read in the order of their keys, from
//! either database, and written to PostgreSQL.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::max;
use diesel::pg::{PgConnection, PgRowByRowLoadingMode};
use diesel::prelude::*;
use diesel::result::{Error, QueryResult};
use serde::Serialize;

use crate::store::connection::{Link, on};
use crate::store::schema::{contacts, grants, messages, receipts, users};

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
}

impl Row for User {
    const TABLE: &'static str = "users";

    fn text_bytes(&self) -> usize {
        self.login.len() + self.name.as_ref().map_or(0, String::len)
    }

    fn count(link: &mut Link<'_>) -> QueryResult<i64> {
        on!(link, connection => users::table.count().get_result(connection))
    }

    fn last(connection: &mut PgConnection) -> QueryResult<Option<Key>> {
        let id: Option<i64> = users::table.select(max(users::id)).get_result(connection)?;
        Ok(id.map(|id| (id, 0)))
    }

    fn each<E: From<Error>>(
        link: &mut Link<'_>,
        after: Key,
        mut take: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        stream!(
            link,
            take,
            users::table.filter(users::id.gt(after.0)).order(users::id)
        )
    }

    fn store(connection: &mut PgConnection, rows: &[Self]) -> QueryResult<()> {
        let copied = diesel::copy_from(users::table).from_insertable(rows);
        copied.execute(connection).map(drop)
    }
}

/// A row of `grants`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = grants, treat_none_as_default_value = false)]
pub struct Grant {
    block: i64,
    user_id: i64,
    granted_at: i64,
}

impl Row for Grant {
    const TABLE: &'static str = "grants";

    fn text_bytes(&self) -> usize {
        0
    }

    fn count(link: &mut Link<'_>) -> QueryResult<i64> {
        on!(link, connection => grants::table.count().get_result(connection))
    }

    fn last(connection: &mut PgConnection) -> QueryResult<Option<Key>> {
        let block: Option<i64> = grants::table
            .select(max(grants::block))
            .get_result(connection)?;
        Ok(block.map(|block| (block, 0)))
    }

    fn each<E: From<Error>>(
        link: &mut Link<'_>,
        after: Key,
        mut take: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        stream!(
            link,
            take,
            grants::table
                .filter(grants::block.gt(after.0))
                .order(grants::block)
        )
    }

    fn store(connection: &mut PgConnection, rows: &[Self]) -> QueryResult<()> {
        let copied = diesel::copy_from(grants::table).from_insertable(rows);
        copied.execute(connection).map(drop)
    }
}

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

impl Row for Message {
    const TABLE: &'static str = "messages";

    fn text_bytes(&self) -> usize {
        self.body.len() + self.sent_at.len()
    }

    fn count(link: &mut Link<'_>) -> QueryResult<i64> {
        on!(link, connection => messages::table.count().get_result(connection))
    }

    fn last(connection: &mut PgConnection) -> QueryResult<Option<Key>> {
        let id: Option<i64> = messages::table
            .select(max(messages::id))
            .get_result(connection)?;
        Ok(id.map(|id| (id, 0)))
    }

    fn each<E: From<Error>>(
        link: &mut Link<'_>,
        after: Key,
        mut take: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        stream!(
            link,
            take,
            messages::table
                .filter(messages::id.gt(after.0))
                .order(messages::id)
        )
    }

    fn store(connection: &mut PgConnection, rows: &[Self]) -> QueryResult<()> {
        let copied = diesel::copy_from(messages::table).from_insertable(rows);
        copied.execute(connection).map(drop)
    }
}

/// A row of `receipts`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = receipts, treat_none_as_default_value = false)]
pub struct Receipt {
    user_id: i64,
    seq: i64,
    message_id: i64,
    origin: i64,
}

impl Row for Receipt {
    const TABLE: &'static str = "receipts";

    fn text_bytes(&self) -> usize {
        0
    }

    fn count(link: &mut Link<'_>) -> QueryResult<i64> {
        on!(link, connection => receipts::table.count().get_result(connection))
    }

    fn last(connection: &mut PgConnection) -> QueryResult<Option<Key>> {
        receipts::table
            .order((receipts::user_id.desc(), receipts::seq.desc()))
            .select((receipts::user_id, receipts::seq))
            .first(connection)
            .optional()
    }

    fn each<E: From<Error>>(
        link: &mut Link<'_>,
        (user, seq): Key,
        mut take: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        stream!(
            link,
            take,
            receipts::table
                .filter(receipts::user_id.ge(user))
                .filter(receipts::user_id.gt(user).or(receipts::seq.gt(seq)))
                .order((receipts::user_id, receipts::seq))
        )
    }

    fn store(connection: &mut PgConnection, rows: &[Self]) -> QueryResult<()> {
        let copied = diesel::copy_from(receipts::table).from_insertable(rows);
        copied.execute(connection).map(drop)
    }
}

/// A row of `contacts`.
#[derive(Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = contacts, treat_none_as_default_value = false)]
pub struct ContactOf {
    owner: i64,
    contact: i64,
    alias: Option<String>,
}

impl Row for ContactOf {
    const TABLE: &'static str = "contacts";

    fn text_bytes(&self) -> usize {
        self.alias.as_ref().map_or(0, String::len)
    }

    fn count(link: &mut Link<'_>) -> QueryResult<i64> {
        on!(link, connection => contacts::table.count().get_result(connection))
    }

    fn last(connection: &mut PgConnection) -> QueryResult<Option<Key>> {
        contacts::table
            .order((contacts::owner.desc(), contacts::contact.desc()))
            .select((contacts::owner, contacts::contact))
            .first(connection)
            .optional()
    }

    fn each<E: From<Error>>(
        link: &mut Link<'_>,
        (owner, contact): Key,
        mut take: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        stream!(
            link,
            take,
            contacts::table
                .filter(contacts::owner.ge(owner))
                .filter(contacts::owner.gt(owner).or(contacts::contact.gt(contact)))
                .order((contacts::owner, contacts::contact))
        )
    }

    fn store(connection: &mut PgConnection, rows: &[Self]) -> QueryResult<()> {
        let copied = diesel::copy_from(contacts::table).from_insertable(rows);
        copied.execute(connection).map(drop)
    }
}
