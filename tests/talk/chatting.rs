//! `yanshu chat`.

use super::program::Program;
use super::support::{Client, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_in_the_terminal_shows_the_past_what_comes_and_the_ticks() {
    let server = Server::start();
    let url = server.url();
    let mut bob = Client::connect(&server, "bob").await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(bob.deliver("ann", text).await);
    }
    let mut chat = Program::start(&["chat", "--url", &url, "--as", "ann", "--to", "bob"]);
    for text in ["one", "two", "three"] {
        let line = chat.line();
        assert!(line.ends_with(&format!(" bob: {text}")), "{line}");
    }
    for id in &ids {
        bob.expect_status("ann", "bob", id, 2).await;
    }
    let evil = bob.deliver("ann", "\u{1b}]0;owned\u{7}").await;
    assert!(chat.line().ends_with(" bob: ␛]0;owned␇"));
    bob.expect_status("ann", "bob", &evil, 2).await;

    chat.type_line("你好");
    assert_eq!(chat.line(), "✓ 你好");
    let frame = bob.next().await;
    assert_eq!(frame["chatMsg"]["message"], "你好");
    let id = frame["chatMsg"]["id"].as_str().expect("an ID").to_owned();
    bob.read(&id, "ann").await;
    assert_eq!(chat.line(), "✓✓ 你好");

    let mut carl = Client::connect(&server, "carl").await;
    carl.deliver("ann", "psst").await;
    assert_eq!(chat.line(), "(a message from carl)");
    // What was typed last is sent before the end.
    chat.type_line("bye");
    chat.finish();
    assert_eq!(bob.next().await["chatMsg"]["message"], "bye");
}
