//! Ports for servers that must come back on the port they had.

use std::fs;
use std::net::TcpListener;

use rand::Rng;

/// The lowest port that is tried.
const LOWEST: u16 = 10_000;

/// A port of 127.0.0.1 that nobody listens on at this moment. Somebody may be faster: who cannot listen on it
/// asks for another one.
///
/// It lies below the ports that the kernel gives to outgoing connections. Among them, a client that tries
/// to reach a server that is down can be given the server's own port, meet itself, and keep the port.
pub fn free_port() -> u16 {
    let mut random = rand::rng();
    let highest = first_outgoing_port().clamp(LOWEST + 1_000, 32_768);
    loop {
        let port = random.random_range(LOWEST..highest);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn first_outgoing_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next();
    first.and_then(|port| port.parse().ok()).unwrap_or(32_768)
}
