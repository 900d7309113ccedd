//! A node that hears late of its own commit: what others make of it meanwhile does not overtake the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::common::{empty_database, eventually, spawn_node};
use super::support::database::Database;
use super::support::node::Node;
use super::support::{Client, Nats, Postgres};

/// The statement, and not the isolation level.
const COMMIT: &[u8] = b"COMMIT\0";

/// A way to PostgreSQL that lets a commit pass and keeps what PostgreSQL answers.
#[derive(Clone)]
struct Tap {
    /// The next commit is to be kept from hearing its answer.
    armed: Arc<AtomicBool>,
    keeps: watch::Sender<bool>,
}

impl Tap {
    /// Listens, and passes everything on to this port. Returns the port to connect to, too.
    async fn to(target: u16) -> (Tap, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it has an address").port();
        let tap = Tap {
            armed: Arc::default(),
            keeps: watch::Sender::new(false),
        };
        let of_task = tap.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("it listens");
                let server = TcpStream::connect(("127.0.0.1", target)).await;
                of_task.pass(client, server.expect("PostgreSQL listens"));
            }
        });
        (tap, port)
    }

    fn pass(&self, client: TcpStream, server: TcpStream) {
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("a socket");
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let keeps = Arc::new(AtomicBool::new(false));
        let there = self
            .clone()
            .questions(from_client, to_server, Arc::clone(&keeps));
        let back = self.clone().answers(from_server, to_client, keeps);
        tokio::spawn(there);
        tokio::spawn(back);
    }

    async fn questions(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        keeps: Arc<AtomicBool>,
    ) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let mut words = bytes[..count].windows(COMMIT.len());
            if words.any(|word| word == COMMIT) && self.armed.swap(false, Ordering::SeqCst) {
                keeps.store(true, Ordering::SeqCst);
                self.keeps.send_replace(true);
            }
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    }

    async fn answers(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        keeps: Arc<AtomicBool>,
    ) {
        let mut bytes = vec![0; 64 * 1024];
        let mut kept = self.keeps.subscribe();
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            if keeps.swap(false, Ordering::SeqCst) {
                let _ = kept.wait_for(|keeps| !keeps).await;
            }
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    }
}

/// So long a node has time to make a mistake, and after that its lane counts as held up.
const WHILE: Duration = Duration::from_millis(700);

/// Two nodes, to one of which PostgreSQL's answers come late.
struct Ground {
    database: Database,
    tap: Tap,
    late: Node,
    node: Node,
    _directory: TempDir,
}

