//! Messages that carry files, and whoever runs the server.

use serde_json::{Value, json};

use super::asker::Kept;
use super::support::http::send_at;
use super::support::{Client, Node, Server, frames};

/// The token of whoever runs the server.
const TOKEN: &str = "an-admin-token-for-tests";

/// The flag for it.
pub fn with_admin() -> String {
    format!("--admin-token={TOKEN}")
}

/// Action 3: a message of type 1.
pub fn file_frame(from: &str, to: &str, id: &str, text: &str) -> Value {
    let mut frame = frames::message(from, to, id, text);
    frame["chatMsg"]["type"] = json!(1);
    frame
}

/// Sends a message of type 1 under a new ID, which must be stored. Returns the ID. Not for messages to oneself.
pub async fn send_text(from: &mut Client, to: &str, text: &str) -> String {
    let id = from.id().await;
    let user = from.user().to_owned();
    from.send(file_frame(&user, to, &id, text)).await;
    from.expect_status(to, &user, &id, 1).await;
    id
}

/// [`send_text`], for a message that carries a file.
pub async fn send_file(from: &mut Client, to: &str, file: &Kept) -> String {
    send_text(from, to, &file.text).await
}

/// Sends a message of type 1 under this ID, which must be refused for what it carries.
pub async fn is_forbidden(from: &mut Client, to: &str, id: &str, text: &str) {
    let user = from.user().to_owned();
    from.send(file_frame(&user, to, id, text)).await;
    let error = from.expect_error("forbidden").await;
    assert_eq!(error["error"]["action"], "3", "{error}");
    assert_eq!(error["error"]["retryable"], false, "{error}");
    assert_eq!(error["chatMsg"]["id"], id, "{error}");
}

/// Takes the next frame, which must be this message of type 1.
pub async fn expect_text(to: &mut Client, from: &str, id: &str, text: &str) {
    let frame = to.next().await;
    let user = to.user().to_owned();
    assert_eq!(frame, file_frame(from, &user, id, text));
}

/// Whoever runs the server, at one of its nodes.
#[derive(Clone, Copy)]
pub struct Admin(u16);

impl Admin {
    pub fn of(server: &Server) -> Admin {
        Admin::at(server.node(0))
    }

    pub fn at(node: &Node) -> Admin {
        Admin(node.port())
    }

    /// Asks for something. Returns the status and the answer.
    pub async fn ask(self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask_with((method, path), &[], body).await
    }

    async fn ask_with(
        self,
        (method, path): (&str, &str),
        more: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        let bearer = format!("Bearer {TOKEN}");
        let mut headers = vec![("Authorization", bearer.as_str())];
        let mut text = String::new();
        if !body.is_null() {
            headers.push(("Content-Type", "application/json"));
            text = body.to_string();
        }
        headers.extend(more);
        let path = format!("/api/v1{path}");
        let response = send_at(self.0, (method, &path), &headers, &text).await;
        let body = serde_json::from_str(&response.body).unwrap_or_default();
        (response.status, body)
    }

    /// Creates a user.
    pub async fn create(self, user: &str) {
        let path = format!("/users/{user}");
        let (status, body) = self.ask("PUT", &path, &json!({})).await;
        assert!(status < 300, "{body}");
    }

    /// Deletes a user.
    pub async fn delete(self, user: &str) {
        let path = format!("/users/{user}");
        let (status, body) = self.ask("DELETE", &path, &Value::Null).await;
        assert_eq!(status, 204, "{body}");
    }

    /// Sends a message of type 1 for a user under a key.
    pub async fn send(self, key: &str, (from, to): (&str, &str), text: &str) -> (u16, Value) {
        let body = json!({"to": to, "type": 1, "message": text, "time": frames::TIME});
        let path = format!("/users/{from}/messages");
        self.ask_with(("POST", &path), &[("Idempotency-Key", key)], &body)
            .await
    }
}
