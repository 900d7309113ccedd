//! A batch without a transaction around it: what most batches need on PostgreSQL.
//!
//! A round trip costs both sides more than the rows of a small batch do, and a transaction that locks
//! first and asks then has seven. So: see, decide, and write in one statement, on the condition that no
//! user's timeline that grows has grown since, nor their revision changed, and that none of the messages
//! is stored. Whatever else the rules rely on changes only together with those (a message's status with
//! both of its users' timelines, a block with the revision of who blocks), or not at all (who was granted
//! an ID). Where the condition fails, nothing is written.
//!
//! Messages alone need not even be seen: what the batches before left in [`Recall`] will do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::result::{DatabaseErrorKind, Error};

use super::batch::{Failed, Outcome, Write};
use super::bulk::Bulk;
use super::bulk::optimistic::{Seen, Written, see, write_if_unchanged};
use super::connection::Link;
use super::now;
use super::recall::{Age, Recall};
use super::rules::{self, Decided, Facts, Policy, Questions};
use super::users::{Numbers, Working};
use crate::protocol::UserId;

/// After a batch that failed by what others wrote, so many are not tried in the same way: at first,
/// and at most, where one after another fails. Each failure is an error in PostgreSQL's log.
const WARY_MIN: u32 = 16;
const WARY_MAX: u32 = 4_096;

/// Whether batches got into each other's way of late. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hopes {
    /// For so many batches, what is remembered had better not be relied on.
    unsure: Wary,
    /// For so many batches, users had better be locked first.
    contended: Wary,
}

/// Counts down the batches that are not tried in a way that failed of late.
#[derive(Clone, Default)]
struct Wary(Arc<Mutex<Countdown>>);

#[derive(Default)]
struct Countdown {
    left: u32,
    /// From where it counts down after the next failure.
    next: u32,
}

impl Wary {
    fn of_this_batch(&self) -> bool {
        let mut countdown = self.countdown();
        let wary = countdown.left > 0;
        countdown.left = countdown.left.saturating_sub(1);
        wary
    }

    fn failed(&self) {
        let mut countdown = self.countdown();
        if countdown.left > 0 {
            return; // of several lanes at the same moment
        }
        countdown.left = countdown.next.clamp(WARY_MIN, WARY_MAX);
        countdown.next = countdown.left * 4;
    }

    fn succeeded(&self) {
        self.countdown().next /= 2;
    }

    fn countdown(&self) -> MutexGuard<'_, Countdown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a batch came.
enum Tried {
    Done(Vec<Outcome>),
    /// Others have changed its users: nothing was written.
    Overtaken,
    /// What was remembered speaks against one of its writes, and may lack the message that speaks for
    /// it: nothing was written.
    Unsure,
    /// It needs a transaction, and nothing was written.
    Unsuited,
}

/// Where facts are from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Recall,
    Database,
}

/// A batch, on its way over a connection.
struct Attempt<'a, 'c> {
    connection: &'c mut PgConnection,
    batch: &'a [Write],
    recall: &'a Recall,
    policy: Policy,
    /// When it began.
    age: Age,
}

/// Applies a batch. `None` where nothing was written, and it has to be applied in a transaction.
///
/// # Errors
/// Where the database failed.
pub fn apply(
    link: &mut Link<'_>,
    batch: &[Write],
    recall: &Recall,
    hopes: &Hopes,
    policy: Policy,
) -> Result<Option<Vec<Outcome>>, Failed> {
    // SQLite is a function call away.
    let Link::Postgres(connection) = link else {
        return Ok(None);
    };
    if !batch.iter().all(suits) || hopes.contended.of_this_batch() {
        return Ok(None);
    }
    let mut attempt = Attempt {
        connection,
        batch,
        recall,
        policy,
        age: recall.age(),
    };
    let result = attempt.apply(hopes);
    if result.is_err() {
        // A connection that fails while it prepares a statement does not know that it is broken.
        let _ = connection.batch_execute("SELECT 1");
    }
    result
}

impl Attempt<'_, '_> {
    fn apply(&mut self, hopes: &Hopes) -> Result<Option<Vec<Outcome>>, Failed> {
        let questions = rules::questions(self.batch);
        if self.batch.iter().all(can_be_recalled)
            && !hopes.unsure.of_this_batch()
            && let Some(facts) = self.recall.facts(&questions)
        {
            match self.with(facts, Source::Recall)? {
                Tried::Done(outcomes) => {
                    hopes.unsure.succeeded();
                    return Ok(Some(outcomes));
                }
                Tried::Unsuited => return Ok(None),
                Tried::Unsure => {}
                Tried::Overtaken => hopes.unsure.failed(),
            }
        }
        let seen = see(self.connection, &questions).map_err(not_begun)?;
        let mut facts = facts(seen);
        self.ask_who_is_blocked(&questions, &mut facts)?;
        match self.with(facts, Source::Database)? {
            Tried::Done(outcomes) => {
                hopes.contended.succeeded();
                return Ok(Some(outcomes));
            }
            Tried::Unsuited | Tried::Unsure => {}
            Tried::Overtaken => hopes.contended.failed(),
        }
        Ok(None)
    }

