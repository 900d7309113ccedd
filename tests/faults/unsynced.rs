//! What a power cut leaves of the files of a server: all that was synced, and of what was not as little, or as
//! mixed a part, as a disk is free to keep.
//!
//! The model: a sync of a file makes durable what was written to it before the sync began; a sync of a directory
//! does the same for the names in it. Whatever else was written may be on the disk or not, each sector for itself,
//! in whatever order it was written. Names come and go in the order of the calls, as in a file system's journal:
//! what is lost of them is the last of them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rand::Rng;
use rand::rngs::StdRng;

use super::journal::{Change, Journal};
use super::support::Shim;

/// What a disk writes as a whole or not at all.
const SECTOR: u64 = 512;

/// The name of the database. Its log is another file.
const DATABASE: &str = "yanshu.db";

/// How much of what was not synced a cut takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// All of it.
    Everything,
    /// Each sector with this probability.
    Sectors(f64),
}

/// What was lost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lost {
    /// Writes of which at least a sector was.
    pub writes: usize,
    /// How many of those were to the database itself and not to its log: a checkpoint was under way.
    pub of_checkpoints: usize,
    /// Files that were created, removed or cut to a size.
    pub others: usize,
}

/// The files of a directory, as a disk has them.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// By the number that a file has here. One without a name is not seen by anybody.
    files: Vec<Vec<u8>>,
    names: BTreeMap<String, usize>,
    inodes: HashMap<u64, usize>,
}

impl Fate {
    /// One or the other.
    pub fn any(random: &mut StdRng) -> Fate {
        match random.random_range(0..4) {
            0 => Fate::Everything,
            1 => Fate::Sectors(0.1),
            2 => Fate::Sectors(0.5),
            _ => Fate::Sectors(0.9),
        }
    }

    fn takes(self, random: &mut StdRng) -> bool {
        match self {
            Fate::Everything => true,
            Fate::Sectors(probability) => random.random_bool(probability),
        }
    }
}

impl Lost {
    /// Counts others, too.
    pub fn add(&mut self, more: Lost) {
        self.writes += more.writes;
        self.of_checkpoints += more.of_checkpoints;
        self.others += more.others;
    }
}

impl Disk {
    /// A disk without files, which the directory then is, too.
    pub fn blank(shim: &Shim, directory: &Path) -> Disk {
        let mut disk = Disk::default();
        disk.put_into(directory);
        begin_journal(shim);
        disk
    }

    /// Cuts the power of a server that was killed just now: from what this disk was when the journal began, makes
    /// what it is from now on, and has the directory be the same.
    pub fn cut_power(
        &mut self,
        shim: &Shim,
        directory: &Path,
        fate: Fate,
        random: &mut StdRng,
    ) -> Lost {
        let journal = Journal::read(&shim.journal(), &self.inodes, self.files.len());
        self.assert_is_all(&journal, directory);
        let mut lost = Lost::default();
        let mut name_lost = false;
        for (change, durable) in journal.changes() {
            let is_name = matches!(change, Change::Create { .. } | Change::Remove { .. });
            let mut takes = || !durable && ((is_name && name_lost) || fate.takes(random));
            let taken = self.apply(change, &mut takes);
            name_lost |= is_name && taken;
            match change {
                Change::Write { file, .. } if taken => {
                    lost.writes += 1;
                    lost.of_checkpoints += usize::from(self.names.get(DATABASE) == Some(file));
                }
                _ => lost.others += usize::from(taken),
            }
        }
        self.put_into(directory);
        begin_journal(shim);
        lost
    }

    /// Makes a change, but for the sectors that are taken from it. Returns whether any was.
    fn apply(&mut self, change: &Change, takes: &mut impl FnMut() -> bool) -> bool {
        match change {
            Change::Write { file, offset, data } => self.write(*file, *offset, data, takes),
            Change::Nothing => false,
            _ if takes() => true,
            Change::Create { file, name } => {
                self.names.insert(name.clone(), *file);
                self.file(*file);
                false
            }
            Change::Remove { name } => {
                self.names.remove(name);
                false
            }
            Change::Truncate { file, length } => {
                let length = usize::try_from(*length).expect("a file in memory");
                self.file(*file).resize(length, 0);
                false
            }
        }
    }

