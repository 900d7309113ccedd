//! How many uploads and downloads there are at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::hash::HashMap;
use crate::http::problem::Problem;
use crate::protocol::UserId;

/// So many uploads in all: each holds a piece of its file in memory; and of one user, where there are limits.
const UPLOADS: (usize, usize) = (256, 8);
/// The same of downloads, each of which has pieces on their way.
const DOWNLOADS: (usize, usize) = (1_024, 64);

/// Room for uploads, or for downloads. Cheap to clone.
#[derive(Clone)]
pub struct Places {
    all: Arc<Semaphore>,
    each: Option<(usize, Arc<Taken>)>,
}

/// How many places each user has taken.
type Taken = Mutex<HashMap<UserId, usize>>;

/// Room for one, until it is dropped.
pub struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_user: Option<OfUser>,
}

struct OfUser {
    taken: Arc<Taken>,
    user: UserId,
}

impl Places {
    /// All of it, for uploads.
    pub fn for_uploads(limits: bool) -> Self {
        Self::new(UPLOADS, limits)
    }

    /// All of it, for downloads.
    pub fn for_downloads(limits: bool) -> Self {
        Self::new(DOWNLOADS, limits)
    }

    fn new((all, each): (usize, usize), limits: bool) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            each: limits.then(|| (each, Arc::default())),
        }
    }

    /// Takes a place for this user.
    ///
    /// # Errors
    /// Where there is none.
    pub fn take(&self, user: &UserId) -> Result<Place, Problem> {
        let each = self.each.as_ref();
        let of_user = each.map(|(each, taken)| take_of_user(*each, taken, user));
        let of_user = of_user.transpose()?;
        let of_all = Arc::clone(&self.all).try_acquire_owned();
        Ok(Place {
            _of_all: of_all.map_err(|_| Problem::busy())?,
            _of_user: of_user,
        })
    }
}

fn take_of_user(each: usize, taken: &Arc<Taken>, user: &UserId) -> Result<OfUser, Problem> {
    let mut counts = taken.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.entry(user.clone()).or_default();
    if *count >= each {
        let text = format!("this user has {each} files on their way, and may have no more");
        return Err(Problem::too_many(text));
    }
    *count += 1;
    Ok(OfUser {
        taken: Arc::clone(taken),
        user: user.clone(),
    })
}

impl Drop for OfUser {
    fn drop(&mut self) {
        let mut counts = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}
