//! Frames that break the WebSocket protocol: each gets its close code, and nobody else notices.

use super::bystanders::Pair;
use super::support::raw::{
    BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_code, frame, header,
};
use super::support::{Client, RawClient, Server, frames, within};

/// The default `--max-frame-size`.
const FRAME_LIMIT: usize = 64 * 1024;

const RESERVED_BITS: [u8; 3] = [0x40, 0x20, 0x10];

/// Sends `bytes` on a connection of their own, once before and once after a login, and expects this close code and
/// the end of the connection.
async fn assert_closes(server: &Server, what: &str, bytes: &[u8], code: u16) {
    for user in [None, Some("hostile")] {
        let mut client = match user {
            None => RawClient::open(server).await,
            Some(user) => RawClient::connect(server, user).await,
        };
        client.send_bytes(bytes).await;
        assert_eq!(client.close_code().await, code, "{what}, user {user:?}");
        client.ended().await;
    }
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(TEXT, true, true, payload)
}

#[tokio::test]
async fn a_frame_that_breaks_the_websocket_protocol_closes_with_1002() {
    let server = Server::start();
    let mut bystanders = Pair::connect(&server).await;
    bystanders.round_trip().await;
    let heartbeat = frames::heartbeat("hostile").to_string();
    let heartbeat = heartbeat.as_bytes();

    let mut cases = vec![
        (
            "an unmasked frame".to_owned(),
            frame(TEXT, true, false, heartbeat),
        ),
        (
            "an unmasked ping".to_owned(),
            frame(PING, true, false, b"x"),
        ),
        (
            "a ping of 126 bytes".to_owned(),
            frame(PING, true, true, &[b'x'; 126]),
        ),
        (
            "a pong of 126 bytes".to_owned(),
            frame(PONG, true, true, &[b'x'; 126]),
        ),
        (
            "a close of 126 bytes".to_owned(),
            frame(CLOSE, true, true, &[3; 126]),
        ),
        (
            "a fragmented ping".to_owned(),
            frame(PING, false, true, b"x"),
        ),
        (
            "a fragmented close".to_owned(),
            frame(CLOSE, false, true, &1000_u16.to_be_bytes()),
        ),
        (
            "a continuation of nothing".to_owned(),
            frame(CONTINUATION, true, true, heartbeat),
        ),
        (
            "an unfinished continuation of nothing".to_owned(),
            frame(CONTINUATION, false, true, b""),
        ),
        (
            "a new message inside a fragmented one".to_owned(),
            [frame(TEXT, false, true, b"{"), text(heartbeat)].concat(),
        ),
    ];
    for bit in RESERVED_BITS {
        cases.push((
            format!("reserved bit {bit:#x}"),
            frame(bit | TEXT, true, true, heartbeat),
        ));
        cases.push((
            format!("a ping with reserved bit {bit:#x}"),
            frame(bit | PING, true, true, b""),
        ));
    }
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        cases.push((
            format!("reserved opcode {opcode:#x}"),
            frame(opcode, true, true, heartbeat),
        ));
    }
    for (what, bytes) in cases {
        assert_closes(&server, &what, &bytes, 1002).await;
        bystanders.round_trip().await;
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_closes_with_1007() {
    let server = Server::start();
    let mut bystanders = Pair::connect(&server).await;
    let cases: [(&str, Vec<u8>); 6] = [
        (
            "a byte that never occurs",
            text(b"{\"action\":\"5\",\"fromId\":\"\xFF\"}"),
        ),
        ("an overlong slash", text(b"{\"a\":\"\xC0\xAF\"}")),
        ("a surrogate in UTF-8", text(b"{\"a\":\"\xED\xA0\x80\"}")),
        (
            "a code point beyond the last",
            text(b"{\"a\":\"\xF4\x90\x80\x80\"}"),
        ),
        ("a character without its end", text(b"{\"a\":\"\xE9\x9B")),
        (
            "a character broken off across fragments",
            [
                frame(TEXT, false, true, b"{\"a\":\"\xE9\x9B"),
                frame(CONTINUATION, true, true, b"\"}"),
            ]
            .concat(),
        ),
    ];
    for (what, bytes) in cases {
        bystanders.round_trip().await;
        assert_closes(&server, what, &bytes, 1007).await;
        bystanders.round_trip().await;
    }
}

/// All of a final frame but its payload.
fn header_and_mask(opcode: u8, length: u64) -> Vec<u8> {
    [header(opcode, true, true, length), vec![0; 4]].concat()
}

#[tokio::test]
async fn a_message_above_the_limit_closes_with_1009_at_the_header_that_makes_it_so() {
    let server = Server::start();
    let mut bystanders = Pair::connect(&server).await;
    let at_the_limit = frame(TEXT, false, true, &vec![b'x'; FRAME_LIMIT]);
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for length in [FRAME_LIMIT as u64 + 1, 1 << 30, 1 << 40, i64::MAX as u64] {
        for opcode in [TEXT, BINARY] {
            cases.push((
                format!("{length} bytes, opcode {opcode}"),
                header_and_mask(opcode, length),
            ));
        }
    }
    cases.push((
        "one byte more in a second fragment".into(),
        [at_the_limit, header_and_mask(CONTINUATION, 1)].concat(),
    ));
    for (what, bytes) in cases {
        bystanders.round_trip().await;
        assert_closes(&server, &what, &bytes, 1009).await;
        bystanders.round_trip().await;
    }
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_is_taken_whole_or_in_fragments() {
    let server = Server::start();
    let mut client = RawClient::connect(&server, "big").await;
    let whole = vec![b'x'; FRAME_LIMIT];
    client.send_frame(TEXT, true, true, &whole).await;
    assert!(client.next_text().await.contains(r#""code":"bad_json""#));

    let (first, rest) = whole.split_at(FRAME_LIMIT / 2);
    client.send_frame(TEXT, false, true, first).await;
    client.send_frame(CONTINUATION, true, true, rest).await;
    assert!(client.next_text().await.contains(r#""code":"bad_json""#));
}

#[tokio::test]
async fn a_binary_message_is_answered_with_an_error_and_the_connection_goes_on() {
    let server = Server::start();
    let mut bystanders = Pair::connect(&server).await;
    let mut client = RawClient::connect(&server, "binary").await;
    let heartbeat = frames::heartbeat("binary").to_string();
    bystanders.round_trip().await;
    client
        .send_frame(BINARY, true, true, heartbeat.as_bytes())
        .await;
    assert!(client.next_text().await.contains(r#""code":"bad_frame""#));
    // In fragments, and not UTF-8 at that.
    client.send_frame(BINARY, false, true, b"\xFF").await;
    client.send_frame(CONTINUATION, true, true, b"\xFE").await;
    assert!(client.next_text().await.contains(r#""code":"bad_frame""#));
    bystanders.round_trip().await;
    client
        .send_text(&frames::contacts("binary").to_string())
        .await;
    assert!(client.next_text().await.starts_with(r#"{"action":"11""#));
}

#[tokio::test]
async fn a_message_in_fragments_of_one_byte_with_pings_between_them_is_a_message() {
    let server = Server::start();
    let mut sender = RawClient::connect(&server, "piecemeal").await;
    let mut recipient = Client::connect(&server, "reader").await;
    sender
        .send_text(&frames::get_ids("piecemeal").to_string())
        .await;
    let answer = sender.next_text().await;
    let id = &answer[answer.find("MSG").expect("an ID")..][..9];

    let message = frames::message("piecemeal", "reader", id, "雁书 🪿").to_string();
    let mut bytes = frame(TEXT, false, true, b"");
    for (index, byte) in message.bytes().enumerate() {
        bytes.extend(frame(PING, true, true, &index.to_be_bytes()));
        bytes.extend(frame(CONTINUATION, false, true, &[byte]));
    }
    bytes.extend(frame(CONTINUATION, true, true, b""));
    sender.send_bytes(&bytes).await;

    for index in 0..message.len() {
        assert_eq!(
            sender.read_frame().await,
            Some((PONG, index.to_be_bytes().to_vec()))
        );
    }
    assert_eq!(
        sender.next_text().await,
        frames::status_text("reader", "piecemeal", id, 1)
    );
    recipient
        .expect_message("piecemeal", "reader", id, "雁书 🪿")
        .await;
}

/// The close codes that may answer a close frame; `None` is one without a code.
type AllowedCodes = &'static [Option<u16>];

#[tokio::test]
async fn a_close_frame_ends_the_connection_whatever_it_holds() {
    let server = Server::start();
    let mut bystanders = Pair::connect(&server).await;
    let with_code = |code: u16, reason: &[u8]| [&code.to_be_bytes()[..], reason].concat();
    let cases: [(&str, Vec<u8>, AllowedCodes); 8] = [
        ("nothing", vec![], &[None, Some(1000)]),
        ("a proper code", with_code(1000, b""), &[Some(1000)]),
        (
            "a code of an application",
            with_code(4000, b"bye"),
            &[Some(4000), Some(1000)],
        ),
        ("half a code", vec![3], &[None, Some(1000), Some(1002)]),
        (
            "code 0",
            with_code(0, b""),
            &[Some(0), Some(1000), Some(1002)],
        ),
        (
            "the reserved code 1005",
            with_code(1005, b""),
            &[None, Some(1000), Some(1002), Some(1005)],
        ),
        (
            "code 65535",
            with_code(65535, b""),
            &[Some(65535), Some(1000), Some(1002)],
        ),
        (
            "a reason that is not UTF-8",
            with_code(1000, b"\xFF"),
            &[Some(1000), Some(1002), Some(1007)],
        ),
    ];
    for (what, payload, allowed) in cases {
        let mut client = RawClient::connect(&server, "leaver").await;
        client.send_frame(CLOSE, true, true, &payload).await;
        match client.read_frame().await {
            Some((CLOSE, answer)) => {
                let code = close_code(&answer);
                assert!(
                    allowed.contains(&code),
                    "a close frame with {what} is answered with {code:?}"
                );
            }
            other => panic!("a close frame with {what} is answered with {other:?}"),
        }
        within(
            "the server to hang up after the close frames",
            client.ended(),
        )
        .await;
        bystanders.round_trip().await;
    }
}
