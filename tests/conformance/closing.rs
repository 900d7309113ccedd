//! Section 7: the closing handshake.

use super::case::{Case, hold};
use super::peer::{frame, reason, whole};
use super::support::Server;
use super::support::raw::{CLOSE, CONTINUATION, PING, TEXT};
use super::unicode::GREEK;

/// Codes that a close frame may hold, of the suite.
const VALID: [u16; 13] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
];
/// Codes that it may not.
const INVALID: [u16; 9] = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
/// Codes that earlier releases of the suite had among the invalid ones, before three were registered.
const REGISTERED_LATER: [u16; 3] = [1012, 1013, 1014];
const NEVER_SENT: u16 = 1015;

const HELLO: &[u8] = b"Hello World!";

fn close(payload: &[u8]) -> Vec<u8> {
    whole(CLOSE, payload)
}

fn normal() -> Vec<u8> {
    close(&reason(1000, b""))
}

/// A case whose close frame of this payload is answered with this code.
fn answered(number: &str, title: &str, payload: &[u8], code: impl Into<Option<u16>>) -> Case {
    Case::new(number, title)
        .send(vec![close(payload)])
        .closed(code)
}

pub fn behaviour() -> Vec<Case> {
    vec![
        Case::new("7.1.1", "a message, then a close")
            .send(vec![whole(TEXT, HELLO), normal()])
            .refused("bad_json")
            .closed(1000),
        Case::new("7.1.2", "two close frames")
            .send(vec![normal(), close(b"")])
            .closed(1000),
        Case::new("7.1.3", "a ping after the close")
            .send(vec![normal(), whole(PING, b"")])
            .closed(1000),
        Case::new("7.1.4", "a message after the close")
            .send(vec![normal(), whole(TEXT, HELLO)])
            .closed(1000),
        Case::new("7.1.5", "a close within a message in fragments")
            .send(vec![
                frame(TEXT, false, b"fragment1"),
                normal(),
                frame(CONTINUATION, true, b"fragment2"),
            ])
            .closed(1000),
    ]
}

fn large_message_and_more(number: &str) -> Case {
    let large = b"BAsd7&jh23".repeat(26_215);
    Case::new(number, "256 KiB, a message, a close and a ping").send(vec![
        whole(TEXT, &large[..256 * 1024]),
        whole(TEXT, HELLO),
        normal(),
        whole(PING, b""),
    ])
}

/// It needs a server whose limit of a frame is above the default.
pub fn large_message() -> Case {
    large_message_and_more("7.1.6")
        .refused("bad_json")
        .refused("bad_json")
        .closed(1000)
}

pub fn payload_lengths() -> Vec<Case> {
    let longest = reason(1000, &[b'*'; 123]);
    let too_long = reason(1000, &[b'*'; 124]);
    vec![
        answered("7.3.1", "a close without payload", b"", None),
        answered("7.3.2", "a close of one octet", b"a", 1002),
        answered("7.3.3", "a close with a code", &reason(1000, b""), 1000),
        answered("7.3.4", "with a reason", &reason(1000, HELLO), 1000),
        answered("7.3.5", "with a reason of 123 octets", &longest, 1000),
        answered("7.3.6", "with a reason of 124 octets", &too_long, 1002),
    ]
}

pub fn payload_value() -> Vec<Case> {
    let text = [GREEK, b"\xED\xA0\x80", b"edited"].concat();
    let title = "a close with a reason that is not UTF-8";
    vec![answered("7.5.1", title, &reason(1000, &text), 1002)]
}

fn codes(section: &str, codes: &[u16], answer: impl Fn(u16) -> u16) -> Vec<Case> {
    let case = |(&code, number): (&u16, usize)| {
        let title = format!("a close with code {code}");
        let payload = reason(code, b"");
        answered(
            &format!("{section}.{number}"),
            &title,
            &payload,
            answer(code),
        )
    };
    codes.iter().zip(1..).map(case).collect()
}

pub fn valid_codes() -> Vec<Case> {
    codes("7.7", &VALID, |code| code)
}

pub fn invalid_codes() -> Vec<Case> {
    codes("7.9", &INVALID, |_| 1002)
}

/// The suite expects nothing of these; the server takes them as invalid.
pub fn undefined_codes() -> Vec<Case> {
    codes("7.13", &[5000, 65_535], |_| 1002)
}

#[tokio::test]
async fn a_close_is_answered_and_nothing_after_it_is() {
    hold(&Server::start(), behaviour()).await;
    let server = Server::with(&["--max-frame-size", "262144"]);
    hold(&server, vec![large_message()]).await;
}

#[tokio::test]
async fn nothing_is_answered_after_a_message_above_the_limit() {
    let case = large_message_and_more("7.1.6 at the default limit").closed(1009);
    hold(&Server::start(), vec![case]).await;
}

#[tokio::test]
async fn a_close_frame_holds_nothing_or_a_code_and_a_reason_that_fits() {
    hold(&Server::start(), payload_lengths()).await;
}

#[tokio::test]
async fn a_reason_is_text() {
    hold(&Server::start(), payload_value()).await;
}

#[tokio::test]
async fn a_valid_close_code_comes_back() {
    hold(&Server::start(), valid_codes()).await;
}

#[tokio::test]
async fn an_invalid_close_code_fails_the_connection() {
    hold(&Server::start(), invalid_codes()).await;
}

#[tokio::test]
async fn a_close_code_without_a_range_fails_the_connection() {
    hold(&Server::start(), undefined_codes()).await;
}

#[tokio::test]
async fn a_close_code_that_was_registered_since_comes_back_and_1015_does_not() {
    let mut cases = codes("later than 7.9", &REGISTERED_LATER, |code| code);
    cases.extend(codes("never", &[NEVER_SENT], |_| 1002));
    hold(&Server::start(), cases).await;
}
