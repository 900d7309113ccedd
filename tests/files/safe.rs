//! Files that would do harm if a browser made of them what they say they are.

use super::asker::{Asker, kept};
use super::images::png;
use super::support::Server;

const BYTES: &str = "application/octet-stream";

#[tokio::test]
async fn nothing_that_could_run_is_shown_and_whatever_is_opened_can_do_nothing() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let script = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (name, said, mime, given) in [
        ("a.html", None, "text/html", BYTES),
        ("a.txt", Some("text/html"), "text/html", BYTES),
        ("a.svg", None, "image/svg+xml", BYTES),
        ("a.png", Some("image/svg+xml"), "image/svg+xml", BYTES),
        ("a.xhtml", None, "application/xhtml+xml", BYTES),
        ("a.xml", Some("application/xml"), "application/xml", BYTES),
        ("a.js", Some("text/javascript"), "text/javascript", BYTES),
        (
            "a.mjs",
            Some("application/javascript"),
            "application/javascript",
            BYTES,
        ),
        ("a.css", None, "text/css", BYTES),
        ("a.wasm", None, "application/wasm", BYTES),
        ("a.eml", Some("message/rfc822"), "message/rfc822", BYTES),
        ("a", None, BYTES, BYTES),
        ("a.txt", None, "text/plain", "text/plain; charset=utf-8"),
        ("a.pdf", None, "application/pdf", "application/pdf"),
        ("a.zip", None, "application/zip", "application/zip"),
    ] {
        let headers: Vec<_> = said
            .map(|said| ("Content-Type", said))
            .into_iter()
            .collect();
        let file = kept(ann.upload_with(name, &headers, script).await);
        assert_eq!(file.answer["mime"], mime, "{name}");
        for range in [&[][..], &[("Range", "bytes=0-3")]] {
            let reply = ann.get_with(file.url(), range).await;
            assert_eq!(reply.header("content-type"), Some(given), "{name}");
            let disposition = reply.header("content-disposition").unwrap();
            assert!(disposition.starts_with("attachment;"), "{disposition}");
            let policy = reply.header("content-security-policy").unwrap();
            assert_eq!(policy, "default-src 'none'; sandbox", "{name}");
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
            let sites = reply.header("cross-origin-resource-policy");
            assert_eq!(sites, Some("same-origin"), "{name}");
        }
    }
}

#[tokio::test]
async fn pictures_sounds_and_films_are_shown_and_can_do_nothing_either() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let picture = png(8, 8);
    for (name, mime, bytes) in [
        ("a.png", "image/png", &*picture),
        ("a.jpg", "image/jpeg", b"no picture"),
        ("a.gif", "image/gif", b"no picture"),
        ("a.webp", "image/webp", b"no picture"),
        ("a.mp4", "video/mp4", b"no film"),
        ("a.mp3", "audio/mpeg", b"no sound"),
        ("a.ogg", "audio/ogg", b"no sound"),
    ] {
        let file = kept(
            ann.upload_with(name, &[("Content-Type", mime)], bytes)
                .await,
        );
        assert_eq!(file.answer["mime"], mime, "{name}");
        let mut paths = vec![file.url().to_owned()];
        if file.answer["thumbnail"].is_string() {
            paths.push(file.thumbnail());
        }
        for path in paths {
            let reply = ann.get(&path).await.assert_status(200);
            let disposition = reply.header("content-disposition").unwrap();
            assert!(disposition.starts_with("inline;"), "{disposition}");
            if path == file.url() {
                assert_eq!(reply.header("content-type"), Some(mime));
            }
            let policy = reply.header("content-security-policy").unwrap();
            assert_eq!(policy, "default-src 'none'; sandbox", "{name}");
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        }
    }
}

#[tokio::test]
async fn a_type_that_is_none_cannot_end_a_header() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let long = format!("a/{}", "b".repeat(300));
    for said in [
        "text/html;x=\"\t\"",
        "a/b c",
        "image/png, text/html",
        "*/*",
        &long,
    ] {
        let file = kept(ann.upload_with("a", &[("Content-Type", said)], b"x").await);
        let reply = ann.get(file.url()).await.assert_status(200);
        assert_eq!(reply.header("content-type"), Some(BYTES), "{said}");
        let disposition = reply.header("content-disposition").unwrap();
        assert!(disposition.starts_with("attachment;"), "{said}");
    }
}
