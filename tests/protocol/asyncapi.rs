//! docs/asyncapi.json says of every frame what the server takes and sends, no more and no less.

mod busy;
mod document;
mod recorder;

use std::time::Duration;

use serde_json::{Value, json};
use yanshu::protocol::{CloseCode, ErrorCode, Refusal, UserId, render};

use crate::common::{with, without};
use crate::support::{Client, Server, frames};
use document::{Messages, Side, document};
use recorder::Recorder;

/// What this version never sends, or only when it is itself at fault.
const NEVER_SENT: [ErrorCode; 2] = [ErrorCode::AlreadyConnected, ErrorCode::Internal];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_of_a_conversation_is_as_the_document_says_and_all_of_it_occurs() {
    let recorder = Recorder::new();
    two_people_talk(&recorder).await;
    everything_is_refused(&recorder).await;
    tokens_and_limits_refuse(&recorder).await;
    the_store_refuses(&recorder).await;
    busy::too_much_is_in_hand(&recorder).await;
    let user = UserId::parse("ann").unwrap();
    for code in NEVER_SENT {
        let text = render::error(Some(&user), &Refusal::new(code, "text"));
        recorder.record(Side::Server, &serde_json::from_str(&text).unwrap());
    }
    recorder.everything_was_seen();
}

async fn two_people_talk(recorder: &Recorder) {
    let server = Server::start();
    let mut ann = recorder.connect(&server, "ann").await;
    let ids = ann.ids().await;
    ann.deliver("ben", &ids[0], "redelivered").await;
    let file = with(
        frames::message("ann", "ben", &ids[1], "photo.jpg"),
        "/chatMsg/type",
        1,
    );
    ann.ask(without(file, "/chatMsg/time"), "status").await;

    let mut ben = recorder.connect(&server, "ben").await;
    ben.take("message").await;
    ben.take("message").await;
    ann.deliver("ben", &ids[2], "live").await;
    ben.take("message").await;
    ben.send(frames::read("ben", "ann", &ids[0])).await;
    let receipt = ann.take("status").await;
    assert_eq!(receipt["chatMsg"]["status"], 2);

    ann.send(frames::heartbeat("ann")).await;
    ann.ask(frames::contacts("ann"), "contacts").await;
    let page = frames::history("ann", Some("ben"), Some(&ids[2]), Some(5));
    let page = ann.ask(page, "history").await;
    assert_eq!(page["historyMsgs"].as_array().map(Vec::len), Some(2));
    ben.ask(frames::history("ben", None, None, None), "history")
        .await;
    ben.client.assert_silent().await;
    ann.client.assert_silent().await;
}

async fn everything_is_refused(recorder: &Recorder) {
    let server = Server::start();
    let mut ann = recorder.open(&server, "ann").await;
    ann.refused(frames::get_ids("ann"), "not_connected").await;
    ann.client.send_raw("nonsense").await;
    ann.take_error("bad_json").await;
    ann.client
        .send(json!({"action": -7, "fromId": "ann"}))
        .await;
    ann.take_error("bad_frame").await;
    ann.ask(frames::connect("ann"), "connected").await;
    ann.refused(frames::contacts("ben"), "forbidden").await;
    let ids = ann.ids().await;
    let base = frames::history("ann", None, Some(&ids[0]), None);
    ann.refused(base, "unknown_message").await;
    let message = |id: &str, text: &str| frames::message("ann", "ben", id, text);
    ann.refused(message("MSG9000000", "text"), "id_not_granted")
        .await;
    ann.deliver("ben", &ids[0], "text").await;
    ann.refused(message(&ids[0], "another"), "id_conflict")
        .await;
    // So few characters that the schema takes them, and too many bytes.
    let text = "字".repeat(11_000);
    ann.refused(message(&ids[1], &text), "too_large").await;
}

async fn tokens_and_limits_refuse(recorder: &Recorder) {
    let secret = "a secret of thirty-two bytes or more";
    let flags = [
        &format!("--jwt-secret={secret}"),
        "--frame-rate=1",
        "--frame-burst=10",
    ];
    let server = Server::with(&flags);
    let user = UserId::parse("ann").unwrap();
    let token = yanshu::auth::mint(secret, &user, Duration::from_secs(600), None, None);
    let mut ann = recorder.open(&server, "ann").await;
    let connect = json!({"action": 1, "fromId": "ann", "token": token.unwrap()});
    ann.ask(connect, "connected").await;
    let id = ann.ids().await.swap_remove(0);
    let to_nobody = frames::message("ann", "nobody", &id, "text");
    ann.refused(to_nobody, "unknown_user").await;
    for _ in 0..20 {
        ann.send(frames::get_ids("ann")).await;
    }
    while ann.client.next().await["action"] != "0" {}
    ann.take_error("rate_limited").await;
}

