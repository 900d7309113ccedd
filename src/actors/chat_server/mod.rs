//! The ChatServer: one actor, on a thread of its own, that owns routing, the ID allocator and the
//! read receipts.
//!
//! What must be written waits in `lanes`, and `batching` sends it off and answers for it; what was
//! committed, here or on another node, is routed in `delivery`; devices that are behind are served in
//! `catch_up`. `presence` knows who is here and listens to the bus; `comparing` finds out what
//! nobody announced. `keyed` and `inquiry` serve whoever runs the server. No handler blocks.

mod batching;
mod catch_up;
mod comparing;
mod delivery;
mod device;
mod inquiry;
mod keyed;
mod lanes;
mod messages;
mod presence;
mod store_state;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient,
    ResponseActFuture, WrapFuture,
};
use tokio::sync::oneshot;

pub use inquiry::{CloseDevices, Doubt, WhoIsThere};
pub use keyed::{SendKeyed, Sent};
pub use messages::{Ask, Connect, Disconnect, Finish, Request, Resume, Told};
pub use store_state::StoreState;

use super::db_executor::{DbExecutor, FetchHeads, FetchPart, WriteBatch};
use super::session::{ConnectAnswer, Push};
use crate::bus::{Bus, Events};
use crate::chat::{ConnectionId, IdAllocator, Routes};
use crate::hash::HashMap;
use crate::metrics::Metrics;
use crate::protocol::{Action, Refusal, UserId, render};
use crate::store::Write;
use batching::Job;
use comparing::Comparing;
use device::Device;
use lanes::Lane;
use presence::Presence;

/// How often a failing store is asked again, and reads that failed are repeated.
const RETRY: Duration = Duration::from_secs(1);

/// See the module.
pub struct ChatServer {
    lanes: Vec<Lane>,
    reader: Recipient<FetchPart>,
    heads: Recipient<FetchHeads>,
    store_state: StoreState,
    patience: Duration,
    is_shared: bool,
    bus: Arc<dyn Bus>,
    /// Taken when the actor starts.
    events: Option<Events>,
    presence: Presence,
    comparing: Comparing,
    routes: Routes,
    devices: HashMap<ConnectionId, Device>,
    metrics: Metrics,
    ids: IdAllocator,
    /// Takers of IDs that wait for a lease, in order, and refusals that must not overtake them.
    waiting: VecDeque<Ask>,
    outside: keyed::Outside,
    inquiries: inquiry::Inquiries,
    /// It has told itself to take its [`Turn`].
    noticed: bool,
    catching_up: catch_up::Line,
    /// Devices with something to push when the present batch is dealt with.
    touched: Vec<ConnectionId>,
    finishing: Option<oneshot::Sender<()>>,
}

/// What a [`ChatServer`] works with.
pub struct Parts {
    /// The writing lanes.
    pub writers: Vec<Recipient<WriteBatch>>,
    /// The reading lanes.
    pub readers: Addr<DbExecutor>,
    /// What the health check looks at; for as many lanes.
    pub store_state: StoreState,
    /// A store that answers a batch later than this is given up on until it does.
    pub patience: Duration,
    /// Whether other nodes use the same store.
    pub is_shared: bool,
    /// The way to other nodes.
    pub bus: Arc<dyn Bus>,
    /// What comes from there.
    pub events: Events,
    /// Devices of a user.
    pub devices_max: usize,
    /// What is counted.
    pub metrics: Metrics,
}

impl ChatServer {
    /// A ChatServer over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            lanes: parts.writers.into_iter().map(Lane::new).collect(),
            reader: parts.readers.clone().recipient(),
            heads: parts.readers.recipient(),
            store_state: parts.store_state,
            patience: parts.patience,
            is_shared: parts.is_shared,
            bus: parts.bus,
            events: Some(parts.events),
            presence: Presence::default(),
            comparing: Comparing::default(),
            routes: Routes::new(parts.devices_max),
            devices: HashMap::default(),
            metrics: parts.metrics,
            ids: IdAllocator::default(),
            waiting: VecDeque::new(),
            outside: keyed::Outside::default(),
            inquiries: inquiry::Inquiries::default(),
            noticed: false,
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

    /// Serves those that wait for IDs, as far as there are any, and leases more in time.
    fn hand_out_ids(&mut self, ctx: &mut Context<Self>) {
        while let Some(ask) = self.waiting.pop_front() {
            let connection = ask.connection;
            let Some(device) = self.devices.get(&connection) else {
                continue; // gone meanwhile
            };
            let (user, lane) = (device.user.clone(), device.lane());
            if let Request::Refused(refusal) = ask.request {
                self.enqueue_refused(lane, connection, refusal, ctx);
                continue;
            }
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
            self.enqueue(lane, job, Some(Write::Grant(user, first)), ctx);
        }
        self.send_from_outside(ctx);
        let takers = self.waiting.len() + self.outside.grants_wanted();
        if let Some(count) = self.ids.wants(takers) {
            let lane = lanes::any(&self.lanes);
            self.enqueue(lane, Job::Lease { count }, Some(Write::Lease(count)), ctx);
        }
    }

