//! More refusals than a batch has room for, with nothing to write among them.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use serde_json::json;

use super::observe::{all_bytes_are_read, eventually};
use super::support::{Client, Database, Mode, Postgres, Server, only_on};

/// So many senders, each with as many unanswered requests as there may be.
const SENDERS: usize = 9;
const REQUESTS: usize = 256;

/// Holds a user's row: whatever concerns them waits until this is dropped.
fn hold(database: &Database, user: &str) -> PgConnection {
    let mut connection = PgConnection::establish(&database.url()).expect("it is up");
    let lock = format!("BEGIN; SELECT FROM users WHERE login = '{user}' FOR UPDATE;");
    connection.batch_execute(&lock).expect("it can be locked");
    connection
}

/// Waits until a statement of the server waits for such a row.
async fn something_waits(database: &Database) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
        AND datname = current_database()";
    eventually("a batch to wait for a row", || {
        database.query_i64(waiting) == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_that_fill_more_than_a_batch_are_all_told() {
    if !only_on(
        &[Mode::Postgres],
        "on SQLite, nothing can hold up one batch and not the next",
    ) {
        return;
    }
    let database = Postgres::shared().new_database();
    let server = Server::on(&database, &[&["--store-writers=1", "--store-timeout=60s"]]);
    let node = server.node(0);
    let mut first = Client::connect(node, "first").await;
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        let mut sender = Client::connect(node, &format!("sender-{number}")).await;
        let ids = sender.ids().await;
        // From now on the two are contacts.
        sender.message(&ids[0], "second", "text").await;
        sender.answer("4").await;
        senders.push((sender, ids));
    }
    let id = first.deliver("held", "text").await;
    assert!(!id.is_empty());
    let id = first.id().await;

    // A batch that waits, behind it one that will, with a message of each sender; and then refusals alone.
    let (held, second) = (hold(&database, "held"), hold(&database, "second"));
    first.message(&id, "held", "text").await;
    something_waits(&database).await;
    for (sender, ids) in &mut senders {
        sender.message(&ids[1], "second", "text").await;
        // Its answer shows that the message before it is taken.
        sender.contacts().await;
    }
    drop(held);
    first.expect_status("held", "first", &id, 1).await;
    something_waits(&database).await;
    for (sender, _) in &mut senders {
        for _ in 1..REQUESTS {
            let user = sender.user().to_owned();
            sender.send(json!({"action": "3", "fromId": user})).await;
        }
    }
    all_bytes_are_read(node).await;
    drop(second);
    for (sender, ids) in &mut senders {
        let user = sender.user().to_owned();
        sender.expect_status("second", &user, &ids[1], 1).await;
        for _ in 1..REQUESTS {
            sender.expect_error("bad_frame").await;
        }
    }
}
