//! Where a file is while it comes in: a file without a name, which is gone with whoever holds it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::{FileStore, FilesError};

/// What comes is written in pieces of so many bytes.
const PIECE: usize = 128 * 1024;

/// A file that is coming in.
pub struct Spool {
    store: FileStore,
    writing: Writing,
    /// What has come and is not written yet.
    waiting: BytesMut,
}

struct Writing {
    file: File,
    hasher: Sha256,
    size: u64,
}

impl Spool {
    pub(super) fn new(store: FileStore, file: File) -> Self {
        let writing = Writing {
            file,
            hasher: Sha256::new(),
            size: 0,
        };
        Self {
            store,
            writing,
            waiting: BytesMut::new(),
        }
    }

    /// How many bytes have come.
    pub fn size(&self) -> u64 {
        self.writing.size + self.waiting.len() as u64
    }

    /// Takes what comes next.
    ///
    /// # Errors
    /// [`FilesError::Full`] where there is no room for it.
    pub async fn take(mut self, bytes: &[u8]) -> Result<Self, FilesError> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() < PIECE {
            return Ok(self);
        }
        self.write().await
    }

    async fn write(mut self) -> Result<Self, FilesError> {
        let piece = std::mem::take(&mut self.waiting);
        let mut writing = self.writing;
        let written = self.store.run_blocking(move || {
            writing.file.write_all(&piece)?;
            writing.hasher.update(&piece);
            writing.size += piece.len() as u64;
            Ok::<_, io::Error>(writing)
        });
        self.writing = written.await??;
        Ok(self)
    }

    /// That was all.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub async fn end(self) -> Result<Spooled, FilesError> {
        let Self { store, writing, .. } = self.write().await?;
        let digest = writing.hasher.finalize();
        Ok(Spooled {
            store,
            file: writing.file,
            size: writing.size,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

/// A file that has come in whole.
pub struct Spooled {
    store: FileStore,
    file: File,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

impl Spooled {
    /// The file, once more.
    pub(super) async fn file(&self) -> Result<File, FilesError> {
        Ok(self.file.try_clone()?)
    }

    /// Up to so many bytes from there on.
    pub(super) async fn read(&self, at: u64, many: usize) -> Result<Bytes, FilesError> {
        let file = self.file().await?;
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; many.min(left)];
        let read = self.store.run_blocking(move || {
            file.read_exact_at(&mut bytes, at)?;
            Ok::<_, io::Error>(bytes)
        });
        Ok(read.await??.into())
    }
}
