//! What has come whole is put where it stays.
//!
//! In a folder it gets its name, and is copied only where the file system cannot do that; into a bucket it goes in
//! parts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::{FileStore, FilesError, Kind, Spooled, naming, path};
use crate::protocol::FileId;

/// After each a disk rests so many times as long as that took, and so long at most: messages wait for it, too.
const PUT_RESTS: u32 = 3;
const PUT_REST_MAX: Duration = Duration::from_secs(2);
/// Size of a part of a file, in bytes, or more. S3 takes no less than 5 MiB, and so many of them; a folder takes any.
const PART: usize = 8 * 1024 * 1024;
const PARTS_MAX: u64 = 10_000;
const PART_OF_FOLDER: usize = 1024 * 1024;

impl FileStore {
    /// Puts a file where it stays. It is durable, and seen whole or not at all.
    ///
    /// # Errors
    /// Where it did not work; a part of it may be left, which [`Self::remove`] clears away.
    pub async fn keep(
        &self,
        id: FileId,
        spooled: Spooled,
        thumbnail: Option<Bytes>,
    ) -> Result<(), FilesError> {
        let this = self.clone();
        // Not where whoever asks runs: the folder is opened and synced there and then.
        let kept = self.run(async move {
            let turn = Arc::clone(&this.0.puts).acquire_owned().await;
            let turn = turn.map_err(FilesError::other)?;
            let begun = Instant::now();
            let kept = this.put(id, &spooled, thumbnail).await;
            if this.0.folder.is_some() {
                let rest = (begun.elapsed() * PUT_RESTS).min(PUT_REST_MAX);
                // Nobody waits for that but the next.
                tokio::spawn(async move {
                    sleep(rest).await;
                    drop(turn);
                });
            }
            kept
        });
        kept.await?
    }

    async fn put(
        &self,
        id: FileId,
        spooled: &Spooled,
        thumbnail: Option<Bytes>,
    ) -> Result<(), FilesError> {
        if let Some(bytes) = thumbnail {
            let path = path(id, Kind::Thumbnail);
            self.0.store.put(&path, bytes.into()).await?;
        }
        let path = path(id, Kind::Original);
        if let Some(folder) = &self.0.folder {
            let (file, named) = (spooled.file()?, folder.join(path.to_string()));
            let named = self.run_blocking(move || naming::give_name(&file, &named));
            if named.await?? {
                return Ok(());
            }
        }
        self.copy(&path, spooled).await
    }

    /// Puts a copy there, a part at a time.
    async fn copy(&self, path: &Path, spooled: &Spooled) -> Result<(), FilesError> {
        let mut parts = Parts::new(spooled, self.part_size(spooled.size));
        if spooled.size <= parts.size as u64 {
            let whole = parts.next().await?;
            parts.check()?;
            self.0.store.put(path, whole.into()).await?;
            return Ok(());
        }
        let mut upload = self.0.store.put_multipart(path).await?;
        let put = async {
            while !parts.is_over() {
                let part = parts.next().await?;
                upload.put_part(PutPayload::from(part)).await?;
            }
            parts.check()?;
            upload.complete().await?;
            Ok(())
        };
        let result: Result<(), FilesError> = put.await;
        if result.is_err()
            && let Err(error) = upload.abort().await
        {
            log::debug!("what had come of a file is left for the sweep: {error}");
        }
        result
    }

    /// How large the parts of a file of this size are.
    fn part_size(&self, size: u64) -> usize {
        match self.0.folder {
            Some(_) => PART_OF_FOLDER,
            None => PART.max(usize::try_from(size.div_ceil(PARTS_MAX)).unwrap_or(PART)),
        }
    }
}

/// What a spool is copied by. A disk that could not write what came may give back something else, so that it is held
/// against what came.
struct Parts<'a> {
    spooled: &'a Spooled,
    size: usize,
    at: u64,
    hasher: Sha256,
}

