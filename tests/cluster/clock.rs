//! The clock of a node is set, back and forth.

use super::disk::ON_A_FILE;
use super::ground::Ground;
use super::health::{self, Health};
use super::load::Load;
use super::rounds;

const DAY: i64 = 24 * 3600;

/// Under load: the clock jumps by so much, and back.
async fn everybody_goes_through(offset: i64) {
    let ground = Ground::new(ON_A_FILE);
    let load = Load::start(&ground).await;
    for _ in 0..rounds() {
        for offset in [offset, 0] {
            ground.shim().order_clock_offset(offset);
            load.goes_on().await;
            health::becomes(ground.node(0), Health::Green).await;
        }
    }
    load.settle(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_is_set_back_a_day() {
    everybody_goes_through(-DAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_is_set_forward_a_day() {
    everybody_goes_through(DAY).await;
}
