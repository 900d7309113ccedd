//! Files: who has sent up which, and who may read them. The bytes are elsewhere, and nothing here knows where.
//!
//! A file's row is there before its bytes are kept, and goes after they have gone: whatever happens in between,
//! the row says what is to be cleared away ([`super::leftovers`]). A file may be read by whoever sent it up, and
//! by both sides of a message that carries it; whose message may carry it was decided when that was stored
//! ([`super::rules`]). So retention takes the right to read away together with the message.

use std::time::Duration;

use diesel::dsl::{count_star, exists, sql};
use diesel::prelude::*;
use diesel::result::{Error, QueryResult};
use diesel::sql_types::BigInt;

use super::batch::ATTEMPTS;
use super::connection::{Link, on};
use super::leftovers::{self, FileSweep, FilesSwept};
use super::schema::{file_readers, files, users};
use super::users::UserState;
use super::{Store, StoreError, now};
use crate::protocol::{FileId, UserId};

/// Its bytes are on their way into the file store.
pub const COMING: i16 = 0;
/// It can be read and sent.
pub const THERE: i16 = 1;
/// Its bytes are on their way out: nobody can read or send it any more.
pub const GOING: i16 = 2;

/// Each file counts for so many bytes more than it has: rows and names take room, too.
pub const FILE_OVERHEAD: u64 = 4_096;

/// A file, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Its ID.
    pub id: FileId,
    /// What it is called.
    pub name: String,
    /// Its media type (RFC 6838).
    pub mime: String,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal digits.
    pub sha256: String,
    /// Where it is a picture that could be read.
    pub picture: Option<Picture>,
}

/// What is known of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels, as it is shown.
    pub width: u32,
    /// Pixels, as it is shown.
    pub height: u32,
    /// The media type of its thumbnail, where there is one.
    pub thumbnail: Option<String>,
}

/// What became of the wish to keep a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It may be kept, and its size counts.
    Yes,
    /// The user would have more than they may; so many bytes they have.
    OverQuota(u64),
    /// Whoever had the ID when the file began to come was deleted.
    Deleted,
}

/// What a user has sent up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that are still there, with what each file counts more.
    pub bytes: u64,
    /// See [`super::Head::tenure`]; 0: there was never such a user.
    pub tenure: i64,
}

impl Usage {
    /// Whether a file of this size fits.
    pub fn has_room(self, size: u64, quota: u64) -> bool {
        let wanted = size.saturating_add(FILE_OVERHEAD);
        self.bytes.saturating_add(wanted) <= quota
    }
}

/// Files, without their bytes.
///
/// All of it fails with the database, and changes nothing then, or, where that failed at the commit itself,
/// what was asked: each can be asked again.
#[allow(clippy::missing_errors_doc)]
impl Store {
    /// A user, who exists from now on, sends up a file, whose bytes are about to be kept; unless that makes more
    /// than `quota` bytes, or they are no more whoever had this [`Usage::tenure`].
    pub fn admit_file(
        &self,
        owner: (&UserId, i64),
        file: &FileInfo,
        quota: u64,
    ) -> Result<Admitted, StoreError> {
        self.provide(|link| admit(link, owner, file, quota))
    }

    /// The bytes of a file are kept: it can be read and sent from now on. Returns whether it was still waited for.
    pub fn file_is_there(&self, id: FileId) -> Result<bool, StoreError> {
        self.beside(|link| is_there(link, id))
    }

    /// Nobody can read or send a file any more; its bytes can be removed, and a sweep removes them after so long.
    pub fn drop_file(&self, id: FileId, after: Duration) -> Result<(), StoreError> {
        self.beside(|link| drop_one(link, id, after))
    }

    /// The bytes of a file that was dropped are gone, too.
    pub fn forget_file(&self, id: FileId) -> Result<(), StoreError> {
        self.beside(|link| forget(link, id))
    }

    /// A file, where it is there and this user may read it.
    pub fn file_for(&self, id: FileId, user: &str) -> Result<Option<FileInfo>, StoreError> {
        self.read(|link| file_for(link, id, user))
    }

    /// What a user has sent up that is still there.
    pub fn file_usage(&self, user: &str) -> Result<Usage, StoreError> {
        self.read(|link| usage_of(link, user))
    }

