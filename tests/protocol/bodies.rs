//! What a message may hold: its text, type, status and time.

use serde_json::{Value, json};

use crate::common::{refused, refused_for_field, with, without};
use crate::support::{Client, Server, frames};

/// The largest message, in bytes of UTF-8.
const LARGEST: usize = 32 * 1024;

/// Sends `frame` under a new ID, and returns it as HK0002 receives it.
async fn delivered(sender: &mut Client, reader: &mut Client, frame: Value) -> Value {
    let id = sender.id().await;
    sender.send(with(frame, "/chatMsg/id", id.clone())).await;
    let received = reader.next().await;
    assert_eq!(
        received["chatMsg"]["id"], id,
        "the reader gets this message: {received}"
    );
    sender.expect_status("HK0002", "HK0001", &id, 1).await;
    received
}

fn message(text: &str) -> Value {
    frames::message("HK0001", "HK0002", "MSG000001", text)
}

#[tokio::test]
async fn the_text_arrives_unchanged_whatever_it_is() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let texts = [
        " ",
        "自定义文本消息",
        "👩‍👩‍👧‍👦 family, 🇭🇰 flag, 𝔘𝔫𝔦𝔠𝔬𝔡𝔢, 𠜎",
        "quote \" backslash \\ slash / newline \n tab \t return \r bell \u{7} delete \u{7f}",
        "\u{1}\u{2}\u{1f}",
        "\u{202e}right to left\u{202c} שלום مرحبا",
        "line\u{2028}paragraph\u{2029}end",
        "zero\u{200b}width\u{feff} no\u{ad}break e\u{301} \u{e9}",
        "\u{fffd}\u{fffe}\u{ffff}\u{10ffff}",
        "{\"action\":\"1\",\"fromId\":\"HK0003\"}",
        "</script><!-- ' OR 1=1; DROP TABLE messages; -- %s ${x} {{y}}",
        "\\u0041 \\n stays as it is",
    ];
    for text in texts {
        let received = delivered(&mut sender, &mut reader, message(text)).await;
        assert_eq!(received["chatMsg"]["message"], text);
    }
    let page = sender.history(Some("HK0002"), None, Some(100)).await;
    let stored: Vec<_> = page
        .iter()
        .map(|item| item["chatMsg"]["message"].clone())
        .collect();
    assert_eq!(
        stored,
        texts.map(Value::from),
        "history shows the same texts"
    );
}

#[tokio::test]
async fn a_text_in_json_escapes_is_the_text_it_stands_for() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = sender.id().await;
    let escaped = r"\u81ea\ud83d\ude00\/\u0041";
    let frame = frames::message("HK0001", "HK0002", &id, "TEXT").to_string();
    sender.send_raw(frame.replace("TEXT", escaped)).await;
    reader
        .expect_message("HK0001", "HK0002", &id, "自😀/A")
        .await;
}

#[tokio::test]
async fn a_file_message_arrives_as_one() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let frame = with(message("https://example.com/照片.jpg"), "/chatMsg/type", 1);
    let received = delivered(&mut sender, &mut reader, frame).await;
    assert_eq!(received["chatMsg"]["type"], 1);
    assert_eq!(
        received["chatMsg"]["message"],
        "https://example.com/照片.jpg"
    );
}

#[tokio::test]
async fn a_type_other_than_text_and_file_is_a_bad_frame() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for kind in [
        json!(2),
        json!(-1),
        json!(256),
        json!(i64::MAX),
        json!(u64::MAX),
    ] {
        let frame = with(message("text"), "/chatMsg/type", kind);
        refused_for_field(&mut client, frame, "3", "chatMsg.type").await;
    }
}

#[tokio::test]
async fn an_empty_text_and_one_with_a_nul_are_bad_frames() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for text in ["", "\0", "before\0after"] {
        refused_for_field(&mut client, message(text), "3", "chatMsg.message").await;
    }
    assert!(
        client.history(None, None, None).await.is_empty(),
        "nothing was stored"
    );
}

#[tokio::test]
async fn a_text_of_exactly_32_kib_is_delivered_and_one_byte_more_is_too_large() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    // The limit counts bytes, not characters: the last one is filled with three-byte letters.
    for largest in [
        "x".repeat(LARGEST),
        format!("{}xx", "字".repeat(LARGEST / 3)),
    ] {
        assert_eq!(largest.len(), LARGEST);
        let received = delivered(&mut sender, &mut reader, message(&largest)).await;
        assert!(
            received["chatMsg"]["message"] == largest.as_str(),
            "the whole text arrives"
        );

        let id = sender.id().await;
        let over = format!("{largest}x");
        let frame = frames::message("HK0001", "HK0002", &id, &over);
        let error = refused(&mut sender, frame, "too_large", "3").await;
        assert_eq!(error["chatMsg"], json!({"id": id}));
        assert_eq!(error["error"]["retryable"], false);
        // A refused message leaves its ID unspent.
        sender.message(&id, "HK0002", "shorter").await;
        sender.expect_status("HK0002", "HK0001", &id, 1).await;
        reader
            .expect_message("HK0001", "HK0002", &id, "shorter")
            .await;
    }
}

