//! Files that go up and come down again.

use std::collections::BTreeSet;

use serde_json::Value;

use super::asker::{Asker, chunk, kept};
use super::ground::{assert_nothing, noise, place_of, rows, sha256, stored};
use super::support::{Server, http};

/// What comes is written to the spool in pieces of so many bytes…
const PIECE: usize = 128 * 1024;
/// …and put where it stays in parts of so many.
const PART: usize = 8 * 1024 * 1024;

#[tokio::test]
async fn an_upload_is_answered_with_what_its_message_is_to_say() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let reply = ann.upload("report.txt", b"hello").await.assert_status(201);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let answer = reply.json();
    let fields: BTreeSet<&str> = answer
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = ["id", "mime", "name", "sha256", "size", "url"];
    assert_eq!(fields, BTreeSet::from(expected), "{answer}");
    let id = answer["id"].as_str().unwrap();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(id.len() == 32 && id.bytes().all(is_digit), "{id}");
    assert_eq!(answer["name"], "report.txt");
    assert_eq!(answer["size"], 5);
    assert_eq!(answer["mime"], "text/plain");
    assert_eq!(answer["sha256"], sha256(b"hello"));
    assert_eq!(answer["url"], format!("/files/{id}"));
    assert_eq!(
        reply.header("location"),
        Some(&*format!("/files/{id}")),
        "{}",
        reply.head
    );
    // The same once more is another file.
    let again = ann.keep("report.txt", b"hello").await;
    assert_ne!(again.id(), id);
    let mut places = [place_of(id), place_of(again.id())];
    places.sort();
    assert_eq!(stored(&server), places);
}

#[tokio::test]
async fn what_comes_down_is_what_went_up_byte_for_byte() {
    let server = Server::start();
    let (here, there) = (
        Asker::at(server.node(0), "ann"),
        Asker::at(server.node(1), "ann"),
    );
    for size in [
        0,
        1,
        PIECE - 1,
        PIECE,
        PIECE + 1,
        PART - 1,
        PART,
        PART + 1,
        2 * PART + 1,
    ] {
        let bytes = noise(size, size as u64);
        let file = here.keep("a.bin", &bytes).await;
        assert_eq!(file.answer["size"], size);
        assert_eq!(file.answer["sha256"], sha256(&bytes), "{size} bytes");
        let reply = there.get(file.url()).await.assert_status(200);
        assert!(reply.body == bytes, "other bytes for {size}");
        assert_eq!(reply.header("content-length"), Some(&*size.to_string()));
        let tag = format!("\"{}\"", sha256(&bytes));
        assert_eq!(reply.header("etag"), Some(&*tag));
        assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
        assert_eq!(reply.header("accept-ranges"), Some("bytes"));
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_taken_to_its_last_chunk() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for sizes in [
        &[][..],
        &[1],
        &[1, 1, 1],
        &[PIECE, PIECE],
        &[3, PIECE - 1, 300_000, 7],
        &[PART, 1],
    ] {
        let mut all = Vec::new();
        let mut upload = ann.begin("a.bin", None).await;
        for (number, size) in sizes.iter().enumerate() {
            let piece = noise(*size, number as u64);
            upload.send(&chunk(&piece)).await;
            all.extend(piece);
        }
        upload.send(&chunk(&[])).await;
        let file = kept(upload.answer().await.unwrap());
        assert_eq!(file.answer["size"], all.len());
        assert_eq!(file.answer["sha256"], sha256(&all));
        ann.reads(file.url(), &all).await;
    }
}

#[tokio::test]
async fn a_type_is_the_one_its_sender_says_or_else_the_one_its_name_says() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let form = "application/x-www-form-urlencoded";
    for (name, said, mime) in [
        ("notes.txt", None, "text/plain"),
        ("a.pdf", None, "application/pdf"),
        ("a.mp4", None, "video/mp4"),
        ("a", None, "application/octet-stream"),
        ("a.unheard-of", None, "application/octet-stream"),
        ("a.txt", Some("application/x-own"), "application/x-own"),
        ("a.txt", Some("Text/HTML; charset=utf-8"), "text/html"),
        ("a.zip", Some(form), "application/zip"),
        ("a.zip", Some("application/octet-stream"), "application/zip"),
        ("a.zip", Some("nonsense"), "application/zip"),
        ("a", Some(form), "application/octet-stream"),
    ] {
        let headers: Vec<_> = said
            .map(|said| ("Content-Type", said))
            .into_iter()
            .collect();
        let file = kept(ann.upload_with(name, &headers, b"bytes").await);
        assert_eq!(file.answer["mime"], mime, "{name} {said:?}");
        assert_eq!(file.answer["name"], name);
    }
}

