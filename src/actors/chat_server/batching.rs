//! Group commit: one batch in flight, and all that arrives meanwhile is the next one.
//!
//! A batch is sent off when the mailbox is drained. There is no timer. Alone, a message goes to the store at once; under load, batches grow by
//! themselves to what one sync can carry.

use std::collections::VecDeque;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use bytestring::ByteString;

use super::{ChatServer, unavailable};
use crate::actors::db_executor::WriteBatch;
use crate::chat::{ConnectionId, Permit, Start};
use crate::protocol::{Action, MessageId, Refusal, UserId, render};
use crate::store::{Outcome, StoreError, Write};

/// A batch ends at so many writes, or so many bytes of messages.
const BATCH_WRITES: usize = 2_000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What is done when a write has its outcome. The permits give their bytes back then.
pub enum Job {
    Connect {
        connection: ConnectionId,
    },
    Lease {
        count: i64,
    },
    Grant {
        connection: ConnectionId,
        user: UserId,
        first: MessageId,
        _permit: Option<Permit>,
    },
    Message {
        connection: ConnectionId,
        from: UserId,
        to: UserId,
        id: MessageId,
        frame: ByteString,
        _permit: Option<Permit>,
    },
    Read {
        connection: ConnectionId,
        reader: UserId,
        sender: UserId,
        message: MessageId,
        _permit: Option<Permit>,
    },
    /// No write, but its turn among the answers.
    Refused {
        connection: ConnectionId,
        refusal: Refusal,
    },
    /// A write that nobody waits for.
    Unasked,
}

/// The batch that is being put together, and whether one is in flight.
#[derive(Default)]
pub struct Batcher {
    next: VecDeque<(Job, Option<Write>)>,
    in_flight: bool,
    /// The ChatServer has told itself to write.
    notified: bool,
}

impl Batcher {
    pub fn push(&mut self, job: Job, write: Option<Write>) {
        self.next.push_back((job, write));
    }

    /// Whether the ChatServer must tell itself to write: not while a batch is in flight, since its
    /// return is as good.
    pub fn wants_notice(&mut self) -> bool {
        !self.in_flight && !std::mem::replace(&mut self.notified, true)
    }

    pub fn noticed(&mut self) {
        self.notified = false;
    }

    pub fn is_idle(&self) -> bool {
        self.next.is_empty() && !self.in_flight
    }

    /// The next batch, unless one is in flight or there is nothing to do.
    fn take(&mut self) -> Option<Batch> {
        if self.in_flight || self.next.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let end = self
            .next
            .iter()
            .take(BATCH_WRITES)
            .take_while(|(_, write)| {
                let fits = bytes < BATCH_BYTES;
                if let Some(Write::Message(message)) = write {
                    bytes += message.text.len();
                }
                fits
            });
        let end = end.count();
        let (mut jobs, mut writes) = (Vec::with_capacity(end), Vec::with_capacity(end));
        for (job, write) in self.next.drain(..end) {
            jobs.push((job, write.is_some()));
            writes.extend(write);
        }
        self.in_flight = true;
        Some(Batch { jobs, writes })
    }
}

/// A batch on its way to the store.
struct Batch {
    /// What to do with each outcome, and whether it has one: a refusal writes nothing.
    jobs: Vec<(Job, bool)>,
    writes: Vec<Write>,
}

impl ChatServer {
    /// Sends the next batch to the store, where none is in flight.
    pub(super) fn write_next(&mut self, ctx: &mut Context<Self>) {
        if let Some(refusals) = self.send_next(ctx) {
            self.committed(refusals, Ok(Vec::new()), ctx);
        }
    }

    /// Sends the next batch, or returns it where it writes nothing: refusals alone, which are to be
    /// settled after whatever came before them.
    fn send_next(&mut self, ctx: &mut Context<Self>) -> Option<Vec<(Job, bool)>> {
        let Batch { jobs, writes } = self.batcher.take()?;
        if writes.is_empty() {
            return Some(jobs);
        }
        let probes = writes.iter().any(|write| matches!(write, Write::Probe));
        self.store_state.sent();
        // The future lives in this actor: dropping it would cancel the batch silently.
        let committed = self.writer.send(WriteBatch(writes)).into_actor(self);
        ctx.spawn(committed.map(move |result, this, ctx| {
            let result = result.unwrap_or(Err(StoreError::Gone));
            this.store_state.returned();
            if result
                .as_ref()
                .is_ok_and(|outcomes| probes || wrote(outcomes))
            {
                this.store_state.works();
            }
            this.committed(jobs, result, ctx);
        }));
        None
    }

