//! The one way in which what clients do is written: a batch of [`Write`]s in one transaction.
//!
//! A batch goes through three steps: what the rules have to know is read, and the users concerned
//! are locked; the rules ([`super::rules`]) decide; what they decided is written. All of it is inside
//! one transaction, so that no two batches, of whatever nodes, can both be right about one ID. On
//! PostgreSQL, [`super::optimistic`] is tried first, which takes the same steps and locks nobody while
//! it decides.

use diesel::result::{Error, QueryResult};

use super::carried;
use super::connection::Link;
use super::contacts::AUTOMATIC_CONTACTS_MAX;
use super::gather;
use super::optimistic::{self, Hopes};
use super::recall::{Pair, Recall};
use super::rules::{self, Decided, Effects, Policy};
use super::users::{Numbers, UserState, Working};
use super::{StoreError, ids, now};
use crate::hash::HashMap;
use crate::protocol::{FileId, MessageId, MessageKind, UserId, carried_file};

/// How often a batch, or an import, begins anew because another transaction created one of its users meanwhile.
pub const ATTEMPTS: usize = 5;

/// Something to write.
#[derive(Debug, Clone)]
pub enum Write {
    /// A device of this user connects: the user exists from now on.
    Connect(UserId),
    /// This user, who exists from now on, is called so.
    Name(UserId, String),
    /// Take so many IDs for this node.
    Lease(i64),
    /// The IDs from the first number to before the second were leased and never granted.
    GiveBack(i64, i64),
    /// The IDs of one grant, from this one on, are this user's.
    Grant(UserId, MessageId),
    /// Store a message.
    Message(NewMessage),
    /// Store a message that is sent for a user from outside, unless one was under this key. Its ID was
    /// leased, and is granted to nobody.
    Keyed(NewMessage, String),
    /// `reader` has read a message of `sender`.
    Read {
        /// Who says so.
        reader: UserId,
        /// Whom they believe to be the sender.
        sender: UserId,
        /// The message.
        message: MessageId,
        /// The connection that says so.
        origin: i64,
    },
    /// A device of this user knows the receipts up to this number.
    Told(UserId, i64),
    /// Show that the store can commit.
    Probe,
}

/// A message as it was sent.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its ID.
    pub id: MessageId,
    /// Who sends it.
    pub from: UserId,
    /// To whom.
    pub to: UserId,
    /// Text or file.
    pub kind: MessageKind,
    /// Its content.
    pub text: String,
    /// The sender's time.
    pub time: String,
    /// The connection it comes from.
    pub origin: i64,
}

impl NewMessage {
    /// The file of this server that it carries.
    pub fn file(&self) -> Option<FileId> {
        match self.kind {
            MessageKind::File => carried_file(&self.text),
            MessageKind::Text => None,
        }
    }
}

/// What became of a [`Write`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Of [`Write::Connect`].
    Connected(Connected),
    /// Of [`Write::Lease`]: the first ID.
    Leased(MessageId),
    /// Stored, with these numbers in the two timelines (one and the same where one writes to
    /// oneself).
    Stored {
        /// In the sender's.
        sender_seq: i64,
        /// In the recipient's.
        recipient_seq: i64,
    },
    /// The very message was stored before and has this status.
    Known {
        /// 1 or 2.
        status: i16,
    },
    /// Of [`Write::Keyed`]: it was sent before, as this message, which has this status.
    SentBefore {
        /// Its ID.
        id: MessageId,
        /// 1 or 2.
        status: i16,
    },
    /// The message counts as read from now on, with these numbers in the two timelines.
    Read {
        /// In the sender's; 0 where they were deleted since, and are not told.
        sender_seq: i64,
        /// In the reader's.
        reader_seq: i64,
    },
    /// Done, or nothing to do: a message read before, a grant, a receipt told, a probe.
    Done,
    /// The rules refuse it.
    Refused(Refused),
}

