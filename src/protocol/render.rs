//! What the server says, as text. Field order and shapes are the seed's.

use bytestring::ByteString;
use serde::Serialize;

use super::{Action, IDS_PER_GRANT, MAX_PAGE_BYTES, MessageId, Refusal, UserId};

/// A message as the wire shows it, in an action 3 frame or on a page of history.
#[derive(Debug, Clone, Copy)]
pub struct MessageView<'a> {
    /// `fromId`.
    pub from: &'a str,
    /// `toId`.
    pub to: &'a str,
    /// `chatMsg.id`.
    pub id: MessageId,
    /// `chatMsg.type`.
    pub kind: i16,
    /// `chatMsg.message`.
    pub text: &'a str,
    /// `chatMsg.status`: 0 in an action 3 frame, the real one in history.
    pub status: i16,
    /// `chatMsg.time`.
    pub time: &'a str,
}

impl MessageView<'_> {
    /// How long a message is beside its texts, at most.
    const BESIDE: usize = 128;

    /// Writes the message with this status, behind what stands before it.
    fn put(&self, before: &str, frame: &mut String, status: i16) {
        let texts = self.from.len() + self.to.len() + self.text.len() + self.time.len();
        frame.reserve(before.len() + texts + Self::BESIDE);
        frame.push_str(before);
        put_text(frame, r#""fromId":"#, self.from);
        put_text(frame, r#","toId":"#, self.to);
        frame.push_str(r#","chatMsg":{"id":""#);
        put_id(frame, self.id);
        frame.push_str(r#"","type":"#);
        put_digit(frame, self.kind);
        put_text(frame, r#","message":"#, self.text);
        frame.push_str(r#","status":"#);
        put_digit(frame, status);
        put_text(frame, r#","time":"#, self.time);
        frame.push_str("}}");
    }
}

/// Writes a text as JSON, behind what stands before it. Most texts need nothing but their quotation marks.
fn put_text(frame: &mut String, before: &str, text: &str) {
    frame.push_str(before);
    let is_special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // Looked through to the end, which is faster than byte by byte.
    if text.bytes().fold(false, |any, byte| any | is_special(byte)) {
        frame.push_str(&json(&text));
    } else {
        frame.push('"');
        frame.push_str(text);
        frame.push('"');
    }
}

fn put_id(frame: &mut String, id: MessageId) {
    frame.push_str(id.text(&mut [0; MessageId::MAX_LEN]));
}

/// Writes a number, of one digit as a rule.
fn put_digit(frame: &mut String, number: i16) {
    match u8::try_from(number) {
        Ok(digit @ 0..=9) => frame.push(char::from(b'0' + digit)),
        _ => frame.push_str(&number.to_string()),
    }
}

/// Serializing these types cannot fail: their keys are strings and they hold no maps.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Action 1: `user` is connected.
pub fn connected(user: &UserId) -> ByteString {
    format!(r#"{{"action":"1","toId":"{user}"}}"#).into()
}

/// Action 2: the [`IDS_PER_GRANT`] IDs from `first` on belong to `user`.
pub fn ids(user: &UserId, first: MessageId) -> ByteString {
    let mut frame = String::with_capacity(320);
    frame.push_str(r#"{"action":"2","toId":""#);
    frame.push_str(user.as_str());
    frame.push_str(r#"","chatMsg":{"message":"#);
    let mut before = '"';
    for number in first.number()..first.number() + IDS_PER_GRANT {
        frame.push(before);
        put_id(&mut frame, MessageId::new(number));
        before = ',';
    }
    frame.push_str(r#""}}"#);
    frame.into()
}

/// Action 3: the message as its sender sent it.
pub fn message(view: &MessageView<'_>) -> ByteString {
    let mut frame = String::new();
    view.put(r#"{"action":"3","#, &mut frame, 0);
    frame.into()
}

/// Action 4: the message from `sender` to `recipient` now has this status.
///
/// Both statuses are told in the recipient's name (the seed, section 4).
pub fn status(recipient: &str, sender: &str, id: MessageId, status: i16) -> ByteString {
    let mut frame = String::with_capacity(recipient.len() + sender.len() + 96);
    frame.push_str(r#"{"action":"4","fromId":""#);
    frame.push_str(recipient);
    frame.push_str(r#"","toId":""#);
    frame.push_str(sender);
    frame.push_str(r#"","chatMsg":{"id":""#);
    put_id(&mut frame, id);
    frame.push_str(r#"","status":"#);
    put_digit(&mut frame, status);
    frame.push_str("}}");
    frame.into()
}

/// Action 11: the full contact list, pairs of ID and name.
pub fn contacts<'a>(user: &UserId, list: impl Iterator<Item = (&'a str, &'a str)>) -> ByteString {
    let mut frame = String::with_capacity(128);
    put_text(&mut frame, r#"{"action":"11","toId":"#, user.as_str());
    frame.push_str(r#","contacts":["#);
    for (place, (to_id, to_name)) in list.enumerate() {
        let before = if place == 0 {
            r#"{"toId":"#
        } else {
            r#",{"toId":"#
        };
        put_text(&mut frame, before, to_id);
        put_text(&mut frame, r#","toName":"#, to_name);
        frame.push('}');
    }
    frame.push_str("]}");
    frame.into()
}

/// Action 12: a page of history.
///
/// `newest_first` yields messages backwards from the page's end; the page stops before the one
/// that would take it past [`MAX_PAGE_BYTES`], but holds at least one where there is one.
pub fn history<'a>(
    user: &UserId,
    with: Option<&UserId>,
    newest_first: impl Iterator<Item = MessageView<'a>>,
) -> ByteString {
    let mut items = Vec::new();
    let mut size = 0;
    for view in newest_first {
        let mut item = String::new();
        view.put("{", &mut item, view.status);
        size += item.len() + 1;
        if size > MAX_PAGE_BYTES && !items.is_empty() {
            break;
        }
        items.push(item);
    }
    items.reverse();
    let to = with.map_or(String::new(), |with| format!(r#","toId":"{with}""#));
    let items = items.join(",");
    format!(r#"{{"action":"12","fromId":"{user}"{to},"historyMsgs":[{items}]}}"#).into()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorFrame<'a> {
    action: &'static str,
    to_id: &'a str,
    error: ErrorBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_msg: Option<Meant>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'static str,
    message: &'a str,
    retryable: bool,
    action: String,
}

#[derive(Serialize)]
struct Meant {
    id: String,
}

/// Action 0: a frame was refused. `toId` is empty while nobody is connected, and so is
/// `error.action` where the frame did not say.
pub fn error(user: Option<&UserId>, refusal: &Refusal) -> ByteString {
    let action = refusal.action.map_or(String::new(), |a| a.to_string());
    json(&ErrorFrame {
        action: "0",
        to_id: user.map_or("", UserId::as_str),
        error: ErrorBody {
            code: refusal.code.name(),
            message: &refusal.text,
            retryable: refusal.code.retryable(),
            action,
        },
        chat_msg: refusal.message.map(|id| Meant { id: id.to_string() }),
    })
    .into()
}

// The number of the error action stands as text in `error`; keep the two equal.
const _: () = assert!(Action::Error as i64 == 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_written_as_serde_json_writes_it() {
        let special = (0..=0x9f).filter_map(char::from_u32).collect::<String>();
        for text in ["wild geese", "自定义", "\u{2028}雁\u{10ffff}", "", &special] {
            let view = MessageView {
                from: "HK0001",
                to: "HK0002",
                id: MessageId::new(1_234_567),
                kind: 1,
                text,
                status: 2,
                time: "2021-12-14 12:00:00",
            };
            let meant = format!(
                r#"{{"action":"3","fromId":"HK0001","toId":"HK0002","chatMsg":{{"id":"MSG1234567","type":1,"message":{},"status":0,"time":"2021-12-14 12:00:00"}}}}"#,
                json(&text)
            );
            assert_eq!(message(&view), meant);
            let user = UserId::parse("HK0001").unwrap();
            let list = [("HK0002", text), ("HK0003", text)].into_iter();
            let pair = |id| format!(r#"{{"toId":"{id}","toName":{}}}"#, json(&text));
            let meant = format!(
                r#"{{"action":"11","toId":"HK0001","contacts":[{},{}]}}"#,
                pair("HK0002"),
                pair("HK0003")
            );
            assert_eq!(contacts(&user, list), meant);
        }
    }
}
