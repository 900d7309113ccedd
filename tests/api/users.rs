//! Users: who there is, what they are called, and their end.

use std::time::Duration;

use serde_json::json;

use super::admin::{Admin, TOKEN, server, server_with};
use super::support::client::message_ids;
use super::support::{Client, Mode, Postgres, Server, frames, only_on};

/// Nodes find out every ten seconds what no bus has told them.
const BY_COMPARISON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn users_are_created_renamed_read_and_listed_by_id_a_part_at_a_time() {
    let server = server();
    let admin = Admin::of(&server);
    assert!(admin.get("/users").await.items().is_empty());
    let put = admin.put("/users/b", &json!({"name": " 张三 "})).await;
    assert_eq!(
        put.assert_status(201).body,
        json!({"id": "b", "name": "张三"})
    );
    admin.create(&["a", "c", "d", "E"]).await;
    let put = admin.put("/users/b", &json!({"name": "李四"})).await;
    assert_eq!(put.assert_status(200).body["name"], "李四");
    assert_eq!(
        admin.get("/users/b").await.body,
        json!({"id": "b", "name": "李四"})
    );
    let put = admin.put("/users/b", &json!({"name": null})).await;
    assert_eq!(put.assert_status(200).body["name"], json!(null));
    admin.get("/users/x").await.assert_is(404, "unknown_user");
    let first = admin.get("/users?limit=2").await;
    assert_eq!(first.each("id"), ["E", "a"]);
    let next = first.body["next"].as_str().unwrap().to_owned();
    let second = admin.get(&format!("/users?limit=2&cursor={next}")).await;
    assert_eq!(second.each("id"), ["b", "c"]);
    let next = second.body["next"].as_str().unwrap().to_owned();
    let last = admin.get(&format!("/users?limit=2&cursor={next}")).await;
    assert_eq!(last.each("id"), ["d"]);
    assert_eq!(last.body.get("next"), None, "{last:?}");
    for query in ["limit=0", "limit=1001", "limit=x", "page=2"] {
        admin
            .get(&format!("/users?{query}"))
            .await
            .assert_is(400, "bad_request");
    }
    for name in ["x\ny", &"x".repeat(257)] {
        let put = admin.put("/users/b", &json!({"name": name})).await;
        put.assert_is(400, "bad_request");
    }
}

#[tokio::test]
async fn with_tokens_who_is_created_can_be_written_to() {
    let secret = "a-secret-of-thirty-two-characters";
    let server = server_with(&[&format!("--jwt-secret={secret}")]);
    let minted = super::support::command::run(&["token", "ann", "--jwt-secret", secret]);
    let bearer = format!("Bearer {}", minted.stdout.trim());
    let opened = Client::open_with(server.node(0), &[("Authorization", &bearer)]).await;
    let mut ann = opened.unwrap().0;
    ann.connect_as("ann").await;
    let ids = ann.ids().await;
    ann.message(&ids[0], "bob", "text").await;
    ann.expect_error("unknown_user").await;
    let admin = Admin::at(server.node(1));
    admin.create(&["bob"]).await;
    ann.message(&ids[0], "bob", "text").await;
    ann.expect_status("bob", "ann", &ids[0], 1).await;
    admin.delete("/users/bob").await.assert_status(204);
    ann.message(&ids[1], "bob", "text").await;
    ann.expect_error("unknown_user").await;
    // What was taken before is acknowledged again all the same.
    ann.message(&ids[0], "bob", "text").await;
    ann.expect_status("bob", "ann", &ids[0], 1).await;
    admin
        .delete("/users/bob")
        .await
        .assert_is(404, "unknown_user");
    admin.create(&["bob"]).await;
    ann.message(&ids[1], "bob", "text").await;
    ann.expect_status("bob", "ann", &ids[1], 1).await;
}

