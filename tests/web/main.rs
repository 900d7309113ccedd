//! The web client, in real headless Chromium, against the real server.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod accessible;
mod away;
mod browser;
mod calling;
mod client;
mod files;
mod files_away;
mod files_hostile;
mod history;
mod hostile;
mod page;
mod pictures;
mod published;
mod served;
mod signing;
mod tabs;
mod talking;
mod things;
