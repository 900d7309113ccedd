//! Random histories of a few users with several devices each, done at the real server and held against a model of
//! what docs/PROTOCOL.md promises.
//!
//! [`history`] says what can happen, [`model`] what each connection must then receive, may, and must not. A history
//! that fails is made as short as can be and printed; its seed is kept in `tests/model/regressions`, which are
//! tried first in every run.
//!
//! | variable | default | what it sets |
//! |---|---|---|
//! | `YANSHU_MODEL_HISTORIES` | as many as take some twenty seconds | how many histories there are |
//! | `YANSHU_SEED` | by chance, and printed; always the same where the number of histories is the default | the seed that they come from |

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod acting;
mod device;
mod ground;
mod history;
mod model;
mod observe;
mod verdict;
mod world;

use std::cell::RefCell;
use std::time::Instant;

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestRunner};

use ground::Ground;
use support::mode::{Mode, from_environment, mode};

/// In a debug build, on two cores.
fn default_histories() -> u32 {
    match mode() {
        Mode::Sqlite => 120,
        Mode::Postgres => 100,
        Mode::Cluster => 60,
    }
}

/// The seed of the short form.
const SHORT_SEED: u64 = 81;

#[test]
fn whatever_users_do_each_device_receives_what_the_protocol_promises_and_nothing_else() {
    let cases = from_environment("YANSHU_MODEL_HISTORIES", default_histories);
    // The short form is to say something of the change at hand, not of the luck of the day.
    let is_short = std::env::var_os("YANSHU_MODEL_HISTORIES").is_none();
    let by_chance = || if is_short { SHORT_SEED } else { rand::random() };
    let seed = from_environment("YANSHU_SEED", by_chance);
    let regressions = FileFailurePersistence::Direct("tests/model/regressions");
    let mut runner = TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(regressions)),
        max_shrink_iters: 2_000,
        max_shrink_time: 120_000,
        ..Config::default()
    });
    let ground = RefCell::new(Ground::default());
    let started = Instant::now();
    let outcome = runner.run(&history::histories(), |history| {
        ground
            .borrow_mut()
            .try_out(&history)
            .map_err(TestCaseError::fail)
    });
    let (on, time) = (mode(), started.elapsed());
    let ground = ground.borrow();
    println!(
        "{} on {on:?} in {time:.1?}, from YANSHU_SEED={seed}",
        ground.tally()
    );
    if let Err(error) = outcome {
        panic!("YANSHU_SEED={seed}: {error}");
    }
}
