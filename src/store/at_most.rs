//! A `LIMIT` that SQLite's planner does not look at.
//!
//! diesel's own binds a number, and for the sake of that number SQLite prepares the statement anew at every
//! use. Where the limit is an expression the planner leaves it alone.

use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::{QueryDsl, RunQueryDsl};

/// A query with a limit.
#[derive(QueryId)]
pub struct Limited<Q> {
    query: Q,
    limit: i64,
}

pub trait AtMost: Sized {
    /// So many rows of it; comes last.
    fn at_most(self, limit: i64) -> Limited<Self>;
}

impl<Q: QueryDsl + Query> AtMost for Q {
    fn at_most(self, limit: i64) -> Limited<Self> {
        Limited { query: self, limit }
    }
}

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Limited<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(" + 0");
        Ok(())
    }
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Limited<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<Q: Query> Query for Limited<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> RunQueryDsl<SqliteConnection> for Limited<Q> {}
impl<Q> RunQueryDsl<PgConnection> for Limited<Q> {}
