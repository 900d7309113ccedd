//! Uploads and downloads over connections that are slow, that drip, and that stand still.
//!
//! A connection without a byte for the stall timeout is cut; so is one that is older than four times that, unless
//! a thousand bytes have gone for each second beyond.

use std::time::{Duration, Instant};

use tokio::time::interval;

use super::asker::{Asker, kept};
use super::ground::{assert_nothing, noise, rows, sockets, spools, until};
use super::support::{RawClient, Server};

const STALL: Duration = Duration::from_secs(1);

fn server() -> Server {
    Server::with(&["--stall-timeout=1s"])
}

#[tokio::test]
async fn an_upload_may_take_long_as_long_as_it_moves() {
    let server = server();
    let ann = Asker::at(server.node(0), "ann");
    let bytes = noise(54_000, 1);
    let began = Instant::now();
    let mut upload = ann.begin("slow", Some(54_000)).await;
    let mut pace = interval(Duration::from_millis(250));
    for piece in bytes.chunks(3_000) {
        pace.tick().await;
        upload.send(piece).await;
    }
    let file = kept(upload.answer().await.unwrap());
    assert!(began.elapsed() > STALL * 4, "{:?}", began.elapsed());
    ann.reads(file.url(), &bytes).await;
}

#[tokio::test]
async fn an_upload_that_stands_still_is_cut_and_leaves_nothing() {
    let server = server();
    let before = sockets(&server);
    let ann = Asker::at(server.node(0), "ann");
    for body in [&b""[..], b"a few bytes", &noise(200_000, 1)] {
        let began = Instant::now();
        let mut upload = ann.begin("still", Some(1_000_000)).await;
        upload.send(body).await;
        let status = upload.answer().await.map(|reply| reply.status);
        assert!(!matches!(status, Ok(200..300)), "it was taken: {status:?}");
        let lasted = began.elapsed();
        assert!(lasted >= STALL && lasted < STALL * 4, "{lasted:?}");
    }
    until("all of it to go", || {
        spools(&server) == 0 && sockets(&server) <= before + 4
    })
    .await;
    assert_nothing(&server);
    ann.keep("after", b"and on").await;
    assert_eq!(rows(&server), 1);
}

#[tokio::test]
async fn an_upload_that_drips_is_cut_and_leaves_nothing() {
    let server = server();
    let ann = Asker::at(server.node(0), "ann");
    let began = Instant::now();
    let mut upload = ann.begin("drips", Some(1_000_000)).await;
    let mut pace = interval(Duration::from_millis(100));
    while upload.try_send(b"x").await.is_ok() {
        pace.tick().await;
        assert!(began.elapsed() < STALL * 9, "it drips on and on");
    }
    assert!(began.elapsed() >= STALL * 4, "{:?}", began.elapsed());
    until("it to go", || spools(&server) == 0).await;
    assert_nothing(&server);
}

#[tokio::test]
async fn a_download_that_nobody_takes_is_cut_and_one_that_is_taken_slowly_is_not() {
    let server = server();
    let ann = Asker::at(server.node(0), "ann");
    let bytes = noise(12_000_000, 1);
    let file = ann.keep("large", &bytes).await;
    until("the upload to go", || spools(&server) == 0).await;
    let path = format!("{}?fromId=ann", file.url());
    let mut still = ann.connect().await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    still.send(request.as_bytes()).await;
    // The bytes are read from the file only as fast as they are taken.
    let mut slow = ann.connect().await;
    slow.send(request.as_bytes()).await;
    let began = Instant::now();
    let taken = slow.take_slowly(700_000, Duration::from_millis(280)).await;
    assert!(began.elapsed() > STALL * 4, "{:?}", began.elapsed());
    assert!(taken.ends_with(&bytes), "{} bytes came", taken.len());
    let got = still.answer().await;
    assert!(got.is_err(), "it was cut before its end");
    until("all of it to go", || spools(&server) == 0).await;
    // Who is connected does not notice.
    let mut bystander = RawClient::connect(&server, "bob").await;
    bystander
        .send_text(&super::support::frames::get_ids("bob").to_string())
        .await;
    assert!(bystander.next_text().await.contains("MSG"));
}
