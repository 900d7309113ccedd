//! Whoever sends files up and fetches them: HTTP/1.1 with bodies of any bytes, one connection for each request.

use std::fmt::Write;
use std::io;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::support::Node;
use super::wire::{Connection, Reply};

/// A file that was taken in.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The answer as it came: what its message says.
    pub text: String,
    pub answer: Value,
}

impl Kept {
    pub fn id(&self) -> &str {
        self.answer["id"].as_str().expect("an ID")
    }

    pub fn url(&self) -> &str {
        self.answer["url"].as_str().expect("a path")
    }

    pub fn thumbnail(&self) -> String {
        format!("{}/thumbnail", self.url())
    }
}

/// A user at a node, or somebody who does not say who they are.
#[derive(Debug, Clone)]
pub struct Asker {
    port: u16,
    user: Option<String>,
    token: Option<String>,
}

impl Asker {
    /// Who says in the query who they are.
    pub fn at(node: &Node, user: &str) -> Asker {
        Asker {
            user: Some(user.to_owned()),
            ..Asker::nobody(node)
        }
    }

    /// Who says nothing.
    pub fn nobody(node: &Node) -> Asker {
        Asker {
            port: node.port(),
            user: None,
            token: None,
        }
    }

    /// Who shows this token, too.
    pub fn showing(self, token: impl Into<String>) -> Asker {
        Asker {
            token: Some(token.into()),
            ..self
        }
    }

    /// The path with its query.
    fn path(&self, path: &str, name: Option<&str>) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let user = self.user.iter();
        let mut query: Vec<_> = user
            .map(|user| format!("fromId={}", encoded(user)))
            .collect();
        query.extend(name.map(|name| format!("name={}", encoded(name))));
        match query.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", query.join("&")),
        }
    }

    /// The head of a request. A `Host` among the headers is the only one.
    fn head(&self, (method, path): (&str, &str), headers: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            let _ = write!(head, "Host: 127.0.0.1:{}\r\n", self.port);
        }
        if let Some(token) = &self.token {
            let _ = write!(head, "Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head + "\r\n"
    }

    /// The head of an upload; without a length it comes in chunks.
    pub fn upload_head(&self, name: &str, length: Option<u64>) -> String {
        let length = length.map(|length| length.to_string());
        let header = match &length {
            Some(length) => ("Content-Length", length.as_str()),
            None => ("Transfer-Encoding", "chunked"),
        };
        self.head(("POST", &self.path("/files", Some(name))), &[header])
    }

    /// A request as it is, which may fail.
    pub async fn try_ask(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Reply> {
        let length = body.map(|body| body.len().to_string());
        let mut headers = headers.to_vec();
        headers.extend(length.iter().map(|length| ("Content-Length", &**length)));
        let mut connection = Connection::open(self.port).await?;
        let head = self.head((method, path), &headers);
        // Who was refused may find the connection closed while still sending: what counts is the answer.
        let _ = connection.try_send(head.as_bytes()).await;
        let _ = connection.try_send(body.unwrap_or_default()).await;
        connection.answer_to(method).await
    }

    /// A request as it is.
    pub async fn ask(
        &self,
        request: (&str, &str),
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Reply {
        let reply = self.try_ask(request, headers, body).await;
        reply.unwrap_or_else(|error| panic!("{request:?} got no whole answer: {error}"))
    }

    /// Sends a file up without saying what it is.
    pub async fn upload(&self, name: &str, bytes: &[u8]) -> Reply {
        self.upload_with(name, &[], bytes).await
    }

    /// Sends a file up with these headers.
    pub async fn upload_with(&self, name: &str, headers: &[(&str, &str)], bytes: &[u8]) -> Reply {
        let path = self.path("/files", Some(name));
        self.ask(("POST", &path), headers, Some(bytes)).await
    }

    /// Sends a file up, which must be taken.
    pub async fn keep(&self, name: &str, bytes: &[u8]) -> Kept {
        kept(self.upload(name, bytes).await)
    }

    /// Fetches what is there.
    pub async fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[]).await
    }

    /// [`Asker::get`], with these headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let path = self.path(path, None);
        self.ask(("GET", &path), headers, None).await
    }

    /// What a `GET` would be answered with, but for the body.
    pub async fn look_at(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let path = self.path(path, None);
        self.ask(("HEAD", &path), headers, None).await
    }

    /// Fails unless this file is there for them, byte for byte.
    #[track_caller]
    pub fn reads(&self, path: &str, bytes: &[u8]) -> impl Future<Output = ()> {
        let (asker, path, bytes) = (self.clone(), path.to_owned(), bytes.to_vec());
        let caller = std::panic::Location::caller();
        async move {
            let reply = asker.get(&path).await;
            assert_eq!(reply.status, 200, "{asker:?} at {caller}: {}", reply.head);
            assert!(reply.body == bytes, "other bytes for {path} at {caller}");
        }
    }

    /// Fails unless this file is not there for them.
    #[track_caller]
    pub fn cannot_read(&self, path: &str) -> impl Future<Output = ()> {
        let (asker, path) = (self.clone(), path.to_owned());
        let caller = std::panic::Location::caller();
        async move {
            let reply = asker.get(&path).await;
            assert_eq!(reply.status, 404, "{asker:?} at {caller}: {}", reply.head);
            assert_eq!(reply.json()["code"], "unknown_file", "at {caller}");
        }
    }

    /// Opens a connection and sends the head of an upload: the rest is for the caller.
    pub async fn begin(&self, name: &str, length: Option<u64>) -> Connection {
        let connection = Connection::open(self.port).await;
        let mut connection = connection.expect("the server takes TCP connections");
        let head = self.upload_head(name, length);
        connection.send(head.as_bytes()).await;
        connection
    }

    /// A connection without a word.
    pub async fn connect(&self) -> Connection {
        let connection = Connection::open(self.port).await;
        connection.expect("the server takes TCP connections")
    }
}

/// What was taken in.
#[track_caller]
pub fn kept(reply: Reply) -> Kept {
    let reply = reply.assert_status(201);
    Kept {
        answer: reply.json(),
        text: String::from_utf8(reply.body).expect("the answer is UTF-8"),
    }
}

/// A chunk of a body without a length (RFC 9112 §7.1). An empty one ends it.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}
