//! Section 4: reserved opcodes.

use super::case::{Case, hold};
use super::peer::{Way, whole};
use super::support::Server;
use super::support::raw::{PING, TEXT};

const HELLO: &[u8] = b"Hello, world!";

/// The five cases of a sub-section, whose reserved opcodes begin with this one.
fn reserved(section: &str, first: u8) -> Vec<Case> {
    let case = |number: u8, what: &str| {
        let opcode = first + number - 1;
        Case::new(
            format!("{section}.{number}"),
            format!("reserved opcode {opcode:#x}, {what}"),
        )
    };
    let frame = |number: u8, payload: &[u8]| whole(first + number - 1, payload);
    let between = |number: u8, payload: &[u8]| {
        vec![whole(TEXT, HELLO), frame(number, payload), whole(PING, b"")]
    };
    vec![
        case(1, "empty").send(vec![frame(1, b"")]).closed(1002),
        case(2, "with payload")
            .send(vec![frame(2, b"reserved opcode payload")])
            .closed(1002),
        case(3, "empty, after a message and before a ping")
            .send(between(3, b""))
            .refused("bad_json")
            .closed(1002),
        case(4, "with payload, after a message and before a ping")
            .send(between(4, HELLO))
            .refused("bad_json")
            .closed(1002),
        case(5, "the same octet by octet")
            .send_cut(Way::Chopped(1), between(5, HELLO))
            .refused("bad_json")
            .closed(1002),
    ]
}

pub fn non_control() -> Vec<Case> {
    reserved("4.1", 0x3)
}

pub fn control() -> Vec<Case> {
    reserved("4.2", 0xB)
}

#[tokio::test]
async fn a_reserved_opcode_of_a_message_fails_the_connection() {
    hold(&Server::start(), non_control()).await;
}

#[tokio::test]
async fn a_reserved_opcode_of_a_control_frame_fails_the_connection() {
    hold(&Server::start(), control()).await;
}
