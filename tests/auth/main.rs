//! Who may speak, and how much: tokens, by every way in, of every kind; pages of other sites; limits, and
//! floods against them; TLS.
//!
//! The keys under `keys/` were made for these tests and are of no other use.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod commands;
mod expiring;
mod floods;
mod limits;
mod origins;
mod provisioned;
mod rotation;
mod tls;
mod tls_files;
mod tls_floods;
mod tokens;
mod ways;
