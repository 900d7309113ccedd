//! More requests than the server may hold in memory at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::recorder::Recorder;
use crate::metrics::total;
use crate::support::{Client, DEADLINE, Server, frames};

/// So many bytes of requests may be in hand, each counted twice; of one connection, 1 MiB. So these
/// connections stay within their own share, and ask for more than there is for all.
const IN_HAND: usize = 64 * 1024 * 1024;
const CONNECTIONS: usize = 100;
const REQUESTS: usize = 15;
const BYTES: usize = 32_000;

/// How long all of that may take on a busy machine, once it can be written.
const ALL_WRITTEN: Duration = Duration::from_secs(30);

/// While nothing can be written, all that is asked stays in hand, until there is no room for more.
pub async fn too_much_is_in_hand(recorder: &Recorder) {
    let server = Server::with(&["--store-timeout=60s", "--max-devices=200"]);
    let node = server.node(0);
    let mut late = recorder.connect(node, "late").await;
    let late_id = late.ids().await.swap_remove(0);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(node, "ann").await);
    }
    let id = clients[0].id().await;
    let lock = server.database().lock_writing();
    let text = "x".repeat(BYTES);
    for client in &mut clients {
        for _ in 0..REQUESTS {
            client.message(&id, "ben", &text).await;
        }
    }
    no_room_is_left(&server).await;
    late.client.set_patience(ALL_WRITTEN);
    late.send(frames::message("late", "ben", &late_id, &text))
        .await;
    // The answer to this shows that the message before it was refused. A refusal is told in its turn,
    // behind what waits for the store, or at once if the lane it is in has nothing to wait for.
    late.send(frames::contacts("late")).await;
    let first = late.take_any(&["contacts", "error"]).await;
    lock.release();
    let second = late.take_any(&["contacts", "error"]).await;
    let codes = [&first, &second].map(|frame| &frame["error"]["code"]);
    assert!(codes.contains(&&json!("busy")), "{first} {second}");
    assert!(codes.contains(&&Value::Null), "{first} {second}");
}

async fn no_room_is_left(server: &Server) {
    let full = (IN_HAND - 2 * BYTES) as f64;
    let deadline = Instant::now() + DEADLINE;
    while total(server, "yanshu_requests_in_hand_bytes").await < full {
        assert!(Instant::now() < deadline, "there is room left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
