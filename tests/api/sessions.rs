//! Which devices are connected, and their end.

use serde_json::json;

use super::admin::{Admin, server};
use super::support::Client;

#[tokio::test]
async fn the_devices_of_a_user_are_listed_whatever_node_they_are_on_and_who_asks() {
    let server = server();
    let mut devices = Vec::new();
    for number in 0..3 {
        devices.push(Client::connect(server.node(number), "ann").await);
    }
    let _other = Client::connect(&server, "bob").await;
    for number in 0..2 {
        let admin = Admin::at(server.node(number));
        let list = admin.get("/users/ann/sessions").await.assert_status(200);
        assert_eq!(list.items().len(), 3, "{list:?}");
        for session in list.items() {
            assert_eq!(session["address"], "127.0.0.1", "{session}");
            let since = session["connectedAt"].as_str().unwrap();
            assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
        }
        let list = admin.get("/users/nobody/sessions").await;
        list.assert_is(404, "unknown_user");
    }
    for device in &mut devices {
        device.assert_silent().await;
    }
}

#[tokio::test]
async fn one_device_is_closed_and_then_all_with_1001_after_their_answers() {
    let server = server();
    let mut first = Client::connect(server.node(0), "ann").await;
    let admin = Admin::at(server.node(1));
    let list = admin.get("/users/ann/sessions").await;
    let session = list.each("id")[0].to_owned();
    admin.create(&["bob"]).await;
    let mut others = Vec::new();
    for number in 0..3 {
        others.push(Client::connect(server.node(number), "ann").await);
    }
    let wrong = admin
        .delete("/users/bob/sessions/".to_owned().as_str())
        .await;
    wrong.assert_is(404, "not_found");
    for path in [
        format!("/users/bob/sessions/{session}"),
        "/users/ann/sessions/1".to_owned(),
        "/users/ann/sessions/x".to_owned(),
        "/users/ann/sessions/99999999999999999999".to_owned(),
    ] {
        admin.delete(&path).await.assert_is(404, "unknown_session");
    }
    let gone = admin
        .delete(&format!("/users/ann/sessions/{session}"))
        .await;
    gone.assert_status(204);
    assert_eq!(first.expect_close().await, 1001);
    for other in &mut others {
        other.assert_silent().await;
    }
    let gone = admin.post("/users/ann/disconnect", &json!(null)).await;
    gone.assert_status(204);
    for other in &mut others {
        assert_eq!(other.expect_close().await, 1001);
    }
    let gone = admin.post("/users/ann/disconnect", &json!(null)).await;
    gone.assert_status(204);
    let list = admin.get("/users/ann/sessions").await;
    assert!(list.items().is_empty(), "{list:?}");
}
