//! What the ChatServer receives.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use actix::{Addr, Message};
use bytestring::ByteString;

use crate::actors::flow::Flow;
use crate::actors::session::Session;
use crate::chat::{ConnectionId, Permit};
use crate::protocol::{MessageId, Refusal, UserId};
use crate::store::NewMessage;

/// A session wants to speak for a user. Answered with a `ConnectAnswer`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Connect {
    /// The connection's number.
    pub connection: ConnectionId,
    /// For whom.
    pub user: UserId,
    /// What its token calls the user.
    pub name: Option<String>,
    /// From where it speaks.
    pub address: Option<IpAddr>,
    /// Where pushes go.
    pub session: Addr<Session>,
    /// What it has taken of them.
    pub flow: Arc<Flow>,
}

/// A request of a connected session. Each is answered once, in a `Push`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ask {
    /// Who asks.
    pub connection: ConnectionId,
    /// What.
    pub request: Request,
    /// What it takes of the budget, until it is answered; a refusal takes nothing.
    pub permit: Option<Permit>,
    /// When it came.
    pub since: Instant,
}

/// What a session asks of the ChatServer.
pub enum Request {
    /// Action 2.
    GetIds,
    /// Action 3: the message, and the frame that others receive.
    Send(NewMessage, ByteString),
    /// Action 4.
    Read {
        /// The message's sender, as the reader says.
        sender: UserId,
        /// The message.
        message: MessageId,
    },
    /// The session refused a frame itself; the refusal takes its turn among the answers.
    Refused(Refusal),
}

/// There is room again for a device that catches up.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Resume(pub ConnectionId);

/// A device answered a ping that was sent after the receipts up to this number.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Told {
    /// Which device.
    pub connection: ConnectionId,
    /// The number in its user's timeline.
    pub seq: i64,
}

/// A session is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Disconnect(pub ConnectionId);

/// The process stops, and all sessions are gone: finish what is in hand, give the unused IDs back.
/// Answered when everything is committed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Finish;
