//! Floods with the limits on: polite users are served meanwhile, memory is bounded, and descriptors come back.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::certificates::{self, Files, Pair, trusting};
use super::support::flood::{FLOODING, Flood, POLITE, connect_from};
use super::support::node::Node;
use super::support::raw::{TEXT, frame};
use super::support::{Client, DEADLINE, RawClient, Server, within};
use super::tokens::{token, with_secret};

/// How many connections stand still, where the limit of open files allows it.
const CONNECTIONS: u64 = 5_000;

/// How many connections this process can have to a server, up to [`CONNECTIONS`].
pub fn possible_connections() -> u64 {
    let wanted = CONNECTIONS * 3;
    let open_files = rlimit::increase_nofile_limit(wanted).expect("the limit can be asked for");
    CONNECTIONS.min(open_files.saturating_sub(1_000) / 3)
}

/// The descriptors that the processes of a server had at one moment.
pub struct Descriptors<'a> {
    server: &'a Server,
    before: u64,
}

impl<'a> Descriptors<'a> {
    pub fn of(server: &'a Server) -> Descriptors<'a> {
        let before = open(server);
        Descriptors { server, before }
    }

    /// Waits until there are at least so many more.
    pub async fn have_grown_by(&self, more: u64) {
        let wanted = self.before + more;
        self.until("more descriptors", |now| now >= wanted).await;
    }

    /// Waits until there are no more than at that moment, but for a few that come and go.
    pub async fn are_back(&self) {
        let wanted = self.before + 8;
        self.until("the descriptors to come back", |now| now <= wanted)
            .await;
    }

    async fn until(&self, what: &str, holds: impl Fn(u64) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let now = open(self.server);
            if holds(now) {
                return;
            }
            let before = self.before;
            assert!(Instant::now() < deadline, "{what}: {before}, now {now}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn open(server: &Server) -> u64 {
    let of = |pid: u32| {
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count()
    };
    let all = server.nodes().iter().map(|node| of(node.pid()));
    all.sum::<usize>() as u64
}

/// Connects as `user` from an address that floods do not come from.
async fn connect(node: &Node, user: &str) -> Client {
    let bearer = format!("Bearer {}", token(user));
    let stream = connect_from(POLITE, node.port()).await.unwrap();
    let opened = Client::open_over(node, stream, &[("Authorization", &bearer)]).await;
    let (mut client, _) = opened.expect("it is upgraded");
    client.connect_as(user).await;
    client
}

/// Five pairs of users write to each other while the server is flooded; newcomers among them.
///
/// A flood of connections that stand still may cost so many KiB for each; any flood, `SLACK_KIB` in all.
async fn polite_users_are_served_during(flood: Flood, at_least: u64, kib_each: u64) {
    const PAIRS: usize = 5;
    const ROUNDS: usize = 20;
    const SLACK_KIB: u64 = 24 * 1024;
    let server = Server::with(&[&with_secret()]);
    let mut pairs = Vec::new();
    for number in 0..PAIRS {
        let (from, to) = (format!("from-{number}"), format!("to-{number}"));
        let from = connect(server.node(0), &from).await;
        pairs.push((from, connect(server.node(1), &to).await));
    }
    let before = server.rss_kib();
    let descriptors = Descriptors::of(&server);

    let done = Arc::new(AtomicU64::new(0));
    let attack = tokio::spawn({
        let (port, done) = (server.port(), Arc::clone(&done));
        let connections = usize::try_from(possible_connections()).unwrap();
        async move { flood.run(port, token, connections, &done).await }
    });
    let at_least = at_least.min(possible_connections());
    until("the flood to rise", || {
        done.load(Ordering::Relaxed) >= at_least
    })
    .await;
    for round in 0..ROUNDS {
        for (from, to) in &mut pairs {
            let (one, other) = (from.user().to_owned(), to.user().to_owned());
            let text = format!("in the flood, {round}");
            let id = from.deliver(&other, &text).await;
            to.expect_message(&one, &other, &id, &text).await;
            to.read(&id, &one).await;
            from.expect_status(&other, &one, &id, 2).await;
        }
        let mut newcomer = connect(server.node(0), "newcomer").await;
        newcomer.ids().await;
        newcomer.close().await;
    }
    assert!(!attack.is_finished());
    attack.abort();
    let growth = server.peak_rss_kib() - before;
    let bound_kib = possible_connections() * kib_each + SLACK_KIB;
    assert!(
        growth <= bound_kib,
        "{growth} KiB, more than {bound_kib} KiB"
    );
    descriptors.are_back().await;
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE * 6;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_floods_by_many_sockets_again_and_again_drowns_nobody() {
    polite_users_are_served_during(Flood::User, 5_000, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_opens_connections_as_fast_as_it_can_drowns_nobody() {
    polite_users_are_served_during(Flood::Address, 2_000, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_requests_without_an_end_drown_nobody() {
    polite_users_are_served_during(Flood::HalfOpen, CONNECTIONS, 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_websockets_that_never_connect_drown_nobody() {
    polite_users_are_served_during(Flood::Silent, CONNECTIONS, 20).await;
}

/// How many of so many connections from an address are answered; the others are closed without a word.
async fn answered(server: &Server, address: Ipv4Addr, count: usize) -> usize {
    let mut answered = 0;
    for _ in 0..count {
        let mut stream = connect_from(address, server.port()).await.unwrap();
        let asking = async {
            let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await
        };
        let asked = within("an answer or the end", asking).await;
        answered += usize::from(asked.is_ok_and(|count| count > 0));
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_comes_far_too_often_for_tls_is_not_answered_and_others_and_proxies_are() {
    let flags = [
        &with_secret(),
        "--handshake-rate=1",
        "--handshake-burst=5",
        "--trusted-proxy=127.0.0.9",
    ];
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&flags);
    let busy = answered(&server, Ipv4Addr::new(127, 0, 0, 4), 500).await;
    assert!((50..250).contains(&busy), "{busy}");
    let proxy = answered(&server, Ipv4Addr::new(127, 0, 0, 9), 100).await;
    assert_eq!(proxy, 100);
    let trust = trusting(&[&pair]);
    let mut ann = certificates::connect(server.node(0), &trust, "ann").await;
    ann.ids().await;
    // Without TLS there is no handshake to pay for, and an orchestrator's probes may come from anywhere.
    let plain = Server::with(&flags);
    let all = answered(&plain, Ipv4Addr::new(127, 0, 0, 4), 100).await;
    assert_eq!(all, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_who_was_closed_for_flooding_little_more_is_read() {
    const CHUNK: usize = 64 * 1024;
    /// What is read, and what the buffers of the kernel hold on both sides.
    const TAKEN_MAX: usize = 4 * 1024 * 1024;
    let server = Server::with(&[&with_secret()]);
    let stream = connect_from(FLOODING, server.port()).await.unwrap();
    let socket = socket2::SockRef::from(&stream);
    socket.set_send_buffer_size(CHUNK).unwrap();
    let mut client = RawClient::over(stream, server.port()).await;
    let text = super::support::frames::get_ids("ann").to_string();
    let flood = frame(TEXT, true, true, text.as_bytes()).repeat(200);
    client.send_bytes(&flood).await;
    assert_eq!(client.close_code().await, 4429);
    let mut taken = 0;
    while taken < TAKEN_MAX * 4 && client.try_send_bytes(&[0; CHUNK]).await.is_ok() {
        taken += CHUNK;
    }
    assert!(taken < TAKEN_MAX, "{taken} bytes were taken");
}
