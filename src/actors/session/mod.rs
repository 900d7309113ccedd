//! A session: one WebSocket, which speaks for one user once it is connected.
//!
//! It parses frames and forwards them (`requests`): IDs, messages and receipts to the ChatServer,
//! contacts and history (`pages`) to the reading lanes. What it refuses by itself takes its turn among the
//! answers to the same action. `liveness` ends it when nothing is heard; the watchdog in
//! [`super::link`] when it takes nothing, since its own timers stand still then.

mod fragments;
mod identity;
mod limits;
mod liveness;
mod messages;
mod pages;
mod requests;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Handler, SpawnHandle, StreamHandler,
    WrapFuture,
};
use bytestring::ByteString;
use tokio::sync::{Semaphore, watch};

pub use identity::Shown;
pub use messages::{ConnectAnswer, Kick, Push};

use super::Stage;
use super::chat_server::{ChatServer, Disconnect, Resume};
use super::db_executor::DbExecutor;
use super::flow::{Flow, Untaken};
use super::ws::{self, Drained, DrainedStream, Message, Pipe, ProtocolError, WebsocketContext};
use crate::auth::{Identity, Verifier};
use crate::chat::{Budget, ConnectionId, Frames, Limits, Seat};
use crate::metrics::Metrics;
use crate::protocol::{CloseCode, ErrorCode, Refusal, UserId, parse};
use fragments::Fragments;
use limits::{one_too_many, rate_limited};
use liveness::Liveness;
use pages::Pages;

/// So many requests may be unanswered before the session stops reading its socket.
const OWED_MAX: usize = 256;
/// The same in bytes of requests.
const IN_HAND_MAX: usize = 1024 * 1024;
/// How long a session that leaves may take to answer what it was asked.
const GOODBYE: Duration = Duration::from_secs(5);

/// What all sessions share.
pub struct Shared {
    /// Where requests go.
    pub chat: Addr<ChatServer>,
    /// What is counted.
    pub metrics: Metrics,
    /// How much each user and address may do; `None` where there are no limits.
    pub limits: Option<Arc<Limits>>,
    /// What tokens are held against; `None` where anybody is believed.
    pub verifier: Option<Verifier>,
    /// Where contacts and history are read.
    pub readers: Addr<DbExecutor>,
    /// Bytes of requests in hand, of all sessions.
    pub budget: Budget,
    /// KiB of pages that were read and not yet taken by their sockets, of all sessions.
    pub pages: Arc<Semaphore>,
    /// Bytes of pushes that have not gone out, of all sessions.
    pub untaken: Untaken,
    /// Whether the server is going away.
    pub stage: watch::Receiver<Stage>,
    /// How many sessions there are.
    pub count: Arc<AtomicUsize>,
    /// The deadlines.
    pub deadlines: Deadlines,
}

/// How long a session waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For the connect frame.
    pub connect: Duration,
    /// For the answer to one, at most: longer than the store is waited for.
    pub answer: Duration,
    /// Between two pings.
    pub ping: Duration,
    /// For any byte.
    pub idle: Duration,
}

#[derive(Debug)]
enum State {
    /// Nobody yet.
    Anonymous,
    /// The ChatServer was asked.
    Connecting(UserId),
    /// Speaks for its user.
    Connected(UserId),
    /// Ends with this code as soon as all is answered.
    Leaving(UserId, CloseCode),
}

/// See the module.
pub struct Session {
    connection: ConnectionId,
    shared: Arc<Shared>,
    pipe: Rc<Pipe>,
    flow: Arc<Flow>,
    state: State,
    /// The token of the upgrade, until the session has started.
    shown: Shown,
    /// From where it comes, as far as proxies are believed.
    address: Option<IpAddr>,
    /// Its place among the connections of its address, where there are limits.
    _seat: Option<Seat>,
    /// Frames that came while nobody was connected.
    early: usize,
    /// Who it may speak for, by its token.
    identity: Option<Identity>,
    /// Looks for the end of that token.
    token_watch: Option<SpawnHandle>,
    /// Bytes of pushes that were written and have not gone out.
    untaken: u64,
    /// Requests that the ChatServer has not answered.
    owed: usize,
    pages: Pages,
    fragments: Fragments,
    liveness: Liveness,
}

type Ctx = WebsocketContext<Session>;

impl Session {
    /// A session for a socket that was just upgraded, with the token that came with it, the client's address
    /// and its place among the connections of that.
    pub fn new(
        connection: ConnectionId,
        shared: Arc<Shared>,
        (shown, address, seat): (Shown, Option<IpAddr>, Option<Seat>),
        pipe: Rc<Pipe>,
    ) -> Self {
        Self {
            connection,
            flow: Arc::new(Flow::new(&shared.untaken)),
            shared,
            pipe,
            untaken: 0,
            state: State::Anonymous,
            shown,
            address,
            _seat: seat,
            early: 0,
            identity: None,
            token_watch: None,
            owed: 0,
            pages: Pages::default(),
            fragments: Fragments::default(),
            liveness: Liveness::default(),
        }
    }

    fn user(&self) -> Option<&UserId> {
        match &self.state {
            State::Connected(user) | State::Leaving(user, _) => Some(user),
            State::Anonymous | State::Connecting(_) => None,
        }
    }

    fn on_text(&mut self, text: &str, ctx: &mut Ctx) {
        let parsed = parse(text, self.user());
        match (self.use_limits(), parsed) {
            (Frames::Taken, Ok(frame)) => self.on_frame(frame, text.len(), ctx),
            (Frames::Taken, Err(refusal)) => self.refuse(refusal, ctx),
            (Frames::Refused, parsed) => self.refuse(one_too_many(parsed), ctx),
            (Frames::Flood, _) => self.leave(CloseCode::Flooding, ctx),
        }
    }