    /// Takes a step of looking for files that nobody can read any more.
    pub fn sweep_files(&self, sweep: FileSweep) -> Result<FilesSwept, StoreError> {
        let seen = self.read(|link| leftovers::look(link, sweep))?;
        let marked = if seen.is_to_be_marked() {
            self.beside(|link| leftovers::mark(link, sweep, &seen))?
        } else {
            Vec::new()
        };
        Ok(seen.swept(sweep, marked))
    }
}

#[derive(Insertable)]
#[diesel(table_name = files)]
struct NewFile<'a> {
    token: String,
    owner: i64,
    tenure: i64,
    name: &'a str,
    mime: &'a str,
    size: i64,
    sha256: &'a str,
    width: Option<i64>,
    height: Option<i64>,
    thumbnail: Option<&'a str>,
    state: i16,
    created_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = files)]
struct FileRow {
    id: i64,
    owner: i64,
    tenure: i64,
    name: String,
    mime: String,
    size: i64,
    sha256: String,
    width: Option<i64>,
    height: Option<i64>,
    thumbnail: Option<String>,
}

impl FileRow {
    fn info(self, id: FileId) -> FileInfo {
        let pixels = |side: Option<i64>| side.and_then(|side| u32::try_from(side).ok());
        let sides = pixels(self.width).zip(pixels(self.height));
        FileInfo {
            id,
            name: self.name,
            mime: self.mime,
            size: u64::try_from(self.size).unwrap_or(0),
            sha256: self.sha256,
            picture: sides.map(|(width, height)| Picture {
                width,
                height,
                thumbnail: self.thumbnail,
            }),
        }
    }
}

/// See [`super::Store::admit_file`].
pub fn admit(
    link: &mut Link<'_>,
    owner: (&UserId, i64),
    file: &FileInfo,
    quota: u64,
) -> Result<Admitted, StoreError> {
    for _ in 0..ATTEMPTS {
        match link.writing(|link| insert(link, owner, file, quota)) {
            // Somebody else created the user meanwhile: nothing of this was written.
            Err(Error::NotFound) => {}
            result => return Ok(result?),
        }
    }
    Err(StoreError::Overtaken)
}

fn insert(
    link: &mut Link<'_>,
    (user, tenure): (&UserId, i64),
    file: &FileInfo,
    quota: u64,
) -> QueryResult<Admitted> {
    // Locked, so that two uploads at once cannot both be the last that fits.
    let Some(owner) = ensure(link, user, tenure)? else {
        return Ok(Admitted::Deleted);
    };
    let usage = usage(link, owner.id, owner.voided)?;
    if !usage.has_room(file.size, quota) {
        return Ok(Admitted::OverQuota(usage.bytes));
    }
    let picture = file.picture.as_ref();
    let row = NewFile {
        token: file.id.to_string(),
        owner: owner.id,
        tenure: owner.voided,
        name: &file.name,
        mime: &file.mime,
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        sha256: &file.sha256,
        width: picture.map(|picture| picture.width.into()),
        height: picture.map(|picture| picture.height.into()),
        thumbnail: picture.and_then(|picture| picture.thumbnail.as_deref()),
        state: COMING,
        created_at: now(),
    };
    on!(link, connection => diesel::insert_into(files::table).values(&row).execute(connection))?;
    Ok(Admitted::Yes)
}

/// The user's row, locked; they exist from now on. `None` where it is not whose it was any more.
fn ensure(link: &mut Link<'_>, user: &UserId, tenure: i64) -> QueryResult<Option<UserState>> {
    let login = [user.as_str()];
    let locked = link.bulk().lock_users(&login)?.into_iter().next();
    let Some((_, state)) = locked else {
        let created = link.bulk().create_users(&login)?;
        return Ok(Some(UserState {
            id: created.first().copied().ok_or(Error::NotFound)?,
            ..UserState::default()
        }));
    };
    // Each deletion changes it. Who is not there now, and was not when it began, is there from now on.
    if state.voided != tenure {
        return Ok(None);
    }
    if state.deleted {
        link.bulk().revive_users(&[state.id])?;
    }
    Ok(Some(state))
}

