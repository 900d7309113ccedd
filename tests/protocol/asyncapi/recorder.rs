//! Clients whose every frame, in both directions, is held against the document.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

use super::document::{Messages, Side};
use crate::support::client::split_ids;
use crate::support::{Client, Place, frames};

/// The document, and what was seen of it.
pub struct Recorder {
    pub messages: Messages,
    seen: Mutex<BTreeSet<String>>,
}

impl Recorder {
    pub fn new() -> Recorder {
        Recorder {
            messages: Messages::read(),
            seen: Mutex::default(),
        }
    }

    /// Takes a frame of this side for exactly one message, whose name it returns.
    pub fn record(&self, side: Side, frame: &Value) -> String {
        let message = self.messages.which(side, frame);
        let message = message.unwrap_or_else(|why| panic!("{why}"));
        let mut seen = self.seen.lock().expect("no other test failed");
        seen.insert(message.name.clone());
        seen.extend(self.messages.traits_of(message, frame));
        message.name.clone()
    }

    /// Fails unless every message of the document was seen, and of the server's each trait.
    pub fn everything_was_seen(&self) {
        let seen = self.seen.lock().expect("no other test failed");
        let mut expected = BTreeSet::new();
        for side in [Side::Client, Side::Server] {
            expected.extend(self.messages.of(side).map(|message| message.name.clone()));
        }
        for message in self.messages.of(Side::Server) {
            expected.extend(self.messages.traits(message));
        }
        let unseen: Vec<&String> = expected.difference(&seen).collect();
        assert!(
            unseen.is_empty(),
            "the document has what nobody saw: {unseen:#?}"
        );
    }

    /// Opens a WebSocket as this user, and sends nothing.
    pub async fn open(&self, place: &impl Place, user: &str) -> Recorded<'_> {
        let mut client = Client::open(place.node_for(Some(user))).await;
        client.speak_as(user);
        Recorded {
            client,
            recorder: self,
        }
    }

    /// Opens a WebSocket and connects as this user.
    pub async fn connect(&self, place: &impl Place, user: &str) -> Recorded<'_> {
        let mut client = self.open(place, user).await;
        client.ask(frames::connect(user), "connected").await;
        client
    }
}

/// A client that records.
pub struct Recorded<'a> {
    pub client: Client,
    recorder: &'a Recorder,
}

impl Recorded<'_> {
    /// Sends a frame that the document has.
    pub async fn send(&mut self, frame: Value) {
        self.recorder.record(Side::Client, &frame);
        self.client.send(frame).await;
    }

    /// The next frame, which must be this message.
    pub async fn take(&mut self, name: &str) -> Value {
        self.take_any(&[name]).await
    }

    /// The next frame, which must be one of these messages.
    pub async fn take_any(&mut self, names: &[&str]) -> Value {
        let frame = self.client.next().await;
        let is = self.recorder.record(Side::Server, &frame);
        let user = self.client.user();
        assert!(
            names.contains(&is.as_str()),
            "{user}: {frame}, not {names:?}"
        );
        frame
    }

    /// Sends a frame that the document has, and takes this message.
    pub async fn ask(&mut self, frame: Value, answer: &str) -> Value {
        self.send(frame).await;
        self.take(answer).await
    }

    /// The next frame, which must be an error with this code.
    pub async fn take_error(&mut self, code: &str) {
        let error = self.take("error").await;
        assert_eq!(error["error"]["code"], code, "{error}");
    }

    /// Sends a frame that the document has, and takes this error.
    pub async fn refused(&mut self, frame: Value, code: &str) {
        self.send(frame).await;
        self.take_error(code).await;
    }

    /// Ten IDs.
    pub async fn ids(&mut self) -> Vec<String> {
        let request = frames::get_ids(self.client.user());
        split_ids(&self.ask(request, "ids").await)
    }

    /// Sends a message that is stored.
    pub async fn deliver(&mut self, to: &str, id: &str, text: &str) {
        let message = frames::message(self.client.user(), to, id, text);
        self.ask(message, "status").await;
    }
}
