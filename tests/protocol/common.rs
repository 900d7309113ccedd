//! What several of these modules do.

use serde_json::Value;

use crate::support::Client;

/// Sends a frame and takes its refusal, which must carry `code`, name the refused `action` and be
/// addressed to the client's user. Returns the error frame.
pub async fn refused(client: &mut Client, frame: Value, code: &str, action: &str) -> Value {
    client.send(frame.clone()).await;
    let error = client.expect_error(code).await;
    assert_eq!(error["error"]["action"], action, "for {frame}: {error}");
    assert_eq!(error["toId"], client.user(), "for {frame}: {error}");
    assert!(
        error["error"]["retryable"].is_boolean(),
        "for {frame}: {error}"
    );
    error
}

/// [`refused`] as `bad_frame`, with `field` in the error's text.
pub async fn refused_for_field(client: &mut Client, frame: Value, action: &str, field: &str) {
    let error = refused(client, frame.clone(), "bad_frame", action).await;
    let text = error["error"]["message"]
        .as_str()
        .expect("an error says what is wrong");
    assert!(
        text.contains(field),
        "the error for {frame} must name {field}: {error}"
    );
    assert_eq!(error["error"]["retryable"], false, "for {frame}: {error}");
}

/// `frame` with the field at this JSON pointer removed.
pub fn without(mut frame: Value, pointer: &str) -> Value {
    let (parent, field) = pointer
        .rsplit_once('/')
        .expect("a pointer begins with a slash");
    let object = frame.pointer_mut(parent).and_then(Value::as_object_mut);
    object
        .expect("the parent is an object")
        .remove(field)
        .expect("the field is there");
    frame
}

/// `frame` with `value` in the field at this JSON pointer.
pub fn with(mut frame: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (parent, field) = pointer
        .rsplit_once('/')
        .expect("a pointer begins with a slash");
    frame.pointer_mut(parent).expect("the parent is there")[field] = value.into();
    frame
}

/// Every frame the server sends `client` by itself up to now.
///
/// `writer`, a client of another user with nothing on its way to it, writes two messages to `client`
/// in turn: what follows the connect answer may hold the first among the unread, but the second comes
/// live, behind all that a connect brings. Neither is in the result; both stay unread.
pub async fn all_until_now(client: &mut Client, writer: &mut Client) -> Vec<String> {
    let mut frames = Vec::new();
    let user = client.user().to_owned();
    for _ in 0..2 {
        let id = writer.deliver(&user, "marker").await;
        let marker = crate::support::frames::message_text(writer.user(), &user, &id, "marker");
        loop {
            let text = client.next_text().await;
            if text == marker {
                break;
            }
            frames.push(text);
        }
    }
    frames
}

/// Gets `count` IDs.
pub async fn many_ids(client: &mut Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        ids.extend(client.ids().await);
    }
    ids.truncate(count);
    ids
}

/// Sends one message for each ID, in this order, with its ID for a text, and takes the
/// acknowledgements, which must be the next frames and in the same order. Not for messages to oneself.
pub async fn send_all(client: &mut Client, to: &str, ids: &[String]) {
    let user = client.user().to_owned();
    // In parts, so that neither side waits for the other with full buffers.
    for part in ids.chunks(100) {
        for id in part {
            client.message(id, to, id).await;
        }
        for id in part {
            client.expect_status(to, &user, id, 1).await;
        }
    }
}
