//! Where requests ask the store: beside the lanes that write what clients send, so many at once, and for so long.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::problem::Problem;
use crate::actors::db_executor::{DbExecutor, Run};
use crate::store::{Store, StoreError};

/// The way of requests to the store. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    readers: Addr<DbExecutor>,
    writer: Addr<DbExecutor>,
    patience: Duration,
    /// Room for what is asked, which may outlast whoever asked.
    work: Arc<Semaphore>,
}

impl Desk {
    /// Asks over these lanes, for so long, and for so many at once.
    pub fn new(
        readers: Addr<DbExecutor>,
        writer: Addr<DbExecutor>,
        patience: Duration,
        at_once: usize,
    ) -> Self {
        Self {
            readers,
            writer,
            patience,
            work: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// How long an answer may take.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Reads from the store.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask(&self.readers, read).await
    }

    /// Writes to the store.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask(&self.writer, write).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        lane: &Addr<DbExecutor>,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        // Whoever asked may be gone before the store answers: until then the place is taken.
        let place = Arc::clone(&self.work).try_acquire_owned();
        let place = place.map_err(|_| Problem::busy())?;
        let work = Run::new(move |store: &Store| {
            let _place = place;
            work(store)
        });
        match timeout(self.patience, lane.send(work)).await {
            Ok(Ok(result)) => Ok(result?),
            Ok(Err(_)) | Err(_) => Err(Problem::unavailable()),
        }
    }
}
