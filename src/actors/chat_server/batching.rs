//! Group commit: one batch in flight, and all that arrives meanwhile is the next one.
//!
//! A batch is sent off when the mailbox is drained. There is no timer. Alone, a message goes to the
//! store at once; under load, batches grow by themselves to what one sync can carry. SQLite has one
//! lane; PostgreSQL several, whose batches lock the users they concern.

use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use bytestring::ByteString;

use super::delivery::{refusal_of, unavailable};
use super::device::Device;
use super::keyed::KeyedJob;
use super::lanes::{Batch, Connecting, Flight, Lane};
use super::{ChatServer, Turn};
use crate::actors::db_executor::WriteBatch;
use crate::chat::{ConnectionId, Permit, Start};
use crate::protocol::{Action, MessageId, Refusal, UserId, render};
use crate::store::{Outcome, StoreError, Write};

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
        since: Instant,
        _permit: Option<Permit>,
    },
    Read {
        connection: ConnectionId,
        reader: UserId,
        sender: UserId,
        message: MessageId,
        _permit: Option<Permit>,
    },
    /// What is sent from outside.
    Keyed(KeyedJob),
    /// No write, but its turn among the answers.
    Refused {
        connection: ConnectionId,
        refusal: Refusal,
    },
    /// A write that nobody waits for.
    Unasked,
}

impl ChatServer {
    pub(super) fn enqueue(
        &mut self,
        lane: usize,
        job: Job,
        write: Option<Write>,
        ctx: &mut Context<Self>,
    ) {
        self.lanes[lane].push(job, write);
        self.one_more_waits(lane, ctx);
    }

    /// Has a device connected, in its turn.
    pub(super) fn enqueue_connect(
        &mut self,
        lane: usize,
        who: Connecting,
        ctx: &mut Context<Self>,
    ) {
        self.lanes[lane].connect(who);
        self.one_more_waits(lane, ctx);
    }

    fn one_more_waits(&mut self, lane: usize, ctx: &mut Context<Self>) {
        self.metrics.waiting.inc();
        // While a batch is in flight, its return is as good as a notice.
        if self.lanes[lane].in_flight.is_none() && !std::mem::replace(&mut self.noticed, true) {
            ctx.notify(Turn);
        }
    }

    /// Sends off whatever waits in a lane with nothing in flight.
    pub(super) fn write_next(&mut self, ctx: &mut Context<Self>) {
        for lane in 0..self.lanes.len() {
            while let Some(refusals) = self.send_next(lane, ctx) {
                self.settle_all(lane, refusals, Ok(Vec::new()), ctx);
            }
        }
    }

    /// Sends a lane's next batch, or returns it where it writes nothing: refusals alone, which are to
    /// be settled after whatever came before them.
    fn send_next(&mut self, number: usize, ctx: &mut Context<Self>) -> Option<Vec<(Job, bool)>> {
        let lane = &mut self.lanes[number];
        let (waited, devices) = (lane.waiting(), &self.devices);
        let batch = lane.take(|connection| devices.contains_key(&connection));
        let taken = i64::try_from(waited - lane.waiting()).unwrap_or(i64::MAX);
        self.metrics.waiting.sub(taken);
        let Batch { jobs, writes } = batch?;
        if writes.is_empty() {
            return Some(jobs);
        }
        lane.in_flight = Some(Flight {
            jobs,
            since: Instant::now(),
            given_up: false,
        });
        self.store_state.sent(number);
        let (sent, count) = (Instant::now(), writes.len());
        self.metrics.batch_writes.observe(count as f64);
        let probes = writes.iter().any(|write| matches!(write, Write::Probe));
        // The future lives in this actor: dropping it would cancel the batch silently.
        let committed = lane.writer.send(WriteBatch(writes)).into_actor(self);
        ctx.spawn(committed.map(move |result, this, ctx| {
            let result = result.unwrap_or(Err(StoreError::Gone));
            this.store_state.returned(number);
            let took = sent.elapsed().as_secs_f64();
            this.metrics.batch(took, result.is_err());
            if result
                .as_ref()
                .is_ok_and(|outcomes| probes || wrote(outcomes))
            {
                this.store_state.works(number);
            }
            this.returned(number, result, ctx);
        }));
        None
    }

