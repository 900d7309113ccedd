//! Section 5: messages in fragments, control frames among them, and fragments of nothing.

use super::case::{Case, hold};
use super::peer::{Way, fragments, frame, whole};
use super::support::Server;
use super::support::raw::{CONTINUATION, PING, PONG, TEXT};

const WAYS: [Way; 3] = [Way::Together, Way::ByFrame, Way::Chopped(1)];

fn two_fragments() -> Vec<Vec<u8>> {
    fragments([&b"fragment1"[..], b"fragment2"])
}

/// A case for each way to cut what is sent, numbered from here on.
fn each_way(first: usize, title: &str, then: impl Fn(Case, Way) -> Case) -> Vec<Case> {
    let case = |(way, number): (Way, usize)| {
        let title = format!("{title}, sent {way:?}");
        then(Case::new(format!("5.{number}"), title), way)
    };
    WAYS.into_iter().zip(first..).map(case).collect()
}

/// 5.1 and 5.2: a control frame in fragments.
fn control_frames() -> Vec<Case> {
    let case = |number: &str, opcode: u8| {
        let parts = vec![
            frame(opcode, false, b"fragment1"),
            frame(CONTINUATION, true, b"fragment2"),
        ];
        Case::new(number, "a control frame in two fragments")
            .send(parts)
            .closed(1002)
    };
    vec![case("5.1", PING), case("5.2", PONG)]
}

/// 5.9 to 5.14: a continuation of nothing, and a good message after it.
fn continuation_of_nothing(first: usize, fin: bool) -> Vec<Case> {
    let title = format!("a continuation of nothing with FIN {fin}, then a message");
    each_way(first, &title, |case, way| {
        let frames = vec![
            frame(CONTINUATION, fin, b"non-continuation payload"),
            whole(TEXT, b"Hello, world!"),
        ];
        case.send_cut(way, frames).closed(1002)
    })
}

/// 5.16 and 5.17: twice a continuation of nothing and a message in fragments.
fn twice(number: &str, fin: bool) -> Case {
    let mut once = vec![frame(CONTINUATION, fin, b"fragment1")];
    once.extend(fragments([&b"fragment2"[..], b"fragment3"]));
    Case::new(number, "twice a continuation of nothing and a message")
        .send([once.clone(), once].concat())
        .closed(1002)
}

/// 5.19 and 5.20: the first ping is answered while the message is not whole.
fn pings_among_five_fragments(number: &str, way: Way) -> Case {
    let first = vec![
        frame(TEXT, false, b"fragment1"),
        frame(CONTINUATION, false, b"fragment2"),
        whole(PING, b"pongme 1!"),
    ];
    let rest = vec![
        frame(CONTINUATION, false, b"fragment3"),
        frame(CONTINUATION, false, b"fragment4"),
        whole(PING, b"pongme 2!"),
        frame(CONTINUATION, true, b"fragment5"),
    ];
    Case::new(
        number,
        format!("five fragments and two pings, sent {way:?}"),
    )
    .send_cut(way, first)
    .pong(b"pongme 1!")
    .send_cut(way, rest)
    .pong(b"pongme 2!")
    .refused("bad_json")
    .bye()
}

pub fn cases() -> Vec<Case> {
    let mut cases = control_frames();
    cases.extend(each_way(3, "a message in two fragments", |case, way| {
        case.send_cut(way, two_fragments())
            .refused("bad_json")
            .bye()
    }));
    cases.extend(each_way(6, "a ping between two fragments", |case, way| {
        let mut frames = two_fragments();
        frames.insert(1, whole(PING, b"ping payload"));
        case.send_cut(way, frames)
            .pong(b"ping payload")
            .refused("bad_json")
            .bye()
    }));
    cases.extend(continuation_of_nothing(9, true));
    cases.extend(continuation_of_nothing(12, false));
    let mut frames = two_fragments();
    frames.push(frame(CONTINUATION, false, b"fragment3"));
    frames.push(whole(TEXT, b"fragment4"));
    cases.extend([
        Case::new(
            "5.15",
            "a message in fragments, a continuation of nothing, a message",
        )
        .send(frames)
        .refused("bad_json")
        .closed(1002),
        twice("5.16", false),
        twice("5.17", true),
        Case::new("5.18", "a message inside of a message")
            .send(vec![
                frame(TEXT, false, b"fragment1"),
                whole(TEXT, b"fragment2"),
            ])
            .closed(1002),
        pings_among_five_fragments("5.19", Way::Together),
        pings_among_five_fragments("5.20", Way::ByFrame),
    ]);
    cases
}

#[tokio::test]
async fn fragments_make_a_message_and_a_fragment_of_nothing_fails_the_connection() {
    hold(&Server::start(), cases()).await;
}
