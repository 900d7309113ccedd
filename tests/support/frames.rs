//! The client's frames, and the exact text of the server's answers to them.

use serde_json::{Value, json};

/// The time that the seed document writes into every message.
pub const TIME: &str = "2021-12-14 12:00:00";

/// Action 1: connect as `user`.
pub fn connect(user: &str) -> Value {
    json!({"action": "1", "fromId": user})
}

/// Action 2: ask for ten message IDs.
pub fn get_ids(user: &str) -> Value {
    json!({"action": "2", "fromId": user})
}

/// Action 3: a text message with the seed's [`TIME`].
pub fn message(from: &str, to: &str, id: &str, text: &str) -> Value {
    json!({
        "action": "3",
        "fromId": from,
        "toId": to,
        "chatMsg": {"id": id, "type": 0, "message": text, "status": 0, "time": TIME},
    })
}

/// Action 4: `reader` has read the message `id` of `sender`.
pub fn read(reader: &str, sender: &str, id: &str) -> Value {
    json!({
        "action": "4",
        "fromId": reader,
        "toId": sender,
        "chatMsg": {"id": id, "status": 2},
    })
}

/// Action 5: heartbeat.
pub fn heartbeat(user: &str) -> Value {
    json!({"action": "5", "fromId": user})
}

/// Action 11: ask for all contacts.
pub fn contacts(user: &str) -> Value {
    json!({"action": "11", "fromId": user})
}

/// Action 12: ask for a page of history; what is `None` is left out of the frame.
pub fn history(
    user: &str,
    partner: Option<&str>,
    base: Option<&str>,
    page_size: Option<i64>,
) -> Value {
    let mut frame = json!({"action": "12", "fromId": user});
    if let Some(partner) = partner {
        frame["toId"] = partner.into();
    }
    if let Some(base) = base {
        frame["baseMsgId"] = base.into();
    }
    if let Some(page_size) = page_size {
        frame["pageSize"] = page_size.into();
    }
    frame
}

/// The exact text in which the server answers a connect frame.
pub fn connected_text(user: &str) -> String {
    format!(r#"{{"action":"1","toId":"{user}"}}"#)
}

/// The exact text in which the server delivers what [`message`] sent.
///
/// `text` must need no escapes in JSON.
pub fn message_text(from: &str, to: &str, id: &str, text: &str) -> String {
    format!(
        r#"{{"action":"3","fromId":"{from}","toId":"{to}","chatMsg":{{"id":"{id}","type":0,"message":"{text}","status":0,"time":"{TIME}"}}}}"#
    )
}

/// The exact text of a status frame: status 1 says "stored", status 2 "read".
///
/// `from` is the message's recipient and `to` its sender, whichever way the frame travels.
pub fn status_text(from: &str, to: &str, id: &str, status: u8) -> String {
    format!(
        r#"{{"action":"4","fromId":"{from}","toId":"{to}","chatMsg":{{"id":"{id}","status":{status}}}}}"#
    )
}

/// The ten IDs of an action 2 answer.
pub fn split_ids(answer: &Value) -> Vec<String> {
    let ids: Vec<_> = text(&answer["chatMsg"]["message"])
        .split(',')
        .map(str::to_owned)
        .collect();
    assert_eq!(ids.len(), 10, "ten IDs were asked for: {answer}");
    ids
}

/// The `chatMsg.id` of each message of a history page.
pub fn message_ids(page: &[Value]) -> Vec<String> {
    page.iter()
        .map(|message| text(&message["chatMsg"]["id"]))
        .collect()
}

/// What must be a string.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("expected a string, got {value}"))
        .to_owned()
}
