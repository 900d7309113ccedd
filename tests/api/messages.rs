//! Messages that are sent for a user.

use std::collections::BTreeSet;

use serde_json::json;

use super::admin::{Admin, server, server_with};
use super::support::Client;
use super::support::client::message_ids;

#[tokio::test]
async fn it_is_stored_acknowledged_and_delivered_as_if_they_had_sent_it() {
    let server = server();
    let admin = Admin::of(&server);
    admin.create(&["system"]).await;
    let mut system = Client::connect(&server, "system").await;
    let mut ann = Client::connect(&server, "ann").await;
    let mut elsewhere = Client::connect(server.node(1), "ann").await;
    let sent = admin
        .send("k-1", ("system", "ann"), "hello")
        .await
        .assert_status(201);
    assert_eq!(sent.body["status"], 1);
    let id = sent.body["id"].as_str().unwrap().to_owned();
    for client in [&mut ann, &mut elsewhere, &mut system] {
        client.expect_message("system", "ann", &id, "hello").await;
    }
    system.expect_status("ann", "system", &id, 1).await;
    ann.read(&id, "system").await;
    system.expect_status("ann", "system", &id, 2).await;
    let again = admin
        .send("k-1", ("system", "ann"), "hello")
        .await
        .assert_status(200);
    assert_eq!(again.body, json!({"id": id, "status": 2}));
    elsewhere.expect_status("ann", "system", &id, 2).await;
    for client in [&mut ann, &mut elsewhere, &mut system] {
        client.assert_silent().await;
        assert_eq!(message_ids(&client.history(None, None, None).await), [&*id]);
    }
}

#[tokio::test]
async fn the_same_key_is_the_same_message_whoever_asks_at_once_and_after_a_crash() {
    let mut server = server();
    let admin = Admin::of(&server);
    admin.create(&["system"]).await;
    let asks = (0..20).map(|number| {
        let admin = Admin::at(server.node(number));
        tokio::spawn(async move { admin.send("key", ("system", "ann"), "once").await })
    });
    let mut ids = BTreeSet::new();
    let mut created = 0;
    for ask in asks.collect::<Vec<_>>() {
        let answer = ask.await.unwrap();
        assert!(answer.status < 300, "{answer:?}");
        created += usize::from(answer.status == 201);
        ids.insert(answer.body["id"].as_str().unwrap().to_owned());
    }
    assert_eq!((ids.len(), created), (1, 1), "{ids:?}");
    server.kill9();
    server.restart();
    let admin = Admin::of(&server);
    let again = admin
        .send("key", ("system", "ann"), "once")
        .await
        .assert_status(200);
    assert!(
        ids.contains(again.body["id"].as_str().unwrap()),
        "{again:?}"
    );
    let mut ann = Client::connect(&server, "ann").await;
    let id = ids.first().unwrap();
    ann.expect_message("system", "ann", id, "once").await;
    ann.assert_silent().await;
    for (to, text) in [("ann", "other"), ("bob", "once")] {
        let answer = admin.send("key", ("system", to), text).await;
        answer.assert_is(409, "key_conflict");
    }
    // A key is one sender's.
    admin.create(&["other"]).await;
    admin
        .send("key", ("other", "ann"), "once")
        .await
        .assert_status(201);
}

#[tokio::test]
async fn ids_of_such_messages_are_nobodys_to_spend_and_never_the_same() {
    let server = server();
    let admin = Admin::of(&server);
    admin.create(&["system"]).await;
    let mut system = Client::connect(server.node(1), "system").await;
    let mut seen = BTreeSet::new();
    for number in 0..25 {
        let answer = admin
            .send(&format!("k{number}"), ("system", "ann"), "text")
            .await;
        let id = answer.assert_status(201).body["id"]
            .as_str()
            .unwrap()
            .to_owned();
        system.expect_message("system", "ann", &id, "text").await;
        system.expect_status("ann", "system", &id, 1).await;
        assert!(seen.insert(id.clone()), "{id} twice");
    }
    let last: i64 = seen.last().unwrap()[3..].parse().unwrap();
    let next = format!("MSG{:06}", last + 1);
    system.message(&next, "ann", "text").await;
    system.expect_error("id_not_granted").await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_sends_nothing() {
    let server = server_with(&["--jwt-secret=a-secret-of-thirty-two-characters"]);
    let admin = Admin::of(&server);
    admin.create(&["system", "ann", "bob"]).await;
    admin
        .send("k", ("nobody", "ann"), "x")
        .await
        .assert_is(404, "unknown_user");
    admin
        .send("k", ("system", "nobody"), "x")
        .await
        .assert_is(404, "unknown_user");
    let path = "/users/system/messages";
    admin
        .post(path, &json!({"to": "ann", "message": "x"}))
        .await
        .assert_is(400, "bad_request");
    for key in ["", " ", "a b", "schl\u{fc}ssel", &"k".repeat(129)] {
        admin
            .send(key, ("system", "ann"), "x")
            .await
            .assert_is(400, "bad_request");
    }
    let key = [("Idempotency-Key", "k")];
    for body in [
        json!({"message": "x"}),
        json!({"to": "ann"}),
        json!({"to": "a b", "message": "x"}),
        json!({"to": "ann", "message": ""}),
        json!({"to": "ann", "message": "a\u{0}b"}),
        json!({"to": "ann", "message": "x", "type": 2}),
        json!({"to": "ann", "message": "x", "time": "2021-02-30 12:00:00"}),
        json!({"to": "ann", "message": "x", "more": 1}),
    ] {
        let answer = admin.ask_with("POST", path, &key, &body).await;
        answer.assert_is(400, "bad_request");
    }
    let large = json!({"to": "ann", "message": "x".repeat(32 * 1024 + 1)});
    admin
        .ask_with("POST", path, &key, &large)
        .await
        .assert_is(400, "too_large");
    admin
        .put("/users/ann/blocks/system", &json!(null))
        .await
        .assert_status(201);
    admin
        .send("k", ("system", "ann"), "x")
        .await
        .assert_is(403, "forbidden");
    assert_eq!(
        server.database().query_i64("SELECT count(*) FROM messages"),
        0
    );
    assert_eq!(
        server
            .database()
            .query_i64("SELECT count(*) FROM sent_by_key"),
        0
    );
    admin
        .send("k", ("system", "bob"), "x")
        .await
        .assert_status(201);
}
