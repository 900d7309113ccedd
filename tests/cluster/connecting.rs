//! Devices that connect while something happens on the other node.

use super::crossing::PROMPT;
use super::ground::{Ground, Plan, TWO_NODES};
use super::rounds;
use super::support::Client;

/// How often it is tried: what goes wrong goes wrong within a millisecond.
const TIMES: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_sent_while_its_recipient_connects_elsewhere_arrives_at_once_and_once() {
    let ground = Ground::new(TWO_NODES);
    let mut ann = Client::connect(ground.node(0), "ann").await;
    for number in 0..TIMES * rounds() {
        // A new user each time: nothing that comes later shows a gap.
        let bob = format!("bob-{number}");
        let id = ann.id().await;
        ann.message(&id, &bob, "welcome").await;
        let mut device = Client::connect(ground.node(1), &bob).await;
        device.set_patience(PROMPT);
        device.expect_message("ann", &bob, &id, "welcome").await;
        device.assert_silent().await;
        ann.expect_status(&bob, "ann", &id, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_overtakes_its_recipients_subscription_arrives_at_once_and_once() {
    let ground = Ground::new(Plan {
        bus_way: true,
        ..TWO_NODES
    });
    let mut ann = Client::connect(ground.node(1), "ann").await;
    for number in 0..10 * rounds() {
        let bob = format!("bob-{number}");
        ground.bus_way().freeze();
        let mut device = Client::open(ground.node(0)).await;
        let writing = async {
            // Some round trips later a node that waited for nothing would have asked the store.
            for _ in 0..10 {
                ann.ids().await;
            }
            let id = ann.deliver(&bob, "welcome").await;
            ground.bus_way().heal();
            id
        };
        let ((), id) = tokio::join!(device.connect_as(&bob), writing);
        device.set_patience(PROMPT);
        device.expect_message("ann", &bob, &id, "welcome").await;
        device.assert_silent().await;
    }
}
