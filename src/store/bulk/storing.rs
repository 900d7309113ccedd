//! Storing rows on SQLite: several by one statement, as far as there are as many.
//!
//! What a statement costs beside its rows, in diesel and in SQLite, is as much as a third of a message, and each
//! value that is bound as much as a column of it. So nothing is bound that nearly all messages have in common, or
//! that follows from the rest as [`NewRow::number`] says.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::ReceiptRow;
use crate::protocol::MessageKind;
use crate::store::fixed::sql;
use crate::store::messages::{NewRow, UNREAD};

/// So many rows make one statement.
const MANY: usize = 8;

/// See [`super::Bulk::insert_messages`].
pub fn messages(connection: &mut SqliteConnection, rows: &[NewRow<'_>]) -> QueryResult<()> {
    let mut usual = Vec::with_capacity(rows.len());
    for row in rows {
        if row.kind == MessageKind::Text.number() && row.status == UNREAD {
            usual.push(row);
        } else {
            any_message(connection, row)?;
        }
    }
    // By their key, one is found beside the other.
    usual.sort_unstable_by_key(|row| row.id);
    let (many, few) = usual.as_chunks::<MANY>();
    for rows in many {
        let values = rows.map(|row| Values {
            numbers: [
                row.id,
                row.sender,
                row.recipient,
                row.sender_seq,
                row.recipient_seq,
                row.origin,
                row.stored_at,
            ],
            texts: [row.body, row.sent_at],
        });
        Many::<Messages, _, _>::new(&values).execute(connection)?;
    }
    few.iter()
        .try_for_each(|row| usual_message(connection, row))
}

/// See [`super::Bulk::insert_receipts`].
pub fn receipts(connection: &mut SqliteConnection, rows: &[ReceiptRow]) -> QueryResult<()> {
    let (many, few) = rows.as_chunks::<MANY>();
    for rows in many {
        let values = rows.map(|row| Values {
            numbers: [row.user, row.seq, row.message, row.origin],
            texts: [],
        });
        Many::<Receipts, _, _>::new(&values).execute(connection)?;
    }
    for row in few {
        sql!(
            "INSERT INTO receipts (user_id, seq, message_id, origin) VALUES (?, ?, ?, ?)",
            [row.user, row.seq, row.message, row.origin]
        )
        .execute(connection)?;
    }
    Ok(())
}

/// What is written around the rows of a statement. With FAIL, not ABORT, for whose sake all pages that change
/// would be copied: the transaction takes all back.
trait Around: 'static {
    const BEFORE: &'static str;
    const BEHIND: &'static str;
}

/// Texts that are not read.
struct Messages;

impl Around for Messages {
    const BEFORE: &'static str = "INSERT OR FAIL INTO messages (id, sender, recipient, sender_seq, recipient_seq, \
        origin, stored_at, body, sent_at, lo, hi, lo_seq, kind, status) \
        SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, \
        CASE WHEN column2 < column3 THEN column2 ELSE column3 END, \
        CASE WHEN column2 < column3 THEN column3 ELSE column2 END, \
        CASE WHEN column2 < column3 THEN column4 ELSE column5 END, 0, 1 FROM (VALUES ";
    const BEHIND: &'static str = ")";
}

struct Receipts;

impl Around for Receipts {
    const BEFORE: &'static str =
        "INSERT OR FAIL INTO receipts (user_id, seq, message_id, origin) VALUES ";
    const BEHIND: &'static str = "";
}

/// A row: its numbers, and behind them its texts.
struct Values<'a, const N: usize, const T: usize> {
    numbers: [i64; N],
    texts: [&'a str; T],
}

/// So many rows.
struct Many<'a, A, const N: usize, const T: usize> {
    rows: &'a [Values<'a, N, T>; MANY],
    around: PhantomData<A>,
}

impl<'a, A, const N: usize, const T: usize> Many<'a, A, N, T> {
    fn new(rows: &'a [Values<'a, N, T>; MANY]) -> Self {
        Self {
            rows,
            around: PhantomData,
        }
    }
}

impl<A: Around, const N: usize, const T: usize> QueryFragment<Sqlite> for Many<'_, A, N, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(A::BEFORE);
        let mut before = "(";
        for Values { numbers, texts } in self.rows {
            for number in numbers {
                out.push_sql(before);
                out.push_bind_param::<BigInt, _>(number)?;
                before = ", ";
            }
            for text in texts {
                out.push_sql(before);
                out.push_bind_param::<Text, _>(*text)?;
            }
            before = "), (";
        }
        out.push_sql(")");
        out.push_sql(A::BEHIND);
        Ok(())
    }
}

impl<A: Around, const N: usize, const T: usize> QueryId for Many<'_, A, N, T> {
    type QueryId = A;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<A, const N: usize, const T: usize> RunQueryDsl<SqliteConnection> for Many<'_, A, N, T> {}

