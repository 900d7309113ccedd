//! Files in a bucket, and what becomes of them there.

use serde_json::Value;

use super::asker::{Asker, Kept};
use super::bucket::{Bucket, PREFIX};
use super::chat::send_file;
use super::ground::{noise, until};
use super::images::png;
use super::support::mode::Mode;
use super::support::{Client, Server, http, only_on};

/// More than one part, and not a whole number of them.
const LARGE: usize = 20 * 1024 * 1024 + 7;

fn is_elsewhere() -> bool {
    !only_on(&[Mode::Sqlite], "it is about the bucket alone")
}

fn server(bucket: &Bucket, flags: &[&str]) -> Server {
    let place = bucket.flag();
    let flags: Vec<&str> = [place.as_str()].iter().chain(flags).copied().collect();
    Server::with_environment(&bucket.environment(), &flags)
}

fn key(file: &Kept) -> String {
    format!("{PREFIX}/{}/{}", &file.id()[..2], file.id())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_into_the_bucket_and_comes_back_in_parts_and_as_a_whole() {
    if is_elsewhere() {
        return;
    }
    let bucket = Bucket::start().await;
    let server = server(&bucket, &[]);
    let uploader = Asker::at(server.node(0), "HK0001");
    for size in [0, 1, 100_000, LARGE] {
        let bytes = noise(size, size as u64);
        let file = uploader.keep("a.bin", &bytes).await;
        assert!(bucket.keys().contains(&key(&file)), "{:?}", bucket.keys());
        assert!(
            bucket.bytes(&key(&file)) == bytes,
            "{size} bytes are in the bucket"
        );
        uploader.reads(file.url(), &bytes).await;
        if size > 10 {
            let end = uploader
                .get_with(file.url(), &[("Range", "bytes=-10")])
                .await;
            assert_eq!(
                (end.status, end.body.as_slice()),
                (206, &bytes[size - 10..])
            );
        }
    }
    assert!(bucket.parts().is_empty(), "{:?}", bucket.parts());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_has_its_thumbnail_beside_it_in_the_bucket() {
    if is_elsewhere() {
        return;
    }
    let bucket = Bucket::start().await;
    let server = server(&bucket, &[]);
    let uploader = Asker::at(server.node(0), "HK0001");
    let file = uploader.keep("a.png", &png(900, 600)).await;
    assert_eq!(
        bucket.keys(),
        [key(&file), format!("{}.thumbnail", key(&file))]
    );
    let small = uploader.get(&file.thumbnail()).await.assert_status(200);
    let small = image::load_from_memory(&small.body).expect("a picture");
    assert_eq!((small.width(), small.height()), (480, 320));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_read_leaves_the_bucket() {
    if is_elsewhere() {
        return;
    }
    let bucket = Bucket::start().await;
    let server = server(&bucket, &["--file-grace=2s"]);
    let uploader = Asker::at(server.node(0), "HK0001");
    let sent = uploader.keep("sent.bin", &noise(200, 1)).await;
    let mut sender = Client::connect(&server, "HK0001").await;
    send_file(&mut sender, "HK0002", &sent).await;
    uploader.keep("unsent.bin", &noise(100, 2)).await;
    until("the unsent file to go", || bucket.keys() == [key(&sent)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_away_is_an_error_and_messages_go_on() {
    if is_elsewhere() {
        return;
    }
    let bucket = Bucket::start().await;
    let server = server(&bucket, &[]);
    let uploader = Asker::at(server.node(0), "HK0001");
    let kept = uploader.keep("a.bin", &noise(100, 1)).await;
    bucket.close();

    let (uploaded, fetched) =
        tokio::join!(uploader.upload("in vain", b"x"), uploader.get(kept.url()));
    for answer in [uploaded, fetched] {
        let problem = answer.assert_is(503, "storage_unavailable").json();
        assert_eq!(problem["retryable"], Value::Bool(true), "{problem}");
    }
    let health = http::get(&server, "/health").await;
    assert_eq!(health.status, 200, "messages need no bucket: {health:?}");
    let mut sender = Client::connect(&server, "HK0001").await;
    sender.deliver("HK0002", "without files").await;

    bucket.open();
    uploader.keep("and again", b"x").await;
    uploader.reads(kept.url(), &noise(100, 1)).await;
}
