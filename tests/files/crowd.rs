//! Two hundred who send files up at the same time, and those who write meanwhile.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::asker::Asker;
use super::ground::noise;
use super::support::mode::{Mode, from_environment};
use super::support::{Client, Server, only_on};

const UPLOADS: usize = 200;
/// MiB of each; `YANSHU_UPLOAD_MIB` says otherwise. What is in memory does not depend on it.
const SIZE: usize = 2;
/// A fifth less than the 150 MB that they may take on a small machine: some ninety are what it takes.
const MEMORY_KIB: u64 = 120 * 1024;
/// How long all of them may take together.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two messages.
const PACE: Duration = Duration::from_millis(50);

async fn upload(port: u16, head: String, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_files_at_once_take_little_memory_and_hold_up_nobody() {
    let why = "much for a disk, and the way of the bytes is the same";
    if !only_on(&[Mode::Sqlite], why) {
        return;
    }
    let server = Server::with(&["--file-quota=1000000000000", "--upload-rate=1000000000"]);
    let size = from_environment("YANSHU_UPLOAD_MIB", || SIZE) * 1024 * 1024;
    let bytes = noise(size, 7);
    let mut writer = Client::connect(&server, "writer").await;
    let crowd = join_all((0..UPLOADS).map(|number| {
        let uploader = Asker::at(server.node(0), &format!("uploader-{number}"));
        let head = uploader.upload_head("large.bin", Some(size as u64));
        upload(server.port(), head, &bytes)
    }));
    let crowd = timeout(PATIENCE, crowd);
    tokio::pin!(crowd);
    let mut written = 0;
    let answers = loop {
        tokio::select! {
            answers = &mut crowd => break answers,
            () = tokio::time::sleep(PACE) => {}
        }
        // Acknowledged as soon as ever: the client has the patience of any test.
        tokio::select! {
            answers = &mut crowd => break answers,
            _ = writer.deliver("reader", "meanwhile") => written += 1,
        }
    };
    for answer in answers.expect("all of them are answered") {
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
    assert!(written > 0, "nobody could write meanwhile");
    let peak = server.node(0).peak_rss_kib();
    println!("{written} messages meanwhile, {peak} KiB at the peak");
    assert!(peak < MEMORY_KIB, "{peak} KiB at the peak");
}
