//! With tokens a user exists who has shown one, or was imported; nobody else does.

use super::support::{Server, frames};
use super::tokens::{claims_with, connect, sign, token, with_secret};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_somebody_who_does_not_exist_is_unknown_user_and_makes_nobody() {
    let server = Server::with(&[&with_secret()]);
    let mut ann = connect(&server, "ann", &token("ann")).await;
    let id = ann.id().await;
    ann.message(&id, "bob", "text").await;
    let error = ann.expect_error("unknown_user").await;
    assert_eq!(error["chatMsg"]["id"], json!(id));
    let bobs = "SELECT count(*) FROM users WHERE login = 'bob'";
    assert_eq!(server.database().query_i64(bobs), 0);
    // The ID is not spent, and once bob exists the same frame is taken.
    let mut bob = connect(&server, "bob", &token("bob")).await;
    ann.message(&id, "bob", "text").await;
    ann.expect_status("bob", "ann", &id, 1).await;
    bob.expect_message("ann", "bob", &id, "text").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_in_a_token_is_the_users_name() {
    let server = Server::with(&[&with_secret()]);
    let named = |name: &str| sign(&claims_with("bob", &json!({"name": name})));
    let mut ann = connect(&server, "ann", &token("ann")).await;
    let mut shown = Vec::new();
    for (number, token) in [
        named("张三"),
        named("张三丰"),
        token("bob"),
        named("a\u{7}b"),
    ]
    .iter()
    .enumerate()
    {
        let bob = connect(&server, "bob", token).await;
        if number == 0 {
            ann.deliver("bob", "text").await;
        }
        shown.extend(ann.contacts().await);
        bob.close().await;
    }
    let names: Vec<&str> = shown.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["张三", "张三丰", "张三丰", "张三丰"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_oneself_is_taken_and_history_with_nobody_is_empty() {
    let server = Server::with(&[&with_secret()]);
    let mut ann = connect(&server, "ann", &token("ann")).await;
    let id = ann.id().await;
    ann.send(frames::message("ann", "ann", &id, "text")).await;
    ann.expect_message("ann", "ann", &id, "text").await;
    ann.expect_status("ann", "ann", &id, 1).await;
    assert!(ann.history(Some("nobody"), None, None).await.is_empty());
}