    fn write(
        &mut self,
        file: usize,
        offset: u64,
        data: &[u8],
        takes: &mut impl FnMut() -> bool,
    ) -> bool {
        let mut taken = false;
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let room = usize::try_from(SECTOR - at % SECTOR).expect("it is small");
            let part = &data[done..data.len().min(done + room)];
            done += part.len();
            if takes() {
                taken = true;
                continue;
            }
            let begin = usize::try_from(at).expect("a file in memory");
            let bytes = self.file(file);
            // A hole where what comes before is not there.
            bytes.resize(bytes.len().max(begin + part.len()), 0);
            bytes[begin..begin + part.len()].copy_from_slice(part);
        }
        taken
    }

    fn file(&mut self, number: usize) -> &mut Vec<u8> {
        if self.files.len() <= number {
            self.files.resize(number + 1, Vec::new());
        }
        &mut self.files[number]
    }

    fn named(&self) -> BTreeMap<&str, &[u8]> {
        let names = self.names.iter();
        names
            .map(|(name, number)| (name.as_str(), self.files[*number].as_slice()))
            .collect()
    }

    /// Fails unless the journal explains every byte of the files: then nothing was written past it. The server may
    /// have been killed before, after or in the midst of the last change.
    fn assert_is_all(&self, journal: &Journal, directory: &Path) {
        let (last, others) = journal.last_and_others();
        let mut before = self.clone();
        for change in others {
            before.apply(change, &mut || false);
        }
        let mut after = before.clone();
        after.apply(last, &mut || false);
        let (before, after) = (before.named(), after.named());
        let mut names: Vec<&str> = Vec::new();
        let found = files_of(directory);
        for (name, bytes) in &found {
            let both = [&before, &after].map(|disk| disk.get(name.as_str()).copied());
            let lengths = both.map(|file| file.map(<[u8]>::len));
            assert!(
                lengths.contains(&Some(bytes.len())) || matches!(last, Change::Write { .. }),
                "{name} has {} bytes, and by the journal {lengths:?}",
                bytes.len()
            );
            assert!(
                both.contains(&Some(bytes)) || is_mixed_of(bytes, both),
                "{name} was written past the journal"
            );
            names.push(name);
        }
        assert!(
            names.iter().eq(before.keys()) || names.iter().eq(after.keys()),
            "the journal knows {:?}, and there are {names:?}",
            after.keys()
        );
    }

    /// Makes the directory what this disk is, without what is only memory that processes shared.
    fn put_into(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).expect("the directory is there") {
            let path = entry.expect("the directory can be read").path();
            fs::remove_file(path).expect("a file can be removed");
        }
        let mut files = Vec::new();
        self.inodes.clear();
        for (name, number) in &mut self.names {
            let bytes = std::mem::take(&mut self.files[*number]);
            let path = directory.join(name);
            fs::write(&path, &bytes).expect("a file can be written");
            let inode = fs::metadata(&path).expect("it was written").ino();
            *number = files.len();
            self.inodes.insert(inode, *number);
            files.push(bytes);
        }
        self.files = files;
    }
}

/// The next life of the server begins the journal anew.
fn begin_journal(shim: &Shim) {
    // One that was killed at once has none.
    let _ = fs::remove_file(shim.journal());
}

/// Whether every byte is that of one of these files.
fn is_mixed_of(bytes: &[u8], files: [Option<&[u8]>; 2]) -> bool {
    let mut places = bytes.iter().enumerate();
    places.all(|(place, byte)| {
        let mut known = files.iter().flatten();
        known.any(|file| file.get(place) == Some(byte))
    })
}

/// The files of the directory that last.
fn files_of(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("the directory can be read").path());
    let lasting = paths.filter(|path| !path.to_string_lossy().ends_with("-shm"));
    let named = lasting.map(|path| {
        let name = path.file_name().expect("an entry has a name");
        let bytes = fs::read(&path).expect("a file can be read");
        (name.to_string_lossy().into_owned(), bytes)
    });
    named.collect()
}