/// Where a connecting device starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// The last number of the user's timeline: what comes later, the device follows.
    pub head: i64,
    /// Receipts above this number were told to no device yet.
    pub told: i64,
    /// Whether there are unread messages.
    pub unread: bool,
    /// Whether there are receipts above `told`.
    pub untold: bool,
    /// Whose the ID is: another number when it was deleted meanwhile. See [`super::Head`].
    pub tenure: i64,
}

/// Why a write was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No such user, and a message does not make one here.
    UnknownUser,
    /// A message was to be sent for somebody who does not exist.
    UnknownSender,
    /// The recipient does not take messages of this sender.
    Blocked,
    /// It carries a file of this server that is not there, or that the sender may not read.
    NoSuchFile,
    /// No such message that this user may see.
    UnknownMessage,
    /// The user may see the message, but not report it as read.
    NotTheRecipient,
    /// The ID is not this sender's.
    IdNotGranted,
    /// The ID holds other content.
    IdConflict,
}

/// Why a transaction did not return.
pub enum Stopped {
    /// Another transaction created a user that this one was about to create: nothing was written.
    Overtaken,
    /// The database failed.
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A batch that was not applied, as far as is known.
#[derive(Debug)]
pub struct Failed {
    pub error: StoreError,
    /// Whether it failed before the commit was asked for: then nothing of it was stored.
    pub before_commit: bool,
}

/// Applies a batch: see [`super::Store::write`].
pub fn apply(
    link: &mut Link<'_>,
    batch: &[Write],
    recall: &Recall,
    hopes: &Hopes,
    policy: Policy,
) -> Result<Vec<Outcome>, Failed> {
    let age = recall.age();
    if let Some(outcomes) = optimistic::apply(link, batch, recall, hopes, policy)? {
        return Ok(outcomes);
    }
    for _ in 0..ATTEMPTS {
        let mut before_commit = true;
        let result = link.writing(|link| {
            let written = transaction(link, batch, recall, policy)?;
            before_commit = false;
            Ok(written)
        });
        match result {
            Ok(written) => {
                recall.keep_acquainted(age, written.acquainted);
                let Written {
                    working,
                    grants,
                    blocked,
                    ..
                } = written;
                recall.keep(age, working.into_states(), grants, &blocked);
                return Ok(written.outcomes);
            }
            Err(Stopped::Overtaken) => {}
            Err(Stopped::Failed(error)) => {
                return Err(Failed {
                    error: error.into(),
                    before_commit,
                });
            }
        }
    }
    Err(Failed {
        error: StoreError::Overtaken,
        before_commit: true,
    })
}

/// What a transaction has written, once it is committed.
struct Written {
    outcomes: Vec<Outcome>,
    /// Pairs of users that are contacts, and the revisions of the two.
    acquainted: Vec<Pair>,
    /// The users, and the grants of the blocks it concerned, as they are now.
    working: Working,
    grants: HashMap<i64, (i64, i64)>,
    /// Who was asked about whether they block whom.
    blocked: HashMap<(i64, i64), bool>,
}

fn transaction(
    link: &mut Link<'_>,
    batch: &[Write],
    recall: &Recall,
    policy: Policy,
) -> Result<Written, Stopped> {
    let facts = gather::facts(link, batch, recall)?;
    let Decided {
        mut outcomes,
        effects,
        mut working,
        mut grants,
        blocked,
    } = rules::decide(batch, facts, recall, policy, now());
    let numbers = create_users(link, &working)?;
    working.number(&numbers);
    for (owner, _) in grants.values_mut() {
        *owner = numbers.of(*owner);
    }
    let acquainted = write(link, effects, &numbers, &mut working)?;
    allocate(link, batch, &mut outcomes)?;
    Ok(Written {
        outcomes,
        acquainted,
        working,
        grants,
        blocked,
    })
}

fn create_users(link: &mut Link<'_>, working: &Working) -> Result<Numbers, Stopped> {
    if working.created().is_empty() {
        return Ok(Numbers::default());
    }
    let logins: Vec<&str> = working.created().iter().map(|user| user.as_str()).collect();
    match link.bulk().create_users(&logins) {
        Ok(numbers) => Ok(Numbers(numbers)),
        Err(Error::NotFound) => Err(Stopped::Overtaken),
        Err(error) => Err(Stopped::Failed(error)),
    }
}

/// Writes what the rules decided. Returns the pairs of users that are contacts from now on.
fn write(
    link: &mut Link<'_>,
    mut effects: Effects<'_>,
    numbers: &Numbers,
    working: &mut Working,
) -> QueryResult<Vec<Pair>> {
    effects.number(numbers);
    if !effects.rows.is_empty() {
        link.bulk().insert_messages(&effects.rows)?;
    }
    if !effects.read.is_empty() {
        link.bulk().mark_read(&effects.read)?;
    }
    if !effects.receipts.is_empty() {
        link.bulk().insert_receipts(&effects.receipts)?;
    }
    if !effects.grants.is_empty() {
        link.bulk().insert_grants(&effects.grants)?;
    }
    if !effects.names.is_empty() {
        let names = effects.names.iter().map(|(id, name)| (*id, Some(*name)));
        link.bulk().name_users(&names.collect::<Vec<_>>())?;
    }
    if !effects.keys.is_empty() {
        link.bulk().insert_keys(&effects.keys)?;
    }
    if !effects.readers.is_empty() {
        carried::insert_readers(link, &effects.readers)?;
    }
    if !working.revived().is_empty() {
        link.bulk().revive_users(working.revived())?;
    }
    let acquainted = acquaint(link, &effects.acquainted, working)?;
    let changes = working.changed();
    let changed = changes.iter().filter(|change| change.is != change.was);
    let changed: Vec<UserState> = changed.map(|change| change.is).collect();
    if !changed.is_empty() {
        link.bulk().save_users(&changed)?;
    }
    Ok(acquainted)
}

/// Makes pairs of users each other's contact, as far as their lists have room.
fn acquaint(
    link: &mut Link<'_>,
    pairs: &[(UserId, UserId)],
    working: &mut Working,
) -> QueryResult<Vec<Pair>> {
    let (mut acquainted, mut wanted) = (Vec::new(), Vec::new());
    for (a, b) in pairs {
        if let (Some(a_id), Some(b_id)) = (working.id(a), working.id(b)) {
            let pair = (a_id.min(b_id), a_id.max(b_id));
            acquainted.push((pair, working.revisions(a, b)));
            wanted.push((a, (a_id, b_id)));
            if a != b {
                wanted.push((b, (b_id, a_id)));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(acquainted);
    }
    let asked: Vec<(i64, i64)> = wanted.iter().map(|(_, pair)| *pair).collect();
    let known = link.bulk().contacts(&asked)?;
    let mut added = Vec::new();
    for (owner, pair) in wanted {
        let has_room = working
            .find(owner)
            .is_some_and(|s| s.contacts < AUTOMATIC_CONTACTS_MAX);
        if has_room && !known.contains(&pair) {
            added.push(pair);
            working.change(owner, |state| state.contacts += 1);
        }
    }
    if !added.is_empty() {
        link.bulk().insert_contacts(&added)?;
    }
    Ok(acquainted)
}

/// What concerns message IDs as such. It comes last: all nodes change one row here, and whoever has
/// locked it waits for nothing else.
fn allocate(link: &mut Link<'_>, batch: &[Write], outcomes: &mut [Outcome]) -> QueryResult<()> {
    for (write, outcome) in batch.iter().zip(outcomes) {
        match write {
            Write::Lease(count) => *outcome = Outcome::Leased(ids::lease(link, *count)?),
            Write::GiveBack(from, end) => ids::give_back(link, *from, *end)?,
            Write::Probe => ids::probe(link)?,
            _ => {}
        }
    }
    Ok(())
}
