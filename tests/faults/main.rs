//! What the server does when its clients, its store or its own process misbehave.
//!
//! Every test runs the real binary. Some of them do more when asked by the environment, as `make proof` does:
//!
//! | variable | default | what it sets |
//! |---|---|---|
//! | `YANSHU_CRASH_ROUNDS` | 5, or 3 where there is more than the server to kill | how often `crash` kills |
//! | `YANSHU_POWER_ROUNDS` | 3 | how often each test of `power_cut` cuts the power |
//! | `YANSHU_SLOW_READER` | 20,000 | how many messages wait for the reader of `slow_reader` |
//! | `YANSHU_SEED` | a fixed one | the seed of the mutations, of the moments at which `crash` kills and `power_cut` cuts, and of what is lost then |

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod bystanders;
mod comebacks;
mod crash;
mod crash_load;
mod crash_pair;
mod crash_receiver;
mod flow;
mod full_disk;
mod hoarders;
mod hostile;
mod hostile_floods;
mod hostile_http;
mod hostile_json;
mod hostile_requests;
mod journal;
mod memory;
mod memory_backlog;
mod mutate;
mod mutations;
mod observe;
mod power_cut;
mod refusals;
mod replaced;
mod silent_sender;
mod slow_reader;
mod slow_store;
mod store_failure;
mod unsynced;
