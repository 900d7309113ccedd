//! Where a file is while it comes in: a file without a name, which is gone with whoever holds it.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use rustix::fs::{Advice, fadvise};
use sha2::{Digest, Sha256};
use tokio::time::sleep_until;

use super::{FileStore, FilesError};

/// What comes is written in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// After so many bytes the disk begins to write them: at the end there is little left to wait for, and messages wait
/// for the same disk.
const WRITTEN_BEHIND: u64 = 512 * 1024;

/// A file without a name. To let go of a large one takes a while, which is nothing for whoever serves messages.
struct Nameless {
    store: FileStore,
    file: Option<Arc<File>>,
}

impl Nameless {
    fn get(&self) -> Result<Arc<File>, FilesError> {
        let file = self.file.clone();
        file.ok_or_else(|| FilesError::other("the file is let go"))
    }
}

impl Drop for Nameless {
    fn drop(&mut self) {
        let file = self.file.take();
        drop(self.store.run_blocking(move || drop(file)));
    }
}

/// A file that is coming in.
pub struct Spool {
    file: Nameless,
    hasher: Sha256,
    size: u64,
    /// Up to where the disk was told to write.
    told: u64,
    /// What has come and is not written yet.
    waiting: BytesMut,
}

impl Spool {
    pub(super) fn new(store: FileStore, file: File) -> Self {
        Self {
            file: Nameless {
                store,
                file: Some(Arc::new(file)),
            },
            hasher: Sha256::new(),
            size: 0,
            told: 0,
            waiting: BytesMut::new(),
        }
    }

    /// How many bytes have come.
    pub fn size(&self) -> u64 {
        self.size + self.waiting.len() as u64
    }

    /// Takes what comes next.
    ///
    /// # Errors
    /// [`FilesError::Full`] where there is no room for it.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), FilesError> {
        let mut left = bytes;
        while !left.is_empty() {
            if self.waiting.capacity() == 0 {
                self.waiting.reserve(PIECE); // and never more
            }
            let fits = left.len().min(PIECE - self.waiting.len());
            self.waiting.extend_from_slice(&left[..fits]);
            left = &left[fits..];
            if self.waiting.len() == PIECE {
                self.write().await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), FilesError> {
        let mut piece = std::mem::take(&mut self.waiting);
        let (store, file) = (self.file.store.clone(), self.file.get()?);
        let mut hasher = std::mem::take(&mut self.hasher);
        self.size += piece.len() as u64;
        let behind = (self.size - self.told >= WRITTEN_BEHIND).then_some(self.told..self.size);
        self.told = behind.as_ref().map_or(self.told, |behind| behind.end);
        sleep_until(self.file.store.turn(piece.len())).await;
        let written = self.file.store.run_blocking(move || {
            store.check_room(&file)?;
            (&*file).write_all(&piece)?;
            behind.inspect(|behind| begin_writing(&file, behind));
            hasher.update(&piece);
            piece.clear(); // and is used again
            Ok::<_, FilesError>((hasher, piece))
        });
        (self.hasher, self.waiting) = written.await??;
        Ok(())
    }

    /// That was all.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub async fn end(mut self) -> Result<Spooled, FilesError> {
        self.write().await?;
        Ok(Spooled {
            file: self.file,
            size: self.size,
            sha256: HEXLOWER.encode(&self.hasher.finalize()),
        })
    }
}

/// Has the disk begin with these bytes, where the system knows how to be asked for that: whoever needs them no more
/// (posix_fadvise(2)) has them written on Linux.
fn begin_writing(file: &File, bytes: &Range<u64>) {
    let length = NonZeroU64::new(bytes.end - bytes.start);
    if let Err(error) = fadvise(file, bytes.start, length, Advice::DontNeed) {
        log::debug!("a file is written when the system likes: {error}");
    }
}

/// A file that has come in whole.
pub struct Spooled {
    file: Nameless,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

impl Spooled {
    /// The file, once more.
    pub(super) fn file(&self) -> Result<Arc<File>, FilesError> {
        self.file.get()
    }

    /// Up to so many bytes from there on, which the hasher has seen then.
    pub(super) async fn read(
        &self,
        at: u64,
        many: usize,
        mut hasher: Sha256,
    ) -> Result<(Bytes, Sha256), FilesError> {
        let file = self.file.get()?;
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let many = many.min(left);
        let read = self.file.store.run_blocking(move || {
            let mut bytes = vec![0; many];
            file.read_exact_at(&mut bytes, at)?;
            hasher.update(&bytes);
            Ok::<_, io::Error>((bytes.into(), hasher))
        });
        Ok(read.await??)
    }
}
