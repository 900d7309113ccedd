//! A sender that pipelines fifty thousand messages and reads no answer.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::bystanders::Bystanders;
use super::flow::{Flow, id_of, text_of};
use super::support::raw::{TEXT, frame};
use super::support::{RawClient, Server, frames, within_time};

const MESSAGES: usize = 50_000;

/// How many messages the well-behaved second attempt has unacknowledged.
const WINDOW: usize = 200;

/// The server's `--stall-timeout`.
const STALL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the server may take to cut off the sender, with all that it still processes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the server may hold at its worst moment.
const MEMORY_KIB: u64 = 100 * 1000;

// With IDs of full length an answer is long enough for the unread ones to overflow every buffer of the kernel; the
// texts are long enough that the server cannot have taken all messages by then.
const SENDER: &str = "a-sender-who-never-listens-to-what-anybody-has-to-say-to-him-001";
const RECIPIENT: &str = "a-recipient-with-just-as-long-a-name-so-that-answers-have-weight";
const TEXT_LENGTH: usize = 900;

fn text(number: usize) -> String {
    format!("{number:05}{}", "x".repeat(TEXT_LENGTH))
}

/// How a stream of bytes came to its end.
struct Cut {
    written: usize,
    longest_wait: Duration,
}

/// Writes as fast as the server takes until the server has cut the connection off. Reads nothing.
async fn write_until_cut(stream: &mut TcpStream, bytes: &[u8]) -> Cut {
    let mut cut = Cut {
        written: 0,
        longest_wait: Duration::ZERO,
    };
    while cut.written < bytes.len() {
        let started = Instant::now();
        let written = stream.write(&bytes[cut.written..]).await;
        cut.longest_wait = cut.longest_wait.max(started.elapsed());
        match written {
            Ok(count) => cut.written += count,
            Err(_) => break,
        }
    }
    cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_reads_no_answer_is_slowed_then_cut_and_a_resend_leaves_each_message_once() {
    assert!(SENDER.len() <= 64 && RECIPIENT.len() <= 64);
    let stall_timeout = format!("{}s", STALL_TIMEOUT.as_secs());
    let server = Server::with(&["--stall-timeout", &stall_timeout]);
    let mut bystanders = Bystanders::start(&server).await;
    let mut granted = Flow::connect(&server, SENDER).await;
    let ids = granted.ids(MESSAGES).await;
    drop(granted);
    let messages = || {
        let numbered = ids.iter().enumerate();
        numbered.map(|(number, id)| frames::message(SENDER, RECIPIENT, id, &text(number)))
    };

    let mut bytes = Vec::new();
    for message in messages() {
        bytes.extend(frame(TEXT, true, true, message.to_string().as_bytes()));
    }
    let mut deaf = RawClient::open_with_receive_buffer(&server, Some(4096)).await;
    deaf.send_text(&frames::connect(SENDER).to_string()).await;
    assert_eq!(deaf.next_text().await, frames::connected_text(SENDER));
    let cutting = write_until_cut(deaf.stream(), &bytes);
    let cut = within_time(
        PATIENCE,
        "the watchdog to cut off the silent sender",
        cutting,
    )
    .await;
    drop(bytes);
    assert!(
        cut.written < MESSAGES * TEXT_LENGTH,
        "the server took all messages of a sender that read no answer"
    );
    assert!(
        cut.longest_wait >= STALL_TIMEOUT / 2,
        "the longest wait before the cut was {:?}",
        cut.longest_wait
    );
    bystanders.make_progress(3).await;

    let mut sender = Flow::connect(&server, SENDER).await;
    let mut acknowledged = 0;
    sender
        .pipeline(messages(), WINDOW, "4", |answer| {
            assert_eq!(
                id_of(&answer),
                ids[acknowledged],
                "acknowledgements come in the order of the messages"
            );
            assert_eq!(answer["chatMsg"]["status"], 1);
            acknowledged += 1;
        })
        .await;
    assert_eq!(acknowledged, MESSAGES);
    bystanders.make_progress(3).await;

    let history = sender.history_since(RECIPIENT, None).await;
    assert_eq!(history.len(), MESSAGES, "history holds each message once");
    let distinct: HashSet<_> = history.iter().map(id_of).collect();
    assert_eq!(distinct.len(), MESSAGES, "history holds each message once");

    let mut recipient = Flow::connect(&server, RECIPIENT).await;
    for message in &history {
        let delivery = recipient.expect_next().await;
        assert_eq!(delivery["action"], "3", "{delivery}");
        assert_eq!(
            id_of(&delivery),
            id_of(message),
            "messages arrive in the order that history shows"
        );
        assert_eq!(text_of(&delivery), text_of(message));
    }
    let peak = server.peak_rss_kib();
    assert!(peak < MEMORY_KIB, "the server took {peak} KiB");
    bystanders.stop().await;
}