    fn ask(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        let connection = ask.connection;
        let Some(device) = self.devices.get_mut(&connection) else {
            return; // gone meanwhile: there is nobody to answer
        };
        let user = device.user.clone();
        let partner = match &ask.request {
            Request::Send(message, _) => &message.to,
            Request::Read { sender, .. } => sender,
            Request::GetIds | Request::Refused(_) => &user,
        };
        let lane = device.asks(lanes::choose(&self.lanes, &user, partner));
        let (permit, since) = (ask.permit, ask.since);
        let (job, write) = match ask.request {
            Request::GetIds => {
                let request = Request::GetIds;
                self.waiting.push_back(Ask {
                    connection,
                    request,
                    permit,
                    since,
                });
                return self.hand_out_ids(ctx);
            }
            Request::Send(message, frame) => {
                device.sends(message.id);
                let job = Job::Message {
                    connection,
                    from: message.from.clone(),
                    to: message.to.clone(),
                    id: message.id,
                    frame,
                    since,
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
                        since,
                    });
                }
                return self.enqueue_refused(lane, connection, refusal, ctx);
            }
        };
        self.enqueue(lane, job, write, ctx);
    }

    pub(super) fn enqueue_refused(
        &mut self,
        lane: usize,
        connection: ConnectionId,
        refusal: Refusal,
        ctx: &mut Context<Self>,
    ) {
        let job = Job::Refused {
            connection,
            refusal,
        };
        self.enqueue(lane, job, None, ctx);
    }

    fn retry(&mut self, ctx: &mut Context<Self>) {
        self.give_up_on_stuck_lanes(ctx);
        for lane in 0..self.lanes.len() {
            // One question at a time: a store that hangs is not asked ever more often.
            if self.store_state.has_failed(lane) && self.lanes[lane].is_idle() {
                self.enqueue(lane, Job::Unasked, Some(Write::Probe), ctx);
                self.hand_out_ids(ctx);
            }
        }
        self.compare_if_in_doubt(ctx);
        self.catch_up_again(ctx);
    }
}

impl Actor for ChatServer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.hand_out_ids(ctx);
        ctx.run_interval(RETRY, Self::retry);
        if let Some(events) = self.events.take() {
            ctx.add_stream(events);
        }
        if self.is_shared {
            self.compare_regularly(ctx);
        }
    }
}

impl Handler<Connect> for ChatServer {
    type Result = ();

    fn handle(&mut self, connect: Connect, ctx: &mut Self::Context) {
        let Connect {
            connection,
            user,
            name,
            address,
            session,
            flow,
        } = connect;
        let device = Device::new((user, name), address, session, flow);
        self.arrive(connection, device, ctx);
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
            let lane = lanes::choose(&self.lanes, &user, &user);
            self.enqueue(lane, Job::Unasked, Some(Write::Told(user, seq)), ctx);
        }
    }
}

impl Handler<Disconnect> for ChatServer {
    type Result = ();

    fn handle(&mut self, Disconnect(connection): Disconnect, _: &mut Self::Context) {
        self.remove_device(connection);
    }
}

/// To itself: the mailbox is drained, and what it held is the next batch, and what the bus brought is
/// pushed. Sent off at the first request instead, a burst would be a batch of one and a batch of the
/// rest.
#[derive(Message)]
#[rtype(result = "()")]
struct Turn;

impl Handler<Turn> for ChatServer {
    type Result = ();

    fn handle(&mut self, _: Turn, ctx: &mut Self::Context) {
        self.noticed = false;
        self.write_next(ctx);
        self.flush(ctx);
        // All that waited may have gone.
        self.finish_if_idle();
    }
}

impl Handler<Finish> for ChatServer {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) -> Self::Result {
        if let Some((from, end)) = self.ids.give_back() {
            self.enqueue(0, Job::Unasked, Some(Write::GiveBack(from, end)), ctx);
        }
        let (done, finished) = oneshot::channel();
        self.finishing = Some(done);
        self.finish_if_idle();
        Box::pin(finished.into_actor(self).map(|_, _, _| ()))
    }
}

impl ChatServer {
    fn finish_if_idle(&mut self) {
        if self.lanes.iter().all(Lane::is_idle)
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
            None => {
                self.metrics.taken(Action::Connect);
                render::connected(&device.user)
            }
            Some(refusal) => {
                self.metrics.refused(refusal);
                render::error(None, refusal)
            }
        };
        let connected = refusal.is_none();
        device.session.do_send(ConnectAnswer { frame, connected });
        if !connected {
            self.remove_device(connection);
        }
    }
}