impl<'a> Parts<'a> {
    fn new(spooled: &'a Spooled, size: usize) -> Self {
        Self {
            spooled,
            size,
            at: 0,
            hasher: Sha256::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.at >= self.spooled.size
    }

    async fn next(&mut self) -> Result<Bytes, FilesError> {
        let hasher = std::mem::take(&mut self.hasher);
        let (part, hasher) = self.spooled.read(self.at, self.size, hasher).await?;
        self.at += part.len() as u64;
        self.hasher = hasher;
        Ok(part)
    }

    fn check(&mut self) -> Result<(), FilesError> {
        let came_back = std::mem::take(&mut self.hasher).finalize();
        match HEXLOWER.encode(&came_back) == self.spooled.sha256 {
            true => Ok(()),
            false => Err(FilesError::other("a spool gives back what never came")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;

    use futures_util::TryStreamExt;
    use tempfile::TempDir;

    use super::*;
    use crate::files::{Location, Spool};

    /// More than one part, and not a whole number of them.
    const LARGE: usize = 2 * PART_OF_FOLDER + 77;

    /// All of these bytes in a file that has had a name and cannot get one again: as on a file system that knows no
    /// files without a name.
    async fn unnameable(store: &FileStore, bytes: &[u8]) -> Spooled {
        let named = tempfile::NamedTempFile::new_in(&store.0.spools).unwrap();
        let file = named.reopen().unwrap();
        named.close().unwrap();
        let mut spool = Spool::new(store.clone(), file);
        spool.take(bytes).await.unwrap();
        spool.end().await.unwrap()
    }

    fn in_a_folder() -> (TempDir, FileStore) {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let store = FileStore::open(&location, u64::MAX).unwrap().unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn what_can_get_no_name_is_copied() {
        let (folder, store) = in_a_folder();
        for (number, size) in [(1, 0), (2, 1_000), (3, LARGE)] {
            let bytes: Vec<u8> = (0..=255).cycle().take(size).collect();
            let spooled = unnameable(&store, &bytes).await;
            let is_named = naming::give_name(&spooled.file().unwrap(), &folder.path().join("a"));
            assert!(!is_named.unwrap(), "it is to be copied");

            let id = FileId::new(number);
            store.keep(id, spooled, None).await.unwrap();
            let place = folder.path().join(path(id, Kind::Original).to_string());
            assert!(fs::read(&place).unwrap() == bytes, "{size} bytes");
            let read = store.read(id, Kind::Original, 0..size as u64);
            let read: Vec<Bytes> = read.await.unwrap().try_collect().await.unwrap();
            assert!(read.concat() == bytes, "{size} bytes");
            let beside = fs::read_dir(place.parent().unwrap()).unwrap().count();
            assert_eq!(
                beside,
                usize::try_from(number).unwrap(),
                "nothing but files"
            );
        }
    }

    #[tokio::test]
    async fn a_spool_that_gives_back_something_else_is_no_file() {
        let (_folder, store) = in_a_folder();
        for (number, size) in [(1, 1_000), (2, LARGE)] {
            let spooled = unnameable(&store, &vec![7; size]).await;
            spooled
                .file()
                .unwrap()
                .write_all_at(&[8], size as u64 - 1)
                .unwrap();
            let id = FileId::new(number);
            store.keep(id, spooled, None).await.unwrap_err();
            store.size(id, Kind::Original).await.unwrap_err();
        }
    }

    #[test]
    fn a_bucket_takes_the_largest_file_in_as_many_parts_as_it_takes() {
        let location = Location::S3 {
            bucket: "a".into(),
            prefix: String::new(),
        };
        let store = FileStore::open(&location, u64::MAX).unwrap().unwrap();
        assert_eq!(store.part_size(0), PART);
        for size in [
            PART as u64 * PARTS_MAX,
            PART as u64 * PARTS_MAX + 1,
            1 << 40,
        ] {
            let parts = size.div_ceil(store.part_size(size) as u64);
            assert!(parts <= PARTS_MAX, "{parts} parts");
        }
    }
}
