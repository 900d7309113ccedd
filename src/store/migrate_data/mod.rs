//! All that a SQLite database holds, into PostgreSQL: safe to kill at any moment, and to run again.
//!
//! 1. The source is taken, so that no server works on it, and read once: its [`Content`] is what it is
//!    known by. (Not its path, under which another file, or a changed one, can stand.)
//! 2. The target's tables are made, and it is noted in them whose data comes (`deployment`): a server
//!    refuses to start on them from then on.
//! 3. Each table is copied in the order of its keys, in chunks that are transactions of their own. So
//!    whatever is there, everything before it is there, too, and a second run goes on behind it.
//! 4. The target is read and compared with the source, each column of each row, while nobody can
//!    change it. Only if all is the same may servers start.

mod content;
mod progress;
mod rows;
mod source;
mod target;

use diesel::result::Error;

use super::{DatabaseUrl, StoreError};
use crate::protocol::MessageId;
use content::Content;
use progress::Counter;
use rows::{Block, ContactOf, FileOf, FileReader, Grant, Message, Receipt, Row, SentByKey, User};
use source::Source;
use target::{Claim, Target};

pub use progress::{Progress, Step};

/// A chunk ends with so many rows, or so many bytes of texts.
const CHUNK_ROWS: usize = 5_000;
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// What a migration did. All of it was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The tables, in the order in which they were copied.
    pub tables: Vec<MigratedTable>,
    /// The message ID that is issued next.
    pub next_id: MessageId,
    /// Whether a run before this one had done it.
    pub before: bool,
}

/// A table that is the same in both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MigratedTable {
    /// Its name.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: u64,
}

/// Why the data is not, or not yet, in the target, and which of the two databases is the reason.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {why}")]
pub struct MigrateDataError {
    /// The database.
    pub url: DatabaseUrl,
    /// The reason.
    pub why: Why,
}

/// The reason in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// It is of the wrong kind.
    #[error("data goes from sqlite://PATH to postgres://…")]
    WrongKind,
    /// The source is not there, or may not be used.
    #[error("{0}")]
    NoFile(std::io::Error),
    /// No connection.
    #[error("it cannot be opened: {0}")]
    Unreachable(diesel::ConnectionError),
    /// The source is something else.
    #[error("it is no database of yanshu")]
    NotYanshu,
    /// The source lacks migrations.
    #[error(
        "it is of an older yanshu: start and stop this version on it once, which brings it up to date"
    )]
    Older,
    /// The source has more migrations.
    #[error(
        "it holds migration {0}, which this version of yanshu does not know: use the newer one"
    )]
    Newer(String),
    /// The source is open elsewhere.
    #[error(
        "a server, or another program, has it open: stop that first, since what it stores meanwhile would be lost"
    )]
    HeldByOthers,
    /// Servers work on the target.
    #[error("a server is connected to it: stop it first")]
    Served,
    /// A second migration.
    #[error("another yanshu migrate-data is filling it")]
    BeingFilled,
    /// The target has data of its own.
    #[error("it is in use: the data goes into a database that has no users and no messages")]
    InUse,
    /// The target is complete, with other data.
    #[error("it was filled from {0} before, which is another database than this source")]
    FilledFrom(String),
    /// The target is incomplete, with other data.
    #[error(
        "it holds a part of {0}, which is another database than this source: give this one a database of its own"
    )]
    BeingFilledFrom(String),
    /// The target is complete, with the data that the source had.
    #[error("it was filled from this source before, and the source has changed since")]
    SourceUsedSince,
    /// The target is incomplete, with some of the data that the source had.
    #[error(
        "it holds a part of this source, which has changed since: drop the database, create it anew and start over"
    )]
    SourceChanged,
    /// The target was complete, and is another by now.
    #[error(
        "it was filled from this source before, and has changed since: its {0} are not the same any more"
    )]
    ChangedSince(&'static str),
    /// The copy is wrong.
    #[error(
        "its {0} are not the same as in the source: it stays unfinished, and no server starts on it; drop the database, create it anew and start over"
    )]
    Differs(&'static str),
    /// The copy is a part.
    #[error("{0}; run the same command again, and it goes on where it stopped")]
    Interrupted(Error),
    /// The target's tables could not be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else.
    #[error("the database failed: {0}")]
    Database(#[from] Error),
}

/// Which of the two databases something failed at.
enum Failed {
    Source(Why),
    Target(Why),
}

/// While rows are copied, what is not said to be of the target is of the source, which is being read.
impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Source(Why::Interrupted(error))
    }
}

