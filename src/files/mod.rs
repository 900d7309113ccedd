//! The bytes of files: in a folder, or in a bucket that speaks S3. Who may read them is not known here.
//!
//! What comes in goes into a [`Spool`] first, a file without a name that is gone with the process; only what has
//! come whole is put where it stays, a few at a time. Everything here runs on threads of its own, behind those
//! that serve messages.

mod error;
mod jpeg;
mod keeping;
mod location;
mod naming;
mod opening;
mod pace;
mod picture;
mod spool;
mod webp;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::protocol::FileId;

pub use error::FilesError;
pub use location::{Location, LocationError};
use pace::Pace;
pub use picture::{Looked, Thumbnail};
pub use spool::{Spool, Spooled};

/// So many files are put where they stay at the same time, each with a part of it in memory.
const PUTS_AT_ONCE: usize = 2;
/// One picture at a time is looked at: it may take much memory.
const PICTURES_AT_ONCE: usize = 1;
/// Who waits longer for that has no thumbnail.
const PICTURE_PATIENCE: Duration = Duration::from_secs(20);
/// Where a disk has less room than this, in bytes, the rest is for messages.
const RESERVE: u64 = 512 * 1024 * 1024;
/// A bucket may be so late.
const COMES_LATE: Duration = Duration::from_secs(3600);
/// Threads that wait for disks, or work.
const THREADS: usize = 4;
/// Pieces of a file that are read ahead of whoever takes them.
const PIECES_AHEAD: usize = 4;
/// How much lower the priority of these threads is than that of those that serve messages (`nice`).
const NICE: i32 = 19;

/// Which bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Itself.
    Original,
    /// The small picture of a picture.
    Thumbnail,
}

/// Where the bytes of files are. Cheap to clone.
#[derive(Clone)]
pub struct FileStore(Arc<Inner>);

struct Inner {
    store: Arc<dyn ObjectStore>,
    /// The folder, where it is one.
    folder: Option<PathBuf>,
    /// The folder that spools are in.
    spools: PathBuf,
    puts: Arc<Semaphore>,
    pictures: Semaphore,
    pace: Pace,
    runtime: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // What was on its way is cleared away by the next sweep.
            runtime.shutdown_background();
        }
    }
}

impl FileStore {
    /// Opens a folder, which is made if it is not there, or a bucket; `None` where there are to be no files. So many
    /// bytes a second are taken in.
    ///
    /// # Errors
    /// Where nothing can be written to the folder, or the bucket's settings do not fit together. Whether the
    /// bucket is there is not asked.
    pub fn open(location: &Location, rate: u64) -> Result<Option<Self>, FilesError> {
        let (store, folder): (Arc<dyn ObjectStore>, _) = match location {
            Location::Off => return Ok(None),
            Location::Folder(folder) => (Arc::new(opening::folder(folder)?), Some(folder.clone())),
            Location::S3 { bucket, prefix } => (opening::bucket(bucket, prefix)?, None),
        };
        let spools = folder.clone().unwrap_or_else(std::env::temp_dir);
        // Said now, and not by the first upload.
        tempfile::tempfile_in(&spools)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(THREADS)
            .thread_name("files")
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        Ok(Some(Self(Arc::new(Inner {
            store,
            folder,
            spools,
            puts: Arc::new(Semaphore::new(PUTS_AT_ONCE)),
            pictures: Semaphore::new(PICTURES_AT_ONCE),
            pace: Pace::new(rate),
            runtime: Some(runtime),
        }))))
    }

