//! The ChatServer: one actor, on a thread of its own, that owns routing, the ID allocator and the
//! read receipts.
//!
//! What must be written waits in `batching` while the batch before is in flight; what was
//! committed is routed in `delivery`; devices that are behind are served in `catch_up`. No
//! handler blocks.

mod batching;
mod catch_up;
mod delivery;
mod device;
mod messages;
mod store_state;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseActFuture,
    WrapFuture,
};
use tokio::sync::oneshot;

pub use messages::{Ask, Connect, Disconnect, Finish, Request, Resume, Told};
pub use store_state::StoreState;

use super::db_executor::{FetchPart, WriteBatch};
use super::session::{ConnectAnswer, Push};
use crate::chat::{ConnectionId, IdAllocator, Routes};
use crate::protocol::{Action, ErrorCode, Refusal, UserId, render};
use crate::store::Write;
use batching::{Batcher, Job};
use device::Device;

/// How often a failing store is asked again, and reads that failed are repeated.
const RETRY: Duration = Duration::from_secs(1);

/// See the module.
pub struct ChatServer {
    writer: Recipient<WriteBatch>,
    reader: Recipient<FetchPart>,
    store_state: StoreState,
    routes: Routes,
    devices: HashMap<ConnectionId, Device>,
    ids: IdAllocator,
    /// Takers of IDs that wait for a lease, in order, and refusals that must not overtake them.
    waiting: VecDeque<Ask>,
    batcher: Batcher,
    catching_up: catch_up::Line,
    /// Devices with something to push when the present batch is dealt with.
    touched: Vec<ConnectionId>,
    finishing: Option<oneshot::Sender<()>>,
}

impl ChatServer {
    /// A ChatServer over these lanes, with so many devices for each user.
    pub fn new(
        writer: Recipient<WriteBatch>,
        reader: Recipient<FetchPart>,
        store_state: StoreState,
        devices_max: usize,
    ) -> Self {
        Self {
            writer,
            reader,
            store_state,
            routes: Routes::new(devices_max),
            devices: HashMap::new(),
            ids: IdAllocator::default(),
            waiting: VecDeque::new(),
            batcher: Batcher::default(),
            catching_up: catch_up::Line::default(),
            touched: Vec::new(),
            finishing: None,
        }
    }

    /// The user a connected device speaks for.
    fn user_of(&self, connection: ConnectionId) -> Option<UserId> {
        self.devices
            .get(&connection)
            .map(|device| device.user.clone())
    }

    fn enqueue(&mut self, job: Job, write: Option<Write>, ctx: &mut Context<Self>) {
        self.batcher.push(job, write);
        if self.batcher.wants_notice() {
            ctx.notify(WriteNext);
        }
    }

    /// Serves those that wait for IDs, as far as there are any, and leases more in time.
    fn hand_out_ids(&mut self, ctx: &mut Context<Self>) {
        while let Some(ask) = self.waiting.pop_front() {
            let connection = ask.connection;
            if let Request::Refused(refusal) = ask.request {
                self.enqueue_refused(connection, refusal, ctx);
                continue;
            }
            let Some(user) = self.user_of(connection) else {
                continue; // gone meanwhile
            };
            let Some(first) = self.ids.take() else {
                self.waiting.push_front(ask);
                break;
            };
            let job = Job::Grant {
                connection,
                user: user.clone(),
                first,
                _permit: ask.permit,
            };
            self.enqueue(job, Some(Write::Grant(user, first)), ctx);
        }
        if let Some(count) = self.ids.wants(self.waiting.len()) {
            self.enqueue(Job::Lease { count }, Some(Write::Lease(count)), ctx);
        }
    }

    fn ask(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        let connection = ask.connection;
        let Some(user) = self.user_of(connection) else {
            return; // gone meanwhile: there is nobody to answer
        };
        let permit = ask.permit;
        let (job, write) = match ask.request {
            Request::GetIds => {
                let request = Request::GetIds;
                self.waiting.push_back(Ask {
                    connection,
                    request,
                    permit,
                });
                return self.hand_out_ids(ctx);
            }
            Request::Send(message, frame) => {
                let job = Job::Message {
                    connection,
                    from: message.from.clone(),
                    to: message.to.clone(),
                    id: message.id,
                    frame,
                    _permit: permit,
                };
                (job, Some(Write::Message(message)))
            }
            Request::Read { sender, message } => {
                let write = Write::Read {
                    reader: user.clone(),
                    sender: sender.clone(),
                    message,
                    origin: connection,
                };
                let job = Job::Read {
                    connection,
                    reader: user,
                    sender,
                    message,
                    _permit: permit,
                };
                (job, Some(write))
            }
            Request::Refused(refusal) => {
                let among_ids = refusal.action == Some(Action::GetIds.into());
                if among_ids && !self.waiting.is_empty() {
                    let request = Request::Refused(refusal);
                    return self.waiting.push_back(Ask {
                        connection,
                        request,
                        permit,
                    });
                }
                return self.enqueue_refused(connection, refusal, ctx);
            }
        };
        self.enqueue(job, write, ctx);
    }

