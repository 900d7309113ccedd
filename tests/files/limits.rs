//! How large a file may be, and how many may come at once.

use std::time::Duration;

use super::asker::{Asker, chunk, kept};
use super::ground::{assert_nothing, noise, rows, sockets, spools, stored, until};
use super::support::{Server, http, within};
use super::wire::Connection;

#[tokio::test]
async fn a_file_may_be_as_large_as_is_allowed_and_no_byte_larger() {
    let server = Server::with(&["--max-file-size=200000"]);
    let ann = Asker::at(server.node(0), "ann");
    let bytes = noise(200_001, 1);
    let refused = ann.upload("a", &bytes).await;
    let refused = refused.assert_is(413, "too_large");
    assert_eq!(refused.json()["retryable"], false);
    let mut upload = ann.begin("a", None).await;
    upload.send(&chunk(&bytes)).await;
    upload.send(&chunk(&[])).await;
    let refused = upload.answer().await.unwrap();
    refused.assert_is(413, "too_large");
    until("the refused upload to go", || spools(&server) == 0).await;
    assert_nothing(&server);
    let file = ann.keep("a", &bytes[..200_000]).await;
    ann.reads(file.url(), &bytes[..200_000]).await;
    let mut upload = ann.begin("a", None).await;
    upload.send(&chunk(&bytes[..200_000])).await;
    upload.send(&chunk(&[])).await;
    kept(upload.answer().await.unwrap());
}

#[tokio::test]
async fn what_is_too_large_is_refused_as_soon_as_that_is_known() {
    let server = Server::with(&["--max-file-size=1000"]);
    let ann = Asker::at(server.node(0), "ann");
    let mut uploads = Vec::new();
    for length in [1_001, 1 << 40, u64::MAX / 2] {
        let mut upload = ann.begin("a", Some(length)).await;
        upload.send(b"a first byte").await;
        uploads.push(upload);
    }
    // Without a length it is known when it passes the limit, and not when it ends.
    let mut upload = ann.begin("a", None).await;
    upload.send(&chunk(&noise(1_000, 1))).await;
    upload.send(&chunk(b"x")).await;
    uploads.push(upload);
    for mut upload in uploads {
        let refused = upload.answer().await.unwrap();
        refused.assert_is(413, "too_large");
    }
    assert_nothing(&server);
}

#[tokio::test]
async fn who_sends_everything_before_reading_still_gets_the_answer() {
    let server = Server::with(&[
        "--max-file-size=1000",
        "--jwt-secret=a-secret-of-thirty-two-characters",
    ]);
    let minted = super::support::command::run(&[
        "token",
        "ann",
        "--jwt-secret=a-secret-of-thirty-two-characters",
    ]);
    let nobody = Asker::nobody(server.node(0));
    let ann = nobody.clone().showing(minted.stdout.trim());
    let bytes = noise(5_000_000, 1);
    for (asker, status, code) in [(&ann, 413, "too_large"), (&nobody, 401, "unauthorized")] {
        let length = bytes.len() as u64;
        let mut upload = asker.begin("a", Some(length)).await;
        upload.send(&bytes).await;
        let refused = upload.answer().await.unwrap();
        refused.assert_is(status, code);
        let mut upload = asker.begin("a", None).await;
        for part in bytes.chunks(100_000) {
            upload.send(&chunk(part)).await;
        }
        upload.send(&chunk(&[])).await;
        let refused = upload.answer().await.unwrap();
        refused.assert_is(status, code);
    }
    assert_nothing(&server);
}

