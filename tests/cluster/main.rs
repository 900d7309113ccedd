//! What becomes of messages when PostgreSQL, NATS, a node or the ways between them fail, under load; and, for one node
//! on a file, when the disk or the clock does.
//!
//! Most tests let the load of [`load`] run, have a fault strike, wait until everybody goes on, and then hold all
//! that the clients remember against all that the server has kept ([`verify`], which [`verify_itself`] holds
//! against made-up records). Each stands on a [`ground`](ground::Ground) of its own. They do more when asked by the
//! environment, as `make proof` does:
//!
//! | variable | default | what it sets |
//! |---|---|---|
//! | `YANSHU_CLUSTER_ROUNDS` | 1 | how often each fault strikes |
//! | `YANSHU_CLUSTER_RATE` | 50 | how many messages a second each of the six users of a load tries to send |

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod archive;
mod bus_down;
mod bus_overrun;
mod clock;
mod connecting;
mod crossing;
mod devices;
mod disk;
mod ground;
mod health;
mod load;
mod new_users;
mod nodes_die;
mod one_id;
mod record;
mod rolling;
mod store_down;
mod store_way;
mod story;
mod unannounced;
mod verify;
mod verify_itself;

/// The number in an environment variable, or `default` where it is not set.
fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

/// How often a fault strikes.
fn rounds() -> u64 {
    setting("YANSHU_CLUSTER_ROUNDS", 1)
}