#[tokio::test]
async fn a_file_needs_no_name() {
    let server = Server::start();
    let nobody = Asker::nobody(server.node(0));
    for path in ["/files?fromId=ann", "/files?fromId=ann&name="] {
        let file = kept(nobody.ask(("POST", path), &[], Some(b"bytes")).await);
        assert_eq!(file.answer["name"], "file", "{path}");
        assert_eq!(file.answer["mime"], "application/octet-stream", "{path}");
    }
}

#[tokio::test]
async fn a_form_is_no_file() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let body = b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nbytes\r\n--x--\r\n";
    for kind in [
        "multipart/form-data; boundary=x",
        " multipart/form-data; boundary=x",
        "multipart/mixed",
    ] {
        let refused = ann.upload_with("a", &[("Content-Type", kind)], body).await;
        refused.assert_is(415, "unsupported_media_type");
    }
    assert_nothing(&server);
}

#[tokio::test]
async fn many_at_once_are_each_a_file_of_their_own() {
    let server = Server::start();
    let uploads = (0..24_u64).map(|number| {
        let ann = Asker::at(server.node(usize::try_from(number).unwrap()), "ann");
        tokio::spawn(async move {
            let bytes = noise(100_000 + usize::try_from(number).unwrap(), number);
            let file = ann.keep(&format!("{number}.bin"), &bytes).await;
            (file, bytes)
        })
    });
    let ann = Asker::at(server.node(1), "ann");
    for upload in uploads.collect::<Vec<_>>() {
        let (file, bytes) = upload.await.unwrap();
        ann.reads(file.url(), &bytes).await;
    }
    assert_eq!(rows(&server), 24);
    assert_eq!(stored(&server).len(), 24);
}

#[tokio::test]
async fn other_methods_and_paths_are_answered_with_what_there_is() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let file = ann.keep("a", b"bytes").await;
    for (method, path, allow) in [
        ("GET", "/files?fromId=ann", "POST"),
        ("PUT", "/files?fromId=ann", "POST"),
        ("DELETE", file.url(), "GET, HEAD"),
        ("POST", file.url(), "GET, HEAD"),
        ("PUT", &file.thumbnail(), "GET, HEAD"),
    ] {
        let refused = ann.ask((method, path), &[], None).await;
        let refused = refused.assert_is(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), Some(allow), "{method} {path}");
    }
    for path in [
        "/files/",
        "/files/x/y/z",
        "/files/..",
        "/files/%2e%2e%2fyanshu.db",
    ] {
        ann.cannot_read(path).await;
    }
    ann.reads(file.url(), b"bytes").await;
}

#[tokio::test]
async fn the_page_is_told_how_large_a_file_may_be() {
    let config = async |flags: &[&str]| -> Value {
        let server = Server::with(flags);
        let reply = http::get(&server, "/web/config.json").await;
        serde_json::from_str(&reply.body).unwrap()
    };
    assert_eq!(config(&[]).await["files"]["max"], 104_857_600);
    let config = config(&["--max-file-size=1000"]).await;
    assert_eq!(config["files"]["max"], 1000);
}
