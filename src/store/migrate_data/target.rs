//! The PostgreSQL database that is filled: whose it is, how far it is, when it is done.

use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::Why;
use super::content::Content;
use super::progress::Counter;
use super::rows::{Key, Row, START};
use crate::store::connection::{self, APPLICATION_NAME, Link};

/// One migration at a time. (A number of ours, for nobody else.)
const ALONE: i64 = 0x7961_6e73_6876;
/// PostgreSQL may take so long to notice that a migration before this one was killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// And so long to notice that a server has stopped.
const GOING: Duration = Duration::from_secs(1);

/// A target. It is ours until it is dropped.
pub struct Target {
    connection: PgConnection,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// To copy, or to go on with it.
    Copy,
    /// Nothing: all of this source has arrived before.
    Done,
}

/// What a database says of where its data came from.
#[derive(QueryableByName)]
struct Origin {
    #[diesel(sql_type = Nullable<Text>)]
    migrated_from: Option<String>,
    #[diesel(sql_type = Bool)]
    migrated: bool,
    #[diesel(sql_type = Bool)]
    used: bool,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

impl Target {
    /// Connects, and keeps other migrations away. Changes nothing.
    pub fn open(url: &str) -> Result<Self, Why> {
        let url = connection::with_parameters(url);
        let mut connection = PgConnection::establish(&url).map_err(Why::Unreachable)?;
        connection::check_server(&mut connection)?;
        let mut target = Self { connection };
        target.set_up()?;
        target.lock()?;
        target.refuse_used()?;
        Ok(target)
    }

    /// Nothing may end the connection for its patience. Rows are written in the order of their keys, and
    /// read by the index in the same order: to sort a large table would take as much room again on the
    /// disk.
    fn set_up(&mut self) -> QueryResult<()> {
        self.connection.batch_execute(
            "SELECT set_config('synchronous_commit', 'on', false)
                 WHERE current_setting('synchronous_commit') IN ('off', 'local');
             SET application_name = 'yanshu migrate-data';
             SET client_encoding = 'UTF8';
             SET default_transaction_read_only = off;
             SET statement_timeout = 0;
             SET lock_timeout = 0;
             SET idle_session_timeout = 0;
             SET idle_in_transaction_session_timeout = 0;
             SET enable_sort = off;
             SET jit = off;",
        )
    }

