//! What a person or a script does as a user: `yanshu chat`, `send` and `tail`, against the real server.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod chatting;
mod program;
mod sending;
mod tailing;
