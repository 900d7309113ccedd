//! [`Bulk`] on PostgreSQL: one statement for all rows, its columns as arrays through UNNEST.
//!
//! The text of each [`Statement`] is the same for any number of rows, so that it stays prepared. The
//! transaction is at READ COMMITTED: once the users are locked, each statement sees whatever was
//! committed by those who held the locks before.
//!
//! A plan is kept, and one that was made for a table of few rows must hold when there are millions. Such
//! a table costs PostgreSQL nothing to read from end to end, by an index too, so each statement leaves
//! it no other way than to look rows up: what an UPDATE joins is written `= ANY (ARRAY[…])`, which cannot
//! be merged with a whole index, a question for each row is a subquery that `OFFSET 0` keeps from becoming
//! a join, and nothing is asked for in the order of an index.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::statement::Statement;
use super::{Backlog, Bulk, Claim, KeyRow, ReceiptRow};
use crate::hash::{HashMap, HashSet};
use crate::store::messages::{Found, NewRow, READ, UNREAD};
use crate::store::receipts::TO_ALL;
use crate::store::schema::{grants, messages, users};
use crate::store::users::UserState;

impl Bulk for PgConnection {
    fn lock_users(&mut self, logins: &[&str]) -> QueryResult<Vec<(String, UserState)>> {
        // The rows are sorted first and locked one after another then: PostgreSQL's LockRows stands
        // above the Sort, and a number never changes. By a sum, since `users_pkey` is in the order of
        // the number itself. Readers of a user's key need not wait.
        users::table
            .filter(users::login.eq_any(logins))
            .order(users::id + 0)
            .select((users::login, UserState::as_select()))
            .for_no_key_update()
            .load(self)
    }

    fn create_users(&mut self, logins: &[&str]) -> QueryResult<Vec<i64>> {
        // In one order for all batches and imports, that of bytes whatever the database's own is: they
        // wait here for others that create the same user.
        let created: Vec<(i64, String)> = Statement::<(BigInt, Text)>::new(
            "INSERT INTO users (login)
             SELECT login FROM UNNEST(?) AS new (login) ORDER BY login COLLATE \"C\"
             ON CONFLICT (login) DO NOTHING RETURNING id, login",
        )
        .texts(logins, |login| *login)
        .load(self)?;
        let created: HashMap<String, i64> =
            created.into_iter().map(|(id, login)| (login, id)).collect();
        let id = |login: &&str| {
            let id = created.get(*login);
            id.copied().ok_or(diesel::result::Error::NotFound)
        };
        logins.iter().map(id).collect()
    }

    fn save_users(&mut self, states: &[UserState]) -> QueryResult<()> {
        Statement::<()>::new(
            "UPDATE users SET timeline = new.timeline, told = new.told, contacts = new.contacts
             FROM UNNEST(?, ?, ?, ?) AS new (id, timeline, told, contacts)
             WHERE users.id = ANY (ARRAY[new.id])",
        )
        .numbers(states, |s| s.id)
        .numbers(states, |s| s.timeline)
        .numbers(states, |s| s.told)
        .numbers(states, |s| s.contacts)
        .execute(self)?;
        Ok(())
    }

    fn stored(&mut self, ids: &[i64]) -> QueryResult<Vec<(i64, Found)>> {
        messages::table
            .filter(messages::id.eq_any(ids))
            .select((messages::id, Found::as_select()))
            .load(self)
    }

