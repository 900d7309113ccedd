//! Files that are sent on, by those who may read them and by those who only know what they are called.

use super::asker::Asker;
use super::chat::{Admin, expect_text, is_forbidden, send_file, send_text, with_admin};
use super::ground::messages;
use super::support::{Client, Server};

#[tokio::test]
async fn who_may_read_it_may_send_it_on_and_so_may_who_got_it_from_them() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "user-0").await;
    let file = Asker::at(server.node(0), "user-0")
        .keep("chain", b"bytes")
        .await;
    for number in 1..5 {
        let name = format!("user-{number}");
        let mut next = Client::connect(&server, &name).await;
        let asker = Asker::at(server.node(number), &name);
        asker.cannot_read(file.url()).await;
        let id = send_file(&mut sender, &name, &file).await;
        expect_text(&mut next, sender.user(), &id, &file.text).await;
        asker.reads(file.url(), b"bytes").await;
        sender = next;
    }
    Asker::at(server.node(0), "user-5")
        .cannot_read(file.url())
        .await;
}

#[tokio::test]
async fn who_may_not_read_it_cannot_send_it_to_anybody() {
    let server = Server::start();
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let mut eve = Client::connect(&server, "eve").await;
    let mut mal = Client::connect(&server, "mal").await;
    let file = Asker::at(server.node(0), "ann").keep("a", b"secret").await;
    send_file(&mut ann, "bob", &file).await;
    bob.next().await;
    let before = messages(&server);
    let ids = eve.ids().await;
    let bare = format!(r#"{{"id":"{}","url":"{}"}}"#, file.id(), file.url());
    for text in [&file.text, &bare] {
        for to in ["mal", "bob", "ann", "eve", "never-seen"] {
            is_forbidden(&mut eve, to, &ids[0], text).await;
        }
    }
    // Again and again: what batches remember of users is relied on once it has held for a while.
    for _ in 0..30 {
        is_forbidden(&mut eve, "mal", &ids[0], &file.text).await;
    }
    for client in [&mut ann, &mut bob, &mut eve, &mut mal] {
        client.assert_silent().await;
        let user = client.user().to_owned();
        let page = client.history(None, None, None).await;
        let own = usize::from(user == "ann" || user == "bob");
        assert_eq!(page.len(), own, "{user}: {page:?}");
    }
    assert_eq!(messages(&server), before);
    for user in ["eve", "mal"] {
        let asker = Asker::at(server.node(1), user);
        asker.cannot_read(file.url()).await;
    }
    // The ID is not spent.
    eve.message(&ids[0], "mal", "well then").await;
    eve.expect_status("mal", "eve", &ids[0], 1).await;
    mal.expect_message("eve", "mal", &ids[0], "well then").await;
}

#[tokio::test]
async fn a_file_that_never_was_cannot_be_sent() {
    let server = Server::start();
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let never = "0123456789abcdef0123456789abcdef";
    let text = format!(r#"{{"id":"{never}","name":"a","url":"/files/{never}"}}"#);
    let id = ann.id().await;
    is_forbidden(&mut ann, "bob", &id, &text).await;
    bob.assert_silent().await;
    assert_eq!(messages(&server), 0);
    // What is sent beside it goes through, in its order.
    let file = Asker::at(server.node(0), "ann").keep("a", b"x").await;
    let good = send_file(&mut ann, "bob", &file).await;
    expect_text(&mut bob, "ann", &good, &file.text).await;
}

#[tokio::test]
async fn once_it_was_sent_to_them_who_was_refused_may_send_it_on() {
    let server = Server::start();
    let mut ann = Client::connect(&server, "ann").await;
    let mut eve = Client::connect(&server, "eve").await;
    let mut mal = Client::connect(&server, "mal").await;
    let file = Asker::at(server.node(0), "ann").keep("a", b"bytes").await;
    let id = eve.id().await;
    is_forbidden(&mut eve, "mal", &id, &file.text).await;
    send_file(&mut ann, "eve", &file).await;
    eve.next().await;
    eve.send(super::chat::file_frame("eve", "mal", &id, &file.text))
        .await;
    eve.expect_status("mal", "eve", &id, 1).await;
    expect_text(&mut mal, "eve", &id, &file.text).await;
    Asker::at(server.node(1), "mal")
        .reads(file.url(), b"bytes")
        .await;
}

#[tokio::test]
async fn what_is_sent_for_a_user_from_outside_follows_the_same_rule() {
    let server = Server::with(&[&with_admin()]);
    let admin = Admin::of(&server);
    for user in ["system", "other"] {
        admin.create(user).await;
    }
    let mut bob = Client::connect(&server, "bob").await;
    let file = Asker::at(server.node(1), "system")
        .keep("bill.pdf", b"bill")
        .await;
    let (status, body) = admin.send("k", ("other", "bob"), &file.text).await;
    assert_eq!((status, &body["code"]), (403, &"forbidden".into()));
    assert_eq!(body["retryable"], false, "{body}");
    bob.assert_silent().await;
    let at_bob = Asker::at(server.node(0), "bob");
    at_bob.cannot_read(file.url()).await;
    assert_eq!(messages(&server), 0);

    let (status, body) = admin.send("k", ("system", "bob"), &file.text).await;
    assert_eq!(status, 201, "{body}");
    let id = body["id"].as_str().unwrap().to_owned();
    expect_text(&mut bob, "system", &id, &file.text).await;
    at_bob.reads(file.url(), b"bill").await;
    // The same key is the same message; to the other it was refused and is not spent.
    let elsewhere = Admin::at(server.node(1));
    let (status, again) = elsewhere.send("k", ("system", "bob"), &file.text).await;
    assert_eq!((status, &again["id"]), (200, &body["id"]));
    let (status, body) = admin.send("k", ("other", "bob"), "any text").await;
    assert_eq!(status, 201, "{body}");
    let id = body["id"].as_str().unwrap().to_owned();
    expect_text(&mut bob, "other", &id, "any text").await;
    // Bob may send it on, as from a device.
    let (status, body) = admin.send("k", ("bob", "other"), &file.text).await;
    assert_eq!(status, 201, "{body}");
    Asker::at(server.node(1), "other")
        .reads(file.url(), b"bill")
        .await;
}

#[tokio::test]
async fn files_and_texts_that_are_sent_in_one_go_are_each_decided_by_themselves() {
    let server = Server::start();
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let mine = Asker::at(server.node(0), "ann").keep("a", b"mine").await;
    let theirs = Asker::at(server.node(0), "eve").keep("b", b"theirs").await;
    let ids = ann.ids().await;
    let texts = [
        mine.text.as_str(),
        theirs.text.as_str(),
        "a text",
        mine.text.as_str(),
        theirs.text.as_str(),
    ];
    for (id, text) in ids.iter().zip(texts) {
        let frame = super::chat::file_frame("ann", "bob", id, text);
        ann.send(frame).await;
    }
    for (id, text) in ids.iter().zip(texts) {
        if text == theirs.text {
            let error = ann.expect_error("forbidden").await;
            assert_eq!(error["chatMsg"]["id"], **id, "{error}");
            continue;
        }
        ann.expect_status("bob", "ann", id, 1).await;
        expect_text(&mut bob, "ann", id, text).await;
    }
    let asker = Asker::at(server.node(1), "bob");
    asker.reads(mine.url(), b"mine").await;
    asker.cannot_read(theirs.url()).await;
    // A text that was not refused before is none of a file later.
    send_text(&mut ann, "bob", "the end").await;
}
