//! Section 2: pings and pongs.

use super::case::{Case, hold};
use super::peer::{Way, whole};
use super::support::Server;
use super::support::raw::{PING, PONG};

const OCTETS: &[u8] = b"\x00\xFF\xFE\xFD\xFC\xFB\x00\xFF";
const LONGEST: [u8; 125] = [0xFE; 125];

fn ping(number: &str, title: &str, way: Way, payload: &[u8]) -> Case {
    Case::new(number, title)
        .send_cut(way, vec![whole(PING, payload)])
        .pong(payload)
        .bye()
}

fn ten_pings(number: &str, title: &str, way: Way) -> Case {
    let payloads: Vec<String> = (0..10).map(|n| format!("payload-{n}")).collect();
    let frames = payloads
        .iter()
        .map(|payload| whole(PING, payload.as_bytes()));
    let sent = Case::new(number, title).send_cut(way, frames.collect());
    let pong = |case: Case, payload: &String| case.pong(payload.as_bytes());
    payloads.iter().fold(sent, pong).bye()
}

pub fn cases() -> Vec<Case> {
    vec![
        ping("2.1", "a ping without payload", Way::Together, b""),
        ping("2.2", "a ping with a text", Way::Together, b"Hello, world!"),
        ping(
            "2.3",
            "a ping with octets that are no text",
            Way::Together,
            OCTETS,
        ),
        ping("2.4", "a ping of 125 octets", Way::Together, &LONGEST),
        Case::new("2.5", "a ping of 126 octets")
            .send(vec![whole(PING, &[0xFE; 126])])
            .closed(1002),
        ping(
            "2.6",
            "a ping of 125 octets, one by one",
            Way::Chopped(1),
            &LONGEST,
        ),
        Case::new("2.7", "an unsolicited pong without payload")
            .send(vec![whole(PONG, b"")])
            .bye(),
        Case::new("2.8", "an unsolicited pong with payload")
            .send(vec![whole(PONG, b"unsolicited pong payload")])
            .bye(),
        Case::new("2.9", "an unsolicited pong, then a ping")
            .send(vec![
                whole(PONG, b"unsolicited pong payload"),
                whole(PING, b"ping payload"),
            ])
            .pong(b"ping payload")
            .bye(),
        ten_pings("2.10", "ten pings", Way::Together),
        ten_pings("2.11", "ten pings, octet by octet", Way::Chopped(1)),
    ]
}

#[tokio::test]
async fn pings_are_answered_with_their_payload_and_pongs_with_nothing() {
    hold(&Server::start(), cases()).await;
}
