//! Files that nobody can read any more: those no message carries, and those that did not arrive.
//!
//! A step looks at some files in the order of their numbers, as one who reads, and marks as going what can go, in one
//! transaction. Whoever takes the
//! steps removes the bytes then, and last the row. A file that was marked and whose bytes are still there is
//! found again by the next sweep.

use std::time::Duration;

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::result::QueryResult;

use super::at_most::AtMost;
use super::connection::{Link, on};
use super::files::{COMING, GOING, THERE};
use super::schema::{file_readers, files, users};
use super::{StoreError, now};
use crate::protocol::FileId;

/// So many files are looked at by a step.
const FILES_AT_ONCE: i64 = 100;

/// A file that has not arrived after so long never will, and a second more for so many bytes of it: nothing takes as long
/// to go into the file store.
const COMES_WITHIN: Duration = Duration::from_secs(3600);
const COMES_AT: i64 = 1024 * 1024;

/// Where a sweep over the files is, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSweep {
    /// All files up to this number have been looked at.
    after: i64,
    /// What was sent up before this second (Unix) and is carried by no message goes.
    unsent_before: i64,
    /// What was sent up before this one and has not arrived goes.
    coming_before: i64,
}

/// What a step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesSwept {
    /// Files whose bytes are to be removed, and then their rows.
    pub going: Vec<FileId>,
    /// From where to go on; `None`: that was all.
    pub next: Option<FileSweep>,
}

impl FileSweep {
    /// A sweep that leaves files for so long to be sent.
    pub fn new(grace: Duration) -> Self {
        let before = |time: Duration| now() - i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 2);
        Self {
            after: 0,
            unsent_before: before(grace),
            coming_before: before(COMES_WITHIN),
        }
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = files)]
struct Looked {
    id: i64,
    token: String,
    owner: i64,
    tenure: i64,
    state: i16,
    size: i64,
    created_at: i64,
}

/// What a step has seen.
pub struct Seen {
    rows: Vec<Looked>,
    /// The numbers of those that seem to be able to go.
    can_go: Vec<i64>,
}

impl Seen {
    /// Whether there is anything to mark.
    pub fn is_to_be_marked(&self) -> bool {
        !self.can_go.is_empty()
    }

    /// What comes of it, with what was marked.
    pub fn swept(self, sweep: FileSweep, marked: Vec<FileId>) -> FilesSwept {
        let now = now();
        let going = self.rows.iter();
        let going = going.filter(|row| row.state == GOING && row.created_at <= now);
        let going = going.filter_map(|row| FileId::parse(&row.token).ok());
        FilesSwept {
            going: going.chain(marked).collect(),
            next: self.rows.last().map(|last| FileSweep {
                after: last.id,
                ..sweep
            }),
        }
    }
}

/// Looks at the next files: the first half of a step, for a connection that reads.
pub fn look(link: &mut Link<'_>, sweep: FileSweep) -> Result<Seen, StoreError> {
    let rows: Vec<Looked> = on!(&mut *link, connection => files::table
        .filter(files::id.gt(sweep.after))
        .order(files::id)
        .select(Looked::as_select())
        .at_most(FILES_AT_ONCE)
        .load(connection))?;
    let mut seen = Seen {
        rows,
        can_go: Vec::new(),
    };
    for row in seen.rows.iter().filter(|row| row.state != GOING) {
        if can_go(link, sweep, row)? {
            seen.can_go.push(row.id);
        }
    }
    Ok(seen)
}

/// Marks those that still can go: the second half, in one transaction.
pub fn mark(link: &mut Link<'_>, sweep: FileSweep, seen: &Seen) -> Result<Vec<FileId>, StoreError> {
    let marked = link.writing(|link| {
        let mut marked = Vec::new();
        for id in &seen.can_go {
            marked.extend(mark_one(link, sweep, *id)?);
        }
        QueryResult::Ok(marked)
    })?;
    Ok(marked)
}

/// Whether a file is one that nobody can read, or that will not arrive.
fn can_go(link: &mut Link<'_>, sweep: FileSweep, row: &Looked) -> QueryResult<bool> {
    match row.state {
        COMING => Ok(row.created_at.saturating_add(row.size / COMES_AT) < sweep.coming_before),
        THERE => {
            let waits = row.created_at >= sweep.unsent_before && is_owned(link, row)?;
            Ok(!waits && !is_carried(link, row.id)?)
        }
        _ => Ok(true),
    }
}

/// Whether whoever sent it up is still there.
fn is_owned(link: &mut Link<'_>, row: &Looked) -> QueryResult<bool> {
    let owner = users::table
        .filter(users::id.eq(row.owner))
        .filter(users::voided.eq(row.tenure))
        .filter(users::deleted.eq(false));
    on!(link, connection => diesel::select(exists(owner)).get_result(connection))
}

/// Whether a message carries it of which a side still is who they were.
fn is_carried(link: &mut Link<'_>, file: i64) -> QueryResult<bool> {
    let readers = file_readers::table
        .inner_join(users::table.on(users::id.eq(file_readers::user_id)))
        .filter(file_readers::file.eq(file))
        .filter(file_readers::seq.gt(users::hidden));
    on!(link, connection => diesel::select(exists(readers)).get_result(connection))
}

/// Marks a file as going, unless something has changed. Whoever stores a message that carries it has its row
/// locked, so it is locked here before it is looked at again.
fn mark_one(link: &mut Link<'_>, sweep: FileSweep, id: i64) -> QueryResult<Option<FileId>> {
    let row = files::table.find(id);
    let row: Option<Looked> = match link {
        Link::Sqlite(connection) => row
            .select(Looked::as_select())
            .get_result(*connection)
            .optional()?,
        Link::Postgres(connection) => row
            .select(Looked::as_select())
            .for_update()
            .get_result(*connection)
            .optional()?,
    };
    let Some(row) = row else {
        return Ok(None);
    };
    if !can_go(link, sweep, &row)? {
        return Ok(None);
    }
    let going = files::table.find(id);
    on!(link, connection => diesel::update(going).set(files::state.eq(GOING)).execute(connection))?;
    Ok(FileId::parse(&row.token).ok())
}
