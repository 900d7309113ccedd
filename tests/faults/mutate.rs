//! Mutations of valid frames, and what the protocol says about the result.
//!
//! The verdict is formed here from the text alone, independently of the server's parser, so that a frame which the
//! server swallows in silence is told apart from one that it may be silent about.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// What the server owes for one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The text is not UTF-8: the connection closes with 1007.
    NotUtf8,
    /// One answer: the action's own, or an error.
    Answer,
    /// Nothing at all: a well-formed heartbeat.
    Silence,
    /// A heartbeat or receipt, but an odd one: it may be accepted in silence or refused.
    Either,
}

/// Judges one frame sent by `user` after it has connected.
pub fn judge(frame: &[u8], user: &str) -> Verdict {
    let Ok(text) = std::str::from_utf8(frame) else {
        return Verdict::NotUtf8;
    };
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else {
        return Verdict::Answer;
    };
    if fields.get("fromId").and_then(Value::as_str) != Some(user) {
        return Verdict::Answer;
    }
    let action = match fields.get("action") {
        Some(Value::String(action)) => action.clone(),
        Some(Value::Number(action)) => action.to_string(),
        _ => return Verdict::Answer,
    };
    let plain_heartbeat = heartbeat(user).to_string();
    match action.as_str() {
        "5" if text == plain_heartbeat => Verdict::Silence,
        "4" | "5" => Verdict::Either,
        _ => Verdict::Answer,
    }
}

/// A heartbeat in its plainest form.
pub fn heartbeat(user: &str) -> Value {
    json!({"action": "5", "fromId": user})
}

/// A source of valid frames and of their mutations, the same for the same seed.
pub struct Mutator {
    random: StdRng,
    user: String,
    peer: String,
    own_ids: Vec<String>,
    received_ids: Vec<String>,
}

impl Mutator {
    /// A mutator of frames that `user` could send: messages to `peer` under `own_ids`, receipts for `received_ids`.
    pub fn new(
        seed: u64,
        user: &str,
        peer: &str,
        own_ids: Vec<String>,
        received_ids: Vec<String>,
    ) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            user: user.into(),
            peer: peer.into(),
            own_ids,
            received_ids,
        }
    }

    /// The next mutated frame: a valid one of any action with one to four changes.
    pub fn frame(&mut self) -> Vec<u8> {
        let mut value = self.valid();
        let mut bytes = if self.random.random_bool(0.4) {
            for _ in 0..self.random.random_range(1..=3) {
                self.change_value(&mut value);
            }
            value.to_string().into_bytes()
        } else {
            value.to_string().into_bytes()
        };
        if self.random.random_bool(0.65) {
            for _ in 0..self.random.random_range(1..=4) {
                self.change_bytes(&mut bytes);
            }
        }
        bytes
    }

    fn pick(&mut self, from: &[&str]) -> String {
        from[self.random.random_range(0..from.len())].to_owned()
    }

    fn valid(&mut self) -> Value {
        let user = self.user.clone();
        let own = self.own_ids[self.random.random_range(0..self.own_ids.len())].clone();
        let received =
            self.received_ids[self.random.random_range(0..self.received_ids.len())].clone();
        match self.random.random_range(0..7) {
            0 => json!({"action": "1", "fromId": user}),
            1 => json!({"action": "2", "fromId": user}),
            2 => {
                json!({"action": "3", "fromId": user, "toId": self.peer, "chatMsg": {"id": own, "type": 0,
                "message": "自定义文本消息 \"quoted\" \\ 🪿", "status": 0, "time": "2021-12-14 12:00:00"}})
            }
            3 => {
                json!({"action": "4", "fromId": user, "toId": self.peer, "chatMsg": {"id": received, "status": 2}})
            }
            4 => heartbeat(&user),
            5 => json!({"action": "11", "fromId": user}),
            _ => {
                json!({"action": "12", "fromId": user, "toId": self.peer, "baseMsgId": received, "pageSize": 3})
            }
        }
    }

    /// Replaces, removes, adds, renames or wraps one field, at the top or inside `chatMsg`.
    fn change_value(&mut self, value: &mut Value) {
        let inside =
            self.random.random_bool(0.5) && value.get("chatMsg").is_some_and(Value::is_object);
        let odd = self.odd_value();
        let target = if inside { &mut value["chatMsg"] } else { value };
        let Some(fields) = target.as_object_mut() else {
            return;
        };
        let names: Vec<String> = fields.keys().cloned().collect();
        if names.is_empty() {
            return;
        }
        let name = names[self.random.random_range(0..names.len())].clone();
        match self.random.random_range(0..5) {
            0 | 1 => drop(fields.insert(name, odd)),
            2 => drop(fields.remove(&name)),
            3 => {
                let other = self.pick(&[
                    "toId",
                    "chatMsg",
                    "baseMsgId",
                    "pageSize",
                    "unknown",
                    "",
                    "\u{0}",
                    "FROMID",
                ]);
                fields.insert(other, odd);
            }
            _ => {
                let held = fields.remove(&name).unwrap_or_default();
                fields.insert(name, json!([held]));
            }
        }
    }

    fn odd_value(&mut self) -> Value {
        match self.random.random_range(0..14) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(-1),
            3 => json!(u64::MAX),
            4 => json!(1.5),
            5 => json!(""),
            6 => json!("\u{0}"),
            7 => json!("x".repeat(70)),
            8 => json!("雁书"),
            9 => json!([]),
            10 => json!({}),
            11 => json!(self.random.random_range(0..14)),
            12 => json!(self.random.random_range(0..14).to_string()),
            _ => json!("m".repeat(1000)),
        }
    }

    /// Flips, overwrites, inserts, removes, repeats or cuts bytes at one random place.
    fn change_bytes(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.random.random_range(0..bytes.len());
        let until = (at + self.random.random_range(1..=8)).min(bytes.len());
        match self.random.random_range(0..7) {
            0 => bytes[at] ^= 1 << self.random.random_range(0..8),
            1 => bytes[at] = self.random.random_range(0x20..0x7f),
            2 => bytes.insert(at, self.random.random_range(0..=255)),
            3 => drop(bytes.drain(at..until)),
            4 => {
                let again = bytes[at..until].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let word = self.pick(&[
                    "{", "}", "\"", ",", ":", "\\u0000", "\\ud800", "1e999", "[[[[", "null", "\r\n",
                ]);
                bytes.splice(at..at, word.into_bytes());
            }
            _ => bytes.truncate(at),
        }
    }
}
