//! Messages that are sent for a user from outside, each under a key: the same key again is the same message.
//!
//! Their IDs are leased like all others and granted to nobody, so that no client can spend one.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use actix::{ActorFutureExt, Context, Handler, Message, ResponseActFuture, WrapFuture};
use bytestring::ByteString;
use tokio::sync::oneshot;

use super::batching::Job;
use super::delivery::{refusal_of, unavailable};
use super::{ChatServer, lanes};
use crate::chat::{IdAllocator, NO_CONNECTION};
use crate::protocol::render::{self, MessageView};
use crate::protocol::{IDS_PER_GRANT, MessageId, MessageKind, Refusal, Timestamp, UserId};
use crate::store::{NewMessage, Outcome, Refused, Write};

/// Send this for a user.
#[derive(Debug, Message)]
#[rtype(result = "Result<Sent, Refusal>")]
pub struct SendKeyed {
    /// For whom.
    pub from: UserId,
    /// To whom.
    pub to: UserId,
    /// Text or file.
    pub kind: MessageKind,
    /// What.
    pub text: String,
    /// The sender's time.
    pub time: Timestamp,
    /// Under which key.
    pub key: String,
}

/// A message that was sent, by this request or by one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its ID.
    pub id: MessageId,
    /// 1 or 2.
    pub status: i16,
    /// Whether it was there before.
    pub before: bool,
}

/// Who waits for the outcome of a [`SendKeyed`].
pub type Reply = oneshot::Sender<Result<Sent, Refusal>>;

/// Requests that wait for an ID, and the IDs there are.
#[derive(Default)]
pub struct Outside {
    waiting: VecDeque<(SendKeyed, Reply)>,
    ids: Range<i64>,
}

impl Outside {
    /// How many grants it takes to serve those that wait.
    pub fn grants_wanted(&self) -> usize {
        self.waiting
            .len()
            .div_ceil(usize::try_from(IDS_PER_GRANT).unwrap_or(1))
    }

    /// The IDs it has may be leased again elsewhere.
    pub fn forget_ids(&mut self) {
        self.ids = 0..0;
    }

    fn id(&mut self, from: &mut IdAllocator) -> Option<MessageId> {
        if self.ids.is_empty() {
            let first = from.take()?.number();
            self.ids = first..first + IDS_PER_GRANT;
        }
        self.ids.next().map(MessageId::new)
    }
}

/// What is done with a message from outside when its write has its outcome.
pub struct KeyedJob {
    reply: Reply,
    from: UserId,
    to: UserId,
    id: MessageId,
    frame: ByteString,
    since: Instant,
}

impl Handler<SendKeyed> for ChatServer {
    type Result = ResponseActFuture<Self, Result<Sent, Refusal>>;

    fn handle(&mut self, request: SendKeyed, ctx: &mut Self::Context) -> Self::Result {
        let (reply, sent) = oneshot::channel();
        self.outside.waiting.push_back((request, reply));
        self.hand_out_ids(ctx);
        let sent = sent.into_actor(self);
        Box::pin(sent.map(|sent, _, _| sent.unwrap_or_else(|_| Err(unavailable()))))
    }
}

impl ChatServer {
    /// Sends off what waits, as far as there are IDs.
    pub(super) fn send_from_outside(&mut self, ctx: &mut Context<Self>) {
        while !self.outside.waiting.is_empty() {
            let Some(id) = self.outside.id(&mut self.ids) else {
                return;
            };
            if let Some((request, reply)) = self.outside.waiting.pop_front() {
                self.send_one_from_outside(request, id, reply, ctx);
            }
        }
    }

    fn send_one_from_outside(
        &mut self,
        request: SendKeyed,
        id: MessageId,
        reply: Reply,
        ctx: &mut Context<Self>,
    ) {
        let SendKeyed {
            from,
            to,
            kind,
            text,
            time,
            key,
        } = request;
        let frame = render::message(&MessageView {
            from: from.as_str(),
            to: to.as_str(),
            id,
            kind: kind.number(),
            text: &text,
            status: 0,
            time: time.as_str(),
        });
        let message = NewMessage {
            id,
            from: from.clone(),
            to: to.clone(),
            kind,
            text,
            time: time.into_string(),
            origin: NO_CONNECTION,
        };
        let lane = lanes::choose(&self.lanes, &from, &to);
        let job = Job::Keyed(KeyedJob {
            reply,
            from,
            to,
            id,
            frame,
            since: Instant::now(),
        });
        self.enqueue(lane, job, Some(Write::Keyed(message, key)), ctx);
    }

    /// Routes what was sent, and tells who asked for it.
    pub(super) fn keyed_settled(&mut self, job: KeyedJob, outcome: &Outcome) {
        let sent = match outcome {
            Outcome::Stored {
                sender_seq,
                recipient_seq,
            } => {
                let seqs = (*sender_seq, *recipient_seq);
                self.acked(job.since);
                self.route(NO_CONNECTION, (&job.from, &job.to), job.id, job.frame, seqs);
                Ok(Sent {
                    id: job.id,
                    status: 1,
                    before: false,
                })
            }
            Outcome::SentBefore { id, status } => Ok(Sent {
                id: *id,
                status: *status,
                before: true,
            }),
            // The next try has another ID.
            Outcome::Refused(Refused::IdNotGranted) => Err(unavailable()),
            refused => Err(refusal_of(refused)),
        };
        // Whoever asked may be gone.
        let _ = job.reply.send(sent);
    }

    /// No lease arrived: what waits for one is not sent.
    pub(super) fn fail_outside(&mut self) {
        for (_, reply) in std::mem::take(&mut self.outside.waiting) {
            let _ = reply.send(Err(unavailable()));
        }
    }
}

impl KeyedJob {
    /// The outcome is unknown.
    pub fn fail(self) {
        let _ = self.reply.send(Err(unavailable()));
    }
}
