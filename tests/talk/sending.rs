//! `yanshu send`.

use std::time::Duration;

use serde_json::{Value, json};

use super::program::Program;
use super::support::command::run;
use super::support::ports::free_port;
use super::support::{Client, Server, within};

/// Whether a connection to this port has bytes in the kernel that nobody has read.
fn has_untaken_bytes(port: u16) -> bool {
    let connections = std::fs::read_to_string("/proc/net/tcp").expect("this is Linux");
    let local = format!(":{port:04X}");
    connections.lines().skip(1).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let untaken = fields[4].split_once(':').map(|(_, untaken)| untaken);
        // 01 is ESTABLISHED.
        fields[1].ends_with(&local) && fields[3] == "01" && untaken != Some("00000000")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_sent_and_the_line_says_that_it_is_stored() {
    let server = Server::start();
    let url = server.url();
    let ended = run(&["send", "--url", &url, "--as", "ann", "--to", "bob", "你好"]);
    assert!(ended.status.success(), "{}", ended.stderr);
    let line: Value = serde_json::from_str(&ended.stdout).expect("one line of JSON");
    assert_eq!((&line["toId"], &line["status"]), (&json!("bob"), &json!(1)));
    let mut bob = Client::connect(&server, "bob").await;
    let frame = bob.next().await;
    assert_eq!(frame["chatMsg"]["message"], "你好");
    assert_eq!(frame["chatMsg"]["id"], line["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_the_input_is_a_message_and_all_are_stored_in_their_order() {
    let mut server = Server::with(&[&format!("--listen=127.0.0.1:{}", free_port())]);
    let url = server.url();
    let mut send = Program::start(&["send", "--url", &url, "--as", "ann", "--to", "bob"]);
    let texts: Vec<_> = (0..35).map(|number| format!("line {number}")).collect();
    for text in &texts[..20] {
        send.type_line(text);
    }
    for _ in 0..20 {
        assert_eq!(send.json()["status"], 1);
    }
    // The server goes away in the middle, with some that it was sent and did not take, and comes back.
    server.signal("STOP");
    for text in &texts[20..25] {
        send.type_line(text);
    }
    within("bytes that the server does not take", async {
        while !has_untaken_bytes(server.port()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    server.kill9();
    for text in &texts[25..] {
        send.type_line(text);
    }
    server.restart();
    assert_eq!(send.finish().len(), 15);
    let mut bob = Client::connect(&server, "bob").await;
    for text in &texts {
        assert_eq!(bob.next().await["chatMsg"]["message"], **text);
    }
    bob.assert_silent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_one_sentence_and_an_exit_code() {
    let server = Server::start();
    let url = server.url();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let long = "x".repeat(40_000);
    for (url, text, why) in [
        (&nobody, "hello", "Connection refused"),
        (&url, long.as_str(), "longer than"),
        (&url, "", "chatMsg.message"),
    ] {
        let ended = run(&[
            "send",
            "--url",
            url,
            "--patience",
            "2s",
            "--as",
            "ann",
            "--to",
            "bob",
            text,
        ]);
        assert_eq!(ended.status.code(), Some(1), "{why}");
        assert_eq!(ended.stdout, "");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_tokens_is_shown_one() {
    let server = Server::with(&["--jwt-secret=0123456789abcdef0123456789abcdef"]);
    let url = server.url();
    let arguments = ["send", "--url", &url, "--as", "ann", "--to", "ann", "note"];
    let ended = run(&arguments);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("token"), "{}", ended.stderr);
    let minted = run(&[
        "token",
        "ann",
        "--jwt-secret=0123456789abcdef0123456789abcdef",
    ]);
    let token = minted.stdout.trim().to_owned();
    let ended = super::support::command::run_with_env(&arguments, &[("YANSHU_TOKEN", &token)]);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(!ended.stderr.contains(&token));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_refused_is_named_and_what_came_before_is_stored() {
    let server = Server::start();
    let url = server.url();
    let mut send = Program::start(&["send", "--url", &url, "--as", "ann", "--to", "bob"]);
    for text in ["one", "two", "bad\0", "three"] {
        send.type_line(text);
    }
    let (status, lines) = send.end();
    assert_eq!(status.code(), Some(1));
    let mut bob = Client::connect(&server, "bob").await;
    for line in &lines {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(bob.next().await["chatMsg"]["id"], line["id"]);
    }
    assert!(lines.len() >= 2, "{lines:?}");
    bob.assert_silent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_closes_the_output_does_not_lose_the_rest_of_the_input() {
    let server = Server::start();
    let url = server.url();
    let mut send = Program::start(&["send", "--url", &url, "--as", "ann", "--to", "bob"]);
    send.close_output();
    for number in 0..20 {
        send.type_line(&format!("line {number}"));
    }
    assert!(send.end().0.success());
    let mut bob = Client::connect(&server, "bob").await;
    for number in 0..20 {
        assert_eq!(
            bob.next().await["chatMsg"]["message"],
            format!("line {number}")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_limits_gets_no_flood_and_everything_in_order() {
    let secret = "--jwt-secret=0123456789abcdef0123456789abcdef";
    let server = Server::with(&[secret, "--frame-burst=100", "--frame-rate=100"]);
    let url = server.url();
    let token = run(&["token", "ann", secret]).stdout.trim().to_owned();
    let argument = format!("--token={token}");
    let mut send = Program::start(&[
        "send", "--url", &url, "--as", "ann", "--to", "ann", &argument,
    ]);
    for number in 0..200 {
        send.type_line(&format!("line {number}"));
    }
    let (status, lines) = send.end();
    assert!(status.success());
    assert_eq!(lines.len(), 200);
    let count = "SELECT count(*) FROM messages";
    assert_eq!(server.database().query_i64(count), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_a_success_although_the_server_is_gone_at_the_end() {
    let mut server = Server::start();
    let url = server.url();
    let mut send = Program::start(&["send", "--url", &url, "--as", "ann", "--to", "bob"]);
    send.type_line("stored");
    assert_eq!(send.json()["status"], 1);
    server.kill9();
    assert!(send.end().0.success());
}
