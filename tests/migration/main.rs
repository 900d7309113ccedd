//! `yanshu migrate-data`: what a server stored in SQLite, another one serves from PostgreSQL, and nothing is
//! lost on the way, wherever it is cut off.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod common;
mod cut_off;
mod differences;
mod refused;
mod served;
mod twice;
