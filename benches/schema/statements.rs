//! SQL text run through diesel, prepared once.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error::QueryBuilderError;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;

/// A key or a number: what the statements of this file are given.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Value {
    Int(i64),
    Text(String),
}

/// SQL with numbered parameters (`?1`), prepared once per connection.
///
/// `diesel::sql_query` is prepared again at each use; a fragment that does not call
/// `unsafe_to_cache_prepared` is kept under its text.
pub struct Cached<'a, Row> {
    sql: &'a str,
    values: &'a [Value],
    row: PhantomData<Row>,
}

pub fn cached<'a, Row>(sql: &'a str, values: &'a [Value]) -> Cached<'a, Row> {
    Cached {
        sql,
        values,
        row: PhantomData,
    }
}

impl<Row> QueryFragment<Sqlite> for Cached<'_, Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut pieces = self.sql.split('?');
        out.push_sql(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(piece.len());
            let number: usize = piece[..end]
                .parse()
                .map_err(|e| QueryBuilderError(Box::new(e)))?;
            match &self.values[number - 1] {
                Value::Int(value) => out.push_bind_param::<BigInt, _>(value)?,
                Value::Text(value) => out.push_bind_param::<Text, _>(value)?,
            }
            out.push_sql(&piece[end..]);
        }
        Ok(())
    }
}

impl<Row> QueryId for Cached<'_, Row> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> Query for Cached<'_, Row> {
    type SqlType = Row;
}

impl<Row> RunQueryDsl<SqliteConnection> for Cached<'_, Row> {}

pub fn run(conn: &mut SqliteConnection, sql: &str, values: &[Value]) -> QueryResult<usize> {
    cached::<()>(sql, values).execute(conn)
}
