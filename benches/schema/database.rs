//! A database of one schema: made, filled, and written to as the server writes.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::candidates::Candidate;
use crate::statements::{Value, cached, run};
use crate::world::{Message, USERS, name};
use crate::{Outcome, number};

/// The counters of the users of one transaction, in one fixed order.
struct Timelines(BTreeMap<usize, i64>);

impl Timelines {
    fn load(conn: &mut SqliteConnection, c: &Candidate, users: BTreeSet<usize>) -> Outcome<Self> {
        let sql = match c.text_keys {
            true => "SELECT 0, timeline FROM users WHERE name = ?1",
            false => "SELECT id, timeline FROM users WHERE name = ?1",
        };
        let mut counters = BTreeMap::new();
        for user in users {
            let (_, at) = cached::<(BigInt, BigInt)>(sql, &[Value::Text(name(user))])
                .get_result::<(i64, i64)>(conn)?;
            counters.insert(user, at);
        }
        Ok(Self(counters))
    }

    fn next(&mut self, user: usize) -> i64 {
        let counter = self.0.entry(user).or_default();
        *counter += 1;
        *counter
    }

    fn save(self, conn: &mut SqliteConnection, c: &Candidate) -> Outcome<()> {
        let sql = match c.text_keys {
            true => "UPDATE users SET timeline = ?1 WHERE name = ?2",
            false => "UPDATE users SET timeline = ?1 WHERE id = ?2",
        };
        for (user, at) in self.0 {
            run(conn, sql, &[Value::Int(at), c.key(user)])?;
        }
        Ok(())
    }
}

/// Stores one batch of messages: what stands between a frame and its acknowledgement.
pub fn store(conn: &mut SqliteConnection, c: &Candidate, batch: &mut [Message]) -> Outcome<()> {
    conn.immediate_transaction(|conn| {
        let users = batch.iter().flat_map(|m| [m.sender, m.recipient]).collect();
        let mut timelines = Timelines::load(conn, c, users)?;
        for m in batch {
            let grant = "SELECT granted_at FROM grants WHERE block = ?1";
            cached::<BigInt>(grant, &[Value::Int(m.id / 10)]).get_result::<i64>(conn)?;
            let present = cached::<BigInt>(
                "SELECT status FROM messages WHERE id = ?1",
                &[Value::Int(m.id)],
            )
            .get_result::<i64>(conn)
            .optional()?;
            assert_eq!(present, None, "an ID is used once");
            m.sender_seq = timelines.next(m.sender);
            m.recipient_seq = timelines.next(m.recipient);
            c.insert(conn, m)?;
        }
        timelines.save(conn, c)
    })
}

/// Marks one batch of messages read, with a receipt for the sender and one for the reader's devices.
pub fn mark_read(conn: &mut SqliteConnection, c: &Candidate, batch: &[Message]) -> Outcome<()> {
    conn.immediate_transaction(|conn| {
        let users = batch.iter().flat_map(|m| [m.sender, m.recipient]).collect();
        let mut timelines = Timelines::load(conn, c, users)?;
        for m in batch {
            let id = Value::Int(m.id);
            cached::<BigInt>(
                "SELECT status FROM messages WHERE id = ?1",
                std::slice::from_ref(&id),
            )
            .get_result::<i64>(conn)?;
            run(
                conn,
                "UPDATE messages SET status = 2 WHERE id = ?1 AND status = 1",
                std::slice::from_ref(&id),
            )?;
            for user in [m.sender, m.recipient] {
                let seq = Value::Int(timelines.next(user));
                run(
                    conn,
                    "INSERT INTO receipts (user, seq, message) VALUES (?1, ?2, ?3)",
                    &[c.key(user), seq, id.clone()],
                )?;
            }
        }
        timelines.save(conn, c)
    })
}

/// Opens a database with the settings of the server.
pub fn open(path: &Path) -> Outcome<SqliteConnection> {
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
    let pages = number("YANSHU_SCHEMA_CHECKPOINT", 10_000)?;
    let page_size = number("YANSHU_SCHEMA_PAGE_SIZE", 4096)?;
    conn.batch_execute(&format!(
        "PRAGMA page_size = {page_size}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA cache_size = -65536; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = {pages};"
    ))?;
    Ok(conn)
}

/// Moves what the WAL holds to the database.
pub fn checkpoint(conn: &mut SqliteConnection) -> QueryResult<()> {
    conn.batch_execute("PRAGMA wal_checkpoint(RESTART)")
}

/// A database with users only; closed, so that its file can be copied.
pub fn create(path: &Path, c: &Candidate) -> Outcome<()> {
    let mut conn = open(path)?;
    conn.batch_execute(&c.tables())?;
    conn.immediate_transaction(|conn| {
        for user in 0..USERS {
            match c.text_keys {
                true => run(conn, "INSERT INTO users VALUES (?1, 0)", &[c.key(user)])?,
                false => run(
                    conn,
                    "INSERT INTO users VALUES (?1, ?2, 0)",
                    &[c.key(user), Value::Text(name(user))],
                )?,
            };
        }
        Ok::<_, Box<dyn Error>>(())
    })
}

/// Grants the blocks of IDs from `first` on.
pub fn grant(conn: &mut SqliteConnection, c: &Candidate, first: i64, count: usize) -> Outcome<()> {
    conn.immediate_transaction(|conn| {
        for block in first / 10..=(first + count as i64) / 10 {
            let values = [
                Value::Int(block),
                c.key(block as usize % USERS),
                Value::Int(block),
            ];
            run(
                conn,
                "INSERT OR IGNORE INTO grants VALUES (?1, ?2, ?3)",
                &values,
            )?;
        }
        Ok(())
    })
}

fn bytes(conn: &mut SqliteConnection) -> Outcome<i64> {
    Ok(cached::<BigInt>(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        &[],
    )
    .get_result(conn)?)
}

/// Stores the history, index entries in the order of arrival; gives back bytes a message.
pub fn fill(path: &Path, c: &Candidate, messages: &[Message], counters: &[i64]) -> Outcome<i64> {
    let mut conn = open(path)?;
    conn.batch_execute(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -1048576; PRAGMA wal_autocheckpoint = 100000",
    )?;
    grant(&mut conn, c, 0, messages.len())?;
    let before = bytes(&mut conn)?;
    for batch in messages.chunks(50_000) {
        conn.immediate_transaction(|conn| batch.iter().try_for_each(|m| c.insert(conn, m)))?;
    }
    let size = (bytes(&mut conn)? - before) / messages.len() as i64;
    conn.immediate_transaction(|conn| {
        Timelines(counters.iter().copied().enumerate().collect()).save(conn, c)
    })?;
    conn.batch_execute(
        "INSERT INTO contacts SELECT sender, recipient FROM messages UNION SELECT recipient, sender FROM messages;
         PRAGMA wal_checkpoint(TRUNCATE)",
    )?;
    Ok(size)
}
