//! What the last batches left behind, so that the next one need not ask for it: users and grants, and
//! who are contacts.
//!
//! On PostgreSQL nothing rests on its being right about a user: that is held against their row when a batch is
//! written. On SQLite one connection writes batches, and what it left behind is right as long as no other has
//! written: each batch asks. A grant does not change: when its user is deleted it is void
//! by its number, and one that retention removes has lapsed, which its number says, too. Contacts and blocks change only together with a user's
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
    /// On SQLite, what [`super::connection::Link::written_elsewhere`] said when it was last asked.
    written_elsewhere: Option<i64>,
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

    /// Of these users those that are remembered, and the others, while nobody but who asks has written: that is
    /// so while this number is the same.
    pub fn users<'a>(
        &self,
        written_elsewhere: i64,
        of: impl IntoIterator<Item = &'a UserId>,
    ) -> (Vec<(UserId, UserState)>, Vec<&'a str>) {
        let mut known = self.known();
        let known = &mut *known;
        if known.written_elsewhere.replace(written_elsewhere) != Some(written_elsewhere) {
            known.users.clear();
            known.grants.clear();
        }
        let (mut found, mut others) = (Vec::new(), Vec::new());
        for user in of {
            match known.users.get(user) {
                Some(state) => found.push((user.clone(), *state)),
                None => others.push(user.as_str()),
            }
        }
        (found, others)
    }

    /// Of these blocks of IDs those whose grants are remembered, and the others. To be asked after [`Self::users`]
    /// in the same transaction, which forgets what another has written to.
    pub fn grants(&self, of: &[i64]) -> (HashMap<i64, (i64, i64)>, Vec<i64>) {
        let known = self.known();
        let (mut found, mut others) = (HashMap::default(), Vec::new());
        for block in of {
            match known.grants.get(block) {
                Some(grant) => drop(found.insert(*block, *grant)),
                None => others.push(*block),
            }
        }
        (found, others)
    }

    /// Clears it when a panic drops what this returns: what was committed meanwhile, nobody knows.
    pub fn cleared_by_panic(&self) -> ClearedByPanic<'_> {
        ClearedByPanic(self)
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

/// See [`Recall::cleared_by_panic`].
pub struct ClearedByPanic<'a>(&'a Recall);

impl Drop for ClearedByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.clear();
        }
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
    use std::time::Duration;

    use super::*;
    use crate::protocol::{MessageId, MessageKind};
    use crate::store::{
        DatabaseUrl, NewMessage, Outcome, Put, Refused, Store, StoreOptions, Write,
    };

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

    /// A store over that file, as a process of its own has one.
    fn store(folder: &tempfile::TempDir) -> Store {
        let path = folder.path().join("recall.db");
        let options = StoreOptions {
            url: DatabaseUrl::Sqlite(path.to_str().unwrap().to_owned()),
            writers: 1,
            readers: 1,
            timeout: Duration::from_secs(5),
            strangers: true,
        };
        Store::open(&options).unwrap()
    }

    #[test]
    fn on_sqlite_what_is_remembered_of_users_ends_with_the_first_write_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (here, elsewhere) = (store(&folder), store(&folder));
        let user = |id| UserId::parse(id).unwrap();
        let (ann, bob) = (user("ann"), user("bob"));
        let grant = Write::Grant(ann.clone(), MessageId::new(1));
        let connect = [Write::Connect(ann.clone()), Write::Connect(bob.clone())];
        here.write(&connect).unwrap();
        here.write(&[grant]).unwrap();
        let send = |store: &Store, id| {
            let message = NewMessage {
                id: MessageId::new(id),
                from: ann.clone(),
                to: bob.clone(),
                kind: MessageKind::Text,
                text: "x".into(),
                time: "2021-12-14 12:00:00".into(),
                origin: 7,
            };
            store.write(&[Write::Message(message)]).unwrap().remove(0)
        };
        let stored = |seq| Outcome::Stored {
            sender_seq: seq,
            recipient_seq: seq,
        };
        let refused = |why| Outcome::Refused(why);
        assert_eq!(send(&here, 1), stored(1));
        assert_eq!(send(&here, 2), stored(2));
        assert_eq!(send(&elsewhere, 3), stored(3));
        assert_eq!(send(&here, 4), stored(4));
        assert_ne!(elsewhere.block(&bob, &ann).unwrap(), Put::NoSuchUser);
        assert_eq!(send(&here, 5), refused(Refused::Blocked));
        here.unblock(&bob, &ann).unwrap();
        assert_eq!(send(&here, 5), stored(5));
        here.block(&bob, &ann).unwrap();
        assert_eq!(send(&here, 6), refused(Refused::Blocked));
        elsewhere.delete_user(&ann).unwrap();
        assert_eq!(send(&here, 6), refused(Refused::IdNotGranted));
    }

    #[test]
    fn a_panic_leaves_nothing_to_remember() {
        let recall = Recall::default();
        let before = recall.age();
        drop(recall.cleared_by_panic());
        assert_eq!(recall.age(), before);
        let panics = || {
            let _guard = recall.cleared_by_panic();
            panic!("this is a test");
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_ne!(recall.age(), before);
    }
}