    /// Keeps other migrations away, until the connection ends.
    fn lock(&mut self) -> Result<(), Why> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lock = sql_query("SELECT pg_try_advisory_lock($1) AS yes").bind::<BigInt, _>(ALONE);
            if yes(lock.get_result(&mut self.connection))? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Why::BeingFilled);
            }
            std::thread::sleep(PATIENCE / 100);
        }
    }

    /// Refuses a database with data of its own, before a large source is read in vain.
    fn refuse_used(&mut self) -> Result<(), Why> {
        let tables = sql_query("SELECT to_regclass('deployment') IS NOT NULL AS yes");
        if yes(tables.get_result(&mut self.connection))?
            && origin(&mut self.connection)?.is_foreign()
        {
            return Err(Why::InUse);
        }
        Ok(())
    }

    /// Makes the tables, and notes in them whose data comes: from then on no server starts on them.
    /// A refusal leaves everything as it was.
    pub fn claim(&mut self, path: &str, content: &Content) -> Result<Claim, Why> {
        let fingerprint = content.fingerprint();
        connection::migrate_and(&mut self.connection, |connection, _| {
            let origin = origin(connection)?;
            if origin.is_foreign() {
                return Err(Why::InUse);
            }
            if let Some(noted) = &origin.migrated_from {
                let (noted, from) = noted.split_once(' ').unwrap_or_default();
                return match (noted == fingerprint, origin.migrated) {
                    (true, true) => Ok(Claim::Done),
                    (true, false) => Ok(Claim::Copy),
                    (false, migrated) => Err(other_source(from, path, migrated)),
                };
            }
            refuse_served(connection)?;
            sql_query("UPDATE deployment SET migrated_from = $1, migrated = FALSE")
                .bind::<Text, _>(format!("{fingerprint} {path}"))
                .execute(connection)?;
            Ok(Claim::Copy)
        })
    }

    /// Up to which key a table has been copied, and how many rows that are.
    pub fn place<R: Row>(&mut self) -> QueryResult<(Key, u64)> {
        let last = R::last(&mut self.connection)?;
        let rows = R::count(&mut Link::Postgres(&mut self.connection))?;
        Ok((
            last.unwrap_or(START),
            u64::try_from(rows).unwrap_or_default(),
        ))
    }

    /// Stores rows, in a transaction of their own.
    pub fn store<R: Row>(&mut self, rows: &[R]) -> QueryResult<()> {
        R::store(&mut self.connection, rows)
    }

    /// Compares with the source, and where all is the same, lets servers start. Returns what there is.
    pub fn finish(&mut self, source: &Content, counter: &mut Counter<'_>) -> Result<Content, Why> {
        self.connection.batch_execute(
            "ANALYZE users, grants, messages, receipts, contacts, files, file_readers",
        )?;
        self.connection.transaction(|connection| {
            // While these are held, nobody changes what was compared.
            connection.batch_execute(
                "LOCK TABLE users, grants, messages, receipts, contacts, files, file_readers IN SHARE MODE",
            )?;
            sql_query("UPDATE id_allocation SET next = GREATEST(next, $1)")
                .bind::<BigInt, _>(source.next_id)
                .execute(connection)?;
            let copy = Content::read(&mut Link::Postgres(connection), counter)?;
            if let Some(table) = source.difference(&copy) {
                return Err(Why::Differs(table));
            }
            connection.batch_execute(
                "SELECT setval(pg_get_serial_sequence('users', 'id'), GREATEST(max(id), 1), max(id) IS NOT NULL)
                     FROM users;
                 SELECT setval(pg_get_serial_sequence('files', 'id'), GREATEST(max(id), 1), max(id) IS NOT NULL)
                     FROM files;
                 UPDATE deployment SET migrated = TRUE;",
            )?;
            Ok(copy)
        })
    }

    /// Compares a database that was finished before, which servers may be working on.
    pub fn check(&mut self, source: &Content, counter: &mut Counter<'_>) -> Result<Content, Why> {
        let copy =
            Link::Postgres(&mut self.connection).snapshot(|link| Content::read(link, counter))?;
        match source.difference(&copy) {
            Some(table) => Err(Why::ChangedSince(table)),
            None => Ok(copy),
        }
    }
}

impl Origin {
    /// Whether there is data that no migration has brought.
    fn is_foreign(&self) -> bool {
        self.migrated && self.migrated_from.is_none() && self.used
    }
}

fn origin(connection: &mut PgConnection) -> QueryResult<Origin> {
    sql_query(
        "SELECT migrated_from, migrated,
             EXISTS (SELECT FROM users) OR EXISTS (SELECT FROM grants) OR EXISTS (SELECT FROM messages)
                 OR EXISTS (SELECT FROM receipts) OR EXISTS (SELECT FROM contacts) AS used
         FROM deployment",
    )
    .get_result(connection)
}

/// A server that was there before has read that it may serve, and would not read it again. PostgreSQL
/// notices that one has gone a moment after it.
fn refuse_served(connection: &mut PgConnection) -> Result<(), Why> {
    let until = Instant::now() + GOING;
    loop {
        let served = sql_query(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = $1) AS yes",
        )
        .bind::<Text, _>(APPLICATION_NAME);
        if !yes(served.get_result(connection))? {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Why::Served);
        }
        thread::sleep(GOING / 20);
        // Else a transaction sees the same all the time.
        connection.batch_execute("SELECT pg_stat_clear_snapshot()")?;
    }
}

fn other_source(noted: &str, path: &str, migrated: bool) -> Why {
    match (noted == path, migrated) {
        (true, true) => Why::SourceUsedSince,
        (true, false) => Why::SourceChanged,
        (false, true) => Why::FilledFrom(noted.to_owned()),
        (false, false) => Why::BeingFilledFrom(noted.to_owned()),
    }
}

fn yes(answer: QueryResult<Answer>) -> QueryResult<bool> {
    Ok(answer?.yes)
}
