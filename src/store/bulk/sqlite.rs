//! [`Bulk`] on SQLite: row after row. The transaction holds the one write lock from its beginning. What each
//! message or receipt needs is written out ([`sql!`]); what is seldom is left to the query builder.

use diesel::dsl::{AsSelect, SqlTypeOf, exists};
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool};
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::{Backlog, Bulk, Claim, KeyRow, ReceiptRow, storing};
use crate::hash::HashSet;
use crate::store::at_most::AtMost;
use crate::store::fixed::sql;
use crate::store::messages::{Found, NewRow, READ, UNREAD};
use crate::store::receipts::TO_ALL;
use crate::store::schema::{blocks, contacts, messages, receipts, sent_by_key, users};
use crate::store::users::UserState;

impl Bulk for SqliteConnection {
    fn lock_users(&mut self, logins: &[&str]) -> QueryResult<Vec<(String, UserState)>> {
        let mut found = Vec::with_capacity(logins.len());
        for login in logins {
            let state: Option<UserState> = sql!(
                "SELECT id, timeline, told, contacts, revision, deleted, hidden, voided \
                 FROM users WHERE login = ?" => SqlTypeOf<AsSelect<UserState, Sqlite>>,
                [*login]
            )
            .get_result(self)
            .optional()?;
            found.extend(state.map(|state| ((*login).to_owned(), state)));
        }
        Ok(found)
    }

    fn create_users(&mut self, logins: &[&str]) -> QueryResult<Vec<i64>> {
        // RETURNING would take a table for what it returns, and copy the pages it changes.
        let create = |login: &&str| {
            sql!("INSERT INTO users (login) VALUES (?)", [*login]).execute(self)?;
            sql!("SELECT last_insert_rowid()" => BigInt, []).get_result(self)
        };
        logins.iter().map(create).collect()
    }

    fn save_users(&mut self, states: &[UserState]) -> QueryResult<()> {
        for state in states {
            sql!(
                "UPDATE users SET timeline = ?, told = ?, contacts = ? WHERE id = ?",
                [state.timeline, state.told, state.contacts, state.id]
            )
            .execute(self)?;
        }
        Ok(())
    }

    fn stored(&mut self, ids: &[i64]) -> QueryResult<Vec<(i64, Found)>> {
        let mut found = Vec::new();
        for (first, last) in runs(ids) {
            let run: Vec<(i64, Found)> = sql!(
                "SELECT id, sender, recipient, status, sender_seq, recipient_seq \
                 FROM messages WHERE id BETWEEN ? AND ?"
                    => (BigInt, SqlTypeOf<AsSelect<Found, Sqlite>>),
                [first, last]
            )
            .load(self)?;
            found.extend(run);
        }
        Ok(found)
    }

    fn same_content(&mut self, claims: &[Claim<'_>]) -> QueryResult<Vec<bool>> {
        let same = |claim: &Claim<'_>| {
            let same = messages::table
                .filter(messages::id.eq(claim.message))
                .filter(messages::kind.eq(claim.kind))
                .filter(messages::body.eq(claim.text));
            diesel::select(exists(same)).get_result(self)
        };
        claims.iter().map(same).collect()
    }

    fn backlogs(&mut self, users: &[UserState]) -> QueryResult<Vec<Backlog>> {
        let backlog = |user: &UserState| {
            let unread = messages::table
                .filter(messages::recipient.eq(user.id))
                .filter(messages::status.eq(UNREAD))
                .filter(messages::recipient_seq.gt(user.hidden));
            let untold = receipts::table
                .filter(receipts::user_id.eq(user.id))
                .filter(receipts::seq.gt(user.told))
                .filter(receipts::origin.eq(TO_ALL));
            Ok(Backlog {
                unread: diesel::select(exists(unread)).get_result(self)?,
                untold: diesel::select(exists(untold)).get_result(self)?,
            })
        };
        users.iter().map(backlog).collect()
    }

    fn blocked(&mut self, pairs: &[(i64, i64)]) -> QueryResult<HashSet<(i64, i64)>> {
        let mut found = HashSet::default();
        for pair in pairs {
            if diesel::select(exists(blocks::table.find(*pair))).get_result(self)? {
                found.insert(*pair);
            }
        }
        Ok(found)
    }

    fn sent(&mut self, keys: &[(i64, &str)]) -> QueryResult<Vec<(i64, String, i64)>> {
        let mut found = Vec::new();
        for (sender, key) in keys {
            let message: Option<i64> = sent_by_key::table
                .filter(sent_by_key::sender.eq(sender))
                .filter(sent_by_key::key.eq(key))
                .select(sent_by_key::message_id)
                .get_result(self)
                .optional()?;
            found.extend(message.map(|message| (*sender, (*key).to_owned(), message)));
        }
        Ok(found)
    }

