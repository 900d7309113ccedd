//! The frames of the protocol that are sent and understood here, as bytes.

use crate::socket::{Socket, odd};
use crate::{Outcome, TEXT, TIME};

/// So many requests for IDs are unanswered at once. The server reads on as long as there are fewer
/// than 256.
const ASKS_AT_ONCE: usize = 200;
/// What one request brings.
const IDS: usize = yanshu::protocol::IDS_PER_GRANT as usize;

/// Action 3.
pub fn message(from: &str, to: &str, id: i64) -> String {
    format!(
        r#"{{"action":"3","fromId":"{from}","toId":"{to}","chatMsg":{{"id":"MSG{id:06}","type":0,"message":"{TEXT}","status":0,"time":"{TIME}"}}}}"#
    )
}

/// Action 12: so many messages of a conversation, before this one.
pub fn page(from: &str, with: &str, base: i64, size: usize) -> String {
    format!(
        r#"{{"action":"12","fromId":"{from}","toId":"{with}","baseMsgId":"MSG{base:06}","pageSize":{size}}}"#
    )
}

/// What the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// This message is stored.
    Ack(i64),
    /// This message arrives.
    Message(i64),
    /// A page of history.
    Page,
}

/// Finds out what a frame is.
pub fn read(frame: &[u8]) -> Outcome<Frame> {
    let known = |action: &str| frame.starts_with(format!(r#"{{"action":"{action}""#).as_bytes());
    let found = match frame.get(11..13) {
        Some(b"4\"") => id(frame).map(Frame::Ack),
        Some(b"3\"") => id(frame).map(Frame::Message),
        Some(b"12") if known("12") => Some(Frame::Page),
        _ => None,
    };
    found.ok_or_else(|| odd(frame))
}

/// The number of the message ID in a frame. No user ID holds a quotation mark.
fn id(frame: &[u8]) -> Option<i64> {
    const BEFORE: &[u8] = br#""id":"MSG"#;
    let at = frame.windows(BEFORE.len()).position(|w| w == BEFORE)?;
    number(&frame[at + BEFORE.len()..])
}

/// The digits at the beginning.
pub fn number(bytes: &[u8]) -> Option<i64> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
    (number > 0).then_some(number)
}

/// Fetches so many IDs, or a few more. Messages that arrive meanwhile are passed over.
pub async fn stock(socket: &mut Socket, user: &str, count: usize) -> Outcome<Vec<i64>> {
    let ask = format!(r#"{{"action":"2","fromId":"{user}"}}"#);
    let granted = format!(r#"{{"action":"2","toId":"{user}","chatMsg":{{"message":""#);
    let (mut ids, mut asked) = (Vec::with_capacity(count + IDS), 0);
    while ids.len() < count || asked > 0 {
        let missing = count.saturating_sub(ids.len()).div_ceil(IDS);
        while asked < missing.min(ASKS_AT_ONCE) {
            socket.put(ask.as_bytes());
            asked += 1;
        }
        socket.flush().await?;
        socket.read().await?;
        socket.frames(|frame| {
            let Some(list) = frame.strip_prefix(granted.as_bytes()) else {
                return match read(frame) {
                    Ok(Frame::Message(_)) => Ok(()),
                    _ => Err(odd(frame)),
                };
            };
            asked -= 1;
            ids.extend(split(list));
            Ok(())
        })?;
    }
    Ok(ids)
}

/// The numbers of a list of IDs.
pub fn split(list: &[u8]) -> impl Iterator<Item = i64> {
    list.split(|byte| *byte == b',')
        .filter_map(|id| number(id.strip_prefix(b"MSG".as_slice())?))
}
