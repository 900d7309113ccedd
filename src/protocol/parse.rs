//! From the text of a frame to a [`Frame`], or to the [`Refusal`] that says what is wrong with it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;

use super::field::{Field, Nested};
use super::frame::{Action, Frame, HistoryQuery, MessageBody, MessageKind, Request, Token};
use super::{ErrorCode, MAX_MESSAGE_BYTES, MessageId, Refusal, Timestamp, UserId};

/// `pageSize` where a client gives none.
pub const PAGE_SIZE_DEFAULT: i64 = 10;
/// Largest page; a larger `pageSize` is clamped.
pub const PAGE_SIZE_MAX: i64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct RawFrame<'a> {
    #[serde(borrow)]
    action: Field<'a>,
    #[serde(borrow)]
    from_id: Field<'a>,
    #[serde(borrow)]
    to_id: Field<'a>,
    #[serde(borrow)]
    chat_msg: Nested<RawMessage<'a>>,
    #[serde(borrow)]
    base_msg_id: Field<'a>,
    #[serde(borrow)]
    page_size: Field<'a>,
    #[serde(borrow)]
    token: Field<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct RawMessage<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow, rename = "type")]
    kind: Field<'a>,
    #[serde(borrow)]
    message: Field<'a>,
    #[serde(borrow)]
    status: Field<'a>,
    #[serde(borrow)]
    time: Field<'a>,
}

/// Reads a frame of a socket that speaks for `user`, or for nobody yet.
///
/// Checked in this order, so that a client is told the first thing it must mend: JSON, `action`,
/// connected, `fromId`, that `fromId` is `user`, then the fields of the action.
///
/// # Errors
/// A [`Refusal`] that carries the action and, where the frame has a readable one, the message ID.
pub fn parse(text: &str, user: Option<&UserId>) -> Result<Frame, Refusal> {
    let value = serde_json::from_str(text).map_err(|error| not_a_frame(&error))?;
    let Nested::Object::<RawFrame<'_>>(raw) = value else {
        return Err(bad("a frame is a JSON object"));
    };
    let number = action_number(&raw.action)?;
    read(&raw, number, user).map_err(|refusal| {
        let refusal = refusal.on(number);
        match meant(&raw, number) {
            Some(id) => refusal.about(id),
            None => refusal,
        }
    })
}

fn read(raw: &RawFrame<'_>, number: i64, user: Option<&UserId>) -> Result<Frame, Refusal> {
    let action = Action::from_client(number)
        .ok_or_else(|| bad("action is none of 1, 2, 3, 4, 5, 11, 12"))?;
    if user.is_none() && action != Action::Connect {
        let text = "the first frame must be action 1";
        return Err(Refusal::new(ErrorCode::NotConnected, text));
    }
    let from = match user {
        Some(user) if names(&raw.from_id, user) => user.clone(),
        _ => user_id(&raw.from_id, "fromId")?,
    };
    if user.is_some_and(|user| *user != from) {
        let text = "fromId is not the user of this connection";
        return Err(Refusal::new(ErrorCode::Forbidden, text));
    }
    let request = match action {
        Action::Error => return Err(bad("action 0 is the server's")),
        Action::Connect => Request::Connect { token: token(raw)? },
        Action::GetIds => Request::GetIds,
        Action::Heartbeat => Request::Heartbeat,
        Action::Contacts => Request::Contacts,
        Action::Message => Request::Send(message(raw)?),
        Action::Status => read_receipt(raw)?,
        Action::History => Request::History(history(raw)?),
    };
    Ok(Frame { from, request })
}

fn not_a_frame(error: &serde_json::Error) -> Refusal {
    let code = match error.classify() {
        Category::Data => ErrorCode::BadFrame,
        Category::Syntax | Category::Eof | Category::Io => ErrorCode::BadJson,
    };
    // serde_json quotes a wrong string in full; a client gets back no more than a line of it.
    let text = error.to_string();
    Refusal::new(code, text.chars().take(200).collect::<String>())
}

fn bad(text: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::BadFrame, text)
}

fn missing(name: &str) -> Refusal {
    bad(format!("{name} is missing"))
}