    fn same_content(&mut self, claims: &[Claim<'_>]) -> QueryResult<Vec<bool>> {
        let places: Vec<i64> = Statement::<BigInt>::new(
            "SELECT place FROM UNNEST(?, ?, ?) WITH ORDINALITY AS claim (id, kind, body, place)
             WHERE EXISTS (SELECT FROM messages WHERE messages.id = claim.id
                 AND messages.kind = claim.kind AND messages.body = claim.body OFFSET 0)",
        )
        .numbers(claims, |c| c.message)
        .small_numbers(claims, |c| c.kind)
        .texts(claims, |c| c.text)
        .load(self)?;
        let same: HashSet<i64> = places.into_iter().collect();
        Ok((1_i64..)
            .take(claims.len())
            .map(|place| same.contains(&place))
            .collect())
    }

    fn backlogs(&mut self, users: &[UserState]) -> QueryResult<Vec<Backlog>> {
        let rows: Vec<(bool, bool)> = Statement::<(Bool, Bool)>::new(
            "SELECT EXISTS (SELECT FROM messages
                     WHERE recipient = who.id AND status = ? AND recipient_seq > who.hidden),
                 EXISTS (SELECT FROM receipts
                     WHERE user_id = who.id AND seq > who.told AND origin = ?)
             FROM UNNEST(?, ?, ?) WITH ORDINALITY AS who (id, told, hidden, place) ORDER BY place",
        )
        .small_number(UNREAD)
        .number(TO_ALL)
        .numbers(users, |u| u.id)
        .numbers(users, |u| u.told)
        .numbers(users, |u| u.hidden)
        .load(self)?;
        let backlog = |(unread, untold)| Backlog { unread, untold };
        Ok(rows.into_iter().map(backlog).collect())
    }

    fn blocked(&mut self, pairs: &[(i64, i64)]) -> QueryResult<HashSet<(i64, i64)>> {
        let found: Vec<(i64, i64)> = Statement::<(BigInt, BigInt)>::new(
            "SELECT owner, sender FROM UNNEST(?, ?) AS pair (owner, sender)
             WHERE EXISTS (SELECT FROM blocks WHERE blocks.owner = pair.owner
                 AND blocks.blocked = pair.sender OFFSET 0)",
        )
        .numbers(pairs, |p| p.0)
        .numbers(pairs, |p| p.1)
        .load(self)?;
        Ok(found.into_iter().collect())
    }

