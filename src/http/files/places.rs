//! How many uploads there are at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::hash::HashMap;
use crate::http::problem::Problem;
use crate::protocol::UserId;

/// So many in all: each holds a piece of its file in memory.
const ALL: usize = 256;
/// So many of one user, where there are limits.
const EACH: usize = 8;

/// Room for uploads. Cheap to clone.
#[derive(Clone)]
pub struct Places {
    all: Arc<Semaphore>,
    each: Option<Arc<Mutex<HashMap<UserId, usize>>>>,
}

/// Room for one, until it is dropped.
pub struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_user: Option<OfUser>,
}

struct OfUser {
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    user: UserId,
}

impl Places {
    /// All of it.
    pub fn new(limits: bool) -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            each: limits.then(Arc::default),
        }
    }

    /// Takes a place for an upload of this user.
    ///
    /// # Errors
    /// Where there is none.
    pub fn take(&self, user: &UserId) -> Result<Place, Problem> {
        let of_user = self.each.as_ref().map(|taken| take_of_user(taken, user));
        let of_user = of_user.transpose()?;
        let of_all = Arc::clone(&self.all).try_acquire_owned();
        Ok(Place {
            _of_all: of_all.map_err(|_| Problem::busy())?,
            _of_user: of_user,
        })
    }
}

fn take_of_user(
    taken: &Arc<Mutex<HashMap<UserId, usize>>>,
    user: &UserId,
) -> Result<OfUser, Problem> {
    let mut counts = taken.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.entry(user.clone()).or_default();
    if *count >= EACH {
        let text = format!("this user has {EACH} uploads on their way, and may have no more");
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
