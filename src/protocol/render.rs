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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageFrame<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    from_id: &'a str,
    to_id: &'a str,
    chat_msg: ChatMsg<'a>,
}

#[derive(Serialize)]
struct ChatMsg<'a> {
    id: String,
    r#type: i16,
    message: &'a str,
    status: i16,
    time: &'a str,
}

impl<'a> MessageView<'a> {
    fn frame(&self, action: Option<&'static str>, status: i16) -> MessageFrame<'a> {
        MessageFrame {
            action,
            from_id: self.from,
            to_id: self.to,
            chat_msg: ChatMsg {
                id: self.id.to_string(),
                r#type: self.kind,
                message: self.text,
                status,
                time: self.time,
            },
        }
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
    let numbers = first.number()..first.number() + IDS_PER_GRANT;
    let list: Vec<String> = numbers.map(|n| MessageId::new(n).to_string()).collect();
    let list = list.join(",");
    format!(r#"{{"action":"2","toId":"{user}","chatMsg":{{"message":"{list}"}}}}"#).into()
}

/// Action 3: the message as its sender sent it.
pub fn message(view: &MessageView<'_>) -> ByteString {
    json(&view.frame(Some("3"), 0)).into()
}

/// Action 4: the message from `sender` to `recipient` now has this status.
///
/// Both statuses are told in the recipient's name (the seed, section 4).
pub fn status(recipient: &str, sender: &str, id: MessageId, status: i16) -> ByteString {
    format!(
        r#"{{"action":"4","fromId":"{recipient}","toId":"{sender}","chatMsg":{{"id":"{id}","status":{status}}}}}"#
    )
    .into()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactsFrame<'a> {
    action: &'static str,
    to_id: &'a str,
    contacts: Vec<Contact<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Contact<'a> {
    to_id: &'a str,
    to_name: &'a str,
}

/// Action 11: the full contact list, pairs of ID and name.
pub fn contacts<'a>(user: &UserId, list: impl Iterator<Item = (&'a str, &'a str)>) -> ByteString {
    let contacts = list.map(|(to_id, to_name)| Contact { to_id, to_name });
    json(&ContactsFrame {
        action: "11",
        to_id: user.as_str(),
        contacts: contacts.collect(),
    })
    .into()
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
        let item = json(&view.frame(None, view.status));
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
