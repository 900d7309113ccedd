//! [`Bulk`] on SQLite: row after row. The transaction holds the one write lock from its beginning.

use std::collections::HashSet;

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;

use super::{Backlog, Bulk, Claim, KeyRow, ReceiptRow};
use crate::store::messages::{Found, NewRow, READ, UNREAD};
use crate::store::receipts::TO_ALL;
use crate::store::schema::{blocks, contacts, grants, messages, receipts, sent_by_key, users};
use crate::store::users::UserState;

impl Bulk for SqliteConnection {
    fn lock_users(&mut self, logins: &[&str]) -> QueryResult<Vec<(String, UserState)>> {
        let mut found = Vec::with_capacity(logins.len());
        for login in logins {
            let state = users::table
                .filter(users::login.eq(login))
                .select(UserState::as_select())
                .get_result(self)
                .optional()?;
            found.extend(state.map(|state| ((*login).to_owned(), state)));
        }
        Ok(found)
    }

    fn create_users(&mut self, logins: &[&str]) -> QueryResult<Vec<i64>> {
        let create = |login: &&str| {
            diesel::insert_into(users::table)
                .values(users::login.eq(login))
                .returning(users::id)
                .get_result(self)
        };
        logins.iter().map(create).collect()
    }

    fn save_users(&mut self, states: &[UserState]) -> QueryResult<()> {
        for state in states {
            diesel::update(users::table.find(state.id))
                .set((
                    users::timeline.eq(state.timeline),
                    users::told.eq(state.told),
                    users::contacts.eq(state.contacts),
                ))
                .execute(self)?;
        }
        Ok(())
    }

    fn stored(&mut self, ids: &[i64]) -> QueryResult<Vec<(i64, Found)>> {
        let mut found = Vec::new();
        for id in ids {
            let key = messages::table
                .find(id)
                .select(Found::as_select())
                .get_result(self)
                .optional()?;
            found.extend(key.map(|key| (*id, key)));
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
        let mut found = HashSet::new();
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
        for block in blocks {
            let grant: Option<(i64, i64, i64)> = grants::table
                .find(block)
                .select((grants::block, grants::user_id, grants::granted_at))
                .get_result(self)
                .optional()?;
            found.extend(grant);
        }
        Ok(found)
    }

    fn insert_grants(&mut self, rows: &[(i64, i64, i64)]) -> QueryResult<()> {
        for (block, user, at) in rows {
            diesel::insert_into(grants::table)
                .values((
                    grants::block.eq(block),
                    grants::user_id.eq(user),
                    grants::granted_at.eq(at),
                ))
                .execute(self)?;
        }
        Ok(())
    }

    fn insert_messages(&mut self, rows: &[NewRow<'_>]) -> QueryResult<()> {
        for row in rows {
            diesel::insert_into(messages::table)
                .values(row)
                .execute(self)?;
        }
        Ok(())
    }

    fn mark_read(&mut self, ids: &[i64]) -> QueryResult<()> {
        for id in ids {
            diesel::update(messages::table.find(id))
                .set(messages::status.eq(READ))
                .execute(self)?;
        }
        Ok(())
    }

    fn insert_receipts(&mut self, rows: &[ReceiptRow]) -> QueryResult<()> {
        for row in rows {
            diesel::insert_into(receipts::table)
                .values((
                    receipts::user_id.eq(row.user),
                    receipts::seq.eq(row.seq),
                    receipts::message_id.eq(row.message),
                    receipts::origin.eq(row.origin),
                ))
                .execute(self)?;
        }
        Ok(())
    }

    fn remove_receipts(&mut self, before: &[(i64, i64)], many: i64) -> QueryResult<()> {
        for (user, seq) in before {
            let first: Vec<i64> = receipts::table
                .filter(receipts::user_id.eq(user))
                .filter(receipts::seq.lt(seq))
                .order(receipts::seq)
                .limit(many)
                .select(receipts::seq)
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
        let mut found = HashSet::new();
        for pair in pairs {
            if diesel::select(exists(contacts::table.find(*pair))).get_result(self)? {
                found.insert(*pair);
            }
        }
        Ok(found)
    }

    fn insert_contacts(&mut self, pairs: &[(i64, i64)]) -> QueryResult<()> {
        for (owner, contact) in pairs {
            diesel::insert_into(contacts::table)
                .values((contacts::owner.eq(owner), contacts::contact.eq(contact)))
                .execute(self)?;
        }
        Ok(())
    }

    fn name_users(&mut self, names: &[(i64, Option<&str>)]) -> QueryResult<()> {
        for (user, name) in names {
            diesel::update(users::table.find(user))
                .filter(users::name.is_not(*name))
                .set(users::name.eq(name))
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