    /// A batch came back from the store.
    fn returned(
        &mut self,
        lane: usize,
        result: Result<Vec<Outcome>, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        let Some(mut flight) = self.lanes[lane].in_flight.take() else {
            return;
        };
        if result.is_err() {
            // A few would fail with each batch that follows, each after the store's whole patience, until the
            // others' own has ended without an answer.
            let away = self.lanes[lane].turn_away();
            let count = i64::try_from(away.len()).unwrap_or(i64::MAX);
            self.metrics.waiting.sub(count);
            flight.jobs.extend(away.into_iter().map(|job| (job, false)));
        }
        // What failed, or was given up, may have been committed all the same.
        if result.is_err() || flight.given_up {
            self.comparing.doubt();
        }
        // The store works on the next batch while this one is routed.
        let refusals = self.send_next(lane, ctx);
        self.settle_all(lane, flight.jobs, result, ctx);
        if let Some(refusals) = refusals {
            self.settle_all(lane, refusals, Ok(Vec::new()), ctx);
            // A batch of refusals alone leaves nothing in flight that would bring on the next one.
            self.write_next(ctx);
        }
        self.finish_if_idle();
    }

    /// Answers for a batch: each job with its outcome, or all of them with the failure.
    fn settle_all(
        &mut self,
        lane: usize,
        jobs: Vec<(Job, bool)>,
        result: Result<Vec<Outcome>, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        match result {
            Ok(outcomes) => {
                let mut outcomes = outcomes.into_iter();
                for (job, wrote) in jobs {
                    let outcome = if wrote { outcomes.next() } else { None };
                    self.settle(job, outcome.unwrap_or(Outcome::Done), ctx);
                }
            }
            Err(error) => {
                self.store_state.failed(lane, &error);
                log::debug!("a batch of {} in lane {lane} failed: {error}", jobs.len());
                for (job, _) in jobs {
                    self.fail(job, ctx);
                }
            }
        }
        self.flush(ctx);
    }

    /// Tells those who wait for a store that does not answer; nobody is left without an answer
    /// because of it, and the lane goes on when the store does.
    pub(super) fn give_up_on_stuck_lanes(&mut self, ctx: &mut Context<Self>) {
        for lane in 0..self.lanes.len() {
            for job in self.lanes[lane].give_up(self.patience) {
                self.fail(job, ctx);
            }
        }
        let waiting: usize = self.lanes.iter().map(Lane::waiting).sum();
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        self.metrics.waiting.set(waiting);
        self.flush(ctx);
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
                self.connected(connection, start, connected.tenure);
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
                outcome,
            ) => match outcome {
                Outcome::Done => {
                    self.metrics.taken(Action::GetIds);
                    self.answer(connection, Some(render::ids(&user, first)));
                }
                outcome => self.refuse(connection, &refusal_of(&outcome).on(Action::GetIds)),
            },
            (Job::Keyed(job), outcome) => self.keyed_settled(job, &outcome),
            (
                Job::Message {
                    connection,
                    from,
                    to,
                    id,
                    frame,
                    since,
                    ..
                },
                outcome,
            ) => {
                if matches!(outcome, Outcome::Stored { .. }) {
                    self.acked(since);
                }
                let outcome = self.not_fallen(connection, id, outcome);
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

    /// The outcome of a message, with a status that is not below one its device was told: another node, or
    /// another lane, may have stored and told that the message was read after it was found to be unread.
    fn not_fallen(&mut self, connection: ConnectionId, id: MessageId, outcome: Outcome) -> Outcome {
        let device = self.devices.get_mut(&connection);
        let was_read = device.is_some_and(|device| device.settles(id));
        match outcome {
            Outcome::Known { .. } if was_read => Outcome::Known { status: 2 },
            outcome => outcome,
        }
    }

    /// A message that came then is durable now.
    pub(super) fn acked(&self, since: Instant) {
        let took = since.elapsed().as_secs_f64();
        self.metrics.ack_seconds.observe(took);
        self.metrics.acks.inc();
    }

    /// The transaction failed: the outcome of every write in it is unknown.
    fn fail(&mut self, job: Job, ctx: &mut Context<Self>) {
        let refusal = unavailable();
        match job {
            Job::Connect { connection } => {
                self.answer_connect(connection, Some(&refusal.on(Action::Connect)));
            }
            Job::Keyed(job) => job.fail(),
            Job::Lease { .. } => {
                self.ids.failed();
                self.fail_outside();
                for ask in std::mem::take(&mut self.waiting) {
                    let refusal = match ask.request {
                        super::Request::Refused(own) => own,
                        _ => unavailable().on(Action::GetIds),
                    };
                    // An earlier request of the same device may still be in its lane.
                    if let Some(lane) = self.devices.get(&ask.connection).map(Device::lane) {
                        self.enqueue_refused(lane, ask.connection, refusal, ctx);
                    }
                }
            }
            Job::Grant { connection, .. } => {
                self.refuse(connection, &refusal.on(Action::GetIds));
            }
            Job::Message { connection, id, .. } => {
                if let Some(device) = self.devices.get_mut(&connection) {
                    device.settles(id);
                }
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