/// What whoever has this ID now has sent up, of files that are not going.
fn usage(link: &mut Link<'_>, owner: i64, tenure: i64) -> QueryResult<Usage> {
    let (size, count): (i64, i64) = on!(link, connection => files::table
        .filter(files::owner.eq(owner))
        .filter(files::tenure.eq(tenure))
        .filter(files::state.ne(GOING))
        .select((
            sql::<BigInt>("CAST(COALESCE(SUM(size), 0) AS BIGINT)"),
            count_star(),
        ))
        .get_result(connection))?;
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let overhead = number(count).saturating_mul(FILE_OVERHEAD);
    Ok(Usage {
        bytes: number(size).saturating_add(overhead),
        tenure,
    })
}

/// See [`super::Store::file_usage`].
pub fn usage_of(link: &mut Link<'_>, user: &str) -> Result<Usage, StoreError> {
    let whose: Option<(i64, i64)> = on!(&mut *link, connection => users::table
        .filter(users::login.eq(user))
        .select((users::id, users::voided))
        .get_result(connection)
        .optional())?;
    match whose {
        Some((id, tenure)) => Ok(usage(link, id, tenure)?),
        None => Ok(Usage::default()),
    }
}

/// See [`super::Store::file_is_there`].
pub fn is_there(link: &mut Link<'_>, id: FileId) -> Result<bool, StoreError> {
    let coming = files::table
        .filter(files::token.eq(id.to_string()))
        .filter(files::state.eq(COMING));
    let changed = link.writing(|link| {
        on!(link, connection => diesel::update(coming)
            // From now on it waits to be sent.
            .set((files::state.eq(THERE), files::created_at.eq(now())))
            .execute(connection))
    })?;
    Ok(changed > 0)
}

/// See [`super::Store::drop_file`].
pub fn drop_one(link: &mut Link<'_>, id: FileId, after: Duration) -> Result<(), StoreError> {
    let at = now().saturating_add(i64::try_from(after.as_secs()).unwrap_or(i64::MAX));
    let file = files::table.filter(files::token.eq(id.to_string()));
    link.writing(|link| {
        let gone = (files::state.eq(GOING), files::created_at.eq(at));
        on!(link, connection => diesel::update(file).set(gone).execute(connection))
    })?;
    Ok(())
}

/// See [`super::Store::forget_file`].
pub fn forget(link: &mut Link<'_>, id: FileId) -> Result<(), StoreError> {
    let number = files::table
        .filter(files::token.eq(id.to_string()))
        .filter(files::state.eq(GOING))
        .select(files::id);
    link.writing(|link| {
        let number: Option<i64> =
            on!(&mut *link, connection => number.get_result(connection).optional())?;
        let Some(number) = number else {
            return QueryResult::Ok(());
        };
        let readers = file_readers::table.filter(file_readers::file.eq(number));
        on!(&mut *link, connection => diesel::delete(readers).execute(connection))?;
        on!(link, connection => diesel::delete(files::table.find(number)).execute(connection))?;
        Ok(())
    })?;
    Ok(())
}

/// Who asks for a file.
#[derive(Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = users)]
struct Reader {
    id: i64,
    hidden: i64,
    voided: i64,
}

fn reader(link: &mut Link<'_>, user: &str) -> QueryResult<Option<Reader>> {
    on!(link, connection => users::table
        .filter(users::login.eq(user))
        .filter(users::deleted.eq(false))
        .select(Reader::as_select())
        .get_result(connection)
        .optional())
}

/// See [`super::Store::file_for`].
pub fn file_for(
    link: &mut Link<'_>,
    id: FileId,
    user: &str,
) -> Result<Option<FileInfo>, StoreError> {
    let Some(reader) = reader(link, user)? else {
        return Ok(None);
    };
    let row: Option<FileRow> = on!(&mut *link, connection => files::table
        .filter(files::token.eq(id.to_string()))
        .filter(files::state.eq(THERE))
        .select(FileRow::as_select())
        .get_result(connection)
        .optional())?;
    let Some(row) = row else {
        return Ok(None);
    };
    let is_owner = row.owner == reader.id && row.tenure == reader.voided;
    let may_read = is_owner || was_sent(link, row.id, reader)?;
    Ok(may_read.then(|| row.info(id)))
}

fn was_sent(link: &mut Link<'_>, file: i64, reader: Reader) -> QueryResult<bool> {
    let sent = file_readers::table
        .filter(file_readers::file.eq(file))
        .filter(file_readers::user_id.eq(reader.id))
        .filter(file_readers::seq.gt(reader.hidden));
    on!(link, connection => diesel::select(exists(sent)).get_result(connection))
}
