//! Floods: much of what is allowed a little. The server's memory does not follow them.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;

use super::bystanders::Bystanders;
use super::support::raw::{CLOSE, CONTINUATION, PING, TEXT, close_code, frame, header};
use super::support::{RawClient, Server, frames, within_time};

/// How many connections attack at once.
const CONNECTIONS: usize = 50;

/// What each of them tries to make the server keep.
const BYTES_EACH: usize = 4 * 1024 * 1024;

/// What the server may keep for each: a frame of the largest size.
const FRAME_LIMIT_KIB: u64 = 64;

/// What the allocator may keep beyond that, whatever the attack.
const SLACK_KIB: u64 = 8 * 1024;

/// How long a flood may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends `opening` and then `repeated` until the server hangs up, or until it has sent [`BYTES_EACH`]. Returns the
/// close code, or `None` if the reset that follows it came first.
async fn stream_until_closed(server: &Server, opening: &[u8], repeated: &[u8]) -> Option<u16> {
    let mut client = RawClient::open(server).await;
    let mut sent = 0;
    let mut went_well = client.try_send_bytes(opening).await.is_ok();
    while went_well && sent < BYTES_EACH {
        went_well = client.try_send_bytes(repeated).await.is_ok();
        sent += repeated.len();
    }
    while let Some((opcode, payload)) = client.read_frame().await {
        if opcode == CLOSE {
            return close_code(&payload);
        }
    }
    None
}

/// Attacks with [`CONNECTIONS`] at once after a warm-up with a few, and checks codes, memory and bystanders.
async fn assert_bounded_and_closed_with_1009(opening: &[u8], repeated: &[u8]) {
    let server = Server::start();
    let mut bystanders = Bystanders::start(&server).await;
    let attack =
        |count| join_all((0..count).map(|_| stream_until_closed(&server, opening, repeated)));
    attack(10).await;
    let before = server.peak_rss_kib();
    for code in attack(CONNECTIONS).await {
        assert!(
            matches!(code, Some(1009) | None),
            "an oversized message closes with 1009, not {code:?}"
        );
    }
    let growth = server.peak_rss_kib() - before;
    let bound = CONNECTIONS as u64 * FRAME_LIMIT_KIB + SLACK_KIB;
    assert!(
        growth <= bound,
        "memory grew by {growth} KiB, more than {bound} KiB"
    );
    bystanders.make_progress(3).await;
    bystanders.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_announced_before_login_and_streamed_is_not_kept() {
    let announcement = [header(TEXT, true, true, 1 << 30), vec![1, 2, 3, 4]].concat();
    assert_bounded_and_closed_with_1009(&announcement, &[b'x'; 32 * 1024]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_endless_continuations_is_not_kept() {
    let opening = frame(TEXT, false, true, &[b'x'; 1024]);
    let continuation = frame(CONTINUATION, false, true, &[b'x'; 1024]);
    assert_bounded_and_closed_with_1009(&opening, &continuation).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_empty_continuations_costs_no_memory_and_ends_in_an_answer_or_a_close() {
    const EMPTY_FRAMES: usize = 200_000;
    let server = Server::start();
    let mut bystanders = Bystanders::start(&server).await;
    let mut client = RawClient::connect(&server, "hollow").await;
    let before = server.peak_rss_kib();

    let flood = frame(CONTINUATION, false, true, b"").repeat(1_000);
    let mut went_well = client
        .try_send_bytes(&frame(TEXT, false, true, b""))
        .await
        .is_ok();
    for _ in 0..EMPTY_FRAMES / 1_000 {
        went_well = went_well && client.try_send_bytes(&flood).await.is_ok();
    }
    if went_well {
        let request = frames::contacts("hollow").to_string();
        // It may fail, as the server is free to lose its patience with this client.
        let _ = client
            .try_send_bytes(&frame(CONTINUATION, true, true, request.as_bytes()))
            .await;
    }
    match client.read_frame().await {
        Some((TEXT, answer)) => assert!(answer.starts_with(br#"{"action":"11""#)),
        Some((CLOSE, payload)) => {
            let code = close_code(&payload);
            assert!(
                matches!(code, Some(1002 | 1009 | 4429)),
                "no reason to close with {code:?}"
            );
        }
        None => {}
        Some(other) => panic!("neither an answer nor a close: {other:?}"),
    }
    let growth = server.peak_rss_kib() - before;
    assert!(
        growth <= SLACK_KIB,
        "memory grew by {growth} KiB for messages without a byte"
    );
    bystanders.make_progress(3).await;
    bystanders.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_whose_pongs_nobody_reads_costs_no_memory_and_is_ended() {
    let server = Server::with(&["--stall-timeout", "1s"]);
    let mut bystanders = Bystanders::start(&server).await;
    let mut client = RawClient::open_with_receive_buffer(&server, Some(4096)).await;
    client
        .send_text(&frames::connect("pinger").to_string())
        .await;
    client.next_text().await;
    let before = server.peak_rss_kib();

    let flood = frame(PING, true, true, &[b'x'; 125]).repeat(500);
    let until_it_fails = async { while client.stream().write_all(&flood).await.is_ok() {} };
    within_time(
        PATIENCE,
        "the watchdog to end a client that reads no pong",
        until_it_fails,
    )
    .await;

    let growth = server.peak_rss_kib() - before;
    assert!(
        growth <= SLACK_KIB,
        "memory grew by {growth} KiB for pongs that nobody reads"
    );
    bystanders.make_progress(3).await;
    bystanders.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_bad_frames_whose_errors_nobody_reads_costs_no_memory_and_is_ended() {
    let server = Server::with(&["--stall-timeout", "1s"]);
    let mut bystanders = Bystanders::start(&server).await;
    let mut client = RawClient::open_with_receive_buffer(&server, Some(4096)).await;
    client
        .send_text(&frames::connect("babbler").to_string())
        .await;
    client.next_text().await;
    let before = server.peak_rss_kib();

    let flood = frame(TEXT, true, true, b"{").repeat(500);
    let until_it_fails = async { while client.stream().write_all(&flood).await.is_ok() {} };
    within_time(
        PATIENCE,
        "the watchdog to end a client that reads no error",
        until_it_fails,
    )
    .await;

    let growth = server.peak_rss_kib() - before;
    assert!(
        growth <= SLACK_KIB,
        "memory grew by {growth} KiB for errors that nobody reads"
    );
    bystanders.make_progress(3).await;
    bystanders.stop().await;
}
