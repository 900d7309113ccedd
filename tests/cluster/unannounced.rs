//! A node dies after it has committed and before it has told the other: its way to NATS is frozen, then it is
//! killed.

use super::crossing::BY_COMPARISON;
use super::ground::{Ground, Plan, TWO_NODES};
use super::support::client::message_ids;
use super::support::{Client, Node, within};

const PLAN: Plan = Plan {
    bus_way: true,
    ..TWO_NODES
};

const ANN: &str = "ann";
const BOB: &str = "bob";

async fn patient(node: &Node, user: &str) -> Client {
    let mut client = Client::connect(node, user).await;
    client.set_patience(BY_COMPARISON);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_node_acked_and_never_announced_reaches_the_other_by_comparison() {
    let ground = Ground::new(PLAN);
    let (doomed, other) = (ground.node(0), ground.node(1));
    let mut ann = Client::connect(doomed, ANN).await;
    let mut ann_there = patient(other, ANN).await;
    let mut bob = patient(other, BOB).await;
    let ids = ann.ids().await;

    ground.bus_way().freeze();
    for id in &ids {
        ann.message(id, BOB, "the last words").await;
    }
    for id in &ids {
        ann.expect_status(BOB, ANN, id, 1).await;
    }
    doomed.kill9();

    for id in &ids {
        bob.expect_message(ANN, BOB, id, "the last words").await;
        ann_there
            .expect_message(ANN, BOB, id, "the last words")
            .await;
        ann_there.expect_status(BOB, ANN, id, 1).await;
    }
    let kept = bob.history(Some(ANN), None, Some(100)).await;
    assert_eq!(message_ids(&kept), ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_a_dead_node_never_announced_reaches_the_other_by_comparison() {
    let ground = Ground::new(PLAN);
    let (doomed, other) = (ground.node(0), ground.node(1));
    let mut bob = Client::connect(doomed, BOB).await;
    let mut bob_there = patient(other, BOB).await;
    let mut ann = patient(other, ANN).await;
    let id = ann.deliver(BOB, "read this").await;
    for device in [&mut bob, &mut bob_there] {
        device.expect_message(ANN, BOB, &id, "read this").await;
    }

    ground.bus_way().freeze();
    bob.read(&id, ANN).await;
    within("the reading to be stored", async {
        while bob.history(Some(ANN), None, None).await[0]["chatMsg"]["status"] != 2 {}
    })
    .await;
    doomed.kill9();

    ann.expect_status(BOB, ANN, &id, 2).await;
    bob_there.expect_status(BOB, ANN, &id, 2).await;
}