    fn sent(&mut self, keys: &[(i64, &str)]) -> QueryResult<Vec<(i64, String, i64)>> {
        let found: Vec<(i64, String, Option<i64>)> =
            Statement::<(BigInt, Text, Nullable<BigInt>)>::new(
                "SELECT sender, key, (SELECT message_id FROM sent_by_key
                     WHERE sent_by_key.sender = asked.sender AND sent_by_key.key = asked.key OFFSET 0)
                 FROM UNNEST(?, ?) AS asked (sender, key)",
            )
            .numbers(keys, |k| k.0)
            .texts(keys, |k| k.1)
            .load(self)?;
        let found = found.into_iter();
        let found = found.filter_map(|(sender, key, message)| Some((sender, key, message?)));
        Ok(found.collect())
    }

    fn insert_keys(&mut self, rows: &[KeyRow<'_>]) -> QueryResult<()> {
        Statement::<()>::new(
            "INSERT INTO sent_by_key (sender, key, message_id, sent_at)
             SELECT * FROM UNNEST(?, ?, ?, ?)",
        )
        .numbers(rows, |r| r.sender)
        .texts(rows, |r| r.key)
        .numbers(rows, |r| r.message)
        .numbers(rows, |r| r.at)
        .execute(self)?;
        Ok(())
    }

    fn revive_users(&mut self, ids: &[i64]) -> QueryResult<()> {
        diesel::update(users::table.filter(users::id.eq_any(ids)))
            .set((
                users::deleted.eq(false),
                users::revision.eq(users::revision + 1),
            ))
            .execute(self)?;
        Ok(())
    }

    fn grants(&mut self, blocks: &[i64]) -> QueryResult<Vec<(i64, i64, i64)>> {
        grants::table
            .filter(grants::block.eq_any(blocks))
            .select((grants::block, grants::user_id, grants::granted_at))
            .load(self)
    }

    fn insert_grants(&mut self, rows: &[(i64, i64, i64)]) -> QueryResult<()> {
        Statement::<()>::new(
            "INSERT INTO grants (block, user_id, granted_at) SELECT * FROM UNNEST(?, ?, ?)",
        )
        .grants(rows)
        .execute(self)?;
        Ok(())
    }

    fn insert_messages(&mut self, rows: &[NewRow<'_>]) -> QueryResult<()> {
        Statement::<()>::new(
            "INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, lo, hi, lo_seq,
                 kind, status, origin, stored_at, sent_at, body)
             SELECT * FROM UNNEST(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .messages(rows)
        .execute(self)?;
        Ok(())
    }

    fn mark_read(&mut self, ids: &[i64]) -> QueryResult<()> {
        diesel::update(messages::table.filter(messages::id.eq_any(ids)))
            .set(messages::status.eq(READ))
            .execute(self)?;
        Ok(())
    }

    fn insert_receipts(&mut self, rows: &[ReceiptRow]) -> QueryResult<()> {
        Statement::<()>::new(
            "INSERT INTO receipts (user_id, seq, message_id, origin)
             SELECT * FROM UNNEST(?, ?, ?, ?)",
        )
        .receipts(rows)
        .execute(self)?;
        Ok(())
    }

    fn remove_receipts(&mut self, before: &[(i64, i64)], many: i64) -> QueryResult<()> {
        Statement::<()>::new(
            "DELETE FROM receipts USING (
                 SELECT of.user_id, (SELECT max(seq) FROM (
                     SELECT seq FROM receipts WHERE user_id = of.user_id AND seq < of.before
                     ORDER BY seq LIMIT ?) AS early) AS last
                 FROM UNNEST(?, ?) AS of (user_id, before) OFFSET 0
             ) AS first
             WHERE receipts.user_id = ANY (ARRAY[first.user_id]) AND receipts.seq <= first.last",
        )
        .number(many)
        .numbers(before, |b| b.0)
        .numbers(before, |b| b.1)
        .execute(self)?;
        Ok(())
    }

    fn contacts(&mut self, pairs: &[(i64, i64)]) -> QueryResult<HashSet<(i64, i64)>> {
        let found: Vec<(i64, i64)> = Statement::<(BigInt, BigInt)>::new(
            "SELECT owner, contact FROM UNNEST(?, ?) AS pair (owner, contact)
             WHERE EXISTS (SELECT FROM contacts WHERE contacts.owner = pair.owner
                 AND contacts.contact = pair.contact OFFSET 0)",
        )
        .numbers(pairs, |p| p.0)
        .numbers(pairs, |p| p.1)
        .load(self)?;
        Ok(found.into_iter().collect())
    }

    fn insert_contacts(&mut self, pairs: &[(i64, i64)]) -> QueryResult<()> {
        Statement::<()>::new("INSERT INTO contacts (owner, contact) SELECT * FROM UNNEST(?, ?)")
            .numbers(pairs, |p| p.0)
            .numbers(pairs, |p| p.1)
            .execute(self)?;
        Ok(())
    }

    fn name_users(&mut self, names: &[(i64, Option<&str>)]) -> QueryResult<()> {
        Statement::<()>::new(
            "UPDATE users SET name = new.name FROM UNNEST(?, ?) AS new (id, name)
             WHERE users.id = ANY (ARRAY[new.id]) AND users.name IS DISTINCT FROM new.name",
        )
        .numbers(names, |n| n.0)
        .names(names, |n| n.1)
        .execute(self)?;
        Ok(())
    }

    fn name_contacts(&mut self, aliases: &[((i64, i64), Option<&str>)]) -> QueryResult<()> {
        Statement::<()>::new(
            "UPDATE contacts SET alias = new.alias FROM UNNEST(?, ?, ?) AS new (owner, contact, alias)
             WHERE contacts.owner = ANY (ARRAY[new.owner])
                 AND contacts.contact = ANY (ARRAY[new.contact])",
        )
        .numbers(aliases, |a| a.0.0)
        .numbers(aliases, |a| a.0.1)
        .names(aliases, |a| a.1)
        .execute(self)?;
        Ok(())
    }
}
