//! From a frame that was parsed to what the session asks for, or why it does not.

use std::sync::Arc;
use std::time::Instant;

use actix::AsyncContext;

use super::{Ctx, Session, State};
use crate::actors::chat_server::{Ask, Connect, Request};
use crate::chat::Permit;
use crate::protocol::render::{self, MessageView};
use crate::protocol::{
    Action, ErrorCode, Frame, MessageBody, Refusal, Request as FrameRequest, Token, UserId,
};
use crate::store::NewMessage;

/// What a request weighs beside its text: its place in queues, its answer.
const REQUEST_OVERHEAD: usize = 512;

impl Session {
    pub(super) fn on_frame(&mut self, frame: Frame, bytes: usize, ctx: &mut Ctx) {
        let request = match frame.request {
            FrameRequest::Connect { token } => {
                return self.connect(frame.from, token.as_ref(), ctx);
            }
            FrameRequest::Heartbeat => return self.shared.metrics.taken(Action::Heartbeat),
            FrameRequest::Contacts => return self.read_contacts(ctx),
            FrameRequest::History(query) => return self.read_history(query, ctx),
            FrameRequest::GetIds => Request::GetIds,
            FrameRequest::Send(body) => self.message(frame.from, body),
            FrameRequest::Read { sender, message } => Request::Read { sender, message },
        };
        self.ask(request, bytes);
    }

    fn connect(&mut self, user: UserId, token: Option<&Token>, ctx: &mut Ctx) {
        if !self.may_be(&user, token, ctx) {
            return;
        }
        if let Some(user) = self.user() {
            // Parsed as the session's own user: the same again is answered again.
            self.shared.metrics.taken(Action::Connect);
            return ctx.text(render::connected(user));
        }
        self.shared.chat.do_send(Connect {
            connection: self.connection,
            user: user.clone(),
            name: self.name(),
            address: self.address,
            session: ctx.address(),
            flow: Arc::clone(&self.flow),
        });
        self.state = State::Connecting(user);
        self.set_gate();
    }

    fn message(&self, from: UserId, body: MessageBody) -> Request {
        let frame = render::message(&MessageView {
            from: from.as_str(),
            to: body.to.as_str(),
            id: body.id,
            kind: body.kind.number(),
            text: &body.text,
            status: 0,
            time: body.time.as_str(),
        });
        let message = NewMessage {
            id: body.id,
            from,
            to: body.to,
            kind: body.kind,
            text: body.text,
            time: body.time.into_string(),
            origin: self.connection,
        };
        Request::Send(message, frame)
    }

    /// Forwards a request of so many bytes, or says that the server is full.
    fn ask(&mut self, request: Request, bytes: usize) {
        // The text is held twice: as the message to store and as the frame to route.
        let weight = 2 * bytes + REQUEST_OVERHEAD;
        let (request, permit) = match self.shared.budget.take(weight, &self.flow.in_hand) {
            Some(permit) => (request, Some(permit)),
            None => (Request::Refused(busy(&request)), None),
        };
        self.send_ask(request, permit);
    }

    fn send_ask(&mut self, request: Request, permit: Option<Permit>) {
        let connection = self.connection;
        self.shared.chat.do_send(Ask {
            connection,
            request,
            permit,
            since: Instant::now(),
        });
        self.owed += 1;
        self.set_gate();
    }

    /// Refuses a frame, in its turn among the answers to the same action.
    pub(super) fn refuse(&mut self, refusal: Refusal, ctx: &mut Ctx) {
        let action = refusal.action.and_then(Action::from_client);
        match action {
            Some(Action::GetIds | Action::Message | Action::Status) if self.owed > 0 => {
                // It weighs nothing: the gate bounds how many there are.
                self.send_ask(Request::Refused(refusal), None);
            }
            Some(Action::Contacts | Action::History) if self.user().is_some() => {
                self.refuse_page(refusal, ctx);
            }
            _ => {
                self.shared.metrics.refused(&refusal);
                ctx.text(render::error(self.user(), &refusal));
            }
        }
    }
}

fn busy(request: &Request) -> Refusal {
    let text = "the server has as much in hand as it may hold";
    let refusal = Refusal::new(ErrorCode::Busy, text);
    match request {
        Request::GetIds => refusal.on(Action::GetIds),
        Request::Send(message, _) => refusal.on(Action::Message).about(message.id),
        Request::Read { message, .. } => refusal.on(Action::Status).about(*message),
        Request::Refused(refusal) => refusal.clone(),
    }
}