#[tokio::test]
async fn a_deleted_user_loses_what_is_theirs_and_what_they_wrote_stays_with_others() {
    let server = server();
    let admin = Admin::of(&server);
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    admin
        .put("/users/bob", &json!({"name": "Bob"}))
        .await
        .assert_status(200);
    let from_ann = ann.deliver("bob", "to bob").await;
    bob.expect_message("ann", "bob", &from_ann, "to bob").await;
    let ids = bob.ids().await;
    bob.message(&ids[0], "ann", "to ann").await;
    bob.expect_status("ann", "bob", &ids[0], 1).await;
    ann.expect_message("bob", "ann", &ids[0], "to ann").await;

    admin.delete("/users/bob").await.assert_status(204);
    assert_eq!(bob.expect_close().await, 4401);
    admin.get("/users/bob").await.assert_is(404, "unknown_user");
    for list in ["contacts", "blocks"] {
        let answer = admin.get(&format!("/users/bob/{list}")).await;
        answer.assert_is(404, "unknown_user");
    }
    assert_eq!(admin.get("/users").await.each("id"), ["ann"]);
    let page = ann.history(Some("bob"), None, None).await;
    assert_eq!(message_ids(&page), [from_ann.clone(), ids[0].clone()]);
    // The name is gone, the contact is Ann's own.
    assert_eq!(ann.contacts().await, [("bob".to_owned(), "bob".to_owned())]);
    // She can still say that she read it; there is nobody to tell.
    ann.read(&ids[0], "bob").await;
    ann.assert_silent().await;

    // Somebody else gets the ID, and nothing of what was.
    let mut other = Client::connect(&server, "bob").await;
    other.assert_silent().await;
    assert!(other.history(None, None, None).await.is_empty());
    assert!(other.history(Some("ann"), None, None).await.is_empty());
    assert!(other.contacts().await.is_empty());
    other
        .send(frames::history("bob", None, Some(&from_ann), None))
        .await;
    other.expect_error("unknown_message").await;
    for id in [&from_ann, &ids[0]] {
        other.read(id, "ann").await;
        other.expect_error("unknown_message").await;
    }
    // Neither the message that Bob sent, nor the IDs that he had left.
    for id in [&ids[0], &ids[1]] {
        other.message(id, "ann", "to ann").await;
        other.expect_error("id_not_granted").await;
    }
    ann.assert_silent().await;
    // From here on they are a user like any other, and Ann's history goes on.
    let fresh = other.deliver("ann", "hello").await;
    ann.expect_message("bob", "ann", &fresh, "hello").await;
    let answer = ann.deliver("bob", "who is this?").await;
    other
        .expect_message("ann", "bob", &answer, "who is this?")
        .await;
    let page = ann.history(Some("bob"), None, None).await;
    assert_eq!(message_ids(&page), [&*from_ann, &ids[0], &fresh, &answer]);
    let page = other.history(Some("ann"), None, None).await;
    assert_eq!(message_ids(&page), [&*fresh, &answer]);
    let page = other.history(None, Some(&answer), None).await;
    assert_eq!(message_ids(&page), [&*fresh]);
    let mut again = Client::connect(&server, "bob").await;
    again
        .expect_message("ann", "bob", &answer, "who is this?")
        .await;
    again.assert_silent().await;
    other.read(&answer, "ann").await;
    ann.expect_status("bob", "ann", &answer, 2).await;
    assert_eq!(
        other.contacts().await,
        [("ann".to_owned(), "ann".to_owned())]
    );
}

#[tokio::test]
async fn deleting_ends_sessions_where_no_bus_tells_of_it() {
    if !only_on(&[Mode::Cluster], "it takes two nodes") {
        return;
    }
    let lent = Postgres::shared().lend_database();
    let token = format!("--admin-token={TOKEN}");
    let flags: &[&str] = &[&token];
    let server = Server::on(lent.database(), &[flags, flags]);
    let mut ann = Client::connect(server.node(1), "ann").await;
    ann.set_patience(BY_COMPARISON);
    // So that the node remembers her.
    ann.ids().await;
    let admin = Admin::at(server.node(0));
    admin.delete("/users/ann").await.assert_status(204);
    // IDs that she got now would be those of whoever has hers next.
    ann.send(frames::get_ids("ann")).await;
    ann.expect_error("unknown_user").await;
    // Somebody else has the ID at once, and is not concerned.
    let mut other = Client::connect(server.node(0), "ann").await;
    assert_eq!(ann.expect_close().await, 4401);
    other.assert_silent().await;
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_still_ends_sessions_when_it_is_asked_for_again() {
    let server = server();
    let mut ann = Client::connect(&server, "ann").await;
    server.database().execute(
        "UPDATE users SET deleted = TRUE, hidden = timeline, voided = 1, revision = revision + 1",
    );
    let admin = Admin::of(&server);
    admin
        .delete("/users/ann")
        .await
        .assert_is(404, "unknown_user");
    // Somebody who has the ID by then is not concerned.
    let mut other = Client::connect(server.node(1), "ann").await;
    assert_eq!(ann.expect_close().await, 4401);
    other.assert_silent().await;
}

#[tokio::test]
async fn deleting_ends_sessions_on_whatever_node_they_are() {
    let server = server();
    let mut devices = Vec::new();
    for number in 0..4 {
        devices.push(Client::connect(server.node(number), "ann").await);
    }
    Admin::at(server.node(1))
        .delete("/users/ann")
        .await
        .assert_status(204);
    for device in &mut devices {
        assert_eq!(device.expect_close().await, 4401);
    }
}
