//! Devices of one user on several nodes: how many there may be, and that they leave each other alone.

use super::ground::{Ground, Plan, TWO_NODES};
use super::support::{Client, Node};

const PLAN: Plan = Plan {
    flags: &["--max-devices=2"],
    ..TWO_NODES
};

const ANN: &str = "ann";
const BOB: &str = "bob";

async fn two_devices(node: &Node) -> [Client; 2] {
    [
        Client::connect(node, ANN).await,
        Client::connect(node, ANN).await,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_devices_counts_on_each_node_and_who_is_replaced_leaves_the_others_alone() {
    let ground = Ground::new(PLAN);
    let (here, there) = (ground.node(0), ground.node(1));
    let [mut oldest, second] = two_devices(here).await;
    let elsewhere = two_devices(there).await;
    let mut bob = Client::connect(there, BOB).await;

    let newest = Client::connect(here, ANN).await;
    assert_eq!(oldest.expect_close().await, 4409);

    let mut left = vec![second, newest];
    left.extend(elsewhere);
    let id = bob.deliver(ANN, "to all of you").await;
    for device in &mut left {
        device.expect_message(BOB, ANN, &id, "to all of you").await;
    }
    left[0].read(&id, BOB).await;
    for device in &mut left[1..] {
        device.expect_status(ANN, BOB, &id, 2).await;
    }
    bob.expect_status(ANN, BOB, &id, 2).await;
    for device in &mut left {
        device.assert_silent().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_device_on_a_node_goes_and_those_on_the_other_still_hear_everything() {
    let ground = Ground::new(PLAN);
    let (here, there) = (ground.node(0), ground.node(1));
    let mut bob = Client::connect(here, BOB).await;
    let mut staying = Client::connect(there, ANN).await;
    for number in 0..10 {
        let text = format!("number {number}");
        let coming = Client::connect(here, ANN).await;
        coming.close().await;
        let id = bob.deliver(ANN, &text).await;
        staying.expect_message(BOB, ANN, &id, &text).await;
    }
    staying.assert_silent().await;
}
