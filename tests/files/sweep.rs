//! Files that nobody can read any more go, and no others.

use super::asker::Asker;
use super::chat::{is_forbidden, send_file};
use super::ground::{messages, place_of, rows, stored, until};
use super::images::png;
use super::support::{Client, Server};

/// What is swept soon.
const SOON: &str = "--file-grace=1s";
const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn a_file_that_no_message_carries_goes_with_its_small_picture_and_what_was_sent_stays() {
    let mut server = Server::start();
    let mut client = Client::connect(&server, "ann").await;
    let ann = Asker::at(server.node(0), "ann");
    let sent = ann.keep("sent.png", &png(600, 600)).await;
    let to_herself = ann.keep("mine.txt", b"mine").await;
    let unsent = ann.keep("unsent.png", &png(700, 700)).await;
    send_file(&mut client, "bob", &sent).await;
    let id = client.id().await;
    let frame = super::chat::file_frame("ann", "ann", &id, &to_herself.text);
    client.send(frame).await;
    client.next().await;
    client.expect_status("ann", "ann", &id, 1).await;
    assert_eq!(stored(&server).len(), 5);
    server.restart_with(&[SOON]);
    until("what was not sent to go", || {
        rows(&server) == 2 && stored(&server).len() == 3
    })
    .await;
    assert!(!stored(&server).contains(&place_of(unsent.id())));
    let ann = Asker::at(server.node(0), "ann");
    let bob = Asker::at(server.node(1), "bob");
    for path in [unsent.url(), &unsent.thumbnail()] {
        ann.cannot_read(path).await;
    }
    for asker in [&ann, &bob] {
        asker.reads(sent.url(), &png(600, 600)).await;
        asker.get(&sent.thumbnail()).await.assert_status(200);
    }
    ann.reads(to_herself.url(), b"mine").await;
    // It is too late to send it.
    let mut client = Client::connect(&server, "ann").await;
    let id = client.next().await["chatMsg"]["id"].clone();
    client.read(id.as_str().unwrap(), "ann").await;
    client
        .expect_status("ann", "ann", id.as_str().unwrap(), 2)
        .await;
    let id = client.id().await;
    is_forbidden(&mut client, "bob", &id, &unsent.text).await;
    send_file(&mut client, "cid", &sent).await;
    assert_eq!(rows(&server), 2);
}

#[tokio::test]
async fn what_is_swept_while_the_server_runs_is_only_what_has_waited() {
    let server = Server::with(&[SOON]);
    let mut client = Client::connect(&server, "ann").await;
    let ann = Asker::at(server.node(0), "ann");
    let mut sent = Vec::new();
    for number in 0..10 {
        let file = ann
            .keep("unsent", format!("unsent {number}").as_bytes())
            .await;
        let bytes = format!("sent {number}");
        let other = ann.keep("sent", bytes.as_bytes()).await;
        send_file(&mut client, "bob", &other).await;
        sent.push((other, bytes));
        drop(file);
    }
    until("what was not sent to go", || rows(&server) == 10).await;
    until("its bytes to go", || stored(&server).len() == 10).await;
    let bob = Asker::at(server.node(1), "bob");
    for (file, bytes) in &sent {
        bob.reads(file.url(), bytes.as_bytes()).await;
    }
}

#[tokio::test]
async fn retention_takes_the_message_and_with_it_the_right_and_the_file() {
    let mut server = Server::start();
    let mut client = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let ann = Asker::at(server.node(0), "ann");
    let old = ann.keep("old.png", &png(600, 600)).await;
    let twice = ann.keep("twice", b"twice").await;
    let new = ann.keep("new", b"new").await;
    let mut ids = Vec::new();
    for file in [&old, &twice, &twice, &new] {
        let id = send_file(&mut client, "bob", file).await;
        bob.next().await;
        bob.read(&id, "ann").await;
        client.expect_status("bob", "ann", &id, 2).await;
        ids.push(id);
    }
    server.kill9();
    let numbers: Vec<&str> = ids[..2]
        .iter()
        .map(|id| id[3..].trim_start_matches('0'))
        .collect();
    let (numbers, seconds) = (numbers.join(", "), 91 * DAY);
    server.database().execute(&format!(
        "UPDATE messages SET stored_at = stored_at - {seconds} WHERE id IN ({numbers})"
    ));
    server.restart_with(&["--retain=90d", SOON]);
    until("old messages to go", || messages(&server) == 2).await;
    let right = "SELECT count(*) FROM file_readers";
    assert_eq!(server.database().query_i64(right), 4, "two of each message");
    until("the file to go", || {
        rows(&server) == 2 && stored(&server).len() == 2
    })
    .await;
    for user in ["ann", "bob"] {
        for number in 0..2 {
            let asker = Asker::at(server.node(number), user);
            asker.cannot_read(old.url()).await;
            asker.cannot_read(&old.thumbnail()).await;
            // Another message still carries this one.
            asker.reads(twice.url(), b"twice").await;
            asker.reads(new.url(), b"new").await;
        }
    }
    let mut client = Client::connect(&server, "bob").await;
    let id = client.id().await;
    is_forbidden(&mut client, "cid", &id, &old.text).await;
}

#[tokio::test]
async fn the_right_ends_with_the_message_before_the_file_is_swept() {
    let mut server = Server::start();
    let mut client = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let ann = Asker::at(server.node(0), "ann");
    let file = ann.keep("a", b"bytes").await;
    let id = send_file(&mut client, "bob", &file).await;
    bob.next().await;
    bob.read(&id, "ann").await;
    client.expect_status("bob", "ann", &id, 2).await;
    server.kill9();
    let seconds = 91 * DAY;
    server.database().execute(&format!(
        "UPDATE messages SET stored_at = stored_at - {seconds}"
    ));
    // A file that its owner has not sent may wait for a day.
    server.restart_with(&["--retain=90d"]);
    until("the message to go", || messages(&server) == 0).await;
    let bob = Asker::at(server.node(1), "bob");
    bob.cannot_read(file.url()).await;
    let ann = Asker::at(server.node(0), "ann");
    ann.reads(file.url(), b"bytes").await;
}
