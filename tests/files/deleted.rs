//! Users who are deleted, and whoever has their IDs next.

use super::asker::Asker;
use super::chat::{Admin, is_forbidden, send_file, with_admin};
use super::ground::{noise, place_of, rows, stored, until};
use super::quota::{MORE, quota};
use super::support::{Client, Server};

const SOON: &str = "--file-grace=1s";

/// Restarts the server, and waits until so many files are left.
async fn swept(server: &mut Server, left: usize) {
    server.restart_with(&[&with_admin(), SOON]);
    until("files to go", || {
        rows(server) == i64::try_from(left).unwrap() && stored(server).len() == left
    })
    .await;
}

#[tokio::test]
async fn what_only_they_could_read_goes_and_what_they_sent_stays_with_others() {
    let mut server = Server::with(&[&with_admin()]);
    let mut ann = Client::connect(&server, "ann").await;
    let asker = Asker::at(server.node(0), "ann");
    let unsent = asker.keep("unsent", b"unsent").await;
    let own = asker.keep("own", b"own").await;
    let sent = asker.keep("sent", b"sent").await;
    let id = ann.id().await;
    let frame = super::chat::file_frame("ann", "ann", &id, &own.text);
    ann.send(frame).await;
    ann.next().await;
    ann.expect_status("ann", "ann", &id, 1).await;
    send_file(&mut ann, "bob", &sent).await;
    Admin::of(&server).delete("ann").await;
    for file in [&unsent, &own, &sent] {
        Asker::at(server.node(1), "ann")
            .cannot_read(file.url())
            .await;
    }
    Asker::at(server.node(1), "bob")
        .reads(sent.url(), b"sent")
        .await;
    swept(&mut server, 1).await;
    assert_eq!(stored(&server), [place_of(sent.id())]);
    let bob = Asker::at(server.node(1), "bob");
    bob.reads(sent.url(), b"sent").await;
    // He may send it on as before.
    let mut client = Client::connect(&server, "bob").await;
    client.next().await;
    send_file(&mut client, "cid", &sent).await;
    let cid = Asker::at(server.node(0), "cid");
    cid.reads(sent.url(), b"sent").await;
    for user in ["bob", "cid"] {
        Admin::of(&server).delete(user).await;
        Asker::at(server.node(1), user)
            .cannot_read(sent.url())
            .await;
    }
    until("the last to go", || {
        rows(&server) == 0 && stored(&server).is_empty()
    })
    .await;
}

#[tokio::test]
async fn whoever_has_the_id_next_reads_and_sends_nothing_of_what_was() {
    let server = Server::with(&[&with_admin(), &quota(2, 1_000)]);
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let at_ann = Asker::at(server.node(0), "ann");
    let unsent = at_ann.keep("unsent", b"unsent").await;
    let sent = at_ann.keep("sent", &noise(900, 1)).await;
    send_file(&mut ann, "bob", &sent).await;
    bob.next().await;
    let got = Asker::at(server.node(0), "bob").keep("got", b"got").await;
    send_file(&mut bob, "ann", &got).await;
    ann.next().await;
    let both = [0, 1].map(|number| Asker::at(server.node(number), "ann"));
    both[1].reads(got.url(), b"got").await;
    Admin::of(&server).delete("ann").await;

    // By an upload somebody is there again, as by a connect.
    let fresh = both[0].keep("fresh", &noise(MORE + 1_000, 2)).await;
    let mut other = Client::connect(&server, "ann").await;
    let ids = other.ids().await;
    for asker in &both {
        for file in [&unsent, &sent, &got] {
            asker.cannot_read(file.url()).await;
            asker.cannot_read(&file.thumbnail()).await;
        }
        asker.reads(fresh.url(), &noise(MORE + 1_000, 2)).await;
    }
    for file in [&unsent, &sent, &got] {
        is_forbidden(&mut other, "bob", &ids[0], &file.text).await;
        is_forbidden(&mut other, "ann", &ids[0], &file.text).await;
    }
    bob.assert_silent().await;
    let at_bob = Asker::at(server.node(1), "bob");
    at_bob.reads(sent.url(), &noise(900, 1)).await;
    at_bob.reads(got.url(), b"got").await;
    at_bob.cannot_read(unsent.url()).await;
    // What is sent to them now is theirs, even where it was once before.
    send_file(&mut bob, "ann", &sent).await;
    other.next().await;
    both[1].reads(sent.url(), &noise(900, 1)).await;
    both[1].cannot_read(got.url()).await;
    send_file(&mut other, "bob", &fresh).await;
    at_bob.reads(fresh.url(), &noise(MORE + 1_000, 2)).await;
}

#[tokio::test]
async fn who_has_the_id_next_and_again_next_reads_nothing_of_either() {
    let server = Server::with(&[&with_admin()]);
    let mut bob = Client::connect(&server, "bob").await;
    let mut before: Vec<String> = Vec::new();
    for generation in 0..3 {
        let mut ann = Client::connect(&server, "ann").await;
        let asker = Asker::at(server.node(generation), "ann");
        for url in &before {
            asker.cannot_read(url).await;
        }
        let own = asker.keep("own", b"own").await;
        let sent = Asker::at(server.node(0), "bob").keep("got", b"got").await;
        send_file(&mut bob, "ann", &sent).await;
        ann.next().await;
        asker.reads(own.url(), b"own").await;
        asker.reads(sent.url(), b"got").await;
        before.extend([own.url().to_owned(), sent.url().to_owned()]);
        Admin::of(&server).delete("ann").await;
        for url in &before {
            asker.cannot_read(url).await;
        }
    }
}
