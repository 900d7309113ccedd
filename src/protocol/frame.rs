//! What a client can ask for, after parsing: every field checked, nothing left to doubt.

use std::fmt;

use super::{MessageId, Timestamp, UserId};

/// The event types of the seed, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum Action {
    /// 0: an error frame (server to client only).
    Error = 0,
    /// 1: connect.
    Connect = 1,
    /// 2: get message IDs.
    GetIds = 2,
    /// 3: a message.
    Message = 3,
    /// 4: a message's status.
    Status = 4,
    /// 5: heartbeat.
    Heartbeat = 5,
    /// 11: the full contact list.
    Contacts = 11,
    /// 12: a page of history.
    History = 12,
}

impl From<Action> for i64 {
    fn from(action: Action) -> i64 {
        action as i64
    }
}

impl Action {
    /// The action a client means by this number.
    pub fn from_client(number: i64) -> Option<Self> {
        [
            Self::Connect,
            Self::GetIds,
            Self::Message,
            Self::Status,
            Self::Heartbeat,
            Self::Contacts,
            Self::History,
        ]
        .into_iter()
        .find(|a| *a as i64 == number)
    }
}

/// A frame of a client: who speaks, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// `fromId`: the session's user, or in a first connect frame whom the client wants to be.
    pub from: UserId,
    /// What is asked.
    pub request: Request,
}

/// What a frame asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Action 1.
    Connect {
        /// `token`: who the client says to be, where it was not said at the upgrade, or a fresh one.
        token: Option<Token>,
    },
    /// Action 2.
    GetIds,
    /// Action 3.
    Send(MessageBody),
    /// Action 4 with status 2: the sender of `message` is `sender`, and the session's user read it.
    Read {
        /// `toId`: whom the reader believes to be the sender.
        sender: UserId,
        /// `chatMsg.id`.
        message: MessageId,
    },
    /// Action 5.
    Heartbeat,
    /// Action 11.
    Contacts,
    /// Action 12.
    History(HistoryQuery),
}

impl Request {
    /// The action this request came in.
    pub fn action(&self) -> Action {
        match self {
            Self::Connect { .. } => Action::Connect,
            Self::GetIds => Action::GetIds,
            Self::Send(_) => Action::Message,
            Self::Read { .. } => Action::Status,
            Self::Heartbeat => Action::Heartbeat,
            Self::Contacts => Action::Contacts,
            Self::History(_) => Action::History,
        }
    }

    /// The message this request is about, where there is one.
    pub fn message(&self) -> Option<MessageId> {
        match self {
            Self::Send(body) => Some(body.id),
            Self::Read { message, .. } => Some(*message),
            Self::History(query) => query.before,
            _ => None,
        }
    }
}

/// A token as a client shows it. Its `Debug` does not: what is logged must hold no token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// `chatMsg.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// 0: text.
    Text,
    /// 1: a file; `message` says which.
    File,
}

impl MessageKind {
    /// The number on the wire and in the store.
    pub fn number(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::File => 1,
        }
    }

    /// The kind with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Text),
            1 => Some(Self::File),
            _ => None,
        }
    }
}

/// An action 3 frame without its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageBody {
    /// `chatMsg.id`.
    pub id: MessageId,
    /// `toId`.
    pub to: UserId,
    /// `chatMsg.type`.
    pub kind: MessageKind,
    /// `chatMsg.message`: non-empty, no NUL, at most [`super::MAX_MESSAGE_BYTES`].
    pub text: String,
    /// `chatMsg.time`; the server's clock where the sender gave none.
    pub time: Timestamp,
}

/// An action 12 frame without its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// `toId`: the other side of one conversation; `None` asks for all of the user's.
    pub with: Option<UserId>,
    /// `baseMsgId`: the page ends just before it; `None` asks for the newest.
    pub before: Option<MessageId>,
    /// `pageSize`, already within bounds.
    pub page_size: i64,
}
