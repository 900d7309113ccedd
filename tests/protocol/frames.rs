//! The shape of frames: what is missing, what is of the wrong kind, and what is ignored.

use serde_json::{Value, json};

use crate::common::{refused_for_field, with, without};
use crate::support::{Client, Server, frames};

/// One good frame of HK0001 for each action, with all of its required fields and no others.
fn good_frames() -> [(&'static str, Value); 7] {
    let message = frames::message("HK0001", "HK0002", "MSG000001", "text");
    let message = without(without(message, "/chatMsg/status"), "/chatMsg/time");
    [
        ("1", frames::connect("HK0001")),
        ("2", frames::get_ids("HK0001")),
        ("3", message),
        ("4", frames::read("HK0001", "HK0002", "MSG000001")),
        ("5", frames::heartbeat("HK0001")),
        ("11", frames::contacts("HK0001")),
        ("12", frames::history("HK0001", None, None, None)),
    ]
}

/// The JSON pointers of every field of an object, nested ones included.
fn pointers(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in object.as_object().expect("a frame is an object") {
        found.push(format!("/{name}"));
        if value.is_object() {
            found.extend(
                pointers(value)
                    .iter()
                    .map(|inner| format!("/{name}{inner}")),
            );
        }
    }
    found
}

/// How an error names the field at a pointer: `/chatMsg/id` is `chatMsg.id`.
fn field_name(pointer: &str) -> String {
    pointer[1..].replace('/', ".")
}

#[tokio::test]
async fn every_required_field_that_is_missing_is_named() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for (action, good) in good_frames() {
        for pointer in pointers(&good) {
            let refused_action = if pointer == "/action" { "" } else { action };
            let name = field_name(&pointer);
            refused_for_field(
                &mut client,
                without(good.clone(), &pointer),
                refused_action,
                &name,
            )
            .await;
        }
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn null_is_no_value_for_a_required_field() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for (action, good) in good_frames() {
        for pointer in pointers(&good) {
            let refused_action = if pointer == "/action" { "" } else { action };
            let bad = with(good.clone(), &pointer, Value::Null);
            refused_for_field(&mut client, bad, refused_action, &field_name(&pointer)).await;
        }
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_kind_is_named() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let message = frames::message("HK0001", "HK0002", "MSG000001", "text");
    let read = frames::read("HK0001", "HK0002", "MSG000001");
    let history = frames::history("HK0001", None, None, None);
    let wrong_for_text = [json!(5), json!(true), json!(1.5), json!([]), json!({})];
    let wrong_for_integer = [json!("0"), json!(true), json!(0.5), json!([0]), json!({})];
    for (action, frame, texts, integers) in [
        (
            "3",
            &message,
            &[
                "/fromId",
                "/toId",
                "/chatMsg/id",
                "/chatMsg/message",
                "/chatMsg/time",
            ][..],
            &["/chatMsg/type"][..],
        ),
        (
            "4",
            &read,
            &["/fromId", "/toId", "/chatMsg/id"],
            &["/chatMsg/status"],
        ),
        (
            "12",
            &history,
            &["/fromId", "/toId", "/baseMsgId"],
            &["/pageSize"],
        ),
    ] {
        for (fields, values) in [(texts, &wrong_for_text), (integers, &wrong_for_integer)] {
            for field in fields {
                for value in values {
                    let bad = with(frame.clone(), field, value.clone());
                    refused_for_field(&mut client, bad, action, &field_name(field)).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_chat_msg_that_is_no_object_is_a_bad_frame() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let message = frames::message("HK0001", "HK0002", "MSG000001", "text");
    for value in [
        json!("text"),
        json!(1),
        json!(true),
        json!(["MSG000001", 0, "text"]),
    ] {
        client
            .send(with(message.clone(), "/chatMsg", value.clone()))
            .await;
        let error = client.expect_error("bad_frame").await;
        let text = error["error"]["message"].as_str().unwrap();
        assert!(
            text.contains("chatMsg"),
            "the error for {value} must name chatMsg: {error}"
        );
    }
}

#[tokio::test]
async fn an_action_may_be_an_integer_and_is_answered_as_a_string() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.send(json!({"action": 1, "fromId": "HK0001"})).await;
    client.expect(&frames::connected_text("HK0001")).await;
    client.send(json!({"action": 11, "fromId": "HK0001"})).await;
    client
        .expect(r#"{"action":"11","toId":"HK0001","contacts":[]}"#)
        .await;
    client.send(json!({"action": 12, "fromId": "HK0001"})).await;
    client
        .expect(r#"{"action":"12","fromId":"HK0001","historyMsgs":[]}"#)
        .await;
}

#[tokio::test]
async fn an_action_that_is_none_of_the_documents_is_a_bad_frame() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let actions = [
        json!("0"),
        json!("6"),
        json!("13"),
        json!("-1"),
        json!("99999999999999999999"),
        json!(""),
        json!("one"),
        json!(" 2"),
        json!(6),
        json!(2.0),
        json!(true),
        json!([2]),
        json!({"action": "2"}),
    ];
    for action in actions {
        client
            .send(json!({"action": action, "fromId": "HK0001"}))
            .await;
        let error = client.expect_error("bad_frame").await;
        let text = error["error"]["message"].as_str().unwrap();
        assert!(
            text.contains("action"),
            "the error for {action} must name the action: {error}"
        );
        assert_eq!(error["toId"], "HK0001");
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn unknown_fields_are_ignored_at_every_level() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    let extra = json!({"deep": [1, {"er": null}], "": "空"});
    client
        .send(with(frames::connect("HK0001"), "/version", extra.clone()))
        .await;
    client.expect(&frames::connected_text("HK0001")).await;

    // Once more, so that this client knows its own name.
    client.connect_as("HK0001").await;
    let id = client.id().await;
    let frame = with(
        frames::message("HK0001", "HK0002", &id, "text"),
        "/x",
        extra.clone(),
    );
    client.send(with(frame, "/chatMsg/y", extra.clone())).await;
    client.expect_status("HK0002", "HK0001", &id, 1).await;

    let mut reader = Client::connect(&server, "HK0002").await;
    reader.expect_message("HK0001", "HK0002", &id, "text").await;
    reader
        .send(with(
            frames::read("HK0002", "HK0001", &id),
            "/chatMsg/z",
            extra,
        ))
        .await;
    client.expect_status("HK0002", "HK0001", &id, 2).await;
}

#[tokio::test]
async fn known_fields_that_an_action_does_not_use_are_ignored_whatever_they_hold() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let clutter = json!({
        "action": "11", "fromId": "HK0001", "toId": 7, "baseMsgId": {}, "pageSize": "many",
        "chatMsg": {"id": [], "type": "x", "message": false, "status": 9, "time": 0},
    });
    client.send(clutter).await;
    client
        .expect(r#"{"action":"11","toId":"HK0001","contacts":[]}"#)
        .await;
}

#[tokio::test]
async fn text_that_is_no_json_is_refused_and_the_connection_goes_on() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let texts = [
        "",
        " ",
        "hello",
        "{",
        r#"{"action":"2","fromId":"HK0001""#,
        r#"{"action":"2","fromId":"HK0001"} trailing"#,
        r#"{"action":"2","fromId":"HK0001"}{}"#,
        r#"{"action":"2","fromId":"HK0001",}"#,
        r#"{'action':'2','fromId':'HK0001'}"#,
        r#"{"action":"2","fromId":"\ud800"}"#,
        "{\"action\":\"2\",\"fromId\":\"HK\n0001\"}",
        r#"{"action":"2" --事件类型
            ,"fromId":"HK0001"}"#,
    ];
    for text in texts {
        client.send_raw(text).await;
        let error = client.expect_error("bad_json").await;
        assert_eq!(error["toId"], "HK0001", "for {text:?}");
        assert_eq!(error["error"]["action"], "", "for {text:?}");
        assert_eq!(error["error"]["retryable"], false, "for {text:?}");
        assert!(
            error.get("chatMsg").is_none(),
            "no message is meant by {text:?}: {error}"
        );
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn json_that_is_no_object_or_names_a_field_twice_is_a_bad_frame() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let texts = [
        "null",
        "5",
        "\"text\"",
        "[]",
        r#"["2","HK0001"]"#,
        r#"[{"action":"2","fromId":"HK0001"}]"#,
        r#"{"action":"2","action":"5","fromId":"HK0001"}"#,
        r#"{"action":"2","fromId":"HK0001","fromId":"HK0001"}"#,
        r#"{"action":"4","fromId":"HK0001","toId":"B","chatMsg":{"id":"MSG000001","status":2,"status":2}}"#,
    ];
    for text in texts {
        client.send_raw(text).await;
        client.expect_error("bad_frame").await;
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn a_binary_message_is_a_bad_frame_and_the_connection_goes_on() {
    use tokio_tungstenite::tungstenite::Message;
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let bytes = frames::get_ids("HK0001").to_string().into_bytes();
    client.send_message(Message::binary(bytes)).await;
    client.expect_error("bad_frame").await;
    client.assert_silent().await;
}

#[tokio::test]
async fn errors_have_exactly_the_fields_of_the_protocol() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let frame = frames::message("HK0001", "HK0002", "MSG000099", "text");
    client.send(frame).await;
    let error = client.expect_error("id_not_granted").await;
    let text = error["error"]["message"].as_str().unwrap();
    let whole = json!({
        "action": "0",
        "toId": "HK0001",
        "error": {"code": "id_not_granted", "message": text, "retryable": false, "action": "3"},
        "chatMsg": {"id": "MSG000099"},
    });
    assert_eq!(error, whole);
}
