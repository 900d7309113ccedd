//! A soak: mixed traffic for an hour or a night, clients that come and go, faults from time to time, and every
//! message accounted for at the end.
//!
//! [`driver`] says who does what, and the devices do it ([`device`], [`talk`], [`hear`]), beside clients that do what
//! none should ([`hostile`]). [`faults`] strike. All devices write into one [`ledger`], which is held against the
//! server's histories at the end of each stretch of a few minutes ([`audit`], [`hearing`]; [`audit_itself`] holds
//! them against made-up ledgers) and is then forgotten ([`settle`]): what is remembered does not grow with the
//! length of the soak. [`sample`] watches the processes, and [`report`] writes `target/soak/`.
//!
//! | variable | default | what it sets |
//! |---|---|---|
//! | `YANSHU_SOAK_MINUTES` | a short form of some seconds | how long there is traffic |
//! | `YANSHU_SOAK_RATE` | 1,000; 300 in the short form | messages a second |
//! | `YANSHU_SOAK_USERS` | 200 | how many users there are |
//! | `YANSHU_SEED` | by chance, and printed; always the same in the short form | what all that is left to chance comes from |
//! | `YANSHU_TEST_ON` | `sqlite` | the ground, as for all tests |

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/plot.rs"]
mod plot;
#[path = "../support/mod.rs"]
mod support;

mod archive;
mod audit;
mod audit_itself;
mod bounds;
mod crowd;
mod curves;
mod device;
mod driver;
mod faults;
mod ground;
mod hear;
mod hearing;
mod hostile;
mod ledger;
mod letter;
mod line;
mod report;
mod run;
mod sample;
mod settings;
mod settle;
mod shared;
mod story;
mod talk;

use settings::Settings;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_mixed_traffic_and_faults_every_message_is_accounted_for_and_nothing_is_kept_for_good()
 {
    let settings = Settings::from_environment();
    println!("YANSHU_SEED={}", settings.seed);
    let report = run::soak(settings).await;
    report.write();
    println!("\n{}", report.summary());
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}
