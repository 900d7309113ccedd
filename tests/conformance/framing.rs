//! Section 1: messages of every length that the header writes in its own way.

use super::case::{Case, hold};
use super::peer::{Way, whole};
use super::support::Server;
use super::support::raw::{BINARY, TEXT};

const LENGTHS: [usize; 7] = [0, 125, 126, 127, 128, 65_535, 65_536];

/// The cases of a sub-section: a message of each length, and the longest once more in chops of 997 octets.
fn lengths(section: &str, kind: &str, opcode: u8, byte: u8, code: &str) -> Vec<Case> {
    let case = |number: usize, length: usize, way: Way| {
        Case::new(
            format!("{section}.{number}"),
            format!("a {kind} message of {length} octets, sent {way:?}"),
        )
        .send_cut(way, vec![whole(opcode, &vec![byte; length])])
        .refused(code)
        .bye()
    };
    let together = LENGTHS.into_iter().zip(1..);
    let together = together.map(|(length, number)| case(number, length, Way::Together));
    let chopped = case(8, 65_536, Way::Chopped(997));
    together.chain([chopped]).collect()
}

pub fn text() -> Vec<Case> {
    lengths("1.1", "text", TEXT, b'*', "bad_json")
}

pub fn binary() -> Vec<Case> {
    lengths("1.2", "binary", BINARY, 0xFE, "bad_frame")
}

#[tokio::test]
async fn text_messages_of_every_length_are_answered() {
    hold(&Server::start(), text()).await;
}

#[tokio::test]
async fn binary_messages_of_every_length_are_answered() {
    hold(&Server::start(), binary()).await;
}