/// Copies all data from SQLite to PostgreSQL, and compares it. The source is never changed.
///
/// # Errors
/// Where either is not what it must be (nothing is changed then), fails, or is not the same in the end.
pub fn migrate_data(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    report: &mut dyn FnMut(Progress),
) -> Result<Migrated, MigrateDataError> {
    migrate(from, to, report).map_err(|failed| match failed {
        Failed::Source(why) => MigrateDataError {
            url: from.clone(),
            why,
        },
        Failed::Target(why) => MigrateDataError {
            url: to.clone(),
            why,
        },
    })
}

fn migrate(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    report: &mut dyn FnMut(Progress),
) -> Result<Migrated, Failed> {
    let DatabaseUrl::Sqlite(path) = from else {
        return Err(Failed::Source(Why::WrongKind));
    };
    let DatabaseUrl::Postgres(url) = to else {
        return Err(Failed::Target(Why::WrongKind));
    };
    let mut source = Source::open(path).map_err(Failed::Source)?;
    let mut target = Target::open(url).map_err(Failed::Target)?;
    let content = read(&mut source, report).map_err(|error| Failed::Source(error.into()))?;
    let claim = target
        .claim(&source.path, &content)
        .map_err(Failed::Target)?;
    if claim == Claim::Copy {
        copy_all(
            &mut source,
            &mut target,
            &mut Counter::new(Step::Copying, content.rows(), report),
        )?;
    }
    let mut counter = Counter::new(Step::Checking, content.rows(), report);
    let copy = match claim {
        Claim::Copy => target.finish(&content, &mut counter),
        Claim::Done => target.check(&content, &mut counter),
    };
    Ok(Migrated::new(
        &copy.map_err(Failed::Target)?,
        claim == Claim::Done,
    ))
}

fn read(source: &mut Source, report: &mut dyn FnMut(Progress)) -> Result<Content, Error> {
    let rows = content::count(&mut source.link())?;
    let mut counter = Counter::new(Step::Reading, rows, report);
    Content::read(&mut source.link(), &mut counter)
}

fn copy_all(
    source: &mut Source,
    target: &mut Target,
    counter: &mut Counter<'_>,
) -> Result<(), Failed> {
    copy::<User>(source, target, counter)?;
    copy::<Grant>(source, target, counter)?;
    copy::<Message>(source, target, counter)?;
    copy::<Receipt>(source, target, counter)?;
    copy::<ContactOf>(source, target, counter)?;
    copy::<Block>(source, target, counter)?;
    copy::<SentByKey>(source, target, counter)?;
    copy::<FileOf>(source, target, counter)?;
    copy::<FileReader>(source, target, counter)
}

/// Copies a table, from behind the last row that is in the target.
fn copy<R: Row>(
    source: &mut Source,
    target: &mut Target,
    counter: &mut Counter<'_>,
) -> Result<(), Failed> {
    let broken = |error| Failed::Target(Why::Interrupted(error));
    counter.begin(R::TABLE);
    let (last, there) = target.place::<R>().map_err(broken)?;
    counter.add(there);
    let mut chunk: Vec<R> = Vec::with_capacity(CHUNK_ROWS);
    let mut bytes = 0;
    R::each(&mut source.link(), last, |row| {
        bytes += row.text_bytes();
        chunk.push(row);
        if chunk.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
            target.store(&chunk).map_err(broken)?;
            counter.add(chunk.len() as u64);
            chunk.clear();
            bytes = 0;
        }
        Ok::<_, Failed>(())
    })?;
    if !chunk.is_empty() {
        target.store(&chunk).map_err(broken)?;
        counter.add(chunk.len() as u64);
    }
    Ok(())
}

impl Migrated {
    fn new(content: &Content, before: bool) -> Self {
        let tables = content.tables.iter().map(|table| MigratedTable {
            name: table.table,
            rows: table.rows,
        });
        Self {
            tables: tables.collect(),
            next_id: MessageId::new(content.next_id),
            before,
        }
    }
}
