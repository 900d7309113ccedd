//! Any bytes as the text of a frame: nothing panics, what is taken keeps its meaning when it is
//! rendered, and what is refused is told in a small error frame.

use serde_json::{Value, json};
use yanshu::protocol::render::{self, MessageView};
use yanshu::protocol::{Frame, MessageBody, Refusal, Request, UserId, parse};

/// An error frame says one line and no more, whatever was sent.
const ERROR_MAX: usize = 2048;

/// Reads `data` for nobody, for a user, and for whoever it says to be of.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let user = UserId::parse("HK0001").expect("it is one");
    for user in [None, Some(user), named(&text)] {
        match parse(&text, user.as_ref()) {
            Ok(frame) => keeps_its_meaning(&frame, user.as_ref()),
            Err(refusal) => is_told(user.as_ref(), &refusal),
        }
    }
}

/// The user of `fromId`, so that the rest of the frame is read too.
fn named(text: &str) -> Option<UserId> {
    let frame: Value = serde_json::from_str(text).ok()?;
    UserId::parse(frame["fromId"].as_str()?).ok()
}

fn keeps_its_meaning(frame: &Frame, user: Option<&UserId>) {
    assert!(user.is_none_or(|user| *user == frame.from));
    let again = |text: &str| parse(text, Some(&frame.from)).expect("it was taken once");
    match &frame.request {
        Request::Send(body) => {
            let delivered = delivered(&frame.from, body);
            assert_eq!(again(&delivered), *frame, "{delivered}");
            is_on_a_page(&frame.from, body);
        }
        Request::Read { sender, message } => {
            let told = render::status(frame.from.as_str(), sender.as_str(), *message, 2);
            assert_eq!(again(&told), *frame, "{told}");
        }
        Request::Connect { .. } => {
            assert!(user.is_some() || frame.request.action() as i64 == 1);
            assert_eq!(again(&spelled_out(frame)), *frame);
            let answer: Value = json_of(&render::connected(&frame.from));
            assert_eq!(answer["toId"], frame.from.as_str());
        }
        Request::GetIds | Request::Heartbeat | Request::Contacts | Request::History(_) => {
            assert!(user.is_some(), "taken before connect");
            assert_eq!(again(&spelled_out(frame)), *frame);
        }
    }
}

/// The frame that devices receive, which has the fields of the one that was sent.
fn delivered(from: &UserId, body: &MessageBody) -> String {
    render::message(&view(from, body)).to_string()
}

fn view<'a>(from: &'a UserId, body: &'a MessageBody) -> MessageView<'a> {
    MessageView {
        from: from.as_str(),
        to: body.to.as_str(),
        id: body.id,
        kind: body.kind.number(),
        text: &body.text,
        status: 1,
        time: body.time.as_str(),
    }
}

fn is_on_a_page(from: &UserId, body: &MessageBody) {
    let page = render::history(from, Some(&body.to), std::iter::once(view(from, body)));
    let page: Value = json_of(&page);
    let chat = &page["historyMsgs"][0]["chatMsg"];
    assert_eq!(chat["message"], body.text);
    assert_eq!(chat["id"], body.id.to_string());
    assert_eq!(chat["status"], 1);
}

/// A request without more fields than it needs.
fn spelled_out(frame: &Frame) -> String {
    let mut fields = json!({
        "action": i64::from(frame.request.action()).to_string(),
        "fromId": frame.from.as_str(),
    });
    match &frame.request {
        Request::Connect { token: Some(token) } => fields["token"] = json!(token.0),
        Request::History(query) => {
            fields["toId"] = json!(query.with.as_ref().map(UserId::as_str));
            fields["baseMsgId"] = json!(query.before.map(|id| id.to_string()));
            fields["pageSize"] = json!(query.page_size);
        }
        _ => {}
    }
    fields.to_string()
}

fn is_told(user: Option<&UserId>, refusal: &Refusal) {
    let text = render::error(user, refusal);
    assert!(text.len() <= ERROR_MAX, "{} bytes: {text}", text.len());
    let error: Value = json_of(&text);
    assert_eq!(error["toId"], user.map_or("", UserId::as_str));
    assert_eq!(error["error"]["code"], refusal.code.name());
    assert_eq!(error["error"]["message"], refusal.text);
    let id = error.pointer("/chatMsg/id").and_then(Value::as_str);
    assert_eq!(id, refusal.message.map(|id| id.to_string()).as_deref());
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("the server writes JSON")
}
