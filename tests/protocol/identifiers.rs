//! User IDs and message IDs: their letters, their lengths, and who refuses what.

use serde_json::json;

use crate::common::{refused_for_field, with};
use crate::support::{Client, Server, frames};

/// Texts that are no user ID.
fn bad_user_ids() -> Vec<String> {
    let mut bad: Vec<String> = [
        " ",
        " HK0001",
        "HK0001 ",
        "HK 0001",
        "HK0001\n",
        "\t",
        "张三",
        "HK０００１",
        "é",
        "a/b",
        "a,b",
        "a*b",
        "a>b",
        "a:b",
        "a+b",
        "a\"b",
        "a\\b",
        "a\0b",
        "😀",
        "\u{202e}abc",
        "\u{200b}",
    ]
    .map(str::to_owned)
    .into();
    bad.push("x".repeat(65));
    bad.push("x".repeat(10_000));
    bad
}

/// Texts that are user IDs, although they may not look like it.
fn good_user_ids() -> Vec<String> {
    let mut good: Vec<String> = [
        "a",
        "Z",
        "0",
        "_",
        "-",
        ".",
        "@",
        "..",
        "a_b-c.d@e",
        "hk0001",
        "HK0001",
        "null",
        "__proto__",
    ]
    .map(str::to_owned)
    .into();
    good.push("x".repeat(64));
    good
}

#[tokio::test]
async fn a_user_id_of_1_to_64_characters_of_the_alphabet_connects() {
    let server = Server::start();
    for id in good_user_ids() {
        Client::connect(&server, &id).await;
    }
}

#[tokio::test]
async fn anything_else_is_no_user_to_connect_as() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    refused_for_field(&mut client, frames::connect(""), "1", "fromId").await;
    for id in bad_user_ids() {
        refused_for_field(&mut client, frames::connect(&id), "1", "fromId").await;
    }
    client.connect_as("HK0001").await;
}

#[tokio::test]
async fn user_ids_differ_by_upper_and_lower_case() {
    let server = Server::start();
    let mut upper = Client::connect(&server, "HK0001").await;
    let mut lower = Client::connect(&server, "hk0001").await;
    let id = upper.deliver("hk0001", "to the lower").await;
    lower
        .expect_message("HK0001", "hk0001", &id, "to the lower")
        .await;
    upper.assert_timeline_silent().await;
}

#[tokio::test]
async fn a_message_can_be_written_to_every_user_id_and_to_nothing_else() {
    let server = Server::start();
    let mut client = Client::connect(&server, "sender").await;
    for to in good_user_ids() {
        client.deliver(&to, "hello").await;
    }
    let id = client.id().await;
    refused_for_field(
        &mut client,
        frames::message("sender", "", &id, "text"),
        "3",
        "toId",
    )
    .await;
    for to in bad_user_ids() {
        let frame = frames::message("sender", &to, &id, "text");
        refused_for_field(&mut client, frame, "3", "toId").await;
    }
    let page = client.history(None, None, Some(100)).await;
    assert_eq!(
        page.len(),
        good_user_ids().len(),
        "only the good ones were stored"
    );
}

#[tokio::test]
async fn the_other_actions_name_a_bad_user_id_too() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for id in bad_user_ids() {
        let read = frames::read("HK0001", &id, "MSG000001");
        refused_for_field(&mut client, read, "4", "toId").await;
        let history = frames::history("HK0001", Some(&id), None, None);
        refused_for_field(&mut client, history, "12", "toId").await;
        for (action, frame) in [
            ("2", frames::get_ids(&id)),
            ("5", frames::heartbeat(&id)),
            ("11", frames::contacts(&id)),
            ("12", frames::history(&id, None, None, None)),
        ] {
            refused_for_field(&mut client, frame, action, "fromId").await;
        }
    }
}

#[tokio::test]
async fn a_message_id_has_one_spelling_and_anything_else_is_a_bad_frame() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    client.ids().await;
    let mut bad: Vec<String> = [
        "",
        " ",
        "1",
        "MSG",
        "MSG1",
        "MSG00001",
        "MSG0000001",
        "msg000001",
        "MSG 00001",
        "MSG+00001",
        "MSG-00001",
        " MSG000001",
        "MSG000001 ",
        "MSG00000a",
        "MSG０００００１",
        "消息000001",
        "MSG000001,MSG000002",
        "MSG99999999999999999999",
    ]
    .map(str::to_owned)
    .into();
    bad.push(format!("MSG{}", "9".repeat(61)));
    bad.push(format!("MSG{}", "9".repeat(62)));
    for id in bad {
        let message = frames::message("HK0001", "HK0002", &id, "text");
        refused_for_field(&mut client, message, "3", "chatMsg.id").await;
        let read = frames::read("HK0001", "HK0002", &id);
        refused_for_field(&mut client, read, "4", "chatMsg.id").await;
        // In a request for history, an empty base is none.
        if !id.is_empty() {
            let history = frames::history("HK0001", None, Some(&id), None);
            refused_for_field(&mut client, history, "12", "baseMsgId").await;
        }
    }
    assert!(
        client.history(None, None, None).await.is_empty(),
        "nothing was stored"
    );
}

#[tokio::test]
async fn a_message_id_of_any_size_that_was_not_granted_is_understood_and_refused() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for id in [
        "MSG000000",
        "MSG999999",
        "MSG1000000",
        "MSG9223372036854775807",
    ] {
        client
            .send(frames::message("HK0001", "HK0002", id, "text"))
            .await;
        let error = client.expect_error("id_not_granted").await;
        assert_eq!(error["chatMsg"], json!({"id": id}));
        client.send(frames::read("HK0001", "HK0002", id)).await;
        let error = client.expect_error("unknown_message").await;
        assert_eq!(error["chatMsg"], json!({"id": id}));
    }
}

#[tokio::test]
async fn a_refused_message_says_which_message_is_meant_if_its_id_can_be_read() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let good = frames::message("HK0001", "HK0002", "MSG000007", "text");
    for bad in [
        with(good.clone(), "/toId", "张三"),
        with(good.clone(), "/chatMsg/type", 2),
        with(good.clone(), "/chatMsg/message", ""),
        with(good, "/chatMsg/time", "now"),
    ] {
        client.send(bad).await;
        let error = client.expect_error("bad_frame").await;
        assert_eq!(error["chatMsg"], json!({"id": "MSG000007"}), "{error}");
    }
}
