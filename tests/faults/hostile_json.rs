//! Text frames that are not what they should be: each gets its error frame, and the connection goes on.

use serde_json::Value;

use super::bystanders::Pair;
use super::support::{Client, Server, frames};

const USER: &str = "hostile";

/// Sends each text and expects one error frame with one of the codes; in between, the connection and the bystanders
/// work on.
async fn assert_errors(cases: &[(&str, String, &[&str])]) {
    let server = Server::start();
    let mut bystanders = Pair::connect(&server).await;
    let mut client = Client::connect(&server, USER).await;
    for (what, text, codes) in cases {
        bystanders.round_trip().await;
        client.send_raw(text.as_str()).await;
        let answer = client.next().await;
        assert_eq!(answer["action"], "0", "{what}: {answer}");
        assert_eq!(answer["toId"], USER, "{what}: {answer}");
        let error = &answer["error"];
        let code = error["code"].as_str().unwrap_or_default();
        assert!(
            codes.contains(&code),
            "{what} should be one of {codes:?}: {answer}"
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{what}: {answer}"
        );
        assert_eq!(error["retryable"], Value::Bool(false), "{what}: {answer}");
        assert!(error["action"].is_string(), "{what}: {answer}");
        client.assert_silent().await;
    }
    bystanders.round_trip().await;
}

