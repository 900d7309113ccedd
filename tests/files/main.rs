//! Files: how they go up and come down, who may read them, and what is left of those that never arrived, that
//! nobody can read any more, or that were made to do harm.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod asker;
mod bombs;
mod bucket;
mod bucket_files;
mod chat;
mod crash;
mod crowd;
mod cut;
mod deleted;
mod forwarding;
mod full_disk;
mod ground;
mod images;
mod limits;
mod mishaps;
mod names;
mod origins;
mod pictures;
mod quota;
mod ranges;
mod readers;
mod safe;
mod slow;
mod sweep;
mod tokens;
mod uploads;
mod wire;