    /// Asked after the recipients were seen: whoever is blocked since has another revision by now.
    fn ask_who_is_blocked(
        &mut self,
        questions: &Questions<'_>,
        facts: &mut Facts,
    ) -> Result<(), Failed> {
        let pairs = facts.who_may_be_blocked(questions);
        if !pairs.is_empty() {
            let blocked = self.connection.blocked(&pairs).map_err(not_begun)?;
            facts.learn_blocked(pairs, &blocked);
        }
        Ok(())
    }

    /// Decides the batch by these facts, and writes it if they still hold.
    fn with(&mut self, facts: Facts, source: Source) -> Result<Tried, Failed> {
        if self.batch.iter().any(|write| is_resend(write, &facts)) {
            return Ok(Tried::Unsuited);
        }
        let Decided {
            outcomes,
            mut effects,
            working,
            grants,
            blocked,
        } = rules::decide(self.batch, facts, self.recall, self.policy, now());
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused(_));
        if source == Source::Recall && outcomes.iter().any(refused) {
            return Ok(Tried::Unsure);
        }
        let has_new_users = !working.created().is_empty() || !working.revived().is_empty();
        if has_new_users || !effects.acquainted.is_empty() {
            return Ok(Tried::Unsuited);
        }
        effects.number(&Numbers::default());
        let changes = working.changed();
        if !changes.is_empty() || !effects.is_empty() {
            match write_if_unchanged(self.connection, &changes, &effects) {
                Ok(Written::All) => {}
                Ok(Written::Stored) => return Ok(Tried::Unsuited),
                Ok(Written::Overtaken) => return Ok(Tried::Overtaken),
                Err(error) => {
                    return Err(Failed {
                        before_commit: was_not_sent(&error),
                        error: error.into(),
                    });
                }
            }
        }
        self.recall
            .keep(self.age, working.into_states(), grants, &blocked);
        Ok(Tried::Done(outcomes))
    }
}

/// A failure before anything was to be written.
fn not_begun(error: Error) -> Failed {
    Failed {
        error: error.into(),
        before_commit: true,
    }
}

/// Whether a statement did not even leave for the database.
fn was_not_sent(error: &Error) -> bool {
    let why = match error {
        Error::DatabaseError(why, _) => why,
        _ => return false,
    };
    matches!(why, DatabaseErrorKind::UnableToSendCommand)
}

/// Whether a write asks nothing that only a transaction can answer.
fn suits(write: &Write) -> bool {
    match write {
        // A file that one carries must not go meanwhile.
        Write::Message(message) => message.file().is_none(),
        Write::Read { .. } | Write::Grant(..) | Write::Told(..) => true,
        Write::Connect(_)
        | Write::Name(..)
        | Write::Keyed(..)
        | Write::Lease(_)
        | Write::GiveBack(..)
        | Write::Probe => false,
    }
}

/// Whether users and grants are all that a write asks for.
fn can_be_recalled(write: &Write) -> bool {
    matches!(write, Write::Message(_) | Write::Grant(..))
}

/// A resend has to be compared with the text that is stored. Under somebody else's ID there is none.
fn is_resend(write: &Write, facts: &Facts) -> bool {
    let Write::Message(new) = write else {
        return false;
    };
    let found = facts.stored.get(&new.id.number());
    found.is_some_and(|found| Some(found.sender) == facts.working.row_id(&new.from))
}

fn facts(seen: Seen) -> Facts {
    let Seen {
        users,
        stored,
        grants,
    } = seen;
    // What is in the database was a user ID when it was written.
    let users = users.into_iter();
    let states = users.filter_map(|(login, state)| Some((UserId::parse(&login).ok()?, state)));
    let grants = grants.into_iter();
    Facts {
        working: Working::new(states),
        stored: stored.into_iter().collect(),
        grants: grants
            .map(|(block, user, at)| (block, (user, at)))
            .collect(),
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_after_another_makes_wary_for_longer_and_success_for_less() {
        let wary = Wary::default();
        let lasts = || (0..).take_while(|_| wary.of_this_batch()).count();
        assert_eq!(lasts(), 0);
        let mut seen = Vec::new();
        for _ in 0..6 {
            wary.failed();
            seen.push(lasts());
        }
        assert_eq!(seen, [16, 64, 256, 1_024, 4_096, 4_096]);
        for _ in 0..20 {
            wary.succeeded();
        }
        wary.failed();
        assert_eq!(lasts(), 16);
    }
}
