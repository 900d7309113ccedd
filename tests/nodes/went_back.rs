//! A database that knows less than it did: restored from a backup, or a standby that took over without the last
//! commits.

use std::time::Duration;

use super::common::{empty_database, spawn_node};
use super::support::{Client, Nats};

/// Who is here is compared with the database every ten seconds.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a backup of before the last message would not have.
const BACK: &str = "DELETE FROM messages WHERE body = 'lost';
    UPDATE users SET timeline = timeline - 1;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_start_anew_where_a_database_that_went_back_is_now() {
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let bus = format!("--nats-url={}", Nats::shared().url());
    let node = spawn_node(directory.path(), &database, &[&bus]);
    node.wait_until_ready();
    let mut ann = Client::connect(&node, "ann").await;
    let mut bob = Client::connect(&node, "bob").await;
    let kept = ann.deliver("bob", "kept").await;
    let lost = ann.deliver("bob", "lost").await;
    bob.expect_message("ann", "bob", &kept, "kept").await;
    bob.expect_message("ann", "bob", &lost, "lost").await;

    database.execute(BACK);
    for client in [&mut ann, &mut bob] {
        client.set_patience(PATIENCE);
        assert_eq!(client.expect_close().await, 1001);
    }
    let mut ann = Client::connect(&node, "ann").await;
    let mut bob = Client::connect(&node, "bob").await;
    bob.expect_message("ann", "bob", &kept, "kept").await;
    // Its sender may still have it.
    ann.message(&lost, "bob", "lost").await;
    ann.expect_status("bob", "ann", &lost, 1).await;
    bob.expect_message("ann", "bob", &lost, "lost").await;
    let next = ann.deliver("bob", "next").await;
    bob.expect_message("ann", "bob", &next, "next").await;
    bob.assert_timeline_silent().await;
}
