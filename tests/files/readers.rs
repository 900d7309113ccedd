//! Who may read a file: whoever sent it up, and both sides of a message that carries it.

use serde_json::{Value, json};

use super::asker::{Asker, Kept};
use super::chat::{Admin, expect_text, file_frame, is_forbidden, send_file, send_text, with_admin};
use super::ground::messages;
use super::support::{Client, Server, frames};

/// A server with Ann, who has sent up this file.
async fn ann_with_file(server: &Server, bytes: &[u8]) -> (Client, Kept) {
    let client = Client::connect(server, "ann").await;
    let file = Asker::at(server.node(0), "ann").keep("a.doc", bytes).await;
    (client, file)
}

fn right_count(server: &Server) -> i64 {
    let rights = "SELECT count(*) FROM file_readers";
    server.database().query_i64(rights)
}

#[tokio::test]
async fn the_recipient_may_read_it_as_soon_as_the_message_is_acknowledged_on_any_node() {
    let server = Server::start();
    let (mut ann, file) = ann_with_file(&server, b"for bob").await;
    let mut bob = Client::connect(&server, "bob").await;
    let _cid = Client::connect(&server, "cid").await;
    // Another contact of hers, to whom she has written.
    ann.deliver("cid", "hello").await;
    for node in [server.node(0), server.node(1)] {
        Asker::at(node, "ann").reads(file.url(), b"for bob").await;
        for other in ["bob", "cid", "nobody-at-all"] {
            Asker::at(node, other).cannot_read(file.url()).await;
        }
    }
    let id = send_file(&mut ann, "bob", &file).await;
    for node in [server.node(1), server.node(0)] {
        Asker::at(node, "bob").reads(file.url(), b"for bob").await;
        Asker::at(node, "ann").reads(file.url(), b"for bob").await;
        for other in ["cid", "nobody-at-all"] {
            Asker::at(node, other).cannot_read(file.url()).await;
        }
    }
    expect_text(&mut bob, "ann", &id, &file.text).await;
    // What Ann sends up later is not Bob's.
    let later = Asker::at(server.node(0), "ann").keep("b.doc", b"not").await;
    let asker = Asker::at(server.node(0), "bob");
    asker.cannot_read(later.url()).await;
}

#[tokio::test]
async fn each_of_many_recipients_may_read_it_the_moment_they_are_told() {
    let server = Server::start();
    let (mut ann, _) = ann_with_file(&server, b"x").await;
    let mut bob = Client::connect(&server, "bob").await;
    let (up, down) = (
        Asker::at(server.node(0), "ann"),
        Asker::at(server.node(1), "bob"),
    );
    for number in 0..20 {
        let bytes = format!("file {number}");
        let file = up.keep("a.doc", bytes.as_bytes()).await;
        let id = ann.id().await;
        ann.send(file_frame("ann", "bob", &id, &file.text)).await;
        expect_text(&mut bob, "ann", &id, &file.text).await;
        down.reads(file.url(), bytes.as_bytes()).await;
        ann.expect_status("bob", "ann", &id, 1).await;
    }
}

#[tokio::test]
async fn to_a_stranger_a_file_is_like_one_that_never_was() {
    let server = Server::start();
    let (_ann, file) = ann_with_file(&server, b"secret").await;
    let eve = Asker::at(server.node(0), "eve");
    let _connected = Client::connect(&server, "eve").await;
    let never = format!("/files/{}", "0".repeat(32));
    for (there, not) in [
        (file.url().to_owned(), never.clone()),
        (file.thumbnail(), format!("{never}/thumbnail")),
    ] {
        let tag = format!("\"{}\"", file.answer["sha256"].as_str().unwrap());
        for headers in [
            &[][..],
            &[("Range", "bytes=0-0")],
            &[("If-None-Match", "*")],
            &[("If-None-Match", &tag)],
        ] {
            let one = eve.get_with(&there, headers).await.assert_status(404);
            let other = eve.get_with(&not, headers).await.assert_status(404);
            assert_eq!(one.json()["code"], "unknown_file");
            assert_eq!(one.body, other.body, "{headers:?}");
            assert_eq!(one.normal_head(), other.normal_head());
        }
        let one = eve.look_at(&there, &[]).await.assert_status(404);
        let other = eve.look_at(&not, &[]).await.assert_status(404);
        assert_eq!(one.normal_head(), other.normal_head());
    }
    // Even whoever sent it up has to know its ID as it is.
    let ann = Asker::at(server.node(0), "ann");
    let id = file.id();
    for wrong in [&id[1..], &format!("{id}0"), &format!("+{}", &id[1..]), "x"] {
        ann.cannot_read(&format!("/files/{wrong}")).await;
    }
}

#[tokio::test]
async fn a_message_to_oneself_is_as_any_other() {
    let server = Server::start();
    let (mut ann, file) = ann_with_file(&server, b"mine").await;
    let id = ann.id().await;
    ann.send(file_frame("ann", "ann", &id, &file.text)).await;
    expect_text(&mut ann, "ann", &id, &file.text).await;
    ann.expect_status("ann", "ann", &id, 1).await;
    assert_eq!(right_count(&server), 1);
    Asker::at(server.node(1), "ann")
        .reads(file.url(), b"mine")
        .await;
    // Nobody sends to themselves what is not theirs.
    let mut eve = Client::connect(&server, "eve").await;
    let id = eve.id().await;
    is_forbidden(&mut eve, "eve", &id, &file.text).await;
    eve.assert_silent().await;
    Asker::at(server.node(0), "eve")
        .cannot_read(file.url())
        .await;
}

