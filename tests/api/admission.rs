//! Who is let in.

use serde_json::{Value, json};

use super::admin::{Admin, TOKEN, raw, server, server_with};
use super::support::{Server, http};

#[tokio::test]
async fn without_an_admin_token_there_is_no_api() {
    let server = Server::start();
    for path in ["/api/v1/users", "/api/v1/openapi.json"] {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("Authorization", bearer.as_str())];
        let port = server.node(0).port();
        let answer = http::send_at(port, ("GET", path), &headers, "").await;
        assert_eq!((answer.status, &*answer.body), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn only_who_shows_the_token_is_let_in_and_the_log_does_not_tell_it() {
    let mut server = server();
    let port = server.node(0).port();
    let wrong = [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong-token",
        &format!("Basic {TOKEN}"),
        &format!("Bearer {TOKEN}x"),
        &format!("Bearer {}", &TOKEN[1..]),
        TOKEN,
    ];
    for shown in wrong {
        for (method, path) in [
            ("GET", "/users"),
            ("DELETE", "/users/HK0001"),
            ("GET", "/nothing"),
        ] {
            let headers = [("Authorization", shown)];
            let answer = raw(port, (method, path), &headers, &Value::Null).await;
            let answer = answer.assert_is(401, "unauthorized");
            let head = answer.head.to_ascii_lowercase();
            assert!(head.contains("www-authenticate: bearer"), "{head}");
        }
    }
    let none = raw(port, ("GET", "/users"), &[], &Value::Null).await;
    none.assert_is(401, "unauthorized");
    for right in [format!("Bearer {TOKEN}"), format!("bearer  {TOKEN}")] {
        let headers = [("Authorization", right.as_str())];
        let answer = raw(port, ("GET", "/users"), &headers, &Value::Null).await;
        answer.assert_status(200);
    }
    let log = server.terminate().await.stderr;
    assert!(log.contains("without its token was refused"), "{log}");
    assert!(
        !log.contains(TOKEN) && !log.contains("wrong-token"),
        "{log}"
    );
}

#[tokio::test]
async fn a_user_who_is_called_like_the_description_is_not_described_to_everybody() {
    let server = server();
    let admin = Admin::of(&server);
    admin.create(&["openapi.json", "ann"]).await;
    for (method, path) in [
        ("GET", "/users/openapi.json"),
        ("DELETE", "/users/openapi.json"),
        ("PUT", "/users/ann/blocks/openapi.json"),
        ("GET", "//openapi.json"),
        ("GET", "/x/openapi.json"),
    ] {
        let answer = raw(admin.port(), (method, path), &[], &Value::Null).await;
        answer.assert_is(401, "unauthorized");
    }
    admin.get("/users/openapi.json").await.assert_status(200);
    assert!(admin.get("/users/ann/blocks").await.items().is_empty());
}

#[tokio::test]
async fn a_token_of_a_user_is_not_one_of_whoever_runs_the_server() {
    let secret = "a-secret-of-thirty-two-characters";
    let server = server_with(&[&format!("--jwt-secret={secret}")]);
    let minted = super::support::command::run(&["token", "HK0001", "--jwt-secret", secret]);
    let bearer = format!("Bearer {}", minted.stdout.trim());
    let headers = [("Authorization", bearer.as_str())];
    let port = server.node(0).port();
    let answer = raw(port, ("GET", "/users"), &headers, &Value::Null).await;
    answer.assert_is(401, "unauthorized");
}

#[tokio::test]
async fn wrong_tokens_are_limited_by_address_and_the_right_one_is_not() {
    let server = server_with(&["--limits=on", "--handshake-burst=5", "--handshake-rate=1"]);
    let port = server.node(0).port();
    let mut refused = Vec::new();
    for _ in 0..10 {
        let headers = [("Authorization", "Bearer guess")];
        let answer = raw(port, ("GET", "/users"), &headers, &Value::Null).await;
        refused.push(answer.status);
    }
    assert_eq!(refused[..5], [401; 5]);
    assert!(refused.contains(&429), "{refused:?}");
    Admin::of(&server).get("/users").await.assert_status(200);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_served_are_problems_too() {
    let server = server();
    let admin = Admin::of(&server);
    admin.get("/nothing").await.assert_is(404, "not_found");
    admin.get("/users/").await.assert_is(404, "not_found");
    let answer = admin.post("/users/HK0001", &json!({})).await;
    let answer = answer.assert_is(405, "method_not_allowed");
    let head = answer.head.to_ascii_lowercase();
    assert!(head.contains("allow: get, put, delete"), "{head}");
    let bad = |body: &'static str, kind: &'static str| async move {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        let port = admin.port();
        http::send_at(port, ("PUT", "/api/v1/users/HK0001"), &headers, body)
            .await
            .status
    };
    assert_eq!(bad("{}", "text/plain").await, 415);
    for body in ["", "{", "[]", "7", r#"{"nom":"x"}"#, r#"{"name":7}"#] {
        assert_eq!(bad(body, "application/json").await, 400, "{body}");
    }
    for path in [
        "/users/a%20b",
        "/users/%00",
        "/users/%ff",
        &format!("/users/{}", "x".repeat(65)),
    ] {
        admin.get(path).await.assert_is(400, "bad_request");
    }
    let large = json!({"name": "x".repeat(5_000_000)});
    admin
        .put("/users/HK0001", &large)
        .await
        .assert_is(413, "too_large");
}

#[tokio::test]
async fn requests_are_counted_by_status() {
    let server = server();
    Admin::of(&server).get("/users").await.assert_status(200);
    Admin::of(&server)
        .get("/users/nobody")
        .await
        .assert_status(404);
    raw(server.port(), ("GET", "/users"), &[], &Value::Null)
        .await
        .assert_status(401);
    let metrics = http::get(&server, "/metrics").await.body;
    for status in [200, 404, 401] {
        let line = format!("yanshu_api_requests_total{{status=\"{status}\"}} 1");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}
