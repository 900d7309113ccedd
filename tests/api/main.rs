//! The provisioning API, and what it does to those who are connected.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod admission;
mod blocks;
mod commands;
mod contacts;
mod described;
mod imports;
mod impostors;
mod matrix;
mod messages;
mod retention;
mod sessions;
mod users;
