//! Whose messages a user does not get.

use serde_json::{Value, json};

use super::admin::{Admin, server};
use super::support::Client;

#[tokio::test]
async fn who_is_blocked_is_told_forbidden_and_who_blocks_sees_nothing() {
    let server = server();
    let admin = Admin::of(&server);
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let before = ann.deliver("bob", "before").await;
    bob.expect_message("ann", "bob", &before, "before").await;
    let put = admin.put("/users/bob/blocks/ann", &Value::Null).await;
    assert_eq!(put.assert_status(201).body, json!({"id": "ann"}));
    admin
        .put("/users/bob/blocks/ann", &Value::Null)
        .await
        .assert_status(200);
    assert_eq!(admin.get("/users/bob/blocks").await.each("id"), ["ann"]);
    assert!(admin.get("/users/ann/blocks").await.items().is_empty());

    let ids = ann.ids().await;
    for _ in 0..3 {
        ann.message(&ids[0], "bob", "hello").await;
        let error = ann.expect_error("forbidden").await;
        assert_eq!(error["chatMsg"]["id"], json!(ids[0]), "{error}");
        assert_eq!(error["error"]["retryable"], false, "{error}");
    }
    // What was taken before is acknowledged again; others are not concerned, nor is the other way.
    ann.message(&before, "bob", "before").await;
    ann.expect_status("bob", "ann", &before, 1).await;
    let other = ann.deliver("cid", "to somebody else").await;
    assert_ne!(other, ids[0]);
    let back = bob.deliver("ann", "still there?").await;
    ann.expect_message("bob", "ann", &back, "still there?")
        .await;
    ann.read(&back, "bob").await;
    bob.expect_status("ann", "bob", &back, 2).await;
    // Again and again: what batches remember of the two is relied on once it has held for a while.
    for _ in 0..50 {
        ann.message(&ids[0], "bob", "hello").await;
        ann.expect_error("forbidden").await;
    }
    bob.assert_silent().await;
    assert_eq!(bob.history(Some("ann"), None, None).await.len(), 2);

    admin
        .delete("/users/bob/blocks/ann")
        .await
        .assert_status(204);
    admin
        .delete("/users/bob/blocks/ann")
        .await
        .assert_is(404, "not_blocked");
    ann.message(&ids[0], "bob", "hello").await;
    ann.expect_status("bob", "ann", &ids[0], 1).await;
    bob.expect_message("ann", "bob", &ids[0], "hello").await;
}

#[tokio::test]
async fn a_block_holds_from_the_moment_it_is_answered_on_every_node() {
    let server = server();
    let mut ann = Client::connect(server.node(0), "ann").await;
    let mut bob = Client::connect(server.node(1), "bob").await;
    for round in 0..10 {
        let admin = Admin::at(server.node(round));
        let ids = ann.ids().await;
        // So that whatever batches remember of the two is there.
        for id in &ids[..2] {
            ann.message(id, "bob", "text").await;
            ann.expect_status("bob", "ann", id, 1).await;
            bob.expect_message("ann", "bob", id, "text").await;
        }
        let put = admin.put("/users/bob/blocks/ann", &Value::Null).await;
        put.assert_status(201);
        ann.message(&ids[2], "bob", "text").await;
        ann.expect_error("forbidden").await;
        let gone = admin.delete("/users/bob/blocks/ann").await;
        gone.assert_status(204);
        ann.message(&ids[3], "bob", "text").await;
        ann.expect_status("bob", "ann", &ids[3], 1).await;
        bob.expect_message("ann", "bob", &ids[3], "text").await;
    }
}

#[tokio::test]
async fn only_users_who_exist_block_and_are_blocked() {
    let server = server();
    let admin = Admin::of(&server);
    admin.create(&["ann", "bob"]).await;
    for path in ["/users/ann/blocks/nobody", "/users/nobody/blocks/ann"] {
        admin
            .put(path, &Value::Null)
            .await
            .assert_is(404, "unknown_user");
    }
    admin
        .put("/users/ann/blocks/bob", &Value::Null)
        .await
        .assert_status(201);
    // Their own blocks go with a user; whoever else blocks them does so still.
    admin
        .put("/users/bob/blocks/ann", &Value::Null)
        .await
        .assert_status(201);
    admin.delete("/users/bob").await.assert_status(204);
    admin.create(&["bob"]).await;
    assert!(admin.get("/users/bob/blocks").await.items().is_empty());
    assert_eq!(admin.get("/users/ann/blocks").await.each("id"), ["bob"]);
    let mut bob = Client::connect(&server, "bob").await;
    let id = bob.id().await;
    bob.message(&id, "ann", "text").await;
    bob.expect_error("forbidden").await;
}
