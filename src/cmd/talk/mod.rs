//! What a person or a script does as a user, over the WebSocket as any client: `yanshu chat`, `send`, `tail`.

mod chat;
mod device;
mod said;
mod seen;
mod send;
mod tail;
mod terminal;
mod wire;

pub use chat::run as chat;
pub use send::run as send;
pub use tail::run as tail;

use std::future::Future;

use serde_json::{Value, json};

/// Runs one of these commands to its end.
fn block_on(talk: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let ended = runtime.block_on(talk);
    // A thread may still wait for a line of standard input.
    runtime.shutdown_background();
    ended
}

/// A message as a line of JSON, from its frame or from a page of history.
fn flat(message: &Value) -> Value {
    let body = &message["chatMsg"];
    json!({
        "id": body["id"],
        "fromId": message["fromId"],
        "toId": message["toId"],
        "type": body["type"],
        "message": body["message"],
        "time": body["time"],
    })
}

/// A line of JSON. What commands a terminal in it, and JSON does not escape, is escaped.
fn line(value: &Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line
}

/// What others write must not command the terminal: control characters are shown as pictures of themselves.
fn harmless(text: &str) -> String {
    let shown = text.chars().map(|c| match c {
        '\t' | '\n' => c,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(' '),
        '\u{7f}' => '\u{2421}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_does_not_command_the_terminal() {
        assert_eq!(harmless("\u{1b}[2Jhi\u{9b}1m\u{7f}"), "␛[2Jhi\u{fffd}1m␡");
        assert_eq!(harmless("a\tb\n你好"), "a\tb\n你好");
        let text = "\u{1b}[2J\u{9b}1m\u{7f}你好";
        let written = line(&json!(text));
        assert_eq!(written, r#""\u001b[2J\u009b1m\u007f你好""#);
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
