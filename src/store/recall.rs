//! What the last batches left behind: users and grants, so that the next one need not ask for them.
//!
//! Nothing rests on its being right about a user: that is held against their row when a batch is
//! written. A grant, once there, does not change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rules::{Facts, Questions};
use super::users::{UserState, Working};
use crate::protocol::UserId;

/// So many users, and so many grants, are remembered; beyond, the memory starts anew.
const REMEMBERED_MAX: usize = 65_536;

/// See the module. Cheap to clone.
#[derive(Clone, Default)]
pub struct Recall(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    users: HashMap<UserId, UserState>,
    /// By block: to whom it is granted, and when.
    grants: HashMap<i64, (i64, i64)>,
}

impl Recall {
    /// What a batch has to know of its users and grants, or `None` where any of it is missing.
    pub fn facts(&self, questions: &Questions<'_>) -> Option<Facts> {
        let known = self.known();
        let users = questions.users.iter();
        let states = users.map(|user| Some(((*user).clone(), *known.users.get(user)?)));
        let grants = questions.blocks.iter();
        let grants = grants.map(|block| Some((*block, *known.grants.get(block)?)));
        Some(Facts {
            working: Working::new(states.collect::<Option<_>>()?),
            grants: grants.collect::<Option<_>>()?,
            ..Facts::default()
        })
    }

    /// Remembers how a batch left its users, and the grants it saw or made.
    pub fn keep(
        &self,
        users: impl IntoIterator<Item = (UserId, UserState)>,
        grants: impl IntoIterator<Item = (i64, (i64, i64))>,
    ) {
        let mut known = self.known();
        if known.users.len() >= REMEMBERED_MAX {
            known.users.clear();
        }
        if known.grants.len() >= REMEMBERED_MAX {
            known.grants.clear();
        }
        known.users.extend(users);
        known.grants.extend(grants);
    }

    /// Forgets everything: after a failure it may be another database that answers, one that was
    /// restored, or a standby that lacks the last commits.
    pub fn clear(&self) {
        *self.known() = Known::default();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
