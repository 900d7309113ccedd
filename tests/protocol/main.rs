//! The protocol, over a real socket to the real server: every action, every refusal, and what a
//! client may rely on between them.
//!
//! The frames themselves come from the seed document; what it leaves open, `docs/PROTOCOL.md` says.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod asyncapi;
mod bodies;
mod catching_up;
mod closing;
mod common;
mod connecting;
mod contacts;
mod contacts_limit;
mod frames;
mod history;
mod history_pages;
mod identifiers;
mod imports;
mod lapsing;
mod liveness;
mod messages;
mod metrics;
mod operation;
mod ownership;
mod plans;
mod receipts;
mod receipts_told;
mod redelivery;
mod resending;
mod seed;
mod shutdown;
mod turns;
