//! Rows by their keys, many at once: on PostgreSQL one statement over an array; on SQLite one row after
//! another, since a list of keys makes a statement of its own for each length, which is prepared anew each time.

use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::connection::Link;
use super::fixed::sql;
use super::messages::Row;
use super::receipts::Told;
use super::schema::{messages, receipts, users};
use super::users::Head;

/// Those of these messages that are stored, in any order.
pub fn messages(link: &mut Link<'_>, ids: &[i64]) -> QueryResult<Vec<Row>> {
    match link {
        Link::Sqlite(connection) => each(connection, ids, |id, connection| {
            sql!(
                "SELECT id, sender, recipient, kind, body, sent_at, status, origin \
                 FROM messages WHERE id = ?" => SqlTypeOf<AsSelect<Row, Sqlite>>,
                [*id]
            )
            .get_result(connection)
        }),
        Link::Postgres(connection) => messages::table
            .filter(messages::id.eq_any(ids))
            .select(Row::as_select())
            .load(*connection),
    }
}

/// Those of a user's receipts with these numbers whose messages are stored, in any order.
pub fn receipts(link: &mut Link<'_>, user: i64, seqs: &[i64]) -> QueryResult<Vec<Told>> {
    match link {
        Link::Sqlite(connection) => each(connection, seqs, |seq, connection| {
            sql!(
                "SELECT seq, message_id, sender, recipient, receipts.origin \
                 FROM receipts JOIN messages ON messages.id = message_id \
                 WHERE user_id = ? AND seq = ?" => SqlTypeOf<AsSelect<Told, Sqlite>>,
                [user, *seq]
            )
            .get_result(connection)
        }),
        Link::Postgres(connection) => receipts::table
            .inner_join(messages::table.on(messages::id.eq(receipts::message_id)))
            .filter(receipts::user_id.eq(user))
            .filter(receipts::seq.eq_any(seqs))
            .select(Told::as_select())
            .load(*connection),
    }
}

/// The IDs on the wire of these users.
pub fn logins(link: &mut Link<'_>, ids: &[i64]) -> QueryResult<Vec<(i64, String)>> {
    match link {
        Link::Sqlite(connection) => each(connection, ids, |id, connection| {
            sql!("SELECT id, login FROM users WHERE id = ?" => (BigInt, Text), [*id])
                .get_result(connection)
        }),
        Link::Postgres(connection) => users::table
            .filter(users::id.eq_any(ids))
            .select((users::id, users::login))
            .load(*connection),
    }
}

/// The ends of the timelines of those of these users who have one.
pub fn heads(link: &mut Link<'_>, logins: &[&str]) -> QueryResult<Vec<(String, Head)>> {
    match link {
        Link::Sqlite(connection) => each(connection, logins, |login, connection| {
            sql!(
                "SELECT login, timeline, voided FROM users WHERE login = ?"
                    => (Text, SqlTypeOf<AsSelect<Head, Sqlite>>),
                [*login]
            )
            .get_result(connection)
        }),
        Link::Postgres(connection) => users::table
            .filter(users::login.eq_any(logins))
            .select((users::login, Head::as_select()))
            .load(*connection),
    }
}

/// The rows that there are of these keys.
fn each<K, R>(
    connection: &mut SqliteConnection,
    keys: &[K],
    row: impl Fn(&K, &mut SqliteConnection) -> QueryResult<R>,
) -> QueryResult<Vec<R>> {
    let rows = keys
        .iter()
        .filter_map(|key| row(key, connection).optional().transpose());
    rows.collect()
}