/// Stores a text that is not read.
fn usual_message(connection: &mut SqliteConnection, row: &NewRow<'_>) -> QueryResult<()> {
    sql!(
        "INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, \
         body, sent_at, origin, stored_at, lo, hi, lo_seq, kind, status) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, \
         CASE WHEN ?2 < ?3 THEN ?2 ELSE ?3 END, \
         CASE WHEN ?2 < ?3 THEN ?3 ELSE ?2 END, \
         CASE WHEN ?2 < ?3 THEN ?4 ELSE ?5 END, 0, 1)",
        [
            row.id,
            row.sender,
            row.recipient,
            row.sender_seq,
            row.recipient_seq,
            row.body,
            row.sent_at,
            row.origin,
            row.stored_at,
        ]
    )
    .execute(connection)?;
    Ok(())
}

/// Stores a message, whatever it is.
fn any_message(connection: &mut SqliteConnection, row: &NewRow<'_>) -> QueryResult<()> {
    sql!(
        "INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, \
         lo, hi, lo_seq, kind, body, sent_at, status, origin, stored_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            row.id,
            row.sender,
            row.recipient,
            row.sender_seq,
            row.recipient_seq,
            row.lo,
            row.hi,
            row.lo_seq,
            row.kind,
            row.body,
            row.sent_at,
            row.status,
            row.origin,
            row.stored_at,
        ]
    )
    .execute(connection)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::connection::Link;
    use crate::store::messages::READ;
    use crate::store::schema::{messages, receipts};
    use crate::store::users::Numbers;

    type Stored = (
        (i64, i64, i64, i64, i64),
        (i64, i64, i64),
        (i16, String, String, i16, i64, i64),
    );

    fn database() -> SqliteConnection {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        crate::store::connection::migrate(&mut Link::Sqlite(&mut connection)).unwrap();
        connection
    }

    fn row(id: i64) -> NewRow<'static> {
        let mut row = NewRow {
            id,
            sender: 1 + id % 3,
            recipient: 1 + id % 2,
            sender_seq: 100 + id,
            recipient_seq: 200 + id,
            lo: 0,
            hi: 0,
            lo_seq: 0,
            kind: i16::from(id % 5 == 0),
            body: "雁",
            sent_at: "2021-12-14 12:00:00",
            status: if id % 7 == 0 { READ } else { UNREAD },
            origin: 300 + id,
            stored_at: 400 + id,
        };
        row.number(&Numbers::default());
        if row.sender == row.recipient {
            row.recipient_seq = row.sender_seq;
        }
        row
    }

    #[test]
    fn each_message_is_stored_as_it_is_however_many_there_are() {
        // Two of ten are unusual: then eight are written as one.
        for count in [1, 9, 10, 11, 60] {
            let mut connection = database();
            let rows: Vec<NewRow<'_>> = (1..=count).rev().map(row).collect();
            super::messages(&mut connection, &rows).unwrap();
            let stored: Vec<Stored> = messages::table
                .order(messages::id.desc())
                .select((
                    (
                        messages::id,
                        messages::sender,
                        messages::recipient,
                        messages::sender_seq,
                        messages::recipient_seq,
                    ),
                    (messages::lo, messages::hi, messages::lo_seq),
                    (
                        messages::kind,
                        messages::body,
                        messages::sent_at,
                        messages::status,
                        messages::origin,
                        messages::stored_at,
                    ),
                ))
                .load(&mut connection)
                .unwrap();
            let meant = rows.iter().map(|row| {
                (
                    (
                        row.id,
                        row.sender,
                        row.recipient,
                        row.sender_seq,
                        row.recipient_seq,
                    ),
                    (row.lo, row.hi, row.lo_seq),
                    (
                        row.kind,
                        row.body.to_owned(),
                        row.sent_at.to_owned(),
                        row.status,
                        row.origin,
                        row.stored_at,
                    ),
                )
            });
            assert_eq!(stored, meant.collect::<Vec<Stored>>());
        }
    }

    #[test]
    fn each_receipt_is_stored_as_it_is_however_many_there_are() {
        for count in [1, MANY as i64, 20] {
            let mut connection = database();
            let row = |seq| ReceiptRow {
                user: 1 + seq % 3,
                seq,
                message: 100 + seq,
                origin: 200 + seq,
            };
            let rows: Vec<ReceiptRow> = (1..=count).map(row).collect();
            super::receipts(&mut connection, &rows).unwrap();
            let stored: Vec<(i64, i64, i64, i64)> = receipts::table
                .order(receipts::seq)
                .load(&mut connection)
                .unwrap();
            let meant = rows.iter();
            let meant = meant.map(|row| (row.user, row.seq, row.message, row.origin));
            assert_eq!(stored, meant.collect::<Vec<_>>());
        }
    }
}
