//! A commit that PostgreSQL refuses at the last moment, when it has already answered every statement of the batch.

use super::common::{empty_database, spawn_node};
use super::support::Client;

/// Checked when a transaction is about to be committed, and not before.
const REFUSING: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'this one is not kept'; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (new.body = 'refused') EXECUTE FUNCTION refuse();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_at_the_commit_itself_is_neither_acknowledged_nor_delivered_and_can_be_sent_again()
 {
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let node = spawn_node(directory.path(), &database, &[]);
    node.wait_until_ready();
    let mut ann = Client::connect(&node, "ann").await;
    let mut bob = Client::connect(&node, "bob").await;
    database.execute(REFUSING);
    let mut refused = Vec::new();
    // The first message makes them contacts, in a transaction of several statements; later ones are one statement.
    for kept in ["first", "second", "third"] {
        let id = ann.id().await;
        ann.message(&id, "bob", "refused").await;
        ann.expect_error("storage_unavailable").await;
        refused.push(id);
        let id = ann.deliver("bob", kept).await;
        bob.expect_message("ann", "bob", &id, kept).await;
    }
    assert_eq!(stored(&database), ["first", "second", "third"]);

    database.execute("DROP TRIGGER refuse ON messages;");
    for id in &refused {
        ann.message(id, "bob", "refused").await;
        ann.expect_status("bob", "ann", id, 1).await;
        bob.expect_message("ann", "bob", id, "refused").await;
    }
    let gaps = "SELECT count(*) FROM users WHERE login = 'bob' AND timeline <>
        (SELECT count(*) FROM messages WHERE recipient = users.id)";
    assert_eq!(
        database.query_i64(gaps),
        0,
        "no number was spent on what was not kept"
    );
}

fn stored(database: &super::support::Database) -> Vec<String> {
    database.query("SELECT body FROM messages ORDER BY lo_seq")
}
