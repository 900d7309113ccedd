//! What a person or a script does as a user, over the WebSocket as any client: `yanshu chat`, `send`, `tail`.

mod chat;
mod device;
mod seen;
mod send;
mod tail;
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
