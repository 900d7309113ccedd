//! TLS and those who mean harm, or do not read: handshakes that stand still, clients that take nothing.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use super::certificates::{Files, Pair, connect, encrypt, handshake, trusting};
use super::floods::{Descriptors, possible_connections};
use super::support::node::Node;
use super::support::{DEADLINE, RawClient, Server, frames, within, within_time};
use super::tokens::with_secret;

/// How a TLS handshake begins, and no more of it.
const BEGINNING: [u8; 8] = [22, 3, 1, 2, 0, 1, 0, 1];

async fn tcp(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).await;
    stream.expect("the server takes TCP connections")
}

/// Reads to the end, in order or by a reset; returns what was said before it.
async fn end_of(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = within("the end of a connection", stream.read_to_end(&mut said)).await;
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_are_not_finished_in_time_are_cut_and_so_are_requests() {
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&["--connect-timeout=500ms"]);
    let mut silent = tcp(&server).await;
    let mut halfway = tcp(&server).await;
    halfway.write_all(&BEGINNING).await.unwrap();
    let mut asks_nothing = handshake(server.node(0), &trusting(&[&pair]))
        .await
        .unwrap();
    assert_eq!(end_of(&mut silent).await, b"");
    assert_eq!(end_of(&mut halfway).await, b"");
    let said = end_of(&mut asks_nothing).await;
    assert!(said.starts_with(b"HTTP/1.1 408"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_handshakes_that_stand_still_hold_up_nobody_and_leave_nothing_behind() {
    /// For each: its TLS session, which is small until its client has said something.
    const KIB_EACH: u64 = 16;
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&[&with_secret(), "--connect-timeout=600s"]);
    let trust = trusting(&[&pair]);
    let mut ann = connect(server.node(0), &trust, "ann").await;
    let mut bob = connect(server.node(1), &trust, "bob").await;
    let before = server.rss_kib();
    let descriptors = Descriptors::of(&server);
    let connections = possible_connections();
    let mut still = Vec::new();
    for number in 0..connections {
        let mut stream = tcp(&server).await;
        if number.is_multiple_of(2) {
            stream.write_all(&BEGINNING).await.unwrap();
        }
        still.push(stream);
    }
    descriptors.have_grown_by(connections / 2).await;
    for _ in 0..20 {
        ann.deliver("bob", "not held up").await;
        bob.next().await;
        let mut carol = connect(server.node(0), &trust, "carol").await;
        carol.ids().await;
        carol.close().await;
    }
    let growth = server.peak_rss_kib() - before;
    let bound = connections * KIB_EACH + 8 * 1024;
    assert!(growth <= bound, "{growth} KiB, more than {bound} KiB");
    drop(still);
    descriptors.are_back().await;
}

/// A client that reads little at a time, since its buffer in the kernel is small.
async fn small_reader(node: &Node, pair: &Pair, user: &str) -> RawClient<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(([127, 0, 0, 1], node.port()).into()).await;
    let stream = encrypt(stream.unwrap(), &trusting(&[pair])).await.unwrap();
    let client = RawClient::over(stream, node.port()).await;
    client.connected_as(user).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_that_does_not_read_costs_no_memory_and_gets_everything_once_it_does() {
    /// Times ten messages of 32 KB: 64 MB.
    const ROUNDS: usize = 200;
    /// The page cache of SQLite, for the most part.
    const GROWTH_KIB: u64 = 48 * 1024;
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&["--stall-timeout=600s", "--idle-timeout=600s"]);
    let trust = trusting(&[&pair]);
    let text = "x".repeat(32_000);
    let mut reader = small_reader(server.node(0), &pair, "reader").await;
    let mut writer = connect(server.node(1), &trust, "writer").await;
    let before = server.peak_rss_kib();
    let mut sent = Vec::new();
    for _ in 0..ROUNDS {
        let ids = writer.ids().await;
        for id in &ids {
            writer.message(id, "reader", &text).await;
        }
        for id in &ids {
            writer.expect_status("reader", "writer", id, 1).await;
        }
        sent.extend(ids);
    }
    let growth = server.peak_rss_kib() - before;
    assert!(growth <= GROWTH_KIB, "unread messages took {growth} KiB");
    let (stream, _) = reader.stream().get_ref();
    socket2::SockRef::from(stream)
        .set_recv_buffer_size(1 << 20)
        .unwrap();
    for id in sent {
        let expected = frames::message_text("writer", "reader", &id, &text);
        assert!(reader.next_text().await == expected, "not {id}");
    }
}

/// Bytes that the server has written to this client and that it has not taken.
fn untaken(port: u16, client: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux shows its TCP sockets");
    let rows = table.lines().map(|line| line.split_whitespace().collect());
    let mut rows = rows.filter_map(|row: Vec<_>| {
        let (local, remote) = (row.get(1)?, row.get(2)?);
        let is_it =
            local.ends_with(&format!(":{port:04X}")) && remote.ends_with(&format!(":{client:04X}"));
        let (untaken, _) = row.get(4)?.split_once(':')?;
        is_it.then(|| u64::from_str_radix(untaken, 16).unwrap())
    });
    rows.next().expect("the connection is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_that_takes_nothing_is_cut_however_much_it_says() {
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&["--stall-timeout=2s", "--ping-interval=600s"]);
    let node = server.node(0);
    let mut reader = small_reader(node, &pair, "reader").await;
    let port = reader.stream().get_ref().0.local_addr().unwrap().port();
    let mut writer = connect(node, &trusting(&[&pair]), "writer").await;
    // Until the socket is full, and a little more, so that less waits than a TLS session would keep.
    let text = "x".repeat(8_000);
    let mut before = 0;
    let filling = async {
        let mut full = 0;
        while full < 3 {
            writer.deliver("reader", &text).await;
            writer.ids().await;
            let now = untaken(node.port(), port);
            full = if now == before { full + 1 } else { 0 };
            before = now;
        }
    };
    within_time(DEADLINE * 3, "the socket to be full", filling).await;
    let heartbeat = frames::heartbeat("reader").to_string();
    let talking = async {
        loop {
            let frame = super::support::raw::frame(0x1, true, true, heartbeat.as_bytes());
            if reader.try_send_bytes(&frame).await.is_err() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    within("the watchdog to cut who takes nothing", talking).await;
}
