//! `yanshu send`.

use serde_json::{Value, json};

use super::program::Program;
use super::support::command::run;
use super::support::ports::free_port;
use super::support::{Client, Server};

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
    // The server goes away in the middle, and comes back.
    server.kill9();
    for text in &texts[20..] {
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