    /// Runs something on the threads of this; it goes on when nobody waits for it any more.
    pub fn run<T: Send + 'static, W: Future<Output = T> + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, FilesError>> + Send + use<T, W> {
        joined(self.0.runtime.as_ref().map(|runtime| runtime.spawn(work)))
    }

    fn run_blocking<T: Send + 'static, W: FnOnce() -> T + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, FilesError>> + Send + use<T, W> {
        let runtime = self.0.runtime.as_ref();
        joined(runtime.map(|runtime| runtime.spawn_blocking(work)))
    }

    /// Begins to take a file in.
    ///
    /// # Errors
    /// Where there is no room, or the folder is not to be written to.
    pub async fn spool(&self) -> Result<Spool, FilesError> {
        let spools = self.0.spools.clone();
        let file = self.run_blocking(move || tempfile::tempfile_in(spools));
        Ok(Spool::new(self.clone(), file.await??))
    }

    /// When so many bytes more may come in.
    fn turn(&self, bytes: usize) -> Instant {
        self.0.pace.turn(bytes)
    }

    /// What a picture looks like; `None` where it is no picture of a kind that is known.
    pub async fn look(&self, spooled: &Spooled) -> Option<Looked> {
        let turn = timeout(PICTURE_PATIENCE, self.0.pictures.acquire()).await;
        let _turn = turn.ok()?.ok()?;
        let file = spooled.file().ok()?;
        // A panic in a decoder of strangers' bytes is a picture that cannot be read.
        self.run_blocking(move || picture::look(&file)).await.ok()?
    }

    /// These bytes, piece by piece. They are read only as fast as they are taken.
    ///
    /// # Errors
    /// [`FilesError::Missing`] where there is no such file.
    pub async fn read(
        &self,
        id: FileId,
        kind: Kind,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, FilesError>> + use<>, FilesError> {
        let (give, take) = mpsc::channel(PIECES_AHEAD);
        let inner = Arc::clone(&self.0);
        let begun = self.run(async move {
            let options = GetOptions {
                range: (!range.is_empty()).then(|| range.into()),
                ..GetOptions::default()
            };
            let found = inner.store.get_opts(&path(id, kind), options).await?;
            Ok::<_, FilesError>(found.into_stream())
        });
        let mut pieces = begun.await??;
        let pump = async move {
            while let Some(piece) = pieces.next().await {
                let is_last = piece.is_err();
                if give.send(piece.map_err(FilesError::from)).await.is_err() || is_last {
                    break;
                }
            }
        };
        // It ends when nobody takes any more.
        drop(self.run(pump));
        Ok(futures_util::stream::unfold(take, async |mut take| {
            let piece = take.recv().await?;
            Some((piece, take))
        }))
    }

    /// The size of these bytes.
    ///
    /// # Errors
    /// [`FilesError::Missing`] where there is no such file.
    pub async fn size(&self, id: FileId, kind: Kind) -> Result<u64, FilesError> {
        let inner = Arc::clone(&self.0);
        let head = self.run(async move { inner.store.head(&path(id, kind)).await });
        Ok(head.await??.size)
    }

    /// After what time nothing more comes of a file that could not be kept; `None`: nothing does once that is said. A bucket
    /// may still carry out what it did not answer in time.
    pub fn comes_late(&self) -> Option<Duration> {
        self.0.folder.is_none().then_some(COMES_LATE)
    }

    /// Removes all there is of a file, and of an attempt to put it there.
    ///
    /// # Errors
    /// Where something is left.
    pub async fn remove(&self, id: FileId) -> Result<(), FilesError> {
        let this = self.clone();
        let removed = self.run(async move {
            for kind in [Kind::Original, Kind::Thumbnail] {
                let path = path(id, kind);
                match this.0.store.delete(&path).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                if let Some(folder) = &this.0.folder {
                    let staged = folder.join(format!("{path}#1"));
                    remove_staged(&this, staged).await?;
                }
            }
            this.sync_removal(id).await
        });
        removed.await?
    }
}

impl FileStore {
    /// Fails where the disk of a spool has no room but what is left for messages.
    fn check_room(&self, spool: &File) -> Result<(), FilesError> {
        let disk = rustix::fs::fstatvfs(spool).map_err(io::Error::from)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < RESERVE {
            let text = format!("{free} bytes are free, and the last {RESERVE} are for messages");
            return Err(FilesError::Full(text));
        }
        Ok(())
    }

    /// The row of a file goes for good once this is done, so that its bytes must not come back.
    async fn sync_removal(&self, id: FileId) -> Result<(), FilesError> {
        let path = path(id, Kind::Original);
        let folder = self
            .0
            .folder
            .as_ref()
            .map(|root| root.join(path.to_string()));
        let Some(folder) = folder.and_then(|path| path.parent().map(PathBuf::from)) else {
            return Ok(());
        };
        let synced = self
            .run_blocking(move || File::open(folder)?.sync_all())
            .await?;
        match synced {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// What an end of the process in the middle of [`FileStore::keep`] leaves in a folder: object_store gives it this
/// name, and does not let itself be asked for it.
async fn remove_staged(store: &FileStore, staged: PathBuf) -> Result<(), FilesError> {
    let removed = store
        .run_blocking(move || std::fs::remove_file(staged))
        .await?;
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Where the bytes are: no folder has them all.
fn path(id: FileId, kind: Kind) -> Path {
    let name = id.to_string();
    let folder = &name[..2];
    match kind {
        Kind::Original => Path::from_iter([folder, &name]),
        Kind::Thumbnail => Path::from_iter([folder, &format!("{name}.thumbnail")]),
    }
}

/// Messages come first. Elsewhere than on Linux this would be said of the whole process.
#[cfg(not(target_os = "linux"))]
fn give_way() {}

/// Messages come first.
#[cfg(target_os = "linux")]
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        log::debug!("threads for files have the priority of others: {error}");
    }
}

async fn joined<T>(task: Option<JoinHandle<T>>) -> Result<T, FilesError> {
    let task = task.ok_or_else(|| FilesError::other("the server is going away"))?;
    task.await.map_err(FilesError::other)
}