async fn the_store_refuses(recorder: &Recorder) {
    let server = Server::with(&["--store-timeout", "300ms"]);
    let mut ann = recorder.connect(&server, "ann").await;
    let id = ann.ids().await.swap_remove(0);
    let lock = server.database().lock_writing();
    let message = frames::message("ann", "ben", &id, "text");
    ann.refused(message, "storage_unavailable").await;
    lock.release();
}

/// A frame of HK0001 for each action, with each of its fields.
fn full_frames() -> [Value; 7] {
    [
        with(frames::connect("HK0001"), "/token", "x.y.z"),
        frames::get_ids("HK0001"),
        frames::message("HK0001", "HK0002", "MSG000001", "text"),
        frames::read("HK0001", "HK0002", "MSG000001"),
        frames::heartbeat("HK0001"),
        frames::contacts("HK0001"),
        frames::history("HK0001", Some("HK0002"), Some("MSG000001"), Some(10)),
    ]
}

/// What is wrong whatever the server knows, and the code that says so.
fn bad_frames() -> Vec<(Value, &'static str)> {
    let [connect, _, message, read, _, _, history] = full_frames();
    let mut bad = Vec::new();
    for frame in full_frames() {
        bad.push(without(frame.clone(), "/action"));
        bad.push(without(frame.clone(), "/fromId"));
        for action in [
            json!(null),
            json!(true),
            json!(["1"]),
            json!("x"),
            json!(0),
            json!("6"),
        ] {
            bad.push(with(frame.clone(), "/action", action));
        }
        let long = "x".repeat(65);
        for user in [
            json!(null),
            json!(5),
            json!(""),
            json!("a b"),
            json!("张三"),
            json!(long),
        ] {
            bad.push(with(frame.clone(), "/fromId", user));
        }
    }
    bad.push(with(connect, "/token", 5));
    let fields = ["/toId", "/chatMsg", "/chatMsg/id"];
    for field in fields
        .into_iter()
        .chain(["/chatMsg/type", "/chatMsg/message"])
    {
        bad.push(without(message.clone(), field));
    }
    for field in fields.into_iter().chain(["/chatMsg/status"]) {
        bad.push(without(read.clone(), field));
    }
    for (frame, field, values) in [
        (&message, "/toId", json!([null, "", "a/b", 5])),
        (&message, "/chatMsg", json!([null, [], "text", 5])),
        (
            &message,
            "/chatMsg/id",
            json!(["", "MSG1", "MSG0000001", "msg000001", "MSG00000a", 1]),
        ),
        (
            &message,
            "/chatMsg/type",
            json!([null, 2, -1, "0", 0.5, true]),
        ),
        (
            &message,
            "/chatMsg/message",
            json!([null, "", "a\u{0}b", 5, {}]),
        ),
        (
            &message,
            "/chatMsg/time",
            json!([
                "",
                "2021-12-14",
                "2021-12-14T12:00:00",
                "2021-13-01 00:00:00",
                "2021-12-32 00:00:00",
                "2021-12-14 24:00:00",
                5
            ]),
        ),
        (&read, "/toId", json!([null, "", "a/b"])),
        (&read, "/chatMsg/id", json!([null, "MSG1"])),
        (&read, "/chatMsg/status", json!([null, 0, 1, 3, "2"])),
        (&history, "/toId", json!(["a b", 5])),
        (&history, "/baseMsgId", json!(["MSG1", 5])),
        (
            &history,
            "/pageSize",
            json!(["", "10", 1.5, true, 9_223_372_036_854_775_808_u64]),
        ),
    ] {
        for value in values.as_array().unwrap() {
            bad.push(with(frame.clone(), field, value.clone()));
        }
    }
    let mut bad: Vec<_> = bad.into_iter().map(|frame| (frame, "bad_frame")).collect();
    let large = "x".repeat(32 * 1024 + 1);
    bad.push((with(message, "/chatMsg/message", large), "too_large"));
    bad
}

