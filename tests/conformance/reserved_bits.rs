//! Section 3: no extension is negotiated, so that every reserved bit fails the connection.

use super::case::{Case, hold};
use super::peer::{Way, whole};
use super::support::Server;
use super::support::raw::{BINARY, CLOSE, PING, TEXT};

const HELLO: &[u8] = b"Hello, world!";

/// A frame with these reserved bits, alone.
fn alone(number: &str, title: &str, rsv: u8, opcode: u8, payload: &[u8]) -> Case {
    Case::new(number, title)
        .send(vec![whole(rsv << 4 | opcode, payload)])
        .closed(1002)
}

/// A good text message, one with these reserved bits, and a ping.
fn between(number: &str, title: &str, rsv: u8, way: Way) -> Case {
    let frames = vec![
        whole(TEXT, HELLO),
        whole(rsv << 4 | TEXT, HELLO),
        whole(PING, b""),
    ];
    Case::new(number, title)
        .send_cut(way, frames)
        .refused("bad_json")
        .closed(1002)
}

pub fn cases() -> Vec<Case> {
    vec![
        alone("3.1", "a text message with RSV 1", 1, TEXT, HELLO),
        between("3.2", "a message, one with RSV 2, a ping", 2, Way::Together),
        between(
            "3.3",
            "the same with RSV 3, frame by frame",
            3,
            Way::ByFrame,
        ),
        between(
            "3.4",
            "the same with RSV 4, octet by octet",
            4,
            Way::Chopped(1),
        ),
        alone("3.5", "a binary message with RSV 5", 5, BINARY, &[0xFF; 8]),
        alone("3.6", "a ping with RSV 6", 6, PING, b""),
        alone("3.7", "a close with RSV 7", 7, CLOSE, b""),
    ]
}

#[tokio::test]
async fn a_reserved_bit_fails_the_connection_after_what_came_before_it_is_answered() {
    hold(&Server::start(), cases()).await;
}
