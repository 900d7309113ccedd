//! Parts of files, and files that whoever asks has already (RFC 9110 §13, §14).

use super::asker::{Asker, Kept};
use super::ground::rows;
use super::support::Server;
use super::wire::Reply;

const TEXT: &[u8] = b"0123456789abcdef";

async fn with_file(server: &Server, bytes: &[u8]) -> (Asker, Kept, String) {
    let ann = Asker::at(server.node(0), "ann");
    let file = ann.keep("a.txt", bytes).await;
    let tag = format!("\"{}\"", file.answer["sha256"].as_str().unwrap());
    (ann, file, tag)
}

/// What every answer to who may read says.
fn assert_told(reply: &Reply, tag: &str) {
    assert_eq!(reply.header("etag"), Some(tag), "{}", reply.head);
    assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
}

#[tokio::test]
async fn one_range_is_answered_with_that_part() {
    let server = Server::start();
    let (ann, file, tag) = with_file(&server, TEXT).await;
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, 15),
        ("bytes=5-", 5, 15),
        ("bytes=5-9", 5, 9),
        ("bytes=15-15", 15, 15),
        ("bytes=15-", 15, 15),
        ("bytes=10-99", 10, 15),
        ("bytes=-5", 11, 15),
        ("bytes=-16", 0, 15),
        ("bytes=-99", 0, 15),
    ] {
        let reply = ann.get_with(file.url(), &[("Range", range)]).await;
        let reply = reply.assert_status(206);
        let told = format!("bytes {first}-{last}/16");
        assert_eq!(reply.header("content-range"), Some(&*told), "{range}");
        assert_eq!(reply.body, &TEXT[first..=last], "{range}");
        let length = (last - first + 1).to_string();
        assert_eq!(reply.header("content-length"), Some(&*length), "{range}");
        assert_told(&reply, &tag);
    }
}

#[tokio::test]
async fn what_is_beyond_the_end_is_not_there() {
    let server = Server::start();
    let (ann, file, _) = with_file(&server, TEXT).await;
    for range in ["bytes=16-", "bytes=16-20", "bytes=99-", "bytes=-0"] {
        let reply = ann.get_with(file.url(), &[("Range", range)]).await;
        let reply = reply.assert_status(416);
        assert_eq!(reply.header("content-range"), Some("bytes */16"), "{range}");
        assert!(reply.body.is_empty(), "{range}");
    }
}

#[tokio::test]
async fn what_is_not_one_range_is_the_whole_file() {
    let server = Server::start();
    let (ann, file, tag) = with_file(&server, TEXT).await;
    for range in [
        "bytes=0-0,5-9",
        "bytes=0-0, -1",
        "bytes=9-5",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1-b",
        "bytes=1.5-2",
        "bytes 0-0",
        "lines=0-0",
        "garbage",
        "bytes=99999999999999999999999-",
        "",
    ] {
        let reply = ann.get_with(file.url(), &[("Range", range)]).await;
        // A first byte that no number can say may well be called beyond the end.
        if range.contains("999999") && reply.status == 416 {
            continue;
        }
        let reply = reply.assert_status(200);
        assert_eq!(reply.body, TEXT, "{range}");
        assert_eq!(reply.header("content-range"), None, "{range}");
        assert_told(&reply, &tag);
    }
}

#[tokio::test]
async fn a_part_goes_only_to_who_has_a_part_of_the_same_file() {
    let server = Server::start();
    let (ann, file, tag) = with_file(&server, TEXT).await;
    let range = ("Range", "bytes=5-");
    let reply = ann.get_with(file.url(), &[range, ("If-Range", &tag)]).await;
    assert_eq!(reply.assert_status(206).body, &TEXT[5..]);
    let weak = format!("W/{tag}");
    for other in [
        "\"another\"",
        &weak,
        "Wed, 21 Oct 2015 07:28:00 GMT",
        tag.trim_matches('"'),
        "*",
    ] {
        let reply = ann
            .get_with(file.url(), &[range, ("If-Range", other)])
            .await;
        let reply = reply.assert_status(200);
        assert_eq!(reply.body, TEXT, "{other}");
        assert_eq!(reply.header("content-range"), None, "{other}");
    }
    // Without a range it says nothing.
    let reply = ann.get_with(file.url(), &[("If-Range", &tag)]).await;
    assert_eq!(reply.assert_status(200).body, TEXT);
}