/// What is wrong in a way that the document says in words only.
fn bad_frames_beyond_a_schema() -> [(Value, &'static str); 4] {
    let message = frames::message("HK0001", "HK0002", "MSG000001", "text");
    let with = |field, value: Value| with(message.clone(), field, value);
    [
        (
            with("/chatMsg/time", json!("2023-02-29 12:00:00")),
            "bad_frame",
        ),
        (
            with("/chatMsg/id", json!("MSG9999999999999999999")),
            "bad_frame",
        ),
        (with("/chatMsg/type", json!(0.0)), "bad_frame"),
        (
            with("/chatMsg/message", json!("字".repeat(11_000))),
            "too_large",
        ),
    ]
}

#[tokio::test]
async fn what_the_document_refuses_the_server_refuses_too() {
    let messages = Messages::read();
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for frame in full_frames() {
        assert!(messages.which(Side::Client, &frame).is_ok(), "{frame}");
    }
    for (frame, code) in bad_frames() {
        let taken = messages.which(Side::Client, &frame);
        let taken = taken.map(|message| &message.name);
        assert!(taken.is_err(), "the document takes {frame} for {taken:?}");
        client.send(frame).await;
        client.expect_error(code).await;
    }
    for (frame, code) in bad_frames_beyond_a_schema() {
        assert!(messages.which(Side::Client, &frame).is_ok(), "{frame}");
        client.send(frame).await;
        client.expect_error(code).await;
    }
    client.assert_silent().await;
}

#[test]
fn the_document_has_exactly_the_error_codes_and_close_codes_of_the_server() {
    let document = document();
    let errors = ErrorCode::TABLE
        .iter()
        .map(|row| json!({"code": row.name, "retryable": row.retryable, "meaning": row.meaning}));
    assert_eq!(document["x-error-codes"], Value::from_iter(errors));
    let names = ErrorCode::TABLE.iter().map(|row| row.name);
    let listed = &document["components"]["schemas"]["ErrorCode"]["enum"];
    assert_eq!(*listed, Value::from_iter(names));
    let closes = CloseCode::TABLE
        .iter()
        .map(|row| json!({"code": row.number, "reconnect": row.reconnect, "meaning": row.meaning}));
    assert_eq!(document["x-close-codes"], Value::from_iter(closes));
}

#[test]
fn the_document_is_of_this_version() {
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_document_says_of_each_error_code_whether_a_retry_can_help() {
    let messages = Messages::read();
    for row in &ErrorCode::TABLE {
        let text = render::error(None, &Refusal::new(row.code, "text"));
        let error: Value = serde_json::from_str(&text).unwrap();
        assert!(messages.which(Side::Server, &error).is_ok(), "{error}");
        let wrong = with(error, "/error/retryable", !row.retryable);
        assert!(messages.which(Side::Server, &wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_example_of_the_document_is_an_example_of_its_own_message() {
    let messages = Messages::read();
    for side in [Side::Client, Side::Server] {
        for message in messages.of(side) {
            assert!(!message.examples.is_empty(), "{} has none", message.name);
            for example in &message.examples {
                let is = messages.which(side, example);
                let is = is.unwrap_or_else(|why| panic!("{}: {why}", message.name));
                assert_eq!(is.name, message.name);
            }
        }
    }
}

/// The pointers of every object in a frame, and of every field in those.
fn places(frame: &Value, at: &str, objects: &mut Vec<String>, fields: &mut Vec<String>) {
    match frame {
        Value::Object(object) => {
            objects.push(at.to_owned());
            for (name, value) in object {
                fields.push(format!("{at}/{name}"));
                places(value, &format!("{at}/{name}"), objects, fields);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{number}"), objects, fields);
            }
        }
        _ => {}
    }
}

#[test]
fn of_what_the_server_sends_the_document_leaves_nothing_open() {
    let messages = Messages::read();
    for message in messages.of(Side::Server) {
        for example in &message.examples {
            let (mut objects, mut fields) = (Vec::new(), Vec::new());
            places(example, "", &mut objects, &mut fields);
            for object in objects {
                let more = with(example.clone(), &format!("{object}/more"), 1);
                assert!(!message.takes(&more), "taken: {more}");
            }
            for field in fields {
                let optional = [("history", "/toId"), ("error", "/chatMsg")];
                let less = without(example.clone(), &field);
                let is_optional = optional.contains(&(&message.name, &field));
                assert_eq!(message.takes(&less), is_optional, "{less}");
                let wrong = with(example.clone(), &field, Value::Null);
                assert!(!message.takes(&wrong), "taken: {wrong}");
            }
        }
    }
}
