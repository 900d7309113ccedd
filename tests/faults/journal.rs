//! The journal that `tests/support/shim/disk.c` writes: what was done to the files of a server, and what of it was
//! synced.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Something that was done to a file. Files have numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file that was not there.
    Create { file: usize, name: String },
    /// The file of this name is gone.
    Remove { name: String },
    /// Bytes at a place.
    Write {
        file: usize,
        offset: u64,
        data: Vec<u8>,
    },
    /// Another size.
    Truncate { file: usize, length: u64 },
    /// No change, which keeps its place in the count.
    Nothing,
}

/// All changes since the journal began, in order, and whether each was synced.
#[derive(Debug, Default)]
pub struct Journal {
    changes: Vec<(Change, bool)>,
    /// Where the records of the present process begin.
    life: usize,
    /// The number of each file by its inode, which may be that of one file after another.
    files: HashMap<u64, usize>,
    /// How many files were known at any time.
    known: usize,
    /// Places among the changes of what was not synced yet, by file; those of names are in the other one.
    unsynced: HashMap<usize, Vec<usize>>,
    unsynced_names: Vec<usize>,
}

/// A record as it was written.
struct Record<'a> {
    kind: u32,
    file: u64,
    number: u64,
    bytes: &'a [u8],
}

/// The kinds of a record, as in `disk.c`.
const START: u32 = 1;
const CREATE: u32 = 2;
const REMOVE: u32 = 3;
const WRITE: u32 = 4;
const TRUNCATE: u32 = 5;
const SYNC: u32 = 6;
const SYNC_DIRECTORY: u32 = 7;
const UNDONE: u32 = 8;

impl Journal {
    /// Reads it to the record in the midst of which the process was killed; none is one without records. The files that were there before have
    /// these numbers, all below `count`.
    pub fn read(path: &Path, inodes: &HashMap<u64, usize>, count: usize) -> Journal {
        let bytes = fs::read(path).unwrap_or_default();
        let mut journal = Journal {
            files: inodes.clone(),
            known: count,
            ..Journal::default()
        };
        let mut rest = bytes.as_slice();
        while let Some((record, after)) = Record::first_of(rest) {
            journal.take(&record);
            rest = after;
        }
        journal
    }

    /// The changes, and whether each is durable.
    pub fn changes(&self) -> impl Iterator<Item = (&Change, bool)> {
        self.changes
            .iter()
            .map(|(change, durable)| (change, *durable))
    }

    /// How many changes there are.
    pub fn count(&self) -> u32 {
        let changes = self.changes.iter();
        let real = changes.filter(|(change, _)| *change != Change::Nothing);
        u32::try_from(real.count()).expect("a journal in memory")
    }

    /// The last change, which may not have come about, and those before it.
    pub fn last_and_others(&self) -> (&Change, impl Iterator<Item = &Change>) {
        let mut all = self.changes.iter().map(|(change, _)| change);
        let last = all.rfind(|change| **change != Change::Nothing);
        (last.unwrap_or(&Change::Nothing), all)
    }

    fn take(&mut self, record: &Record<'_>) {
        match record.kind {
            CREATE => {
                let file = self.known;
                self.known += 1;
                self.files.insert(record.file, file);
                let name = record.name();
                self.add_name(Change::Create { file, name });
            }
            REMOVE => self.add_name(Change::Remove {
                name: record.name(),
            }),
            WRITE => self.add_data(record, |file| Change::Write {
                file,
                offset: record.number,
                data: record.bytes.to_vec(),
            }),
            TRUNCATE => self.add_data(record, |file| Change::Truncate {
                file,
                length: record.number,
            }),
            SYNC => {
                let file = self.files[&record.file];
                let written = self.unsynced.remove(&file).unwrap_or_default();
                let left = self.sync(written, record.number);
                self.unsynced.insert(file, left);
                self.add_nothing();
            }
            SYNC_DIRECTORY => {
                let written = std::mem::take(&mut self.unsynced_names);
                self.unsynced_names = self.sync(written, record.number);
                self.add_nothing();
            }
            UNDONE => {
                if let Some((last, _)) = self.changes.last_mut() {
                    *last = Change::Nothing;
                }
                self.add_nothing();
            }
            START => {
                self.add_nothing();
                self.life = self.changes.len();
            }
            other => panic!("the journal holds a record of the unknown kind {other}"),
        }
    }

    fn add_name(&mut self, change: Change) {
        self.unsynced_names.push(self.changes.len());
        self.changes.push((change, false));
    }

    fn add_data(&mut self, record: &Record<'_>, change: impl FnOnce(usize) -> Change) {
        let file = self.files[&record.file];
        let place = self.changes.len();
        self.unsynced.entry(file).or_default().push(place);
        self.changes.push((change(file), false));
    }

    fn add_nothing(&mut self) {
        self.changes.push((Change::Nothing, true));
    }

    /// Of these places those before so many records of this life are durable. Returns the others.
    fn sync(&mut self, places: Vec<usize>, number: u64) -> Vec<usize> {
        let end = self.life + usize::try_from(number).expect("a journal in memory");
        let (synced, left): (Vec<_>, Vec<_>) = places.into_iter().partition(|place| *place < end);
        for place in synced {
            self.changes[place].1 = true;
        }
        left
    }
}

impl<'a> Record<'a> {
    const HEAD: usize = 24;

    /// The first record of these bytes, and what comes after it; `None` where it is not whole.
    fn first_of(bytes: &'a [u8]) -> Option<(Record<'a>, &'a [u8])> {
        let u32_at = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let u64_at = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let end = Record::HEAD + u32_at(4)? as usize;
        let record = Record {
            kind: u32_at(0)?,
            file: u64_at(8)?,
            number: u64_at(16)?,
            bytes: bytes.get(Record::HEAD..end)?,
        };
        Some((record, &bytes[end..]))
    }

    /// The name at the end of its path.
    fn name(&self) -> String {
        let path = String::from_utf8_lossy(self.bytes);
        let name = path.rsplit('/').next();
        name.unwrap_or_default().to_owned()
    }
}
