//! The rules of routing as plain data: no actors, no database, no sockets.
//!
//! [`Routes`] says which connections speak for a user, [`Cursor`] what a connection is owed of its
//! user's timeline, [`IdAllocator`] which message IDs this node may hand out, [`Budget`] how
//! much work it may hold in memory, and [`Limits`] how much of it one user or address may ask for.

mod allocator;
mod budget;
mod cursor;
mod limits;
mod routes;

pub use allocator::IdAllocator;
pub use budget::{Budget, Permit};
pub use cursor::{Cursor, Start, Verdict, Want};
pub use limits::{Allowance, Allowances, Frames, Limits, Seat};
pub use routes::Routes;

/// A connection's number: random, positive, unique across nodes and restarts for all that matters.
///
/// It stands beside every message in the store, so that a device is not sent what it sent itself.
pub type ConnectionId = i64;

/// What no connection has as its number: the origin of what every device of a user hears of.
pub const NO_CONNECTION: ConnectionId = 0;