#[tokio::test]
async fn who_has_it_is_not_sent_it_again() {
    let server = Server::start();
    let (ann, file, tag) = with_file(&server, TEXT).await;
    let weak = format!("W/{tag}");
    let among = format!("\"x\", {tag}, \"y\"");
    for known in [tag.as_str(), "*", &weak, &among] {
        for range in [&[][..], &[("Range", "bytes=0-0")]] {
            let mut headers = vec![("If-None-Match", known)];
            headers.extend(range);
            let reply = ann.get_with(file.url(), &headers).await;
            let reply = reply.assert_status(304);
            assert!(reply.body.is_empty(), "{known}");
            assert_told(&reply, &tag);
            let reply = ann.look_at(file.url(), &headers).await;
            assert_told(&reply.assert_status(304), &tag);
        }
    }
    let prefix = format!("{}\"", &tag[..10]);
    for other in ["\"another\"", &prefix, "\"\""] {
        let reply = ann.get_with(file.url(), &[("If-None-Match", other)]).await;
        assert_eq!(reply.assert_status(200).body, TEXT, "{other}");
    }
}

#[tokio::test]
async fn a_look_says_what_fetching_would_and_brings_nothing() {
    let server = Server::start();
    for bytes in [TEXT, b""] {
        let (ann, file, _) = with_file(&server, bytes).await;
        let got = ann.get(file.url()).await.assert_status(200);
        let seen = ann.look_at(file.url(), &[]).await.assert_status(200);
        assert!(seen.body.is_empty());
        assert_eq!(seen.normal_head(), got.normal_head());
    }
}

#[tokio::test]
async fn a_look_is_at_the_whole_file_whatever_range_it_names() {
    let server = Server::start();
    let (ann, file, _) = with_file(&server, TEXT).await;
    // RFC 9110 §14.2: but for GET, no method has ranges.
    for range in ["bytes=0-0", "bytes=99-"] {
        let seen = ann.look_at(file.url(), &[("Range", range)]).await;
        let seen = seen.assert_status(200);
        assert_eq!(seen.header("content-length"), Some("16"), "{range}");
        assert_eq!(seen.header("content-range"), None, "{range}");
    }
}

#[tokio::test]
async fn of_an_empty_file_there_is_no_part() {
    let server = Server::start();
    let (ann, file, tag) = with_file(&server, b"").await;
    let reply = ann.get(file.url()).await.assert_status(200);
    assert_eq!(reply.header("content-length"), Some("0"));
    assert_told(&reply, &tag);
    for range in ["bytes=0-0", "bytes=0-", "bytes=5-"] {
        let reply = ann.get_with(file.url(), &[("Range", range)]).await;
        let reply = reply.assert_status(416);
        assert_eq!(reply.header("content-range"), Some("bytes */0"), "{range}");
    }
    let reply = ann.get_with(file.url(), &[("Range", "bytes=-5")]).await;
    assert!(matches!(reply.status, 200 | 416), "{}", reply.head);
    assert!(reply.body.is_empty());
    let reply = ann.get_with(file.url(), &[("If-None-Match", &tag)]).await;
    reply.assert_status(304);
}

#[tokio::test]
async fn parts_of_a_large_file_are_the_right_ones() {
    let server = Server::start();
    let bytes = super::ground::noise(9 * 1024 * 1024, 7);
    let (ann, file, _) = with_file(&server, &bytes).await;
    for (first, last) in [
        (0, 1),
        (131_071, 131_072),
        (8_388_607, 8_388_609),
        (1_000_000, 5_000_000),
        (9_437_183, 9_437_183),
    ] {
        let range = format!("bytes={first}-{last}");
        let reply = ann.get_with(file.url(), &[("Range", &range)]).await;
        assert!(
            reply.assert_status(206).body == bytes[first..=last],
            "{range}"
        );
    }
}

#[tokio::test]
async fn who_wants_a_file_only_as_they_know_it_gets_no_other() {
    let server = Server::start();
    let (ann, file, tag) = with_file(&server, TEXT).await;
    for known in ["\"another\"", &format!("W/{tag}"), "\"a\", \"b\""] {
        for more in [("Range", "bytes=0-3"), ("If-None-Match", &tag)] {
            let reply = ann.get_with(file.url(), &[("If-Match", known), more]).await;
            let reply = reply.assert_status(412);
            assert!(reply.body.is_empty(), "{known}");
            assert_told(&reply, &tag);
        }
    }
    for known in ["*", &tag, &format!("\"a\", {tag}")] {
        let reply = ann.get_with(file.url(), &[("If-Match", known)]).await;
        assert_eq!(reply.assert_status(200).body, TEXT, "{known}");
    }
}

#[tokio::test]
async fn a_request_that_asks_to_become_a_websocket_moves_no_file() {
    let server = Server::start();
    let (ann, file, _) = with_file(&server, TEXT).await;
    let headers = [("Connection", "upgrade"), ("Upgrade", "websocket")];
    for path in [file.url(), &file.thumbnail()] {
        let refused = ann.get_with(path, &headers).await;
        refused.assert_is(400, "bad_request");
    }
    // Its body would not be read, and an empty file taken for it.
    let refused = ann.upload_with("b.txt", &headers, TEXT).await;
    refused.assert_is(400, "bad_request");
    assert_eq!(rows(&server), 1);
}
