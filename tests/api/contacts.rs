//! Contacts that are given and taken away.

use serde_json::json;

use super::admin::{Admin, server};
use super::support::Client;

#[tokio::test]
async fn contacts_are_added_named_listed_and_taken_away() {
    let server = server();
    let admin = Admin::of(&server);
    admin.create(&["ann", "bob", "cid", "dan"]).await;
    let put = admin
        .put("/users/ann/contacts/bob", &json!({"alias": "小张"}))
        .await;
    assert_eq!(
        put.assert_status(201).body,
        json!({"id": "bob", "alias": "小张"})
    );
    for contact in ["cid", "dan"] {
        let path = format!("/users/ann/contacts/{contact}");
        admin.put(&path, &json!({})).await.assert_status(201);
    }
    let mut ann = Client::connect(&server, "ann").await;
    let seen = ann.contacts().await;
    assert_eq!(seen[0], ("bob".to_owned(), "小张".to_owned()), "{seen:?}");
    let put = admin.put("/users/ann/contacts/bob", &json!({})).await;
    assert_eq!(put.assert_status(200).body["alias"], json!(null));
    let first = admin.get("/users/ann/contacts?limit=2").await;
    assert_eq!(first.each("id"), ["bob", "cid"]);
    let next = first.body["next"].as_str().unwrap().to_owned();
    let rest = admin
        .get(&format!("/users/ann/contacts?limit=2&cursor={next}"))
        .await;
    assert_eq!(rest.each("id"), ["dan"]);
    admin
        .delete("/users/ann/contacts/bob")
        .await
        .assert_status(204);
    let again = admin.delete("/users/ann/contacts/bob").await;
    again.assert_is(404, "unknown_contact");
    let seen: Vec<_> = ann.contacts().await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(seen, ["cid", "dan"]);
    let counted = "SELECT contacts FROM users WHERE login = 'ann'";
    assert_eq!(server.database().query_i64(counted), 2);
    for path in ["/users/nobody/contacts/bob", "/users/ann/contacts/nobody"] {
        admin
            .put(path, &json!({}))
            .await
            .assert_is(404, "unknown_user");
    }
    admin
        .get("/users/ann/contacts?cursor=x")
        .await
        .assert_is(400, "bad_request");
}

#[tokio::test]
async fn a_contact_that_was_taken_away_comes_back_with_the_next_message() {
    let server = server();
    let admin = Admin::of(&server);
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let bobs = || [("ann".to_owned(), "ann".to_owned())];
    for round in 0..3 {
        // Whatever batches remember of the two, the list is right.
        for text in ["one", "two"] {
            let id = ann.deliver("bob", text).await;
            bob.expect_message("ann", "bob", &id, text).await;
        }
        assert_eq!(bob.contacts().await, bobs(), "round {round}");
        let node = Admin::at(server.node(round));
        node.delete("/users/bob/contacts/ann")
            .await
            .assert_status(204);
        assert!(bob.contacts().await.is_empty());
    }
    admin.get("/users/ann/contacts").await.assert_status(200);
}
