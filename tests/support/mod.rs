//! What every test binary needs: the real server as a child process, clients for it, and what it stands on.
//!
//! A test binary takes it in with
//!
//! ```ignore
//! #[path = "../support/mod.rs"]
//! mod support;
//! ```
//!
//! Nothing here sleeps to wait for a thing: each wait names the thing and ends in a clear failure
//! after [`DEADLINE`].

// Each test binary compiles its own copy of these modules and uses a different part of them.
#![allow(dead_code, unused_imports)]
// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod client;
pub mod command;
pub mod database;
pub mod flood;
pub mod frames;
pub mod http;
pub mod leash;
pub mod mode;
pub mod nats;
pub mod node;
pub mod outbox;
pub mod place;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod server;
pub mod shim;
pub mod socket;

use std::future::Future;
use std::time::Duration;

pub use client::Client;
pub use database::Database;
pub use mode::{Mode, only_on};
pub use nats::Nats;
pub use node::Node;
pub use place::Place;
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use raw::RawClient;
pub use server::Server;
pub use shim::{DiskError, Shim};

/// How long a test waits for anything that has to happen, before it fails.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Waits for `future`, and fails the test with the name of the thing if it takes over [`DEADLINE`].
#[track_caller]
pub fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    within_time(DEADLINE, what, future)
}

/// [`within`], with a deadline of one's own.
#[track_caller]
pub fn within_time<F: Future>(
    deadline: Duration,
    what: &str,
    future: F,
) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(deadline, future).await {
            Ok(output) => output,
            Err(_) => panic!("waited {deadline:?} in vain for {what} (asked at {caller})"),
        }
    }
}
