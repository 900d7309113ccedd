//! Every error code and close code there is, with what it means and whether a retry can help.
//!
//! `docs/PROTOCOL.md` holds the tables made from [`ErrorCode::TABLE`] and [`CloseCode::TABLE`]; a
//! test keeps the two equal.

use super::MessageId;

/// Why a frame was refused: the `error.code` of an action 0 frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The frame is not JSON.
    BadJson,
    /// The frame is JSON, but not a frame of this protocol.
    BadFrame,
    /// Something other than action 1 came first.
    NotConnected,
    /// The socket already speaks for another user.
    AlreadyConnected,
    /// The session may not do this.
    Forbidden,
    /// No such user.
    UnknownUser,
    /// No such message, or none that this user may see.
    UnknownMessage,
    /// The message ID was not granted to this sender, or its grant has lapsed.
    IdNotGranted,
    /// The message ID already holds other content.
    IdConflict,
    /// `chatMsg.message` is larger than [`super::MAX_MESSAGE_BYTES`].
    TooLarge,
    /// The user sends more than the limits allow.
    RateLimited,
    /// The server has more work than it may hold in memory.
    Busy,
    /// The store failed; the outcome of the request is unknown.
    StorageUnavailable,
    /// A fault of the server.
    Internal,
}

/// One row of the table of error codes.
pub struct ErrorRow {
    /// The code.
    pub code: ErrorCode,
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether the same frame, sent again later, can succeed.
    pub retryable: bool,
    /// What it means and what a client does about it.
    pub meaning: &'static str,
}

const fn row(
    code: ErrorCode,
    name: &'static str,
    retryable: bool,
    meaning: &'static str,
) -> ErrorRow {
    ErrorRow {
        code,
        name,
        retryable,
        meaning,
    }
}

impl ErrorCode {
    /// All codes, in the order of the variants.
    pub const TABLE: [ErrorRow; 14] = [
        row(
            Self::BadJson,
            "bad_json",
            false,
            "The frame is not JSON. Mend the client.",
        ),
        row(
            Self::BadFrame,
            "bad_frame",
            false,
            "JSON, but a field is missing or wrong; the text names it. Mend the client.",
        ),
        row(
            Self::NotConnected,
            "not_connected",
            false,
            "The first frame must be action 1. Connect, then send this again.",
        ),
        row(
            Self::AlreadyConnected,
            "already_connected",
            false,
            "This socket was authenticated as another user. Open a socket of its own for each user.",
        ),
        row(
            Self::Forbidden,
            "forbidden",
            false,
            "`fromId` is not the user of this socket, the message is not this user's to act on, its recipient blocks its sender, or the file that it carries is not there or not this user's to send.",
        ),
        row(
            Self::UnknownUser,
            "unknown_user",
            false,
            "No such user. (In open mode a user exists as soon as someone writes to them.)",
        ),
        row(
            Self::UnknownMessage,
            "unknown_message",
            false,
            "No such message in what was asked for, or not one this user may see; retention may have removed it.",
        ),
        row(
            Self::IdNotGranted,
            "id_not_granted",
            false,
            "This ID was never granted to this user, or its grant lapsed after 30 days. Ask for new ones (action 2).",
        ),
        row(
            Self::IdConflict,
            "id_conflict",
            false,
            "This ID is already a message with another `toId`, `type` or `message`. Take a new ID.",
        ),
        row(
            Self::TooLarge,
            "too_large",
            false,
            "`chatMsg.message` is over 32 KiB of UTF-8. Send a file (type 1) instead.",
        ),
        row(
            Self::RateLimited,
            "rate_limited",
            true,
            "Too many frames. Wait, then send it again; whoever goes on is closed with 4429.",
        ),
        row(
            Self::Busy,
            "busy",
            true,
            "The server has as much in hand as it may hold. Nothing was done; send it again after a pause.",
        ),
        row(
            Self::StorageUnavailable,
            "storage_unavailable",
            true,
            "The store failed and the outcome is unknown. Send the same frame again: a message is stored once at most.",
        ),
        row(
            Self::Internal,
            "internal",
            true,
            "A fault of the server; it is in its log. Send the same frame again after a pause.",
        ),
    ];

    fn row(self) -> &'static ErrorRow {
        &Self::TABLE[self as usize]
    }

    /// The name on the wire, such as `id_conflict`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether the same frame, sent again later, can succeed.
    pub fn retryable(self) -> bool {
        self.row().retryable
    }
}

/// A refused request: what an action 0 frame says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: ErrorCode,
    /// One sentence for the person who reads the client's log.
    pub text: String,
    /// The action that was refused, as sent; `None` where the frame did not say.
    pub action: Option<i64>,
    /// The message meant, where there is one.
    pub message: Option<MessageId>,
}

impl Refusal {
    /// A refusal that names no action and no message yet.
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            action: None,
            message: None,
        }
    }

    /// The same, saying which action was refused.
    #[must_use]
    pub fn on(mut self, action: impl Into<i64>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// The same, saying which message is meant.
    #[must_use]
    pub fn about(mut self, message: MessageId) -> Self {
        self.message = Some(message);
        self
    }
}

