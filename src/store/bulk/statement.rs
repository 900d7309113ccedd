//! A statement that is written out, since the query builder cannot say it, and that stays prepared,
//! as one of diesel's `sql_query` does not.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text};

use super::ReceiptRow;
use crate::store::messages::NewRow;

/// A statement with values of which the rows have the type `R`; the text has a `?` for each value.
///
/// It is prepared once on each connection, as long as its text is the same: what differs from one use
/// to the next must be a value, and values for many rows are arrays.
pub struct Statement<'a, R = ()> {
    text: Cow<'static, str>,
    values: Vec<Value<'a>>,
    rows: PhantomData<R>,
}

/// What stands for a `?`.
enum Value<'a> {
    Number(i64),
    SmallNumber(i16),
    Numbers(Vec<i64>),
    SmallNumbers(Vec<i16>),
    Texts(Vec<&'a str>),
    Names(Vec<Option<&'a str>>),
}

impl<'a, R> Statement<'a, R> {
    /// A statement that lacks its values.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
            rows: PhantomData,
        }
    }

    fn with(mut self, value: Value<'a>) -> Self {
        self.values.push(value);
        self
    }

    /// One number.
    pub fn number(self, number: i64) -> Self {
        self.with(Value::Number(number))
    }

    /// One small number.
    pub fn small_number(self, number: i16) -> Self {
        self.with(Value::SmallNumber(number))
    }

    /// A number of each row.
    pub fn numbers<T>(self, rows: &[T], column: impl Fn(&T) -> i64) -> Self {
        self.with(Value::Numbers(rows.iter().map(column).collect()))
    }

    /// A small number of each row.
    pub fn small_numbers<T>(self, rows: &[T], column: impl Fn(&T) -> i16) -> Self {
        self.with(Value::SmallNumbers(rows.iter().map(column).collect()))
    }

    /// A text of each row.
    pub fn texts<T>(self, rows: &[T], column: impl Fn(&T) -> &'a str) -> Self {
        self.with(Value::Texts(rows.iter().map(column).collect()))
    }

    /// A text of each row, or none.
    pub fn names<T>(self, rows: &[T], column: impl Fn(&T) -> Option<&'a str>) -> Self {
        self.with(Value::Names(rows.iter().map(column).collect()))
    }
}

/// The columns of what a batch inserts, in the order of the statements that insert it.
impl<'a, R> Statement<'a, R> {
    /// Of messages.
    pub fn messages(self, rows: &[NewRow<'a>]) -> Self {
        self.numbers(rows, |r| r.id)
            .numbers(rows, |r| r.sender)
            .numbers(rows, |r| r.recipient)
            .numbers(rows, |r| r.sender_seq)
            .numbers(rows, |r| r.recipient_seq)
            .numbers(rows, |r| r.lo)
            .numbers(rows, |r| r.hi)
            .numbers(rows, |r| r.lo_seq)
            .small_numbers(rows, |r| r.kind)
            .small_numbers(rows, |r| r.status)
            .numbers(rows, |r| r.origin)
            .numbers(rows, |r| r.stored_at)
            .texts(rows, |r| r.sent_at)
            .texts(rows, |r| r.body)
    }

    /// Of receipts.
    pub fn receipts(self, rows: &[ReceiptRow]) -> Self {
        self.numbers(rows, |r| r.user)
            .numbers(rows, |r| r.seq)
            .numbers(rows, |r| r.message)
            .numbers(rows, |r| r.origin)
    }

    /// Of grants.
    pub fn grants(self, rows: &[(i64, i64, i64)]) -> Self {
        self.numbers(rows, |r| r.0)
            .numbers(rows, |r| r.1)
            .numbers(rows, |r| r.2)
    }
}

impl<R> QueryFragment<Pg> for Statement<'_, R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut parts = self.text.split('?');
        out.push_sql(parts.next().unwrap_or_default());
        for (value, part) in self.values.iter().zip(parts) {
            match value {
                Value::Number(number) => out.push_bind_param::<BigInt, _>(number),
                Value::SmallNumber(number) => out.push_bind_param::<SmallInt, _>(number),
                Value::Numbers(column) => out.push_bind_param::<Array<BigInt>, _>(column),
                Value::SmallNumbers(column) => out.push_bind_param::<Array<SmallInt>, _>(column),
                Value::Texts(column) => out.push_bind_param::<Array<Text>, _>(column),
                Value::Names(column) => out.push_bind_param::<Array<Nullable<Text>>, _>(column),
            }?;
            out.push_sql(part);
        }
        Ok(())
    }
}

/// Without an ID of its own a statement is known by its text.
impl<R> QueryId for Statement<'_, R> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<R> Query for Statement<'_, R> {
    type SqlType = R;
}

impl<R> RunQueryDsl<PgConnection> for Statement<'_, R> {}
