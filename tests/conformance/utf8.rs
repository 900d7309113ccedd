//! Section 6.1 to 6.4: text in fragments that end wherever they like, and when invalid text is noticed.

use super::case::{Case, hold};
use super::peer::{Heard, Peer, Way, fragments, frame, whole};
use super::support::Server;
use super::support::raw::{CONTINUATION, PING, TEXT};
use super::unicode::GREEK;

const HELLO: (&str, &str) = ("Hello-µ@ßöä", "üàá-UTF-8!!");
/// A surrogate, which is no character.
const SURROGATE: &[u8] = b"\xED\xA0\x80";
/// A code point after the last one: its second octet makes it so.
const BEYOND: &[u8] = b"\xF4\x90\x80\x80";
const EDITED: &[u8] = b"edited";

fn octet_by_octet(payload: &[u8]) -> Vec<Vec<u8>> {
    fragments(payload.chunks(1))
}

fn valid(number: &str, title: &str, frames: Vec<Vec<u8>>) -> Case {
    Case::new(number, title)
        .send(frames)
        .refused("bad_json")
        .bye()
}

fn invalid(number: &str, title: &str, frames: Vec<Vec<u8>>) -> Case {
    Case::new(number, title).send(frames).closed(1007)
}

pub fn empty_fragments() -> Vec<Case> {
    let middle = "middle frame payload".as_bytes();
    vec![
        valid("6.1.1", "an empty message", vec![whole(TEXT, b"")]),
        valid("6.1.2", "three empty fragments", fragments([&b""[..]; 3])),
        valid(
            "6.1.3",
            "three fragments, of which only the second holds anything",
            fragments([b"", middle, b""]),
        ),
    ]
}

pub fn valid_in_fragments() -> Vec<Case> {
    let (first, second) = HELLO;
    let hello = [first, second].concat();
    vec![
        valid("6.2.1", "text whole", vec![whole(TEXT, hello.as_bytes())]),
        valid(
            "6.2.2",
            "text cut between characters",
            fragments([first.as_bytes(), second.as_bytes()]),
        ),
        valid(
            "6.2.3",
            "text in fragments of an octet",
            octet_by_octet(hello.as_bytes()),
        ),
        valid(
            "6.2.4",
            "Greek in fragments of an octet",
            octet_by_octet(GREEK),
        ),
    ]
}

pub fn invalid_in_fragments() -> Vec<Case> {
    let payload = [GREEK, SURROGATE, EDITED].concat();
    vec![
        invalid("6.3.1", "invalid text whole", vec![whole(TEXT, &payload)]),
        invalid(
            "6.3.2",
            "invalid text in fragments of an octet",
            octet_by_octet(&payload),
        ),
    ]
}

/// Where the suite cuts its text: around the invalid character, and around the octet that makes it so.
fn cuts() -> [[Vec<u8>; 3]; 2] {
    let all = [GREEK, BEYOND, EDITED].concat();
    [
        [GREEK.to_vec(), BEYOND.to_vec(), EDITED.to_vec()],
        [all[..12].to_vec(), all[12..13].to_vec(), all[13..].to_vec()],
    ]
}

/// The suite would have invalid text refused at the fragment that makes it so, and takes it as well, though not
/// as strict, where it is refused at the end of the message. This server does the latter: the pong shows that it
/// has gone on.
fn in_frames(number: &str, [first, second, third]: &[Vec<u8>; 3]) -> Case {
    Case::new(
        number,
        "the second of three fragments makes the text invalid",
    )
    .send(vec![frame(TEXT, false, first), whole(PING, b"A")])
    .pong(b"A")
    .send(vec![frame(CONTINUATION, false, second), whole(PING, b"B")])
    .pong(b"B")
    .send(vec![frame(CONTINUATION, true, third)])
    .closed(1007)
}

/// A frame in three pieces.
fn in_chops(number: &str, [first, second, third]: &[Vec<u8>; 3]) -> Case {
    let frame = whole(TEXT, &[&first[..], second, third].concat());
    let end = frame.len() - third.len();
    let way = Way::At(end - second.len(), end);
    Case::new(number, "the second piece of a frame makes the text invalid")
        .send_cut(way, vec![frame])
        .closed(1007)
}

pub fn fail_fast() -> Vec<Case> {
    let [around_character, around_octet] = cuts();
    vec![
        in_frames("6.4.1", &around_character),
        in_frames("6.4.2", &around_octet),
        in_chops("6.4.3", &around_character),
        in_chops("6.4.4", &around_octet),
    ]
}

#[tokio::test]
async fn empty_fragments_are_fragments() {
    hold(&Server::start(), empty_fragments()).await;
}

#[tokio::test]
async fn text_may_be_cut_within_a_character() {
    hold(&Server::start(), valid_in_fragments()).await;
}

#[tokio::test]
async fn invalid_text_fails_the_connection_however_it_is_cut() {
    hold(&Server::start(), invalid_in_fragments()).await;
}

#[tokio::test]
async fn invalid_text_fails_the_connection_at_the_end_of_its_message() {
    hold(&Server::start(), fail_fast()).await;
}

/// What 6.4.3 and 6.4.4 cannot show, as nothing is answered within a frame: no part of one is judged.
#[tokio::test]
async fn invalid_text_in_a_frame_that_is_not_whole_is_not_noticed() {
    let server = Server::with(&["--idle-timeout", "1s"]);
    let mut peers = Vec::new();
    for [first, second, _] in cuts() {
        let mut peer = Peer::open(&server, Some("peer")).await;
        let frame = whole(TEXT, &[&first[..], &second, EDITED].concat());
        let begun = frame[..frame.len() - EDITED.len()].to_vec();
        peer.send(&[begun], Way::Chopped(1)).await;
        peers.push(peer);
    }
    for mut peer in peers {
        assert_eq!(peer.hear().await, Heard::Close(Some(4408)));
    }
}