/// A message frame with this JSON text for its `toId` and its `chatMsg`.
fn message(to: &str, chat_msg: &str) -> String {
    format!(r#"{{"action":"3","fromId":"{USER}","toId":{to},"chatMsg":{chat_msg}}}"#)
}

/// A `chatMsg` with this JSON text for its ID and its text.
fn chat_msg(id: &str, text: &str) -> String {
    format!(r#"{{"id":{id},"type":0,"message":{text},"status":0,"time":"2021-12-14 12:00:00"}}"#)
}

#[tokio::test]
async fn what_is_not_json_is_bad_json() {
    const BAD_JSON: &[&str] = &["bad_json"];
    let heartbeat = frames::heartbeat(USER).to_string();
    assert_errors(&[
        ("nothing", String::new(), BAD_JSON),
        ("a space", " ".into(), BAD_JSON),
        ("a word", "hello".into(), BAD_JSON),
        ("a brace", "{".into(), BAD_JSON),
        (
            "a cut frame",
            heartbeat[..heartbeat.len() - 1].into(),
            BAD_JSON,
        ),
        ("garbage after the frame", format!("{heartbeat}x"), BAD_JSON),
        (
            "two frames in one",
            format!("{heartbeat}{heartbeat}"),
            BAD_JSON,
        ),
        (
            "a byte order mark",
            format!("\u{feff}{heartbeat}"),
            BAD_JSON,
        ),
        ("single quotes", heartbeat.replace('"', "'"), BAD_JSON),
        ("a comma too many", heartbeat.replace('}', ",}"), BAD_JSON),
        ("a comment", format!("/* hello */{heartbeat}"), BAD_JSON),
        (
            "a bare NUL in a string",
            message("\"peer\"", &chat_msg("\"MSG000\u{0}001\"", "\"x\"")),
            BAD_JSON,
        ),
        (
            "a bare newline in a string",
            message("\"peer\"", &chat_msg("\"MSG000001\"", "\"a\nb\"")),
            BAD_JSON,
        ),
        (
            "a lone high surrogate",
            message("\"peer\"", &chat_msg("\"MSG000001\"", r#""\ud83e""#)),
            BAD_JSON,
        ),
        (
            "a lone low surrogate",
            message("\"peer\"", &chat_msg("\"MSG000001\"", r#""\udebf""#)),
            BAD_JSON,
        ),
        (
            "surrogates in the wrong order",
            message("\"peer\"", &chat_msg("\"MSG000001\"", r#""\udebf\ud83e""#)),
            BAD_JSON,
        ),
        (
            "a lone surrogate in an ID",
            message(r#""\ud800""#, &chat_msg("\"MSG000001\"", "\"x\"")),
            BAD_JSON,
        ),
        (
            "NaN",
            format!(r#"{{"action":NaN,"fromId":"{USER}"}}"#),
            BAD_JSON,
        ),
        (
            "a leading zero",
            format!(r#"{{"action":05,"fromId":"{USER}"}}"#),
            BAD_JSON,
        ),
    ])
    .await;
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_bad_frame() {
    const BAD_FRAME: &[&str] = &["bad_frame"];
    let good = chat_msg("\"MSG000001\"", "\"x\"");
    assert_errors(&[
        ("an array", "[]".into(), BAD_FRAME),
        ("a number", "5".into(), BAD_FRAME),
        ("a string", "\"5\"".into(), BAD_FRAME),
        ("null", "null".into(), BAD_FRAME),
        ("an empty object", "{}".into(), BAD_FRAME),
        (
            "an unknown action",
            format!(r#"{{"action":"99","fromId":"{USER}"}}"#),
            BAD_FRAME,
        ),
        (
            "the server's own action",
            format!(r#"{{"action":"0","fromId":"{USER}"}}"#),
            BAD_FRAME,
        ),
        (
            "a fraction as the action",
            format!(r#"{{"action":5.5,"fromId":"{USER}"}}"#),
            BAD_FRAME,
        ),
        (
            "a list of actions",
            format!(r#"{{"action":["5"],"fromId":"{USER}"}}"#),
            BAD_FRAME,
        ),
        (
            "the action twice",
            format!(r#"{{"action":"5","action":"11","fromId":"{USER}"}}"#),
            BAD_FRAME,
        ),
        (
            "the user twice",
            format!(r#"{{"action":"5","fromId":"{USER}","fromId":"{USER}"}}"#),
            BAD_FRAME,
        ),
        (
            "a message's ID twice",
            message("\"peer\"", &good.replacen('{', r#"{"id":"MSG000002","#, 1)),
            BAD_FRAME,
        ),
        (
            "an action beyond 64 bits",
            format!(r#"{{"action":18446744073709551617,"fromId":"{USER}"}}"#),
            BAD_FRAME,
        ),
        (
            "an action far beyond 64 bits",
            format!(r#"{{"action":{},"fromId":"{USER}"}}"#, "9".repeat(300)),
            BAD_FRAME,
        ),
        (
            "an action beyond doubles",
            format!(r#"{{"action":1e400,"fromId":"{USER}"}}"#),
            &["bad_frame", "bad_json"],
        ),
        (
            "a type beyond 64 bits",
            message(
                "\"peer\"",
                &good.replace(r#""type":0"#, r#""type":18446744073709551616"#),
            ),
            BAD_FRAME,
        ),
        (
            "a negative type",
            message("\"peer\"", &good.replace(r#""type":0"#, r#""type":-1"#)),
            BAD_FRAME,
        ),
        (
            "a type that does not exist",
            message("\"peer\"", &good.replace(r#""type":0"#, r#""type":2"#)),
            BAD_FRAME,
        ),
        (
            "an escaped NUL in a message ID",
            message("\"peer\"", &chat_msg(r#""MSG000\u0000001""#, "\"x\"")),
            BAD_FRAME,
        ),
        (
            "an escaped NUL in the recipient",
            message(r#""pe\u0000er""#, &good),
            BAD_FRAME,
        ),
        (
            "an escaped NUL in the text",
            message("\"peer\"", &chat_msg("\"MSG000001\"", r#""a\u0000b""#)),
            BAD_FRAME,
        ),
        (
            "a recipient of 65 characters",
            message(&format!("{:?}", "p".repeat(65)), &good),
            BAD_FRAME,
        ),
        (
            "a recipient with a space",
            message("\"a b\"", &good),
            BAD_FRAME,
        ),
        (
            "a recipient in Chinese",
            message("\"张三\"", &good),
            BAD_FRAME,
        ),
        ("an empty recipient", message("\"\"", &good), BAD_FRAME),
        (
            "an empty text",
            message("\"peer\"", &chat_msg("\"MSG000001\"", "\"\"")),
            BAD_FRAME,
        ),
        (
            "an ID that is none",
            message("\"peer\"", &chat_msg("\"MSG1\"", "\"x\"")),
            BAD_FRAME,
        ),
        (
            "an ID beyond 64 bits",
            message(
                "\"peer\"",
                &chat_msg("\"MSG99999999999999999999999\"", "\"x\""),
            ),
            &["bad_frame", "id_not_granted"],
        ),
        (
            "a day that does not exist",
            message("\"peer\"", &good.replace("12-14", "02-30")),
            BAD_FRAME,
        ),
        (
            "no chatMsg",
            format!(r#"{{"action":"3","fromId":"{USER}","toId":"peer"}}"#),
            BAD_FRAME,
        ),
        (
            "a chatMsg that is a string",
            message("\"peer\"", "\"x\""),
            BAD_FRAME,
        ),
    ])
    .await;
}

#[tokio::test]
async fn frames_for_another_user_are_forbidden() {
    const FORBIDDEN: &[&str] = &["forbidden"];
    let as_another = |frame: Value| frame.to_string();
    assert_errors(&[
        (
            "connect",
            as_another(frames::connect("victim")),
            &["forbidden", "already_connected"],
        ),
        ("IDs", as_another(frames::get_ids("victim")), FORBIDDEN),
        (
            "a message",
            as_another(frames::message("victim", USER, "MSG000001", "x")),
            FORBIDDEN,
        ),
        (
            "a receipt",
            as_another(frames::read("victim", USER, "MSG000001")),
            FORBIDDEN,
        ),
        (
            "a heartbeat",
            as_another(frames::heartbeat("victim")),
            FORBIDDEN,
        ),
        (
            "contacts",
            as_another(frames::contacts("victim")),
            FORBIDDEN,
        ),
        (
            "history",
            as_another(frames::history("victim", None, None, None)),
            FORBIDDEN,
        ),
        (
            "a user with a NUL",
            format!(r#"{{"action":"5","fromId":"{USER}\u0000"}}"#),
            &["forbidden", "bad_frame"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn json_of_ten_thousand_levels_is_refused_and_hurts_nobody() {
    const EITHER: &[&str] = &["bad_json", "bad_frame"];
    const DEPTH: usize = 10_000;
    let arrays = "[".repeat(DEPTH) + &"]".repeat(DEPTH);
    let objects = r#"{"a":"#.repeat(DEPTH) + "1" + &"}".repeat(DEPTH);
    assert_errors(&[
        ("arrays", arrays.clone(), EITHER),
        ("objects", objects, EITHER),
        ("arrays without end", "[".repeat(60_000), EITHER),
        ("arrays as a chatMsg", message("\"peer\"", &arrays), EITHER),
        (
            "arrays as a text",
            message("\"peer\"", &chat_msg("\"MSG000001\"", &arrays)),
            EITHER,
        ),
        (
            "arrays as the action",
            format!(r#"{{"action":{arrays},"fromId":"{USER}"}}"#),
            EITHER,
        ),
    ])
    .await;

    // In a field that is ignored it may be refused, or ignored with the field: but the connection lives.
    let server = Server::start();
    let mut client = Client::connect(&server, USER).await;
    client
        .send_raw(format!(
            r#"{{"action":"11","fromId":"{USER}","unknown":{arrays}}}"#
        ))
        .await;
    let answer = client.next().await;
    assert!(
        answer["action"] == "11" || answer["action"] == "0",
        "{answer}"
    );
    client.assert_silent().await;
}

#[tokio::test]
async fn a_text_of_more_than_32_kib_is_too_large_and_one_of_just_that_is_not() {
    let server = Server::start();
    let mut bystanders = Pair::connect(&server).await;
    let mut client = Client::connect(&server, USER).await;
    let id = client.id().await;
    client
        .message(&id, "peer", &"x".repeat(32 * 1024 + 1))
        .await;
    let error = client.expect_error("too_large").await;
    assert_eq!(error["chatMsg"]["id"], id.as_str());
    bystanders.round_trip().await;
    client.message(&id, "peer", &"x".repeat(32 * 1024)).await;
    client.expect_status("peer", USER, &id, 1).await;
}