    fn enqueue_refused(
        &mut self,
        connection: ConnectionId,
        refusal: Refusal,
        ctx: &mut Context<Self>,
    ) {
        let job = Job::Refused {
            connection,
            refusal,
        };
        self.enqueue(job, None, ctx);
    }

    fn retry(&mut self, ctx: &mut Context<Self>) {
        // One question at a time: a store that hangs is not asked ever more often.
        if self.store_state.is_failing() && self.batcher.is_idle() {
            self.enqueue(Job::Unasked, Some(Write::Probe), ctx);
            self.hand_out_ids(ctx);
        }
        self.catch_up_again(ctx);
    }
}

impl Actor for ChatServer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.hand_out_ids(ctx);
        ctx.run_interval(RETRY, Self::retry);
    }
}

impl Handler<Connect> for ChatServer {
    type Result = ();

    fn handle(&mut self, connect: Connect, ctx: &mut Self::Context) {
        let Connect {
            connection,
            user,
            session,
            flow,
        } = connect;
        let device = Device::new(user.clone(), session, flow);
        self.devices.insert(connection, device);
        self.enqueue(Job::Connect { connection }, Some(Write::Connect(user)), ctx);
    }
}

impl Handler<Ask> for ChatServer {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Self::Context) {
        self.ask(ask, ctx);
    }
}

impl Handler<Resume> for ChatServer {
    type Result = ();

    fn handle(&mut self, Resume(connection): Resume, ctx: &mut Self::Context) {
        self.catch_up(connection, ctx);
    }
}

impl Handler<Told> for ChatServer {
    type Result = ();

    fn handle(&mut self, Told { connection, seq }: Told, ctx: &mut Self::Context) {
        if let Some(user) = self.user_of(connection) {
            self.enqueue(Job::Unasked, Some(Write::Told(user, seq)), ctx);
        }
    }
}

impl Handler<Disconnect> for ChatServer {
    type Result = ();

    fn handle(&mut self, Disconnect(connection): Disconnect, _: &mut Self::Context) {
        if let Some(device) = self.devices.remove(&connection) {
            self.routes.detach(&device.user, connection);
        }
    }
}

/// To itself: the mailbox is drained, and what it held is the next batch. Sent off at the first
/// request instead, a burst would be a batch of one and a batch of the rest.
#[derive(Message)]
#[rtype(result = "()")]
struct WriteNext;

impl Handler<WriteNext> for ChatServer {
    type Result = ();

    fn handle(&mut self, _: WriteNext, ctx: &mut Self::Context) {
        self.batcher.noticed();
        self.write_next(ctx);
    }
}

impl Handler<Finish> for ChatServer {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) -> Self::Result {
        if let Some((from, end)) = self.ids.give_back() {
            self.enqueue(Job::Unasked, Some(Write::GiveBack(from, end)), ctx);
        }
        let (done, finished) = oneshot::channel();
        self.finishing = Some(done);
        self.finish_if_idle();
        Box::pin(finished.into_actor(self).map(|_, _, _| ()))
    }
}

impl ChatServer {
    fn finish_if_idle(&mut self) {
        if self.batcher.is_idle()
            && let Some(done) = self.finishing.take()
        {
            let _ = done.send(());
        }
    }

    /// Answers a connect: the device is connected, or it hears why not.
    fn answer_connect(&mut self, connection: ConnectionId, refusal: Option<&Refusal>) {
        let Some(device) = self.devices.get(&connection) else {
            return;
        };
        let frame = match refusal {
            None => render::connected(&device.user),
            Some(refusal) => render::error(None, refusal),
        };
        let connected = refusal.is_none();
        device.session.do_send(ConnectAnswer { frame, connected });
        if !connected {
            self.devices.remove(&connection);
        }
    }
}

/// The refusal of a request that the store failed at.
fn unavailable() -> Refusal {
    let text = "the store failed; the outcome is unknown, send the same frame again";
    Refusal::new(ErrorCode::StorageUnavailable, text)
}
