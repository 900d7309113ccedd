//! A recipient that stops reading while a great many messages come, and then reads all of them.

use futures_util::future::join_all;
use serde_json::Value;
use socket2::SockRef;

use super::bystanders::Bystanders;
use super::flow::{Flow, id_of, text_of};
use super::observe::setting;
use super::support::{RawClient, Server, frames};

const SENDERS: usize = 4;

/// How many messages each sender has unacknowledged.
const WINDOW: usize = 50;

/// What the server may hold at its worst moment, however many messages wait.
const MEMORY_KIB: u64 = 100 * 1000;

const READER: &str = "slow-reader";

/// All messages together are larger than what the server may hold.
const ALL_BYTES: usize = 120 * 1000 * 1000;

/// The text number `count` of a sender: a counter, and its share of the weight of all.
fn text(count: usize, total: usize) -> String {
    format!("{count}:{}", "x".repeat(ALL_BYTES / total))
}

/// Sends `count` numbered messages to the reader, and checks that each is acknowledged once and in order.
async fn send_numbered(server: &Server, sender: String, count: usize, total: usize) {
    let mut flow = Flow::connect(server, &sender).await;
    let ids = flow.ids(count).await;
    let messages = ids[..count]
        .iter()
        .enumerate()
        .map(|(number, id)| frames::message(&sender, READER, id, &text(number, total)));
    let mut acknowledged = 0;
    flow.pipeline(messages, WINDOW, "4", |answer| {
        assert_eq!(
            id_of(&answer),
            ids[acknowledged],
            "acknowledgements come in the order of the messages"
        );
        assert_eq!(answer["chatMsg"]["status"], 1);
        acknowledged += 1;
    })
    .await;
    assert_eq!(acknowledged, count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_that_stops_reading_gets_everything_in_order_once_it_reads_again() {
    let total = setting("YANSHU_SLOW_READER", 20_000) as usize;
    let each = total / SENDERS;
    let patience = ["--stall-timeout", "600s", "--idle-timeout", "600s"];
    let server = Server::with(&patience);
    let mut bystanders = Bystanders::start(&server).await;

    let mut reader = RawClient::open_with_receive_buffer(&server, Some(8 * 1024)).await;
    reader.send_text(&frames::connect(READER).to_string()).await;
    assert_eq!(reader.next_text().await, frames::connected_text(READER));

    let before_sending = bystanders.count();
    let senders =
        (0..SENDERS).map(|number| send_numbered(&server, format!("sender-{number}"), each, total));
    join_all(senders).await;
    assert!(
        bystanders.count() > before_sending,
        "the bystanders stood still while messages were sent"
    );
    bystanders.make_progress(5).await;

    // With its small buffer the reader would now measure the kernel, not the server.
    SockRef::from(&*reader.stream())
        .set_recv_buffer_size(1 << 20)
        .expect("the receive buffer can grow");
    let mut next = [0; SENDERS];
    for _ in 0..each * SENDERS {
        let frame: Value =
            serde_json::from_str(&reader.next_text().await).expect("the server sends JSON");
        assert_eq!(frame["action"], "3", "{frame}");
        let sender = frame["fromId"]
            .as_str()
            .and_then(|from| from.strip_prefix("sender-"));
        let sender: usize = sender
            .and_then(|number| number.parse().ok())
            .expect("a sender of this test");
        assert_eq!(
            text_of(&frame),
            text(next[sender], total),
            "the next message of sender {sender}"
        );
        next[sender] += 1;
    }
    assert_eq!(next, [each; SENDERS], "every message of every sender");
    bystanders.make_progress(5).await;

    // Not one of them comes a second time.
    reader
        .send_text(&frames::history(READER, Some("nobody"), None, None).to_string())
        .await;
    let answer = reader.next_text().await;
    assert!(
        answer.starts_with(r#"{"action":"12""#),
        "something came twice: {answer}"
    );
    let peak = server.peak_rss_kib();
    assert!(peak < MEMORY_KIB, "the server took {peak} KiB");
    bystanders.stop().await;
}