    fn insert_keys(&mut self, rows: &[KeyRow<'_>]) -> QueryResult<()> {
        for row in rows {
            diesel::insert_into(sent_by_key::table)
                .values((
                    sent_by_key::sender.eq(row.sender),
                    sent_by_key::key.eq(row.key),
                    sent_by_key::message_id.eq(row.message),
                    sent_by_key::sent_at.eq(row.at),
                ))
                .execute(self)?;
        }
        Ok(())
    }

    fn revive_users(&mut self, ids: &[i64]) -> QueryResult<()> {
        for id in ids {
            diesel::update(users::table.find(id))
                .set((
                    users::deleted.eq(false),
                    users::revision.eq(users::revision + 1),
                ))
                .execute(self)?;
        }
        Ok(())
    }

    fn grants(&mut self, blocks: &[i64]) -> QueryResult<Vec<(i64, i64, i64)>> {
        let mut found = Vec::with_capacity(blocks.len());
        for (first, last) in runs(blocks) {
            let run: Vec<(i64, i64, i64)> = sql!(
                "SELECT block, user_id, granted_at FROM grants WHERE block BETWEEN ? AND ?"
                    => (BigInt, BigInt, BigInt),
                [first, last]
            )
            .load(self)?;
            found.extend(run);
        }
        Ok(found)
    }

    fn insert_grants(&mut self, rows: &[(i64, i64, i64)]) -> QueryResult<()> {
        for (block, user, at) in rows {
            sql!(
                "INSERT INTO grants (block, user_id, granted_at) VALUES (?, ?, ?)",
                [*block, *user, *at]
            )
            .execute(self)?;
        }
        Ok(())
    }

    fn insert_messages(&mut self, rows: &[NewRow<'_>]) -> QueryResult<()> {
        storing::messages(self, rows)
    }

    fn mark_read(&mut self, ids: &[i64]) -> QueryResult<()> {
        for (first, last) in runs(ids) {
            sql!(
                // Not ABORT, for whose sake the pages that change are copied: the transaction takes all back.
                "UPDATE OR FAIL messages SET status = ? WHERE id BETWEEN ? AND ?",
                [READ, first, last]
            )
            .execute(self)?;
        }
        Ok(())
    }

    fn insert_receipts(&mut self, rows: &[ReceiptRow]) -> QueryResult<()> {
        storing::receipts(self, rows)
    }

    fn remove_receipts(&mut self, before: &[(i64, i64)], many: i64) -> QueryResult<()> {
        for (user, seq) in before {
            let first: Vec<i64> = receipts::table
                .filter(receipts::user_id.eq(user))
                .filter(receipts::seq.lt(seq))
                .order(receipts::seq)
                .select(receipts::seq)
                .at_most(many)
                .load(self)?;
            if let Some(last) = first.last() {
                let first = receipts::table
                    .filter(receipts::user_id.eq(user))
                    .filter(receipts::seq.le(last));
                diesel::delete(first).execute(self)?;
            }
        }
        Ok(())
    }

    fn contacts(&mut self, pairs: &[(i64, i64)]) -> QueryResult<HashSet<(i64, i64)>> {
        let mut found = HashSet::default();
        for (owner, contact) in pairs {
            let exists = sql!(
                "SELECT EXISTS (SELECT 1 FROM contacts WHERE owner = ? AND contact = ?)" => Bool,
                [*owner, *contact]
            );
            if exists.get_result(self)? {
                found.insert((*owner, *contact));
            }
        }
        Ok(found)
    }

    fn insert_contacts(&mut self, pairs: &[(i64, i64)]) -> QueryResult<()> {
        for (owner, contact) in pairs {
            sql!(
                "INSERT INTO contacts (owner, contact) VALUES (?, ?)",
                [*owner, *contact]
            )
            .execute(self)?;
        }
        Ok(())
    }

    fn name_users(&mut self, names: &[(i64, Option<&str>)]) -> QueryResult<()> {
        for (user, name) in names {
            sql!(
                "UPDATE users SET name = ? WHERE id = ? AND name IS NOT ?",
                [*name, *user, *name]
            )
            .execute(self)?;
        }
        Ok(())
    }

    fn name_contacts(&mut self, aliases: &[((i64, i64), Option<&str>)]) -> QueryResult<()> {
        for (pair, alias) in aliases {
            diesel::update(contacts::table.find(*pair))
                .set(contacts::alias.eq(alias))
                .execute(self)?;
        }
        Ok(())
    }
}

/// Numbers that follow one another without a gap, as the IDs of a grant do: the first and the last of each run.
fn runs(numbers: &[i64]) -> impl Iterator<Item = (i64, i64)> {
    let runs = numbers.chunk_by(|number, next| number.checked_add(1) == Some(*next));
    runs.filter_map(|run| Some((*run.first()?, *run.last()?)))
}
