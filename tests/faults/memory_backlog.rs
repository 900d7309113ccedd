//! Backlogs that nobody takes: what they cost is bounded, however long a text becomes on the wire.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;
use socket2::SockRef;

use super::bystanders::Bystanders;
use super::flow::{Flow, id_of, text_of};
use super::support::{RawClient, Server, frames, within_time};

const USERS: usize = 40;
/// For each user, which is as many as a user may have.
const DEVICES: usize = 8;

/// A backlog of one user: more than a part of it, before a control character becomes six on the wire.
const MESSAGES: usize = 15;
const CHARACTERS: usize = 10_800;

/// What all that was pushed and not taken may come to, of all devices.
const UNTAKEN_KIB: u64 = 64 * 1024;
/// What may be on its way to one device beyond that: a part of its backlog, and the buffers of a connection.
const ON_THE_WAY_KIB: u64 = 128 + 48;

fn user(number: usize) -> String {
    format!("user-{number}")
}

/// Writes to every user; returns the IDs of the messages to the last one.
async fn write_backlogs(server: &Server, text: &str) -> Vec<String> {
    let mut writer = Flow::connect(server, "writer").await;
    let ids = writer.ids(USERS * MESSAGES).await;
    let messages = ids.chunks(MESSAGES).take(USERS).enumerate();
    let messages = messages.flat_map(|(number, ids)| {
        ids.iter()
            .map(move |id| frames::message("writer", &user(number), id, text))
    });
    writer.pipeline(messages, 20, "4", |_| {}).await;
    ids[(USERS - 1) * MESSAGES..USERS * MESSAGES].to_vec()
}

/// Lets this process have as many connections as these tests open, where the system allows it.
fn raise_open_files() {
    rlimit::increase_nofile_limit(4_000).expect("the limit can be asked for");
}

/// A connected device that reads nothing more, with little room in its kernel.
async fn deaf(server: &Server, user: &str) -> RawClient {
    let mut client = RawClient::open_with_receive_buffer(server, Some(4 * 1024)).await;
    client.send_text(&frames::connect(user).to_string()).await;
    assert_eq!(client.next_text().await, frames::connected_text(user));
    client
}

/// The most memory the server took, once it takes no more for some time: it has done its worst.
async fn settled_rss_kib(server: &Server, bystanders: &mut Bystanders) -> u64 {
    const STILL_KIB: u64 = 512;
    let (mut most, mut still) = (0, 0);
    while still < 10 {
        bystanders.make_progress(50).await;
        let now = server.rss_kib();
        still = if now > most + STILL_KIB { 0 } else { still + 1 };
        most = most.max(now);
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backlogs_that_nobody_takes_are_bounded_and_who_reads_gets_all_in_order() {
    raise_open_files();
    let server = Server::with(&["--stall-timeout", "600s", "--idle-timeout", "600s"]);
    let mut bystanders = Bystanders::start(&server).await;
    let text = "\u{1}".repeat(CHARACTERS);
    let ids = write_backlogs(&server, &text).await;
    let before = server.rss_kib();

    let users = (0..USERS).flat_map(|number| [number; DEVICES]).map(user);
    let devices = stream::iter(users).map(async |user| deaf(&server, &user).await);
    let mut devices: Vec<_> = devices.buffered(16).collect().await;
    let most = settled_rss_kib(&server, &mut bystanders).await;
    let growth = most.saturating_sub(before);
    let bound = UNTAKEN_KIB + devices.len() as u64 * ON_THE_WAY_KIB;
    assert!(
        growth <= bound,
        "the backlogs of {} devices took {growth} KiB, more than {bound} KiB",
        devices.len()
    );

    let mut reader = devices.pop().expect("there are devices");
    SockRef::from(&*reader.stream())
        .set_recv_buffer_size(1 << 20)
        .expect("the receive buffer can grow");
    for id in &ids {
        let message: Value =
            serde_json::from_str(&reader.next_text().await).expect("the server sends JSON");
        assert_eq!(id_of(&message), id, "the order is that of the sender");
        assert_eq!(text_of(&message), text);
    }
    bystanders.make_progress(3).await;
    bystanders.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_backlogs_that_nobody_takes_leave_no_room_they_are_cut_and_others_get_theirs() {
    /// More than have room, with a part of a backlog for each.
    const DEAF: usize = 700;
    /// Several times the time after which the deaf are cut.
    const PATIENCE: Duration = Duration::from_secs(80);
    raise_open_files();
    let server = Server::with(&["--stall-timeout", "8s", "--max-devices", "1000"]);
    let mut writer = Flow::connect(&server, "writer").await;
    let text = "\u{1}".repeat(CHARACTERS);
    let ids = writer.ids(MESSAGES).await;
    let backlog = |to: &'static str, ids: &[String]| {
        let messages = ids.iter();
        let messages = messages.map(|id| frames::message("writer", to, id, &text));
        messages.collect::<Vec<_>>()
    };
    let (first, others) = (&ids[..10], writer.ids(10).await);
    writer
        .pipeline(backlog("crowd", first), 5, "4", |_| {})
        .await;
    writer
        .pipeline(backlog("reader", &others), 5, "4", |_| {})
        .await;

    let devices = stream::iter(0..DEAF).map(async |_| deaf(&server, "crowd").await);
    let _devices: Vec<_> = devices.buffered(16).collect().await;
    let reading = async {
        let mut reader = Flow::connect(&server, "reader").await;
        for id in &others {
            assert_eq!(id_of(&reader.expect_next().await), id);
        }
        let live = writer.ids(1).await;
        let message = backlog("reader", &live[..1]);
        writer.pipeline(message, 1, "4", |_| {}).await;
        assert_eq!(id_of(&reader.expect_next().await), live[0]);
    };
    within_time(PATIENCE, "others to get what they are owed", reading).await;
}
