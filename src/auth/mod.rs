//! Who may speak to this server, and as whom.
//!
//! With keys ([`Verifier`]) a client shows a token, and speaks for the user that it names. Without, the
//! server is open ([`Gate`]): it believes any `fromId`, and so serves this machine only. Nothing
//! here knows of sockets or of the store. A token is never logged, nor any part of one.

mod admin;
mod keys;
mod mint;
mod open;
mod token;

pub use admin::AdminKey;
pub use keys::{KeyError, Keyring};
pub use mint::{MintError, mint};
pub use open::{Gate, NotLoopback, check_open_listen};
pub use token::{Identity, TokenError, Verifier};
