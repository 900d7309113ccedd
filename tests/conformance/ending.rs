//! Who ends the connection: the server, at once, when close frames have gone both ways (RFC 6455 §5.5.1), and
//! when it has failed the connection (§7.1.7).

use std::time::{Duration, Instant};

use super::peer::{Heard, Peer, Way, whole};
use super::support::Server;
use super::support::raw::TEXT;

/// Well under the second for which a client that does not hang up is put up with.
const AT_ONCE: Duration = Duration::from_millis(500);
/// The quickest of so many counts, as a busy machine may hold up any one.
const TRIES: usize = 4;

/// How long the connection is there after the server's close frame, which the client answers.
async fn end_after_close(mut peer: Peer, code: u16) -> Duration {
    assert_eq!(peer.hear().await, Heard::Close(Some(code)));
    let closed = Instant::now();
    assert_eq!(peer.hear_end().await, Heard::End);
    closed.elapsed()
}

fn assert_at_once(took: &[Duration]) {
    let quickest = took.iter().min().expect("there were some");
    assert!(quickest < &AT_ONCE, "the connection ended after {took:?}");
}

#[tokio::test]
async fn a_connection_that_was_failed_ends_at_once() {
    let server = Server::start();
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let mut peer = Peer::open(&server, Some("peer")).await;
        peer.send(&[whole(TEXT, b"\xFF")], Way::Together).await;
        took.push(end_after_close(peer, 1007).await);
    }
    assert_at_once(&took);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_ends_at_once_when_the_client_answers() {
    let server = Server::with(&["--max-devices", "1"]);
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let replaced = Peer::open(&server, Some("peer")).await;
        let newest = Peer::open(&server, Some("peer")).await;
        took.push(end_after_close(replaced, 4409).await);
        drop(newest);
    }
    assert_at_once(&took);
}
