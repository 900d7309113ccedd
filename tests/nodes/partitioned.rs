//! A table of messages that was divided, as docs/OPERATIONS.md says how, below a server that runs.

use super::common::{assert_all_serve, empty_database, spawn_node};
use super::support::Client;
use super::support::client::message_ids;

const PARTITION: &str = include_str!("../../deploy/partition-messages.sql");

/// So many IDs in each part, in place of ten million.
const IDS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_goes_on_over_a_divided_table_of_messages_and_starts_on_it() {
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let node = spawn_node(directory.path(), &database, &[]);
    node.wait_until_ready();
    let mut ann = Client::connect(&node, "ann").await;
    let mut bob = Client::connect(&node, "bob").await;
    let mut sent = Vec::new();
    let text = |number: usize| format!("number {number}");
    for number in 0..100 {
        if number == 10 {
            database.execute(&PARTITION.replace("10000000", &IDS.to_string()));
            // The first part has room for all IDs that the server has taken already.
            for _ in 0..100 {
                ann.ids().await;
            }
        }
        let id = ann.deliver("bob", &text(number)).await;
        bob.expect_message("ann", "bob", &id, &text(number)).await;
        sent.push(id);
    }
    let parts = "SELECT count(DISTINCT tableoid) FROM messages";
    assert!(
        database.query_i64(parts) > 3,
        "messages are in several parts"
    );
    // Readings, a resend and a claim under an ID that is used, each in whichever part.
    for id in sent.iter().step_by(7) {
        bob.read(id, "ann").await;
        ann.expect_status("bob", "ann", id, 2).await;
    }
    ann.message(&sent[0], "bob", &text(0)).await;
    ann.expect_status("bob", "ann", &sent[0], 2).await;
    ann.message(&sent[50], "bob", "something else").await;
    ann.expect_error("id_conflict").await;
    for partner in [Some("bob"), None] {
        let page = ann.history(partner, None, Some(100)).await;
        assert_eq!(message_ids(&page), sent);
    }

    drop((ann, bob));
    node.restart();
    let mut bob = Client::connect(&node, "bob").await;
    for (number, id) in sent
        .iter()
        .enumerate()
        .filter(|(number, _)| number % 7 != 0)
    {
        bob.expect_message("ann", "bob", id, &text(number)).await;
    }
    assert_all_serve(&[&node], "later").await;
}
