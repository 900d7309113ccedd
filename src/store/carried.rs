//! Files that messages carry: who may send them, and who may read them from then on.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::result::QueryResult;

use super::connection::{Link, on};
use super::files::THERE;
use super::schema::{file_readers, files};
use super::users::UserState;
use crate::hash::{HashMap, HashSet};
use crate::protocol::FileId;

/// Files that a batch's messages carry, as far as they are there.
#[derive(Debug, Default)]
pub struct Carried {
    files: HashMap<FileId, Owned>,
    /// File and user, of those whom a message has given the right to read.
    readers: HashSet<(i64, i64)>,
}

#[derive(Debug, Clone, Copy)]
struct Owned {
    number: i64,
    owner: i64,
    tenure: i64,
}

impl Carried {
    /// The number of a file that this user may send.
    pub fn may_send(&self, file: FileId, user: &UserState) -> Option<i64> {
        let owned = self.files.get(&file)?;
        let is_owner = owned.owner == user.id && owned.tenure == user.voided;
        let may = is_owner || self.readers.contains(&(owned.number, user.id));
        may.then_some(owned.number)
    }

    /// One side of a message that is stored may read this file.
    pub fn let_read(&mut self, file: i64, user: i64) {
        self.readers.insert((file, user));
    }
}

/// Reads what is known of these files, and whether those who send them may read them. Until the transaction ends, none
/// of the files goes.
pub fn carried(link: &mut Link<'_>, sent: &[(FileId, UserState)]) -> QueryResult<Carried> {
    let mut carried = Carried {
        files: known(link, sent)?,
        readers: HashSet::default(),
    };
    for (file, sender) in sent {
        let owned = carried.files.get(file).copied();
        let Some(owned) = owned.filter(|_| carried.may_send(*file, sender).is_none()) else {
            continue;
        };
        if may_read(link, owned.number, sender)? {
            carried.let_read(owned.number, sender.id);
        }
    }
    Ok(carried)
}

fn known(link: &mut Link<'_>, sent: &[(FileId, UserState)]) -> QueryResult<HashMap<FileId, Owned>> {
    let mut tokens: Vec<String> = sent.iter().map(|(file, _)| file.to_string()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    let there = files::table
        .filter(files::token.eq_any(&tokens))
        .filter(files::state.eq(THERE))
        .order(files::id) // locked in one order by all
        .select((files::token, files::id, files::owner, files::tenure));
    let rows: Vec<(String, i64, i64, i64)> = match link {
        Link::Sqlite(connection) => there.load(*connection)?,
        Link::Postgres(connection) => there.for_share().load(*connection)?,
    };
    let known = rows
        .into_iter()
        .filter_map(|(token, number, owner, tenure)| {
            let owned = Owned {
                number,
                owner,
                tenure,
            };
            Some((FileId::parse(&token).ok()?, owned))
        });
    Ok(known.collect())
}

/// Whether a message has given a user the right to read a file. They may have had it a million times: one is looked for,
/// and not all.
fn may_read(link: &mut Link<'_>, file: i64, user: &UserState) -> QueryResult<bool> {
    let rights = file_readers::table
        .filter(file_readers::file.eq(file))
        .filter(file_readers::user_id.eq(user.id))
        .filter(file_readers::seq.gt(user.hidden));
    on!(link, connection => diesel::select(exists(rights)).get_result(connection))
}

/// That one side of a message may read the file which it carries.
#[derive(Debug, Clone, Copy, Insertable)]
#[diesel(table_name = file_readers)]
pub struct ReaderRow {
    pub message_id: i64,
    pub user_id: i64,
    pub file: i64,
    pub seq: i64,
}

/// Stores who may read which file by which message.
pub fn insert_readers(link: &mut Link<'_>, rows: &[ReaderRow]) -> QueryResult<()> {
    match link {
        Link::Sqlite(connection) => {
            for row in rows {
                diesel::insert_into(file_readers::table)
                    .values(row)
                    .execute(*connection)?;
            }
        }
        Link::Postgres(connection) => {
            for rows in rows.chunks(1_000) {
                diesel::insert_into(file_readers::table)
                    .values(rows)
                    .execute(*connection)?;
            }
        }
    }
    Ok(())
}
