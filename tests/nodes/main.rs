//! Several nodes on one PostgreSQL: how they start beside each other, what stops a start, the one order of
//! each conversation on all of them, and the IDs that each hands out once.
//!
//! Every test runs the real binary. Some do more when asked by the environment, as `make proof` does:
//!
//! | variable | default | what it sets |
//! |---|---|---|
//! | `YANSHU_START_ROUNDS` | 5 | how many empty databases nodes are started on |
//! | `YANSHU_ORDER_USERS` | 200 | how many users `order` has, of the two crowds each |
//! | `YANSHU_ORDER_MESSAGES` | 4,000 | how many messages they send, again each |
//! | `YANSHU_TAKING_ROUNDS` | 4 | how often a node goes down while IDs are taken |
//! | `YANSHU_SEED` | a fixed one | the seed of who writes to whom, and of the moments at which nodes are killed |

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod at_once;
mod commit_fails;
mod common;
mod device;
mod histories;
mod late_answer;
mod ledger;
mod next_version;
mod order;
mod partitioned;
mod plan;
mod refused;
mod refused_bus;
mod secrets;
mod taking;
mod verdict;
mod waiting;
mod went_back;
mod wire;
