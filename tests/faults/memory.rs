//! Memory is bounded by the number of connections, whatever they leave unfinished or unread.

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use socket2::SockRef;

use super::bystanders::Bystanders;
use super::observe::{all_bytes_are_read, connections_are_gone};
use super::support::raw::{CONTINUATION, TEXT, frame, header};
use super::support::{Client, RawClient, Server, frames};

/// How many connections leave a frame unfinished, where the limit of open files allows it.
const CONNECTIONS: u64 = 2_000;

/// The default `--max-frame-size`.
const FRAME_LIMIT: usize = 64 * 1024;

/// What a connection may cost beside the frame: the read buffer of actix-http, which grows to
/// 128 KiB when a client is faster than its reader, the actor, and what the allocator makes of it.
const FIXED_KIB: u64 = 144;

/// How many rounds of connections come one after another.
const ROUNDS: usize = 5;

/// How many connections this process and the server can each have, up to [`CONNECTIONS`].
fn possible_connections() -> u64 {
    let open_files =
        rlimit::increase_nofile_limit(CONNECTIONS + 500).expect("the limit can be asked for");
    CONNECTIONS.min(open_files.saturating_sub(500))
}

/// A connected client with all but one byte of a message of the largest size, every other one in fragments.
async fn unfinished(server: &Server, number: u64) -> RawClient {
    let mut client = RawClient::connect(server, &format!("unfinished-{number}")).await;
    let mut bytes = Vec::new();
    if number.is_multiple_of(2) {
        bytes.extend(header(TEXT, true, true, FRAME_LIMIT as u64));
        bytes.extend([0; 4]);
        bytes.extend(vec![b'x'; FRAME_LIMIT - 1]);
    } else {
        bytes.extend(frame(TEXT, false, true, b""));
        for _ in 0..FRAME_LIMIT / 1024 - 1 {
            bytes.extend(frame(CONTINUATION, false, true, &[b'x'; 1024]));
        }
    }
    client.send_bytes(&bytes).await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_frames_cost_no_more_than_themselves_and_nothing_once_they_are_gone() {
    let connections = possible_connections();
    let server = Server::with(&["--idle-timeout", "600s"]);
    let mut bystanders = Bystanders::start(&server).await;
    let before = server.peak_rss_kib();

    let mut peaks = Vec::new();
    for _ in 0..ROUNDS {
        let clients = stream::iter(0..connections).map(|number| unfinished(&server, number));
        let clients: Vec<_> = clients.buffer_unordered(20).collect().await;
        all_bytes_are_read(&server).await;
        bystanders.make_progress(3).await;
        peaks.push(server.peak_rss_kib());
        drop(clients);
        connections_are_gone(&server, 2).await;
        bystanders.make_progress(3).await;
    }
    let growth = peaks[0] - before;
    let bound = connections * (FRAME_LIMIT as u64 / 1024 + FIXED_KIB);
    assert!(
        growth <= bound,
        "{connections} unfinished frames took {growth} KiB, more than {bound} KiB"
    );
    // The allocator's holes fill up over the first rounds; after that, nothing more is taken.
    let (last_but_one, last) = (peaks[ROUNDS - 2], peaks[ROUNDS - 1]);
    assert!(
        last <= last_but_one + last_but_one / 20,
        "each round takes more than the one before: {peaks:?} KiB"
    );
    bystanders.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_history_that_nobody_reads_are_bounded_and_none_is_lost() {
    const HOARDER: &str = "hoarder";
    const REQUESTS: usize = 200;
    /// Without a bound, the pages alone would take 100 MiB.
    const GROWTH_KIB: u64 = 48 * 1024;
    let server = Server::with(&["--stall-timeout", "600s", "--idle-timeout", "600s"]);
    let mut bystanders = Bystanders::start(&server).await;
    let mut writer = Client::connect(&server, HOARDER).await;
    let text = "x".repeat(32_000);
    for _ in 0..20 {
        writer.deliver("shelf", &text).await;
    }
    // A page costs what it costs: not its first price, but two hundred times that is the question.
    let page = writer.history(Some("shelf"), None, Some(100)).await;
    assert!(
        (10..20).contains(&page.len()),
        "a page ends at 512 KiB, not after {} messages",
        page.len()
    );
    writer.close().await;
    let before = server.peak_rss_kib();

    let mut hoarder = RawClient::open_with_receive_buffer(&server, Some(8 * 1024)).await;
    hoarder
        .send_text(&frames::connect(HOARDER).to_string())
        .await;
    assert_eq!(hoarder.next_text().await, frames::connected_text(HOARDER));
    let request = frames::history(HOARDER, Some("shelf"), None, Some(100)).to_string();
    hoarder
        .send_bytes(&frame(TEXT, true, true, request.as_bytes()).repeat(REQUESTS))
        .await;
    // Time enough for the server to do its worst, as told by what it does for others.
    bystanders.make_progress(100).await;

    SockRef::from(&*hoarder.stream())
        .set_recv_buffer_size(1 << 20)
        .expect("the receive buffer can grow");
    for number in 0..REQUESTS {
        let answer: Value =
            serde_json::from_str(&hoarder.next_text().await).expect("the server sends JSON");
        let messages = answer["historyMsgs"].as_array().map_or(0, Vec::len);
        assert_eq!(messages, page.len(), "answer {number} is not a full page");
    }
    let growth = server.peak_rss_kib() - before;
    assert!(growth <= GROWTH_KIB, "unread pages took {growth} KiB");
    bystanders.make_progress(3).await;
    bystanders.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_come_and_go_leave_nothing_behind() {
    const AT_ONCE: usize = 50;
    const GROWTH_KIB: u64 = 16 * 1024;
    let server = Server::start();
    let mut bystanders = Bystanders::start(&server).await;
    let come_and_go = |round: usize| {
        let server = &server;
        join_all((0..AT_ONCE).map(move |number| async move {
            // Every other one goes without a word.
            let client = Client::connect(server, &format!("visitor-{number}")).await;
            if (number + round).is_multiple_of(2) {
                client.close().await;
            }
        }))
    };
    for round in 0..10 {
        come_and_go(round).await;
    }
    let before = server.peak_rss_kib();
    for round in 0..50 {
        come_and_go(round).await;
    }
    connections_are_gone(&server, 2).await;
    let growth = server.peak_rss_kib() - before;
    assert!(growth <= GROWTH_KIB, "2,500 visits left {growth} KiB");
    bystanders.make_progress(3).await;
    bystanders.stop().await;
}