fn action_number(field: &Field<'_>) -> Result<i64, Refusal> {
    let number = match field {
        Field::Absent => return Err(missing("action")),
        Field::Integer(number) => Some(*number),
        Field::Text(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        Field::Text(_) | Field::Other => None,
    };
    number.ok_or_else(|| bad("action is no number"))
}

/// The message a frame is about, as far as it can be read.
fn meant(raw: &RawFrame<'_>, action: i64) -> Option<MessageId> {
    let field = if action == i64::from(Action::History) {
        &raw.base_msg_id
    } else {
        match &raw.chat_msg {
            Nested::Object(message) => &message.id,
            Nested::Absent | Nested::Other => return None,
        }
    };
    match field {
        Field::Text(text) => MessageId::parse(text).ok(),
        _ => None,
    }
}

fn text<'a>(field: &'a Field<'_>, name: &str) -> Result<&'a Cow<'a, str>, Refusal> {
    match field {
        Field::Absent => Err(missing(name)),
        Field::Text(text) => Ok(text),
        _ => Err(bad(format!("{name} is no string"))),
    }
}

fn integer(field: &Field<'_>, name: &str) -> Result<i64, Refusal> {
    match field {
        Field::Absent => Err(missing(name)),
        Field::Integer(number) => Ok(*number),
        _ => Err(bad(format!("{name} is no whole number of 64 bits"))),
    }
}

fn user_id(field: &Field<'_>, name: &str) -> Result<UserId, Refusal> {
    UserId::parse(text(field, name)?).map_err(|error| bad(format!("{name}: {error}")))
}

/// Whether that is this user's ID, as it is in nearly every frame.
fn names(field: &Field<'_>, user: &UserId) -> bool {
    matches!(field, Field::Text(text) if text == user.as_str())
}

fn message_id(field: &Field<'_>, name: &str) -> Result<MessageId, Refusal> {
    MessageId::parse(text(field, name)?).map_err(|error| bad(format!("{name}: {error}")))
}

fn chat_msg<'a, 'b>(raw: &'a RawFrame<'b>) -> Result<&'a RawMessage<'b>, Refusal> {
    match &raw.chat_msg {
        Nested::Object(message) => Ok(message),
        Nested::Absent => Err(missing("chatMsg")),
        Nested::Other => Err(bad("chatMsg is no object")),
    }
}

fn token(raw: &RawFrame<'_>) -> Result<Option<Token>, Refusal> {
    match &raw.token {
        Field::Absent => Ok(None),
        field => Ok(Some(Token(text(field, "token")?.to_string()))),
    }
}

/// Whether a text can be what a message says; `field` is where it stands.
///
/// # Errors
/// `bad_frame` or `too_large`, where it cannot.
pub fn check_body(body: &str, field: &str) -> Result<(), Refusal> {
    if body.is_empty() {
        return Err(bad(format!("{field} is empty")));
    }
    if body.contains('\0') {
        return Err(bad(format!("{field} holds a NUL")));
    }
    if body.len() > MAX_MESSAGE_BYTES {
        let text = format!("{field} is over {MAX_MESSAGE_BYTES} bytes");
        return Err(Refusal::new(ErrorCode::TooLarge, text));
    }
    Ok(())
}

fn message(raw: &RawFrame<'_>) -> Result<MessageBody, Refusal> {
    let to = user_id(&raw.to_id, "toId")?;
    let chat = chat_msg(raw)?;
    let id = message_id(&chat.id, "chatMsg.id")?;
    let kind = MessageKind::from_number(integer(&chat.kind, "chatMsg.type")?)
        .ok_or_else(|| bad("chatMsg.type is neither 0 (text) nor 1 (file)"))?;
    let body = text(&chat.message, "chatMsg.message")?;
    check_body(body, "chatMsg.message")?;
    let time = match &chat.time {
        Field::Absent => Timestamp::now(),
        other => Timestamp::parse(text(other, "chatMsg.time")?)
            .ok_or_else(|| bad("chatMsg.time is no real date as yyyy-MM-dd HH:mm:ss"))?,
    };
    Ok(MessageBody {
        id,
        to,
        kind,
        text: body.clone().into_owned(),
        time,
    })
}

fn read_receipt(raw: &RawFrame<'_>) -> Result<Request, Refusal> {
    let sender = user_id(&raw.to_id, "toId")?;
    let chat = chat_msg(raw)?;
    let message = message_id(&chat.id, "chatMsg.id")?;
    if integer(&chat.status, "chatMsg.status")? != 2 {
        return Err(bad(
            "chatMsg.status: a client reports 2 (read) and nothing else",
        ));
    }
    Ok(Request::Read { sender, message })
}

