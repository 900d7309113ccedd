//! Whoever runs the server, as the tests see them.

use serde_json::Value;

use super::support::http::{self, Response};
use super::support::{Node, Server};

/// The token that the servers of these tests take.
pub const TOKEN: &str = "an-admin-token-for-tests";

/// A server with the API.
pub fn server() -> Server {
    server_with(&[])
}

/// [`server`], with more flags.
pub fn server_with(flags: &[&str]) -> Server {
    let token = format!("--admin-token={TOKEN}");
    let mut all = vec![token.as_str()];
    all.extend(flags);
    Server::with(&all)
}

/// What the API answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    /// Null where there was no body.
    pub body: Value,
}

impl Answer {
    fn of(response: Response) -> Self {
        let Response { status, head, body } = response;
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&body).unwrap_or_else(|e| panic!("no JSON ({e}): {body}"))
        };
        let answer = Self { status, head, body };
        if status >= 400 {
            answer.assert_problem();
        }
        answer
    }

    /// Whatever goes wrong is a problem of RFC 9457.
    fn assert_problem(&self) {
        let head = self.head.to_ascii_lowercase();
        assert!(
            head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        assert_eq!(self.body["status"], self.status, "{self:?}");
        for text in ["type", "title", "code", "detail"] {
            assert!(self.body[text].is_string(), "{text} in {self:?}");
        }
    }

    /// Its items, of a list.
    pub fn items(&self) -> &Vec<Value> {
        self.body["items"]
            .as_array()
            .unwrap_or_else(|| panic!("no list: {self:?}"))
    }

    /// One field of each item.
    pub fn each(&self, field: &str) -> Vec<&str> {
        self.items()
            .iter()
            .map(|item| item[field].as_str().unwrap())
            .collect()
    }

    #[track_caller]
    pub fn assert_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Fails unless it is a problem with this status and code.
    #[track_caller]
    pub fn assert_is(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, &self.body["code"]),
            (status, &code.into()),
            "{self:?}"
        );
        self
    }
}

/// Whoever runs the server, at one of its nodes.
#[derive(Clone, Copy)]
pub struct Admin(u16);

impl Admin {
    pub fn at(node: &Node) -> Self {
        Self(node.port())
    }

    pub fn of(server: &Server) -> Self {
        Self::at(server.node(0))
    }

    /// The port of that node.
    pub fn port(self) -> u16 {
        self.0
    }

    pub async fn get(self, path: &str) -> Answer {
        self.ask("GET", path, &Value::Null).await
    }

    pub async fn put(self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, body).await
    }

    pub async fn delete(self, path: &str) -> Answer {
        self.ask("DELETE", path, &Value::Null).await
    }

    pub async fn post(self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, body).await
    }

    /// Creates users without names.
    pub async fn create(self, users: &[&str]) {
        for user in users {
            let put = self
                .put(&format!("/users/{user}"), &serde_json::json!({}))
                .await;
            put.assert_status(201);
        }
    }

    /// Sends a text for a user under a key.
    pub async fn send(self, key: &str, (from, to): (&str, &str), text: &str) -> Answer {
        let body = serde_json::json!({"to": to, "message": text, "time": "2021-12-14 12:00:00"});
        let path = format!("/users/{from}/messages");
        self.ask_with("POST", &path, &[("Idempotency-Key", key)], &body)
            .await
    }

    async fn ask(self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_with(method, path, &[], body).await
    }

    pub async fn ask_with(
        self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(more);
        raw(self.0, (method, path), &headers, body).await
    }
}

/// A request with headers of one's own. A body that is null is none.
pub async fn raw(
    port: u16,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let mut headers = headers.to_vec();
    let mut text = String::new();
    if !body.is_null() {
        headers.push(("Content-Type", "application/json"));
        text = body.to_string();
    }
    let path = format!("/api/v1{path}");
    Answer::of(http::send_at(port, (method, &path), &headers, &text).await)
}