impl Ground {
    async fn new() -> Ground {
        let database = empty_database();
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let bus = format!("--nats-url={}", Nats::shared().url());
        let (tap, port) = Tap::to(Postgres::shared().port()).await;
        let late = spawn_node(directory.path(), &database.at_port(port), &[&bus]);
        let node = spawn_node(directory.path(), &database, &[&bus]);
        late.wait_until_ready();
        node.wait_until_ready();
        Ground {
            database,
            tap,
            late,
            node,
            _directory: directory,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_hears_that_a_message_is_stored_before_it_hears_that_it_was_read() {
    let Ground {
        database,
        tap,
        late,
        node,
        ..
    } = &Ground::new().await;
    let mut ann = Client::connect(late, "ann").await;
    let mut bob = Client::connect(node, "bob").await;
    let mut eve = Client::connect(node, "eve").await;
    let id = ann.id().await;

    tap.armed.store(true, Ordering::SeqCst);
    ann.message(&id, "bob", "early").await;
    eventually("a commit to wait for its answer", || *tap.keeps.borrow()).await;
    let stored = "SELECT count(*) FROM messages";
    eventually("the message to be stored", || {
        database.query_i64(stored) == 1
    })
    .await;

    // What comes next for Bob has a gap before it, which his node reads from the store.
    let next = eve.deliver("bob", "next").await;
    bob.expect_message("ann", "bob", &id, "early").await;
    bob.expect_message("eve", "bob", &next, "next").await;
    bob.read(&id, "ann").await;
    let read = "SELECT count(*) FROM messages WHERE status = 2";
    eventually("the message to be read", || database.query_i64(read) == 1).await;

    // Nothing is waited for: Ann's node has time to make a mistake.
    let early = tokio::time::timeout(WHILE, ann.next_text()).await;
    assert!(early.is_err(), "before the answer came {early:?}");
    tap.keeps.send_replace(false);
    ann.expect_status("bob", "ann", &id, 1).await;
    ann.expect_status("bob", "ann", &id, 2).await;
    ann.assert_timeline_silent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_sent_again_is_not_said_to_be_unread_after_its_sender_heard_that_it_was_read() {
    let Ground {
        database,
        tap,
        late,
        node,
        ..
    } = &Ground::new().await;
    let mut ann = Client::connect(late, "ann").await;
    let mut bob = Client::connect(node, "bob").await;
    let id = ann.deliver("bob", "early").await;
    bob.expect_message("ann", "bob", &id, "early").await;

    tap.armed.store(true, Ordering::SeqCst);
    ann.message(&id, "bob", "early").await;
    eventually("a commit to wait for its answer", || *tap.keeps.borrow()).await;
    bob.read(&id, "ann").await;
    let read = "SELECT count(*) FROM messages WHERE status = 2";
    eventually("the message to be read", || database.query_i64(read) == 1).await;

    // Nothing is waited for: Ann's node has time to tell her of the reading first.
    let first = tokio::time::timeout(WHILE, ann.next()).await;
    tap.keeps.send_replace(false);
    let mut statuses: Vec<_> = first.into_iter().collect();
    while statuses.len() < 2 {
        statuses.push(ann.next().await);
    }
    let statuses: Vec<_> = statuses
        .iter()
        .map(|frame| frame["chatMsg"]["status"].as_u64())
        .collect();
    assert!(statuses.is_sorted(), "a status fell: {statuses:?}");
}

/// Two devices of Ann at one node. One of them has written to her, which is stored and not answered yet.
struct Late<'g> {
    one: Client,
    other: Client,
    first: String,
    second: String,
    tap: &'g Tap,
}

impl Ground {
    async fn late_to_oneself(&self) -> Late<'_> {
        let Ground {
            database,
            tap,
            late,
            ..
        } = self;
        let mut one = Client::connect(late, "ann").await;
        let mut other = Client::connect(late, "ann").await;
        let (first, second) = (one.id().await, other.id().await);
        tap.armed.store(true, Ordering::SeqCst);
        one.message(&first, "ann", "first").await;
        eventually("a commit to wait for its answer", || *tap.keeps.borrow()).await;
        let stored = "SELECT count(*) FROM messages";
        eventually("the message to be stored", || {
            database.query_i64(stored) == 1
        })
        .await;
        let early = tokio::time::timeout(WHILE, one.next_text()).await;
        assert!(early.is_err(), "before the answer came {early:?}");
        Late {
            one,
            other,
            first,
            second,
            tap,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_oneself_comes_before_its_answer_though_another_lane_has_overtaken_it() {
    let ground = Ground::new().await;
    let Late {
        mut one,
        mut other,
        first,
        second,
        tap,
    } = ground.late_to_oneself().await;

    other.message(&second, "ann", "second").await;
    // What is before it has yet to reach this device.
    other.expect_status("ann", "ann", &second, 1).await;
    other.expect_message("ann", "ann", &first, "first").await;
    other.expect_status("ann", "ann", &first, 1).await;
    other.expect_message("ann", "ann", &second, "second").await;

    tap.keeps.send_replace(false);
    one.expect_message("ann", "ann", &first, "first").await;
    one.expect_status("ann", "ann", &first, 1).await;
    one.expect_message("ann", "ann", &second, "second").await;
    one.expect_status("ann", "ann", &second, 1).await;
    one.assert_timeline_silent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_it_is_being_read_does_not_wait_for_that_and_comes_once() {
    let ground = Ground::new().await;
    let Late {
        mut one,
        mut other,
        first,
        second,
        tap,
    } = ground.late_to_oneself().await;

    // A timeline is read with its receipts. Nothing else wants them here.
    let mut reads_wait = PgConnection::establish(&ground.database.url()).expect("it is up");
    let lock = "BEGIN; LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE";
    reads_wait.batch_execute(lock).expect("it can be locked");
    other.message(&second, "ann", "second").await;
    other.expect_status("ann", "ann", &second, 1).await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
        AND datname = current_database()";
    eventually("both devices to be read for", || {
        ground.database.query_i64(waiting) == 2
    })
    .await;

    tap.keeps.send_replace(false);
    for device in [&mut one, &mut other] {
        device.expect_message("ann", "ann", &first, "first").await;
        device.expect_status("ann", "ann", &first, 1).await;
    }
    drop(reads_wait);
    one.expect_message("ann", "ann", &second, "second").await;
    one.expect_status("ann", "ann", &second, 1).await;
    other.expect_message("ann", "ann", &second, "second").await;
    one.assert_timeline_silent().await;
}