fn history(raw: &RawFrame<'_>) -> Result<HistoryQuery, Refusal> {
    // The seed says "with a value" and "without a value": an empty string is none.
    let given = |field: &Field<'_>| match field {
        Field::Absent => false,
        Field::Text(text) => !text.is_empty(),
        _ => true,
    };
    let with = given(&raw.to_id)
        .then(|| user_id(&raw.to_id, "toId"))
        .transpose()?;
    let before = given(&raw.base_msg_id)
        .then(|| message_id(&raw.base_msg_id, "baseMsgId"))
        .transpose()?;
    let page_size = match &raw.page_size {
        Field::Absent => PAGE_SIZE_DEFAULT,
        other => integer(other, "pageSize")?.clamp(1, PAGE_SIZE_MAX),
    };
    Ok(HistoryQuery {
        with,
        before,
        page_size,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Refusal {
        let user = UserId::parse("HK0001").unwrap();
        parse(text, Some(&user)).expect_err(text)
    }

    #[test]
    fn the_frames_of_the_seed_are_taken() {
        let user = UserId::parse("HK0001").unwrap();
        let send = r#"{"action":"3","fromId":"HK0001","toId":"HK0002","chatMsg":
            {"id":"MSG000001","type":0,"message":"自定义文本消息","status":0,"time":"2021-12-14 12:00:00"}}"#;
        let Request::Send(body) = parse(send, Some(&user)).unwrap().request else {
            panic!("not a message");
        };
        assert_eq!(body.text, "自定义文本消息");
        assert_eq!(body.time.as_str(), "2021-12-14 12:00:00");
        let integer = r#"{"action":5,"fromId":"HK0001"}"#;
        assert_eq!(
            parse(integer, Some(&user)).unwrap().request,
            Request::Heartbeat
        );
    }

    #[test]
    fn a_refusal_names_the_field_the_action_and_the_message() {
        let cases = [
            (r#"{"fromId":"HK0001"}"#, "action is missing"),
            (r#"{"action":"5"}"#, "fromId is missing"),
            (r#"{"action":"3","fromId":"HK0001"}"#, "toId is missing"),
            (
                r#"{"action":"3","fromId":"HK0001","toId":"B"}"#,
                "chatMsg is missing",
            ),
            (
                r#"{"action":"12","fromId":"HK0001","pageSize":"x"}"#,
                "pageSize is no whole number of 64 bits",
            ),
        ];
        for (text, says) in cases {
            let refusal = refused(text);
            assert_eq!(
                (refusal.code, refusal.text.as_str()),
                (ErrorCode::BadFrame, says),
                "{text}"
            );
        }
        let refusal =
            refused(r#"{"action":"3","fromId":"HK0001","toId":"B","chatMsg":{"id":"MSG000007"}}"#);
        assert_eq!(refusal.action, Some(3));
        assert_eq!(refusal.message, Some(MessageId::new(7)));
    }

    #[test]
    fn text_that_is_no_json_and_json_that_is_no_frame_are_told_apart() {
        for text in [
            "",
            "{",
            "nonsense",
            r#"{"action":"5"} x"#,
            r#"{"action":"\ud800"}"#,
            r#"{"action":1e999}"#,
        ] {
            assert_eq!(refused(text).code, ErrorCode::BadJson, "{text}");
        }
        for text in [
            "[]",
            "5",
            r#"["1","HK0001"]"#,
            r#"{"action":"5","action":"5","fromId":"HK0001"}"#,
            r#"{"action":"4","fromId":"HK0001","toId":"B","chatMsg":[]}"#,
            r#"{"action":123456789012345678901234567890,"fromId":"HK0001"}"#,
        ] {
            assert_eq!(refused(text).code, ErrorCode::BadFrame, "{text}");
        }
    }

    #[test]
    fn nothing_is_taken_before_connect_and_nothing_for_another_user() {
        let text = r#"{"action":"2","fromId":"HK0002"}"#;
        assert_eq!(refused(text).code, ErrorCode::Forbidden);
        assert_eq!(parse(text, None).unwrap_err().code, ErrorCode::NotConnected);
    }

    #[test]
    fn deep_nesting_in_an_unknown_field_costs_no_stack() {
        let deep = format!(
            r#"{{"action":"5","fromId":"HK0001","x":{}{}}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        let user = UserId::parse("HK0001").unwrap();
        assert!(parse(&deep, Some(&user)).is_ok());
        let known = format!(r#"{{"action":{}"#, "[".repeat(10_000));
        assert_eq!(refused(&known).code, ErrorCode::BadJson);
    }
}
