//! Two nodes make the same users at the same moment.

use futures_util::future::join_all;

use super::ground::{Ground, TWO_NODES};
use super::rounds;
use super::support::{Client, Node};

/// New users in a round.
const NEWCOMERS: usize = 60;

/// Writes to all of these, as fast as it goes. Returns the message to each.
async fn write_to_all(client: &mut Client, newcomers: &[String]) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < newcomers.len() {
        ids.extend(client.ids().await);
    }
    let user = client.user().to_owned();
    for (newcomer, id) in newcomers.iter().zip(&ids) {
        client.message(id, newcomer, "welcome").await;
    }
    for (newcomer, id) in newcomers.iter().zip(&ids) {
        client.expect_status(newcomer, &user, id, 1).await;
    }
    ids
}

/// The newcomer finds both messages, in either order.
async fn finds_both(node: &Node, newcomer: &str, expected: [String; 2]) {
    let mut client = Client::connect(node, newcomer).await;
    let mut found = Vec::new();
    for _ in 0..2 {
        let frame = client.next().await;
        let id = frame["chatMsg"]["id"].as_str();
        found.push(
            id.unwrap_or_else(|| panic!("{frame} is no message"))
                .to_owned(),
        );
    }
    found.sort();
    let mut expected = expected;
    expected.sort();
    assert_eq!(found, expected);
    client.assert_silent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_to_whom_both_nodes_write_first_at_once_exist_once() {
    let ground = Ground::new(TWO_NODES);
    let mut one = Client::connect(ground.node(0), "one").await;
    let mut other = Client::connect(ground.node(1), "other").await;
    for round in 0..3 * rounds() {
        let newcomers: Vec<String> = (0..NEWCOMERS).map(|n| format!("new-{round}-{n}")).collect();
        // In opposite orders, which is what locks that are taken as they come do not survive.
        let backwards: Vec<String> = newcomers.iter().rev().cloned().collect();
        let (from_one, mut from_other) = tokio::join!(
            write_to_all(&mut one, &newcomers),
            write_to_all(&mut other, &backwards)
        );
        from_other.truncate(NEWCOMERS);
        from_other.reverse();
        let messages = from_one.into_iter().zip(from_other);
        let findings = newcomers
            .iter()
            .zip(messages)
            .map(|(newcomer, (a, b))| finds_both(ground.node(0), newcomer, [a, b]));
        join_all(findings).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_connects_to_both_nodes_for_the_first_time_at_once_exists_once() {
    let ground = Ground::new(TWO_NODES);
    let mut writer = Client::connect(ground.node(0), "writer").await;
    for number in 0..20 * rounds() {
        let newcomer = format!("new-{number}");
        let (mut here, mut there) = tokio::join!(
            Client::connect(ground.node(0), &newcomer),
            Client::connect(ground.node(1), &newcomer)
        );
        let id = writer.deliver(&newcomer, "welcome").await;
        for device in [&mut here, &mut there] {
            device
                .expect_message("writer", &newcomer, &id, "welcome")
                .await;
        }
    }
}
