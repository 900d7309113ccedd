//! Looking at the server from outside: its sockets, and anything else that has to become true.

use std::time::{Duration, Instant};

use super::support::{DEADLINE, Place};

/// The number in an environment variable, or `default` where it is not set.
pub fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

/// Polls until `holds`, and fails with the name of the thing after the [`DEADLINE`].
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "waited {DEADLINE:?} in vain for {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the server has read every byte that was sent to it and accepted every connection.
///
/// The bytes must have left the clients already; on loopback a finished write is in the server's receive queue.
pub async fn all_bytes_are_read(place: &impl Place) {
    eventually("the server to read all that was sent", || {
        server_sockets(place)
            .iter()
            .all(|socket| socket.unread == 0)
    })
    .await;
}

/// Waits until the server has closed its side of all but `remaining` connections.
pub async fn connections_are_gone(place: &impl Place, remaining: usize) {
    eventually("the server to close the connections that ended", || {
        let open = server_sockets(place)
            .into_iter()
            .filter(|socket| socket.is_open);
        open.count() <= remaining
    })
    .await;
}

/// One of the server's sockets, as the kernel sees it.
struct ServerSocket {
    /// Established, or closed only by the client; not the listening one.
    is_open: bool,
    /// Bytes that wait for the server to read them; for the listening one, connections to be accepted.
    unread: u64,
}

/// All sockets on the ports of a server, from `/proc/net/tcp`.
fn server_sockets(place: &impl Place) -> Vec<ServerSocket> {
    const ESTABLISHED: &str = "01";
    const CLOSE_WAIT: &str = "08";
    let ports = place.nodes().iter().map(|node| node.port());
    let ours: Vec<String> = ports.map(|port| format!(":{port:04X}")).collect();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux shows its TCP sockets");
    let rows = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| ours.iter().any(|local| row[1].ends_with(local)))
        .map(|row| {
            let (_, unread) = row[4].split_once(':').expect("two queues");
            ServerSocket {
                is_open: [ESTABLISHED, CLOSE_WAIT].contains(&row[3]),
                unread: u64::from_str_radix(unread, 16).expect("a hexadecimal number"),
            }
        })
        .collect()
}