#[tokio::test]
async fn who_was_refused_is_not_listened_to_for_ever() {
    let server = Server::with(&["--max-file-size=1000"]);
    let ann = Asker::at(server.node(0), "ann");
    let piece = noise(100_000, 1);
    for length in [Some(1 << 40), None] {
        let mut upload = ann.begin("a", length).await;
        let piece = match length {
            Some(_) => piece.clone(),
            None => chunk(&piece),
        };
        let sending = async {
            while upload.try_send(&piece).await.is_ok() {
                // Much would be too much; what counts is that it ends.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        within("the server to hang up", sending).await;
    }
    assert_nothing(&server);
}

/// Begins an upload of ten bytes that is let in and does not end.
async fn begin(asker: &Asker) -> Connection {
    let mut upload = asker.begin("a", Some(10)).await;
    upload.send(b"12345").await;
    upload
}

#[tokio::test]
async fn one_user_has_so_many_uploads_at_once_and_places_come_back() {
    let server = Server::with(&["--limits=on"]);
    let ann = Asker::at(server.node(0), "ann");
    let mut uploads = Vec::new();
    for _ in 0..8 {
        uploads.push(begin(&ann).await);
    }
    until("all of them to come in", || spools(&server) == 8).await;
    let refused = ann.upload("a", b"ninth").await;
    let refused = refused.assert_is(429, "rate_limited");
    assert!(refused.header("retry-after").is_some(), "{}", refused.head);
    assert_eq!(refused.json()["retryable"], true);
    Asker::at(server.node(0), "bob")
        .keep("a", b"another's")
        .await;
    // One ends.
    let mut first = uploads.remove(0);
    first.send(b"67890").await;
    let file = kept(first.answer().await.unwrap());
    ann.reads(file.url(), b"1234567890").await;
    uploads.push(begin(&ann).await);
    until("the next one to come in", || spools(&server) == 8).await;
    ann.upload("a", b"ninth").await.assert_status(429);
    // One is cut, one is closed, and one is wrong.
    uploads.remove(0).reset();
    drop(uploads.remove(0));
    until("two to go", || spools(&server) == 6).await;
    for _ in 0..2 {
        uploads.push(begin(&ann).await);
    }
    until("two more to come in", || spools(&server) == 8).await;
    ann.upload("a", b"ninth").await.assert_status(429);
    for upload in uploads {
        upload.reset();
    }
    until("all of them to go", || spools(&server) == 0).await;
    ann.keep("a", b"again").await;
    assert_eq!(rows(&server), 3);
    assert_eq!(stored(&server).len(), 3);
}

#[tokio::test]
async fn one_user_has_so_many_downloads_at_once_and_places_come_back() {
    let server = Server::with(&["--limits=on"]);
    let ann = Asker::at(server.node(0), "ann");
    let file = ann.keep("large", &noise(12_000_000, 1)).await;
    until("the upload to go", || spools(&server) == 0).await;
    let request = format!(
        "GET {}?fromId=ann HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        file.url()
    );
    let mut downloads = Vec::new();
    for _ in 0..64 {
        let mut download = ann.connect().await;
        download.send(request.as_bytes()).await;
        downloads.push(download);
    }
    // Nobody takes them, so that each has the file open.
    until("all of them to begin", || spools(&server) == 64).await;
    let refused = ann.get(file.url()).await;
    let refused = refused.assert_is(429, "rate_limited");
    assert!(refused.header("retry-after").is_some(), "{}", refused.head);
    // What needs no bytes needs no place, and nobody else is concerned.
    ann.look_at(file.url(), &[]).await.assert_status(200);
    let bob = Asker::at(server.node(0), "bob");
    let own = bob.keep("a", b"bytes").await;
    bob.reads(own.url(), b"bytes").await;
    for download in downloads.drain(..8) {
        download.reset();
    }
    until("some to go", || spools(&server) <= 56).await;
    ann.reads(file.url(), &noise(12_000_000, 1)).await;
}

#[tokio::test]
async fn without_limits_one_user_may_have_more() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let mut uploads = Vec::new();
    for _ in 0..20 {
        uploads.push(begin(&ann).await);
    }
    until("all of them to come in", || spools(&server) == 20).await;
    for mut upload in uploads {
        upload.send(b"67890").await;
        kept(upload.answer().await.unwrap());
    }
}

#[tokio::test]
async fn all_users_together_have_so_many_uploads_at_once() {
    let server = Server::start();
    let node = server.node(0);
    let before = sockets(&server);
    let mut uploads = Vec::new();
    for number in 0..256 {
        let asker = Asker::at(node, &format!("user-{number}"));
        uploads.push(begin(&asker).await);
    }
    until("all of them to come in", || spools(&server) == 256).await;
    let ann = Asker::at(node, "ann");
    let refused = ann.upload("a", b"one too many").await;
    let refused = refused.assert_is(503, "busy");
    assert!(refused.header("retry-after").is_some(), "{}", refused.head);
    assert_eq!(http::get_at(node.port(), "/health").await.status, 200);
    for upload in uploads {
        upload.reset();
    }
    until("all of them to go", || {
        spools(&server) == 0 && sockets(&server) <= before + 4
    })
    .await;
    ann.keep("a", b"now").await;
}

#[tokio::test]
async fn where_files_are_off_nothing_is_taken_or_given() {
    let server = Server::with(&["--file-store=off"]);
    let ann = Asker::at(server.node(0), "ann");
    let id = "00ff00000000000000000000000000aa";
    ann.upload("a", b"bytes").await.assert_is(404, "files_off");
    for path in [
        "/files",
        &format!("/files/{id}"),
        &format!("/files/{id}/thumbnail"),
    ] {
        ann.get(path).await.assert_is(404, "files_off");
    }
    let config = http::get(&server, "/web/config.json").await;
    let config: serde_json::Value = serde_json::from_str(&config.body).unwrap();
    assert!(
        config["files"].is_null() && config["tokens"] == false,
        "{config}"
    );
    assert!(config.as_object().unwrap().contains_key("files"));
    assert_eq!(rows(&server), 0);
    assert!(!server.directory().join("files").exists());
}