#[tokio::test]
async fn who_has_blocked_the_sender_gets_no_right() {
    let server = Server::with(&[&with_admin()]);
    let (mut ann, file) = ann_with_file(&server, b"unwanted").await;
    let mut bob = Client::connect(&server, "bob").await;
    let (status, body) = Admin::of(&server)
        .ask("PUT", "/users/bob/blocks/ann", &Value::Null)
        .await;
    assert_eq!(status, 201, "{body}");
    let id = ann.id().await;
    is_forbidden(&mut ann, "bob", &id, &file.text).await;
    bob.assert_silent().await;
    let asker = Asker::at(server.node(0), "bob");
    asker.cannot_read(file.url()).await;
    assert_eq!((messages(&server), right_count(&server)), (0, 0));
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_acknowledged_again_and_gives_nothing_more() {
    let server = Server::start();
    let (mut ann, file) = ann_with_file(&server, b"once").await;
    let other = Asker::at(server.node(0), "ann").keep("b", b"two").await;
    let mut bob = Client::connect(&server, "bob").await;
    let id = send_file(&mut ann, "bob", &file).await;
    expect_text(&mut bob, "ann", &id, &file.text).await;
    let mut elsewhere = Client::connect(server.node(1), "ann").await;
    for client in [&mut ann, &mut elsewhere] {
        client.send(file_frame("ann", "bob", &id, &file.text)).await;
        client.expect_status("bob", "ann", &id, 1).await;
    }
    assert_eq!((messages(&server), right_count(&server)), (1, 2));
    // Under an ID that is spent no other file goes, nor the same one to somebody else.
    for (to, file) in [("bob", &other), ("cid", &file)] {
        ann.send(file_frame("ann", to, &id, &file.text)).await;
        ann.expect_error("id_conflict").await;
    }
    let asker = Asker::at(server.node(0), "bob");
    asker.cannot_read(other.url()).await;
    let asker = Asker::at(server.node(0), "cid");
    asker.cannot_read(file.url()).await;
    bob.read(&id, "ann").await;
    for client in [&mut ann, &mut elsewhere] {
        client.expect_status("bob", "ann", &id, 2).await;
        client.send(file_frame("ann", "bob", &id, &file.text)).await;
        client.expect_status("bob", "ann", &id, 2).await;
    }
    bob.assert_silent().await;
    assert_eq!((messages(&server), right_count(&server)), (1, 2));
}

#[tokio::test]
async fn what_names_no_file_of_this_server_is_a_text_like_any_other() {
    let server = Server::start();
    let (mut ann, file) = ann_with_file(&server, b"not carried").await;
    let mut bob = Client::connect(&server, "bob").await;
    let (id, url) = (file.id(), file.url());
    let never = "0123456789abcdef0123456789abcdef";
    let texts = [
        "https://files.example/photo.jpg".to_owned(),
        "http://127.0.0.1:8080/a.png".to_owned(),
        json!({"id": id, "url": format!("https://elsewhere.example{url}")}).to_string(),
        json!({"id": id, "url": format!("//elsewhere.example{url}")}).to_string(),
        json!({"id": id, "url": format!("{url}/thumbnail")}).to_string(),
        json!({"id": id}).to_string(),
        json!({"url": url}).to_string(),
        json!({"id": never, "url": url}).to_string(),
        json!({"id": id.to_uppercase(), "url": url.to_uppercase()}).to_string(),
        json!({"id": "7", "url": "/files/7"}).to_string(),
        json!({"id": 7, "url": url}).to_string(),
        json!([{"id": id, "url": url}]).to_string(),
        format!("{} x", file.text),
        "{".repeat(5_000),
        "[".repeat(30_000),
    ];
    let count = texts.len();
    for text in texts {
        let message = send_text(&mut ann, "bob", &text).await;
        expect_text(&mut bob, "ann", &message, &text).await;
    }
    // Nor does a message of type 0 carry anything.
    let message = ann.id().await;
    let frame = frames::message("ann", "bob", &message, &file.text);
    ann.send(frame.clone()).await;
    ann.expect_status("bob", "ann", &message, 1).await;
    assert_eq!(bob.next().await, frame);
    assert_eq!(right_count(&server), 0);
    assert_eq!(messages(&server), i64::try_from(count).unwrap() + 1);
    let asker = Asker::at(server.node(0), "bob");
    asker.cannot_read(url).await;
}

#[tokio::test]
async fn however_its_json_is_written_a_message_carries_the_file_it_names() {
    let server = Server::start();
    let (mut ann, _) = ann_with_file(&server, b"x").await;
    let up = Asker::at(server.node(0), "ann");
    for (number, write) in [
        (|id, url| format!("{{\"id\":\"{id}\",\"url\":\"{url}\"}}")) as fn(&str, &str) -> String,
        |id, url| format!(" {{ \"url\" : \"{url}\" ,\n\"more\":[1,{{}}], \"id\":\"{id}\" }} "),
        |id, url| {
            let url = url.replace('/', "\\/");
            format!("{{\"id\":\"{id}\",\"url\":\"{url}\"}}")
        },
    ]
    .into_iter()
    .enumerate()
    {
        let file = up.keep("a", format!("file {number}").as_bytes()).await;
        let text = write(file.id(), file.url());
        let to = format!("reader-{number}");
        send_text(&mut ann, &to, &text).await;
        let asker = Asker::at(server.node(1), &to);
        let bytes = format!("file {number}");
        asker.reads(file.url(), bytes.as_bytes()).await;
    }
}