    fn committed(
        &mut self,
        jobs: Vec<(Job, bool)>,
        result: Result<Vec<Outcome>, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        self.batcher.in_flight = false;
        // The store works on the next batch while this one is routed.
        let refusals = self.send_next(ctx);
        match result {
            Ok(outcomes) => {
                let mut outcomes = outcomes.into_iter();
                for (job, wrote) in jobs {
                    let outcome = if wrote { outcomes.next() } else { None };
                    self.settle(job, outcome.unwrap_or(Outcome::Done), ctx);
                }
            }
            Err(error) => {
                self.store_state.failed(&error);
                log::debug!("a batch of {} failed: {error}", jobs.len());
                for (job, _) in jobs {
                    self.fail(job);
                }
            }
        }
        self.flush(ctx);
        if let Some(refusals) = refusals {
            return self.committed(refusals, Ok(Vec::new()), ctx);
        }
        self.finish_if_idle();
    }

    fn settle(&mut self, job: Job, outcome: Outcome, ctx: &mut Context<Self>) {
        match (job, outcome) {
            (Job::Connect { connection }, Outcome::Connected(connected)) => {
                let start = Start {
                    head: connected.head,
                    told: connected.told,
                    unread: connected.unread,
                    untold: connected.untold,
                };
                self.connected(connection, start);
            }
            (Job::Lease { count }, Outcome::Leased(first)) => {
                self.ids.leased(first, count);
                self.hand_out_ids(ctx);
            }
            (
                Job::Grant {
                    connection,
                    user,
                    first,
                    ..
                },
                _,
            ) => {
                self.answer(connection, Some(render::ids(&user, first)));
            }
            (
                Job::Message {
                    connection,
                    from,
                    to,
                    id,
                    frame,
                    ..
                },
                outcome,
            ) => {
                self.message_settled(connection, (&from, &to), id, frame, outcome);
            }
            (
                Job::Read {
                    connection,
                    reader,
                    sender,
                    message,
                    ..
                },
                outcome,
            ) => {
                self.read_settled(connection, &reader, &sender, message, outcome);
            }
            (
                Job::Refused {
                    connection,
                    refusal,
                    ..
                },
                _,
            ) => self.refuse(connection, &refusal),
            (Job::Unasked | Job::Connect { .. } | Job::Lease { .. }, _) => {}
        }
    }

    /// The transaction failed: the outcome of every write in it is unknown.
    fn fail(&mut self, job: Job) {
        let refusal = unavailable();
        match job {
            Job::Connect { connection } => {
                self.answer_connect(connection, Some(&refusal.on(Action::Connect)));
            }
            Job::Lease { .. } => {
                self.ids.failed();
                for ask in std::mem::take(&mut self.waiting) {
                    let refusal = match ask.request {
                        super::Request::Refused(own) => own,
                        _ => unavailable().on(Action::GetIds),
                    };
                    self.refuse(ask.connection, &refusal);
                }
            }
            Job::Grant { connection, .. } => {
                self.refuse(connection, &refusal.on(Action::GetIds));
            }
            Job::Message { connection, id, .. } => {
                self.refuse(connection, &refusal.on(Action::Message).about(id));
            }
            Job::Read {
                connection,
                message,
                ..
            } => {
                self.refuse(connection, &refusal.on(Action::Status).about(message));
            }
            Job::Refused {
                connection,
                refusal,
                ..
            } => self.refuse(connection, &refusal),
            Job::Unasked => {}
        }
    }
}

/// Whether a batch changed the database: only then does its success say that the disk works.
fn wrote(outcomes: &[Outcome]) -> bool {
    outcomes.iter().any(|outcome| {
        matches!(
            outcome,
            Outcome::Stored { .. } | Outcome::Read { .. } | Outcome::Leased(_)
        )
    })
}
