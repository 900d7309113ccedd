//! What a client sees: the server on PostgreSQL goes on where the one on SQLite ended.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::{Source, migrate_all, rows, target};
use crate::support::client::message_ids;
use crate::support::server::run;
use crate::support::{Client, Database, Server, frames};

const USERS: [&str; 3] = ["HK0001", "HK0002", "HK0003"];

/// What happened on SQLite, and what a client sees of it.
struct Past {
    /// All IDs of HK0001, of which the first five are spent.
    ids: Vec<String>,
    /// All IDs that any user ever got.
    issued: BTreeSet<String>,
    /// Everything, as each user sees it.
    seen: Vec<Seen>,
}

/// What a user sees without changing anything.
#[derive(Debug, PartialEq)]
struct Seen {
    user: String,
    contacts: Vec<(String, String)>,
    history: Vec<Value>,
    conversations: Vec<Vec<Value>>,
}

/// Asks for all that a user can see. What comes at connect is not looked at, and no ping is answered.
async fn look(server: &Server, user: &str) -> Seen {
    let mut client = Client::connect(server, user).await;
    let mut conversations = Vec::new();
    for partner in USERS {
        conversations.push(client.history(Some(partner), None, Some(100)).await);
    }
    Seen {
        user: user.to_owned(),
        contacts: client.contacts().await,
        history: client.history(None, None, Some(100)).await,
        conversations,
    }
}

async fn look_all(server: &Server) -> Vec<Seen> {
    let mut seen = Vec::new();
    for user in USERS {
        seen.push(look(server, user).await);
    }
    seen
}

fn import(source: &Source, what: &str, csv: &str) {
    let path = source.beside("import.csv");
    std::fs::write(&path, csv).expect("the file can be written");
    let path = path.to_str().expect("a temporary path is UTF-8");
    let url = source.database.url();
    let ended = run(&[what, "import", path, "--database-url", &url]);
    assert!(ended.status.success(), "{}", ended.stderr);
}

/// HK0001 has written to HK0002, who was away, and to HK0003, who has read it while HK0001 was away; HK0003 has
/// written to HK0001, who has read that; and HK0001 has written to themself.
async fn converse(source: &Source) -> Past {
    let mut server = Server::on(&source.database, &[&[]]);
    import(source, "users", "HK0002,张三\nHK0003,李四\n");
    import(source, "contacts", "HK0001,HK0003,小李\nHK0001,HK0009,\n");
    let mut one = Client::connect(&server, "HK0001").await;
    let ids = one.ids().await;
    for (id, to) in ids.iter().zip(["HK0002", "HK0002", "HK0002", "HK0003"]) {
        one.message(id, to, id).await;
        one.expect_status(to, "HK0001", id, 1).await;
    }
    one.message(&ids[4], "HK0001", "自己").await;
    one.expect_message("HK0001", "HK0001", &ids[4], "自己")
        .await;
    one.expect_status("HK0001", "HK0001", &ids[4], 1).await;

    let mut three = Client::connect(&server, "HK0003").await;
    three
        .expect_message("HK0001", "HK0003", &ids[3], &ids[3])
        .await;
    let of_three = three.ids().await;
    three.message(&of_three[7], "HK0001", "read").await;
    three
        .expect_status("HK0001", "HK0003", &of_three[7], 1)
        .await;
    one.expect_message("HK0003", "HK0001", &of_three[7], "read")
        .await;
    one.read(&of_three[7], "HK0003").await;
    three
        .expect_status("HK0001", "HK0003", &of_three[7], 2)
        .await;
    one.close().await;
    three.read(&ids[3], "HK0001").await;
    three.assert_timeline_silent().await;
    three.close().await;

    let seen = look_all(&server).await;
    server.terminate().await;
    let issued = ids.iter().chain(&of_three).cloned();
    Past {
        issued: issued.collect(),
        ids,
        seen,
    }
}

/// A server on PostgreSQL, after all of that.
async fn migrated() -> (Past, Server, Source, Database) {
    let source = Source::new();
    let past = converse(&source).await;
    let to = target();
    migrate_all(&source.database, &to);
    let server = Server::on(&to, &[&[]]);
    (past, server, source, to)
}

