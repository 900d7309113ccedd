//! Conformance to RFC 6455: the cases of sections 1 to 7 of the Autobahn test suite, each by its number.
//!
//! The suite's fuzzing client wants a server that sends every message back. This server answers in frames of
//! its own protocol, so that each case is rebuilt on what it answers:
//!
//! | the suite | here |
//! |---|---|
//! | a text message comes back | it is refused as `bad_json`, which none of the suite's texts is |
//! | a binary message comes back | it is refused as `bad_frame` |
//! | the connection is failed | a close frame with exactly the code that `docs/PROTOCOL.md` has for it |
//!
//! Every case runs twice: on a socket that nobody has connected on, and on one that speaks for a user. That
//! texts arrive unchanged, `intact` shows with messages that a user sends to themselves.
//!
//! Not rebuilt: section 9 measures speed, 10 is about how the suite cuts its own frames, and 12 and 13 are
//! about compression, which this server does not offer.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod case;
mod closing;
mod ending;
mod fragmentation;
mod framing;
mod intact;
mod opcodes;
mod peer;
mod pings;
mod reserved_bits;
mod suite;
mod unicode;
mod utf8;
