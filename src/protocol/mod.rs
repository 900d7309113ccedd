//! The wire: frames in and out, IDs, error and close codes.
//!
//! Pure functions over text, no I/O. Nothing here knows of actors, sockets or a database: a frame
//! is parsed into [`Frame`] by [`parse`], and everything the server says is text made in
//! [`render`].

mod codes;
mod delivery;
mod field;
mod file;
mod frame;
mod ids;
mod name;
mod parse;
pub mod render;
mod timestamp;

pub use codes::{CloseCode, ErrorCode, Refusal};
pub use delivery::Delivery;
pub use file::{FILE_NAME_MAX, FileId, FileIdError, carried_file, file_name};
pub use frame::{Action, Frame, HistoryQuery, MessageBody, MessageKind, Request, Token};
pub use ids::{IdError, MessageId, UserId};
pub use name::{NAME_MAX, NameError, display_name};
pub use parse::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, check_body, parse};
pub use timestamp::Timestamp;

/// Largest `chatMsg.message`, in bytes of UTF-8.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024;

/// A page of history ends where its rendered messages pass this many bytes.
pub const MAX_PAGE_BYTES: usize = 512 * 1024;

/// How many IDs one answer to action 2 carries (the seed, section 2).
pub const IDS_PER_GRANT: i64 = 10;
