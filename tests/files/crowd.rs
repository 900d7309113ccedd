//! Two hundred who send files up at the same time, and those who write meanwhile.

use std::time::Duration;

use futures_util::future::join_all;

use super::asker::Asker;
use super::ground::noise;
use super::support::mode::Mode;
use super::support::{Client, Server, only_on};

const UPLOADS: usize = 200;
const BYTES: usize = 10 * 1024 * 1024;
/// What a small machine can spare.
const MEMORY_KIB: u64 = 150 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_files_at_once_take_little_memory_and_hold_up_nobody() {
    if !only_on(
        &[Mode::Sqlite],
        "two gigabytes, and the way of the bytes is the same",
    ) {
        return;
    }
    let server = Server::with(&["--file-quota=1000000000000"]);
    let bytes = noise(BYTES, 7);
    let mut writer = Client::connect(&server, "writer").await;
    let crowd = join_all((0..UPLOADS).map(|number| {
        let uploader = Asker::at(server.node(0), &format!("uploader-{number}"));
        let bytes = &bytes;
        async move { uploader.upload("large.bin", bytes).await.assert_status(201) }
    }));
    tokio::pin!(crowd);
    // Each message waits for its acknowledgement, with the patience of any test.
    let mut written = 0;
    let answers = loop {
        tokio::select! {
            answers = &mut crowd => break answers,
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        tokio::select! {
            answers = &mut crowd => break answers,
            _ = writer.deliver("reader", "meanwhile") => written += 1,
        }
    };
    assert_eq!(answers.len(), UPLOADS);
    assert!(written > 0, "nobody wrote meanwhile");
    let peak = server.node(0).peak_rss_kib();
    assert!(peak < MEMORY_KIB, "{peak} KiB at its peak");
}