    /// Reads on only while what was asked is within bounds and the session may ask.
    fn set_gate(&self) {
        let may_ask = matches!(self.state, State::Anonymous | State::Connected(_));
        let within = self.owed + self.pages.waiting() < OWED_MAX
            && self.flow.in_hand.load(Ordering::Relaxed) < IN_HAND_MAX;
        self.pipe.set_open(may_ask && within);
    }

    /// Nothing more is read, and when all is answered, goodbye; who takes their answers slowly has not
    /// for ever.
    fn leave(&mut self, code: CloseCode, ctx: &mut Ctx) {
        if matches!(self.state, State::Leaving(..)) {
            return; // the first reason is the one to tell
        }
        let Some(user) = self.user().cloned() else {
            return self.close(code, ctx); // nobody is owed anything yet
        };
        self.state = State::Leaving(user, code);
        self.set_gate();
        ctx.run_later(GOODBYE, move |this, ctx| this.close(code, ctx));
        self.close_if_left(ctx);
    }

    fn close_if_left(&mut self, ctx: &mut Ctx) {
        if let State::Leaving(_, code) = self.state
            && self.owed == 0
            && self.pages.is_idle()
        {
            self.close(code, ctx);
        }
    }

    /// Says why and ends: `close` only queues the frame, so `stop` must follow.
    fn close(&mut self, code: CloseCode, ctx: &mut Ctx) {
        self.shared.metrics.close(code.number());
        ctx.close(Some(ws::close_reason(code)));
        self.pipe.set_open(false);
        ctx.stop();
    }
}

impl Actor for Session {
    type Context = Ctx;

    fn started(&mut self, ctx: &mut Ctx) {
        self.shared.count.fetch_add(1, Ordering::Relaxed);
        ctx.add_stream(DrainedStream(Rc::clone(&self.pipe)));
        if !self.admit(ctx) {
            return;
        }
        self.start_liveness(ctx);
        let mut stage = self.shared.stage.clone();
        let left = async move {
            stage
                .wait_for(|stage| *stage == Stage::Leaving)
                .await
                .is_ok()
        };
        ctx.spawn(
            left.into_actor(self)
                .map(|_, this, ctx| this.leave(CloseCode::GoingAway, ctx)),
        );
    }

    fn stopped(&mut self, _: &mut Ctx) {
        self.shared.count.fetch_sub(1, Ordering::Relaxed);
        if !matches!(self.state, State::Anonymous) {
            self.shared.chat.do_send(Disconnect(self.connection));
        }
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, item: Result<Message, ProtocolError>, ctx: &mut Ctx) {
        match item {
            Ok(Message::Text(text)) => self.on_text(&text, ctx),
            Ok(Message::Binary(_)) => self.on_binary(ctx),
            Ok(Message::Continuation(item)) => match self.fragments.add(item) {
                fragments::Added::Text(text) => self.on_text(&text, ctx),
                fragments::Added::Binary => self.on_binary(ctx),
                fragments::Added::NotUtf8 => self.close(CloseCode::NotUtf8, ctx),
                fragments::Added::Incomplete => {}
            },
            Ok(Message::Ping(data)) => ctx.pong(&data),
            Ok(Message::Pong(data)) => self.on_pong(&data),
            Ok(Message::Close(reason)) => {
                ctx.close(reason);
                ctx.stop();
            }
            Ok(Message::Nop) => {}
            Err(error) => match ws::close_code(&self.pipe, &error) {
                Some(code) => self.close(code, ctx),
                None => ctx.stop(),
            },
        }
    }
}

impl StreamHandler<Drained> for Session {
    fn handle(&mut self, _: Drained, ctx: &mut Ctx) {
        if self.flow.take(std::mem::take(&mut self.untaken)) {
            self.shared.chat.do_send(Resume(self.connection));
        }
        self.page_taken(ctx);
        self.close_if_left(ctx);
    }
}

impl Session {
    fn on_binary(&mut self, ctx: &mut Ctx) {
        let text = "frames are text: binary ones are not part of the protocol";
        match self.use_limits() {
            Frames::Taken => self.refuse(Refusal::new(ErrorCode::BadFrame, text), ctx),
            Frames::Refused => self.refuse(rate_limited(), ctx),
            Frames::Flood => self.leave(CloseCode::Flooding, ctx),
        }
    }

    fn write(&self, frame: ByteString, ctx: &mut Ctx) {
        ctx.text(frame);
    }
}

impl Handler<Push> for Session {
    type Result = ();

    fn handle(&mut self, push: Push, ctx: &mut Ctx) {
        self.owed = self.owed.saturating_sub(push.answered);
        self.liveness.receipts(push.receipts_upto);
        self.untaken += push.bytes();
        for frame in push.into_frames() {
            self.write(frame, ctx);
        }
        self.pipe.await_drain();
        self.set_gate();
        self.close_if_left(ctx);
    }
}

impl Handler<ConnectAnswer> for Session {
    type Result = ();

    fn handle(&mut self, answer: ConnectAnswer, ctx: &mut Ctx) {
        self.write(answer.frame, ctx);
        if let State::Connecting(user) = &self.state {
            self.state = if answer.connected {
                State::Connected(user.clone())
            } else {
                State::Anonymous
            };
            self.set_gate();
        }
    }
}

impl Handler<Kick> for Session {
    type Result = ();

    fn handle(&mut self, Kick(code): Kick, ctx: &mut Ctx) {
        if code == CloseCode::Unauthorized {
            self.pages.give_up_queued();
        }
        self.leave(code, ctx);
    }
}
