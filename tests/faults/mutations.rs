//! Ten thousand mutations of valid frames: none of them goes unanswered, breaks the server or is noticed by others.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::time::timeout;

use super::bystanders::Bystanders;
use super::flow::{Flow, id_of};
use super::mutate::{Mutator, Verdict, judge};
use super::observe::setting;
use super::support::raw::{CLOSE, TEXT, close_code};
use super::support::{Client, RawClient, Server, frames};

const MUTATIONS: usize = 10_000;

/// How many mutated frames are sent before their answers are read; fewer than the server holds back.
const BATCH: usize = 50;

const DEFAULT_SEED: u64 = 0x5EED_0F60_05E5;

/// How long the answers to one batch may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server may remember of it all: the messages and grants that happened to be valid.
const GROWTH_KIB: u64 = 16 * 1024;

const USER: &str = "mutant";
const PEER: &str = "peer";

/// The error codes that a client's frame can deserve; `internal`, for one, it cannot.
const DESERVED: [&str; 8] = [
    "bad_json",
    "bad_frame",
    "already_connected",
    "forbidden",
    "unknown_message",
    "id_not_granted",
    "id_conflict",
    "too_large",
];

/// Whether the frame answers a request; a delivery and a reader's receipt do not.
fn is_answer(frame: &Value) -> bool {
    let is_delivery = frame["action"] == "3";
    let is_receipt = frame["action"] == "4" && frame["chatMsg"]["status"] == 2;
    !is_delivery && !is_receipt
}

fn assert_deserved(frame: &Value) {
    let action = frame["action"].as_str().unwrap_or_default();
    assert!(
        ["0", "1", "2", "3", "4", "11", "12"].contains(&action),
        "an unknown action: {frame}"
    );
    if action == "0" {
        let code = frame["error"]["code"].as_str().unwrap_or_default();
        assert!(DESERVED.contains(&code), "no client deserves this: {frame}");
    }
}

/// Sends all frames in batches with a probe behind each, and expects exactly one answer to every frame that deserves
/// one, and to every probe.
async fn assert_all_answered(flow: &mut Flow, frames: &[(String, Verdict)]) {
    for batch in frames.chunks(BATCH) {
        let owed = batch
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::Answer)
            .count()
            + 1;
        let came = answers_to(flow, batch, |_, answers| answers >= owed).await;
        assert_eq!(
            came, owed,
            "answers came to this batch and its probe: {batch:#?}"
        );
    }
}

/// Fails if the server has answered more than it was asked: the error for a broken frame must come next.
async fn assert_no_answer_is_left(flow: &mut Flow) {
    assert!(
        flow.feed("{").await && flow.flush().await,
        "the server has closed the connection"
    );
    let frame = flow.expect_next().await;
    assert_eq!(
        frame["error"]["code"], "bad_json",
        "an answer too many: {frame}"
    );
}

/// Sends all frames in batches with a probe behind each. The frames may be answered or not, but the probes must be.
async fn assert_all_tolerated(flow: &mut Flow, frames: &[(String, Verdict)]) {
    for batch in frames.chunks(BATCH) {
        answers_to(flow, batch, |answer, _| answer["action"] == "11").await;
    }
}

/// Sends one batch and a probe, and reads until `is_last` says so of an answer and of their number, which is returned.
async fn answers_to(
    flow: &mut Flow,
    batch: &[(String, Verdict)],
    is_last: impl Fn(&Value, usize) -> bool,
) -> usize {
    let mut answers = 0;
    let exchange = timeout(PATIENCE, async {
        for (text, _) in batch {
            assert!(
                flow.feed(text.as_str()).await,
                "the server has closed the connection"
            );
        }
        assert!(
            flow.send(&frames::contacts(USER)).await,
            "the server has closed the connection"
        );
        loop {
            let frame = flow.expect_next().await;
            assert_deserved(&frame);
            answers += usize::from(is_answer(&frame));
            if is_answer(&frame) && is_last(&frame, answers) {
                break;
            }
        }
    });
    let in_time = exchange.await.is_ok();
    assert!(
        in_time,
        "only {answers} answers came to this batch and its probe: {batch:#?}"
    );
    answers
}

/// Sends one frame on a connection of its own, which must close with 1007.
async fn assert_not_utf8(server: &Server, frame: Vec<u8>) {
    let mut client = RawClient::open(server).await;
    client.send_frame(TEXT, true, true, &frame).await;
    match client.read_frame().await {
        Some((CLOSE, payload)) if close_code(&payload) == Some(1007) => {}
        other => panic!("{other:?} came for {:?}", String::from_utf8_lossy(&frame)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_mutations_of_valid_frames_get_what_they_deserve() {
    let seed = setting("YANSHU_SEED", DEFAULT_SEED);
    eprintln!("YANSHU_SEED={seed} repeats these mutations");
    let server = Server::start();
    let mut bystanders = Bystanders::start(&server).await;

    let mut peer = Client::connect(&server, PEER).await;
    let mut received = Vec::new();
    for text in ["one", "two", "three", "four"] {
        received.push(peer.deliver(USER, text).await);
    }
    peer.close().await;
    let mut flow = Flow::connect(&server, USER).await;
    let mut unread: VecDeque<_> = received.clone().into();
    while let Some(expected) = unread.pop_front() {
        let delivery = flow.expect_next().await;
        assert_eq!(id_of(&delivery), expected);
    }
    let own = flow.ids(500).await;

    let mut mutator = Mutator::new(seed, USER, PEER, own, received);
    let mut texts = Vec::new();
    let mut not_utf8 = Vec::new();
    for _ in 0..MUTATIONS {
        let frame = mutator.frame();
        let verdict = judge(&frame, USER);
        match String::from_utf8(frame) {
            Ok(text) => texts.push((text, verdict)),
            Err(error) => not_utf8.push(error.into_bytes()),
        }
    }
    assert!(
        texts.len() > MUTATIONS / 2 && not_utf8.len() > MUTATIONS / 100,
        "a lopsided choice of mutations"
    );

    let (tolerated, texts): (Vec<_>, Vec<_>) = texts
        .into_iter()
        .partition(|(_, verdict)| *verdict == Verdict::Either);

    let (warm_up, rest) = texts.split_at(texts.len() / 10);
    assert_all_answered(&mut flow, warm_up).await;
    let before = server.peak_rss_kib();
    bystanders.make_progress(1).await;
    assert_all_answered(&mut flow, rest).await;
    bystanders.make_progress(1).await;
    assert_no_answer_is_left(&mut flow).await;
    assert_all_tolerated(&mut flow, &tolerated).await;
    bystanders.make_progress(1).await;
    let refusals = stream::iter(not_utf8).map(|frame| assert_not_utf8(&server, frame));
    refusals.buffer_unordered(8).collect::<Vec<_>>().await;
    bystanders.make_progress(1).await;
    let growth = server.peak_rss_kib() - before;
    assert!(growth <= GROWTH_KIB, "memory grew by {growth} KiB");
    bystanders.stop().await;
}
