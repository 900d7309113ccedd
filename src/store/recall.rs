//! What the last batches left behind, so that the next one need not ask for it: users and grants, and
//! who are contacts.
//!
//! Nothing rests on its being right about a user: that is held against their row when a batch is
//! written. A grant, once there, does not change. Contacts and blocks change only together with a user's
//! revision, so what is known of two users is remembered with theirs. All of it holds of one database:
//! whatever was learnt before it failed is forgotten, also by a batch that was under way then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rules::{Facts, Questions};
use super::users::{UserState, Working};
use crate::hash::{HashMap, HashSet};
use crate::protocol::UserId;

/// So many of each kind are remembered; beyond, the memory of that kind starts anew.
const REMEMBERED_MAX: usize = 65_536;

/// Two users, the smaller number first, and their revisions when something was learnt of them.
pub type Pair = ((i64, i64), (i64, i64));

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Recall(Arc<Mutex<Known>>);

/// The time from one failure of the database to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Age(u64);

#[derive(Debug, Default)]
struct Known {
    age: Age,
    users: HashMap<UserId, UserState>,
    /// By block: to whom it is granted, and when.
    grants: HashMap<i64, (i64, i64)>,
    /// Pairs of users who are each other's contacts, or have no room for it.
    acquainted: HashSet<Pair>,
    /// Recipients and senders whom they do not block, with the revisions of the recipients.
    welcome: HashSet<(i64, i64, i64)>,
}

impl Recall {
    /// What is learnt by who asks this first is learnt in this age.
    pub fn age(&self) -> Age {
        self.known().age
    }

    /// What a batch has to know of its users, grants and blocks, or `None` where any of it is missing, or
    /// somebody is blocked.
    pub fn facts(&self, questions: &Questions<'_>) -> Option<Facts> {
        let known = self.known();
        let users = questions.users.iter();
        let states = users.map(|user| Some(((*user).clone(), *known.users.get(user)?)));
        let grants = questions.blocks.iter();
        let grants = grants.map(|block| Some((*block, *known.grants.get(block)?)));
        let facts = Facts {
            working: Working::new(states.collect::<Option<Vec<_>>>()?),
            grants: grants.collect::<Option<_>>()?,
            ..Facts::default()
        };
        for (from, to) in &questions.pairs {
            let (sender, recipient) = (facts.working.row_id(from)?, facts.working.find(to)?);
            let welcome = (recipient.id, sender, recipient.revision);
            if recipient.revision > 0 && !known.welcome.contains(&welcome) {
                return None;
            }
        }
        Some(facts)
    }

    /// Whether a message between these two, the smaller number first, adds nothing to their contacts.
    pub fn acquainted(&self, pair: (i64, i64), revisions: (i64, i64)) -> bool {
        self.known().acquainted.contains(&(pair, revisions))
    }

    /// Remembers how a batch that was committed left its users, the grants it saw or made, and of recipients
    /// and senders whether they are blocked, unless the age in which it began is over.
    pub fn keep(
        &self,
        age: Age,
        users: Vec<(UserId, UserState)>,
        grants: impl IntoIterator<Item = (i64, (i64, i64))>,
        blocked: &HashMap<(i64, i64), bool>,
    ) {
        let mut known = self.known();
        if known.age == age {
            if known.users.len() >= REMEMBERED_MAX {
                known.users.clear();
            }
            if known.grants.len() >= REMEMBERED_MAX {
                known.grants.clear();
            }
            if !blocked.is_empty() {
                known.welcome(&users, blocked);
            }
            for (user, state) in users {
                let age_of = |state: &UserState| (state.timeline, state.revision);
                let is_newer = |old: &UserState| age_of(old) <= age_of(&state);
                // Batches of several lanes may end in another order than they began.
                if known.users.get(&user).is_none_or(is_newer) {
                    known.users.insert(user, state);
                }
            }
            known.grants.extend(grants);
        }
    }

    /// The same for pairs of users who are contacts by a batch.
    pub fn keep_acquainted(&self, age: Age, pairs: impl IntoIterator<Item = Pair>) {
        let mut known = self.known();
        if known.age == age {
            if known.acquainted.len() >= REMEMBERED_MAX {
                known.acquainted.clear();
            }
            known.acquainted.extend(pairs);
        }
    }

    /// Forgets everything: after a failure it may be another database that answers, one that was
    /// restored, or a standby that lacks the last commits.
    pub fn clear(&self) {
        let mut known = self.known();
        let age = Age(known.age.0 + 1);
        *known = Known {
            age,
            ..Known::default()
        };
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn welcome(&mut self, users: &[(UserId, UserState)], blocked: &HashMap<(i64, i64), bool>) {
        if self.welcome.len() >= REMEMBERED_MAX {
            self.welcome.clear();
        }
        let revisions: HashMap<i64, i64> = users.iter().map(|(_, s)| (s.id, s.revision)).collect();
        for ((recipient, sender), _) in blocked.iter().filter(|(_, blocked)| !**blocked) {
            if let Some(revision) = revisions.get(recipient) {
                self.welcome.insert((*recipient, *sender, *revision));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_batch_learnt_before_a_failure_is_not_remembered_after_it() {
        let recall = Recall::default();
        let user = UserId::parse("ann").unwrap();
        let state = UserState {
            id: 1,
            timeline: 7,
            ..UserState::default()
        };
        let questions = Questions {
            users: [&user].into(),
            ..Questions::default()
        };
        let (before, keep) = (recall.age(), |age| {
            recall.keep(age, [(user.clone(), state)].into(), [], &HashMap::default());
        });
        keep(before);
        assert!(recall.facts(&questions).is_some());
        recall.clear();
        keep(before);
        assert!(recall.facts(&questions).is_none());
        keep(recall.age());
        assert!(recall.facts(&questions).is_some());
    }
}