#[tokio::test]
async fn the_status_in_a_clients_message_is_ignored_and_delivered_as_0() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    for status in [
        json!(2),
        json!(1),
        json!(-7),
        json!("x"),
        json!(null),
        json!([]),
        json!(1.5),
    ] {
        let frame = with(message("text"), "/chatMsg/status", status.clone());
        let received = delivered(&mut sender, &mut reader, frame).await;
        assert_eq!(
            received["chatMsg"]["status"], 0,
            "sent with status {status}"
        );
    }
    let frame = without(message("text"), "/chatMsg/status");
    let received = delivered(&mut sender, &mut reader, frame).await;
    assert_eq!(received["chatMsg"]["status"], 0);
}

#[tokio::test]
async fn a_client_can_report_no_status_but_read() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = sender.deliver("HK0002", "text").await;
    reader.expect_message("HK0001", "HK0002", &id, "text").await;
    let read = frames::read("HK0002", "HK0001", &id);
    for status in [0, 1, 3, -2, i64::MAX] {
        let frame = with(read.clone(), "/chatMsg/status", status);
        refused_for_field(&mut reader, frame, "4", "chatMsg.status").await;
    }
    refused_for_field(
        &mut reader,
        without(read, "/chatMsg/status"),
        "4",
        "chatMsg.status",
    )
    .await;
    sender.assert_timeline_silent().await;
}

#[tokio::test]
async fn the_time_is_the_senders_own_text_however_long_ago() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let times = [
        "2021-12-14 12:00:00",
        "1970-01-01 00:00:00",
        "2024-02-29 23:59:59",
        "9999-12-31 23:59:59",
    ];
    for time in times {
        let frame = with(message("text"), "/chatMsg/time", time);
        let received = delivered(&mut sender, &mut reader, frame).await;
        assert_eq!(received["chatMsg"]["time"], time);
    }
    let page = reader.history(Some("HK0001"), None, None).await;
    let stored: Vec<_> = page
        .iter()
        .map(|item| item["chatMsg"]["time"].clone())
        .collect();
    assert_eq!(stored, times.map(Value::from), "the time orders nothing");
}

#[tokio::test]
async fn a_time_that_is_no_real_date_is_a_bad_frame() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let times = [
        "",
        "now",
        "2023-02-29 12:00:00",
        "1900-02-29 12:00:00",
        "2021-04-31 12:00:00",
        "2021-13-01 12:00:00",
        "2021-00-10 12:00:00",
        "2021-12-00 12:00:00",
        "2021-12-14 24:00:00",
        "2021-12-14 12:60:00",
        "2021-12-14 12:00:60",
        "2021-12-14T12:00:00",
        "2021-12-14 12:00:00Z",
        "2021-12-14 12:00:00.5",
        "2021-12-14 12:00",
        "2021-12-14",
        "21-12-14 12:00:00",
        "2021-1-4 1:00:00",
        "14-12-2021 12:00:00",
        " 2021-12-14 12:00:00",
        "2021-12-14  12:00:00",
        "-021-12-14 12:00:00",
        "２０２１-12-14 12:00:00",
    ];
    for time in times {
        let frame = with(message("text"), "/chatMsg/time", time);
        refused_for_field(&mut client, frame, "3", "chatMsg.time").await;
    }
}

#[tokio::test]
async fn the_server_fills_in_its_own_time_in_utc_where_the_sender_gives_none() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    for frame in [
        without(message("text"), "/chatMsg/time"),
        with(message("text"), "/chatMsg/time", Value::Null),
    ] {
        let before = utc_now();
        let received = delivered(&mut sender, &mut reader, frame).await;
        let after = utc_now();
        let time = received["chatMsg"]["time"]
            .as_str()
            .expect("a time was filled in");
        // The form sorts as text, so that no calendar is needed here.
        assert!(
            *before <= *time && *time <= *after,
            "{time} is not within {before} and {after}"
        );
        let id = received["chatMsg"]["id"].as_str().unwrap();
        let page = sender.history(Some("HK0002"), None, Some(1)).await;
        assert_eq!(page[0]["chatMsg"]["id"], id);
        assert_eq!(
            page[0]["chatMsg"]["time"], time,
            "history shows the time that was delivered"
        );
    }
}

/// The present time as the wire writes it, from the system's own `date`.
fn utc_now() -> String {
    let date = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M:%S"])
        .output();
    let text = String::from_utf8(date.expect("date can be run").stdout).expect("date prints ASCII");
    text.trim().to_owned()
}
