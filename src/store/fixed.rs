//! A statement for SQLite that is written out, and stays prepared.
//!
//! For one row, diesel's query builder takes as long as SQLite does or longer: it walks the statement's tree
//! several times, once of these to write the text by which it looks for the prepared one, and an
//! `UPDATE` it never keeps. Here a place in the source is the key, and the values are all there is to walk.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Text as TextType};
use diesel::sqlite::{Sqlite, SqliteConnection};

/// `sql!("SELECT … WHERE a = ? AND b = ?" => (BigInt, Text), [a, b])`: a [`Statement`] with its values, of which
/// the rows have these types. As many values as there are `?` in the text, or it does not compile; `?2` is the
/// second of them once more.
macro_rules! sql {
    ($text:literal => $row:ty, [$($value:expr),* $(,)?]) => {{
        struct Here;
        impl<const N: usize> $crate::store::fixed::Text<N> for Here {
            const PARTS: ([&'static str; N], &'static str) = $crate::store::fixed::split($text);
        }
        $crate::store::fixed::Statement::<'_, Here, $row, _>::new([$($value.into()),*])
    }};
    ($text:literal, [$($value:expr),* $(,)?]) => {
        $crate::store::fixed::sql!($text => (), [$($value),*])
    };
}
pub(super) use sql;

/// A text with `N` values; each is a type of its own.
pub trait Text<const N: usize>: 'static {
    /// What stands before each value, and behind the last.
    const PARTS: ([&'static str; N], &'static str);
}

/// Takes a text apart at its question marks.
pub const fn split<const N: usize>(text: &'static str) -> ([&'static str; N], &'static str) {
    let mut before = [""; N];
    let (mut rest, mut part, mut at) = (text, 0, 0);
    while at < rest.len() {
        let is_value = rest.as_bytes()[at] == b'?'
            && !(at + 1 < rest.len() && rest.as_bytes()[at + 1].is_ascii_digit());
        if is_value {
            let (head, tail) = rest.split_at(at);
            (before[part], rest) = (head, tail.split_at(1).1);
            (part, at) = (part + 1, 0);
        } else {
            at += 1;
        }
    }
    assert!(part == N, "as many values as question marks");
    (before, rest)
}

/// What stands for a `?`. To SQLite a number is a number, whatever its column's size.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Number(i64),
    Text(&'a str),
    Name(Option<&'a str>),
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<i16> for Value<'_> {
    fn from(number: i16) -> Self {
        Self::Number(number.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(name: Option<&'a str>) -> Self {
        Self::Name(name)
    }
}

/// See [`sql!`].
pub struct Statement<'a, T, R, const N: usize> {
    values: [Value<'a>; N],
    of: PhantomData<(T, R)>,
}

impl<'a, T, R, const N: usize> Statement<'a, T, R, N> {
    pub fn new(values: [Value<'a>; N]) -> Self {
        Self {
            values,
            of: PhantomData,
        }
    }
}

impl<T: Text<N>, R, const N: usize> QueryFragment<Sqlite> for Statement<'_, T, R, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let (before, last) = const { &T::PARTS };
        for (part, value) in before.iter().zip(&self.values) {
            out.push_sql(part);
            match value {
                Value::Number(number) => out.push_bind_param::<BigInt, _>(number),
                Value::Text(text) => out.push_bind_param::<TextType, _>(*text),
                Value::Name(name) => out.push_bind_param::<Nullable<TextType>, _>(name),
            }?;
        }
        out.push_sql(last);
        Ok(())
    }
}

impl<T: Text<N>, R, const N: usize> QueryId for Statement<'_, T, R, N> {
    type QueryId = T;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<T, R, const N: usize> Query for Statement<'_, T, R, N> {
    type SqlType = R;
}

impl<T, R, const N: usize> RunQueryDsl<SqliteConnection> for Statement<'_, T, R, N> {}
