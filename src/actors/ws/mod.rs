//! The WebSocket under a session: the only module that knows actix-web-actors.
//!
//! Inbound, a `FrameGuard` checks every frame's header before its bytes are kept and lets
//! one frame at a time through, while the gate is open. Outbound, a `Wire` polls the session only when
//! all that it wrote has gone, so that it is seen at once when the socket takes no more. The two and
//! the session share a [`Pipe`].

// Public for fuzz/ alone.
#[doc(hidden)]
pub mod guard;
mod pipe;
mod wire;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::ws::Codec;
use actix_web::{Error, HttpRequest, HttpResponse};
use actix_web_actors::ws as actors_ws;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

pub use actors_ws::{Message, ProtocolError, WebsocketContext};
pub use pipe::{Drained, DrainedStream, Pipe, Violation};

use super::link::Link;
use super::session::Session;
use crate::protocol::CloseCode;

/// What is answered to a client that offers it among its subprotocols (RFC 6455 §1.9).
const SUBPROTOCOLS: [&str; 1] = ["yanshu.v1"];

/// Answers an upgrade request.
///
/// # Errors
/// Where the request is no WebSocket handshake (RFC 6455 §4.2.1); it has its HTTP answer.
pub fn accept(request: &HttpRequest) -> Result<HttpResponse, Error> {
    Ok(actors_ws::handshake_with_protocols(request, &SUBPROTOCOLS)?.finish())
}

/// Runs the session that `make` builds around its pipe over a connection on which the bytes of `answer` are
/// still to be written, and those of `first` were read already. Done when the connection is.
pub fn run<C: AsyncRead + AsyncWrite + Unpin + 'static>(
    (connection, link): (C, Arc<Link>),
    (answer, first): (Bytes, Bytes),
    max_frame: usize,
    make: impl FnOnce(Rc<Pipe>) -> Session,
) -> impl Future<Output = ()> {
    let connection = Rc::new(RefCell::new(connection));
    let pipe = Rc::new(Pipe::default());
    let inlet = wire::Inlet::new(Rc::clone(&connection), first);
    let guard = guard::FrameGuard::new(inlet, Rc::clone(&pipe), max_frame);
    let session = make(Rc::clone(&pipe));
    let codec = Codec::new().max_size(max_frame);
    let frames = WebsocketContext::with_codec(session, guard, codec);
    wire::Wire::new(connection, answer, frames, (pipe, link))
}

/// The close frame for a code.
pub fn close_reason(code: CloseCode) -> actors_ws::CloseReason {
    actors_ws::CloseReason {
        code: actors_ws::CloseCode::from(code.number()),
        description: Some(code.reason().to_owned()),
    }
}

/// What to close with after the stream of frames failed; `None` where nobody is there to hear it.
pub fn close_code(pipe: &Pipe, error: &ProtocolError) -> Option<CloseCode> {
    match pipe.violation() {
        Some(Violation::Disconnected) => None,
        Some(Violation::TooLarge) => Some(CloseCode::TooLarge),
        Some(Violation::Malformed) => Some(CloseCode::Protocol),
        None => Some(match error {
            ProtocolError::Overflow => CloseCode::TooLarge,
            // The codec's only I/O error after the guard: text that is not UTF-8.
            ProtocolError::Io(_) => CloseCode::NotUtf8,
            _ => CloseCode::Protocol,
        }),
    }
}