#[tokio::test]
async fn history_and_contacts_are_the_same_for_everybody() {
    let (past, server, _source, _to) = migrated().await;
    assert_eq!(past.seen[0].history.len(), 6);
    assert_eq!(past.seen[0].contacts[2].1, "小李");
    assert_eq!(look_all(&server).await, past.seen);
}

#[tokio::test]
async fn unread_messages_come_to_who_was_away_in_their_order() {
    let (past, server, _source, _to) = migrated().await;
    let mut two = Client::connect(&server, "HK0002").await;
    for id in &past.ids[..3] {
        two.expect_message("HK0001", "HK0002", id, id).await;
    }
    two.assert_timeline_silent().await;
}

#[tokio::test]
async fn a_receipt_that_nobody_was_told_of_is_told() {
    let (past, server, _source, _to) = migrated().await;
    let mut one = Client::connect(&server, "HK0001").await;
    one.expect_message("HK0001", "HK0001", &past.ids[4], "自己")
        .await;
    one.expect_status("HK0003", "HK0001", &past.ids[3], 2).await;
    one.assert_timeline_silent().await;
}

#[tokio::test]
async fn an_id_that_was_not_spent_can_be_and_a_spent_one_is_acknowledged_with_its_status() {
    let (past, server, _source, _to) = migrated().await;
    let mut two = Client::connect(&server, "HK0002").await;
    let mut one = Client::connect(&server, "HK0001").await;
    one.expect_message("HK0001", "HK0001", &past.ids[4], "自己")
        .await;
    one.expect_status("HK0003", "HK0001", &past.ids[3], 2).await;

    one.message(&past.ids[0], "HK0002", &past.ids[0]).await;
    one.expect_status("HK0002", "HK0001", &past.ids[0], 1).await;
    one.message(&past.ids[3], "HK0003", &past.ids[3]).await;
    one.expect_status("HK0003", "HK0001", &past.ids[3], 2).await;
    one.message(&past.ids[0], "HK0002", "something else").await;
    one.expect_error("id_conflict").await;
    one.message(&past.ids[5], "HK0002", "new").await;
    one.expect_status("HK0002", "HK0001", &past.ids[5], 1).await;

    for id in &past.ids[..3] {
        two.expect_message("HK0001", "HK0002", id, id).await;
    }
    two.expect_message("HK0001", "HK0002", &past.ids[5], "new")
        .await;
    two.message(&past.ids[6], "HK0001", "an ID of somebody else")
        .await;
    two.expect_error("id_not_granted").await;
}

#[tokio::test]
async fn new_ids_and_new_users_are_new() {
    let (past, server, _source, to) = migrated().await;
    let before = rows(&to, "users");
    let mut newcomers = Vec::new();
    for user in ["HK0100", "HK0101", "HK0102"] {
        let mut client = Client::connect(&server, user).await;
        for id in client.ids().await {
            assert!(!past.issued.contains(&id), "{id} was issued before");
        }
        client.deliver("HK0002", user).await;
        newcomers.push(client.user().to_owned());
    }
    assert_eq!(rows(&to, "users"), before + 3);
    let mut two = Client::connect(&server, "HK0002").await;
    let mut ids = past.ids[..3].to_vec();
    let page = two.history(None, None, None).await;
    let new = message_ids(&page).split_off(3);
    ids.extend(new);
    assert_eq!(message_ids(&page), ids, "one timeline, old and new");
    for newcomer in newcomers {
        assert_eq!(two.history(Some(&newcomer), None, None).await.len(), 1);
    }
}

#[tokio::test]
async fn the_old_database_can_be_gone_back_to() {
    let (past, server, source, _to) = migrated().await;
    drop(server);
    let server = Server::on(&source.database, &[&[]]);
    assert_eq!(look_all(&server).await, past.seen);
    let mut one = Client::connect(&server, "HK0001").await;
    one.expect(&frames::message_text(
        "HK0001",
        "HK0001",
        &past.ids[4],
        "自己",
    ))
    .await;
}
