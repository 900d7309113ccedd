//! Many users and contacts at once.

use serde_json::json;

use super::admin::{Admin, server};
use super::support::Client;

#[tokio::test]
async fn many_are_imported_at_once_or_none() {
    let server = server();
    let admin = Admin::of(&server);
    let users: Vec<_> = (0..5_000)
        .map(|number| json!({"id": format!("u{number:04}"), "name": format!("User {number}")}))
        .collect();
    let answer = admin.post("/import/users", &json!({"users": users})).await;
    assert_eq!(
        answer.assert_status(200).body,
        json!({"added": 5_000, "updated": 0})
    );
    let answer = admin
        .post("/import/users", &json!({"users": users[..10]}))
        .await;
    assert_eq!(answer.body, json!({"added": 0, "updated": 10}));
    let contacts: Vec<_> = (1..100)
        .map(|number| json!({"owner": "u0000", "contact": format!("u{number:04}"), "alias": null}))
        .collect();
    let answer = admin
        .post("/import/contacts", &json!({"contacts": contacts}))
        .await;
    assert_eq!(
        answer.assert_status(200).body,
        json!({"added": 99, "updated": 0})
    );
    let mut owner = Client::connect(&server, "u0000").await;
    let seen = owner.contacts().await;
    assert_eq!(seen[0], ("u0001".to_owned(), "User 1".to_owned()));
    assert_eq!(seen.len(), 99);
    let bad = json!({"users": [{"id": "new"}, {"id": "b d"}]});
    let answer = admin
        .post("/import/users", &bad)
        .await
        .assert_is(400, "bad_request");
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .starts_with("users[1].id"),
        "{answer:?}"
    );
    admin.get("/users/new").await.assert_status(404);
    let many: Vec<_> = (0..10_001)
        .map(|number| json!({"id": format!("v{number}")}))
        .collect();
    let answer = admin.post("/import/users", &json!({"users": many})).await;
    answer.assert_is(400, "bad_request");
}

#[tokio::test]
async fn who_was_deleted_and_is_imported_exists_again_without_their_past() {
    let server = server();
    let admin = Admin::of(&server);
    let mut ann = Client::connect(&server, "ann").await;
    ann.deliver("bob", "to bob").await;
    admin.delete("/users/bob").await.assert_status(204);
    let answer = admin
        .post("/import/users", &json!({"users": [{"id": "bob"}]}))
        .await;
    assert_eq!(
        answer.assert_status(200).body,
        json!({"added": 1, "updated": 0})
    );
    admin.get("/users/bob").await.assert_status(200);
    let mut bob = Client::connect(&server, "bob").await;
    bob.assert_silent().await;
}