/// Why the server closes a WebSocket (RFC 6455 §7.4; 4000–4999 are ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The client asked for it.
    Normal,
    /// The server is going away.
    GoingAway,
    /// The bytes are not WebSocket frames of a client.
    Protocol,
    /// A text message is not UTF-8.
    NotUtf8,
    /// A frame, or a message in fragments, is larger than the limit.
    TooLarge,
    /// A fault of the server.
    Internal,
    /// The token is missing, wrong or expired.
    Unauthorized,
    /// No connect frame in time, or nothing heard for too long.
    Idle,
    /// One device too many: this was the oldest.
    Replaced,
    /// The client went on after `rate_limited`.
    Flooding,
}

/// One row of the table of close codes.
pub struct CloseRow {
    /// The reason.
    pub code: CloseCode,
    /// Its number on the wire.
    pub number: u16,
    /// Whether a client should reconnect by itself.
    pub reconnect: bool,
    /// What it means.
    pub meaning: &'static str,
}

const fn close(code: CloseCode, number: u16, reconnect: bool, meaning: &'static str) -> CloseRow {
    CloseRow {
        code,
        number,
        reconnect,
        meaning,
    }
}

impl CloseCode {
    /// The code with this number on the wire.
    pub fn from_number(number: u16) -> Option<Self> {
        let mut rows = Self::TABLE.into_iter();
        rows.find(|row| row.number == number).map(|row| row.code)
    }

    /// All codes, in the order of the variants.
    pub const TABLE: [CloseRow; 10] = [
        close(
            Self::Normal,
            1000,
            false,
            "Answer to the client's own close.",
        ),
        close(
            Self::GoingAway,
            1001,
            true,
            "The server is going away; all that it took is answered. Reconnect.",
        ),
        close(
            Self::Protocol,
            1002,
            false,
            "Not a valid WebSocket frame of a client (RFC 6455). Mend the client.",
        ),
        close(
            Self::NotUtf8,
            1007,
            false,
            "A text message is not UTF-8. Mend the client.",
        ),
        close(
            Self::TooLarge,
            1009,
            false,
            "A frame, or a fragmented message as a whole, is over the frame limit. Mend the client.",
        ),
        close(
            Self::Internal,
            1011,
            true,
            "A fault of the server. Reconnect with a growing pause.",
        ),
        close(
            Self::Unauthorized,
            4401,
            false,
            "The token is missing, wrong or expired. Get a new one first.",
        ),
        close(
            Self::Idle,
            4408,
            true,
            "No connect frame in time, or nothing was heard for too long.",
        ),
        close(
            Self::Replaced,
            4409,
            false,
            "One device too many: this connection was the user's oldest. Reconnect only when the person asks.",
        ),
        close(
            Self::Flooding,
            4429,
            true,
            "The client went on after `rate_limited`. Reconnect after a long pause.",
        ),
    ];

    fn row(self) -> &'static CloseRow {
        &Self::TABLE[self as usize]
    }

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self.row().number
    }

    /// The reason sent with the number: at most 123 bytes (RFC 6455 §5.5.1).
    pub fn reason(self) -> &'static str {
        match self {
            Self::Normal => "bye",
            Self::GoingAway => "server going away: reconnect",
            Self::Protocol => "not a valid client frame (RFC 6455)",
            Self::NotUtf8 => "text is not UTF-8",
            Self::TooLarge => "frame too large",
            Self::Internal => "server fault",
            Self::Unauthorized => "token missing, wrong or expired",
            Self::Idle => "no connect frame in time, or idle",
            Self::Replaced => "replaced by a newer device: do not reconnect by yourself",
            Self::Flooding => "too many frames",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_the_order_of_their_variants() {
        for (i, row) in ErrorCode::TABLE.iter().enumerate() {
            assert_eq!(row.code as usize, i, "{}", row.name);
        }
        for (i, row) in CloseCode::TABLE.iter().enumerate() {
            assert_eq!(row.code as usize, i, "{}", row.number);
            assert!(row.code.reason().len() <= 123);
        }
    }

    #[test]
    fn the_protocol_document_holds_every_code_as_the_table_says_it() {
        let doc = include_str!("../../docs/PROTOCOL.md");
        for row in &ErrorCode::TABLE {
            let retry = if row.retryable { "yes" } else { "no" };
            let line = format!("| `{}` | {retry} | {} |", row.name, row.meaning);
            assert!(doc.contains(&line), "docs/PROTOCOL.md lacks:\n{line}");
        }
        for row in &CloseCode::TABLE {
            let again = if row.reconnect { "yes" } else { "no" };
            let line = format!("| {} | {again} | {} |", row.number, row.meaning);
            assert!(doc.contains(&line), "docs/PROTOCOL.md lacks:\n{line}");
        }
    }
}
