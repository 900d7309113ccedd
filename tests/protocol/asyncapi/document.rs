//! docs/asyncapi.json, as far as these tests ask it.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Value, json};

/// The document.
pub fn document() -> Value {
    let text = include_str!("../../../docs/asyncapi.json");
    serde_json::from_str(text).expect("docs/asyncapi.json is JSON")
}

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A message of the document.
pub struct Message {
    pub name: String,
    pub side: Side,
    /// The payload's schema, its references not yet followed.
    payload: Value,
    /// The payloads of its examples.
    pub examples: Vec<Value>,
    validator: Validator,
}

/// All messages that an operation of the document names.
pub struct Messages {
    document: Value,
    all: Vec<Message>,
}

impl Messages {
    pub fn read() -> Messages {
        let document = document();
        let mut all: Vec<Message> = Vec::new();
        for (name, operation) in document["operations"].as_object().expect("operations") {
            let side = match operation["action"].as_str() {
                Some("receive") => Side::Client,
                Some("send") => Side::Server,
                other => panic!("{name} is neither sent nor received: {other:?}"),
            };
            for reference in operation["messages"].as_array().expect("messages") {
                let message = Message::read(&document, reference, side);
                assert!(all.iter().all(|known| known.name != message.name));
                all.push(message);
            }
        }
        Messages { document, all }
    }

    pub fn of(&self, side: Side) -> impl Iterator<Item = &Message> {
        self.all.iter().filter(move |message| message.side == side)
    }

    /// The only message of this side that a frame is, or what is wrong with it.
    pub fn which(&self, side: Side, frame: &Value) -> Result<&Message, String> {
        let fitting: Vec<&Message> = self
            .of(side)
            .filter(|message| message.takes(frame))
            .collect();
        match fitting[..] {
            [message] => Ok(message),
            [] => Err(self.why_not(side, frame)),
            _ => Err(format!("{frame} is several messages at once")),
        }
    }

    /// What the message of the frame's own action has against it.
    fn why_not(&self, side: Side, frame: &Value) -> String {
        let errors = self.of(side).map(|message| {
            let errors = message.validator.iter_errors(frame);
            let errors: Vec<_> = errors
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            (
                errors.iter().any(|error| error.starts_with("/action")),
                message,
                errors,
            )
        });
        let of_action = errors.filter(|(wrong_action, ..)| !wrong_action);
        let told: Vec<String> = of_action
            .map(|(_, message, errors)| format!("{}: {}", message.name, errors.join("; ")))
            .collect();
        format!("{frame} is no message of the {side:?}: {}", told.join("; "))
    }

    /// Everything that can be seen of a message: each value of an enumeration, and each field that
    /// may be missing, there and missing.
    pub fn traits(&self, message: &Message) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.collect(&message.payload, None, &message.name, &mut found);
        found
    }

    /// Those of them that this frame shows.
    pub fn traits_of(&self, message: &Message, frame: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.collect(&message.payload, Some(frame), &message.name, &mut found);
        found
    }

    fn collect(
        &self,
        schema: &Value,
        value: Option<&Value>,
        at: &str,
        found: &mut BTreeSet<String>,
    ) {
        let schema = follow(&self.document, schema);
        let fixed = schema.get("const").into_iter();
        let listed = schema["enum"].as_array().into_iter().flatten();
        for one in fixed.chain(listed) {
            if value.is_none_or(|value| value == one) {
                found.insert(format!("{at} is {one}"));
            }
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            let inner = value.map(|value| value.get(name));
            if !list(&schema["required"]).contains(&json!(name)) {
                for (there, word) in [(true, "there"), (false, "missing")] {
                    if inner.is_none_or(|inner| inner.is_some() == there) {
                        found.insert(format!("{at} is {word}"));
                    }
                }
            }
            if inner != Some(None) {
                self.collect(field, inner.flatten(), &at, found);
            }
        }
        if let Some(items) = schema.get("items") {
            let at = format!("{at}[]");
            match value {
                None => self.collect(items, None, &at, found),
                Some(value) => {
                    for item in list(value) {
                        self.collect(items, Some(item), &at, found);
                    }
                }
            }
        }
    }
}

impl Message {
    fn read(document: &Value, reference: &Value, side: Side) -> Message {
        let message = follow(document, reference);
        let name = message["name"]
            .as_str()
            .expect("a message has a name")
            .to_owned();
        let schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "allOf": [message["payload"]],
            "components": document["components"],
        });
        let examples = list(&message["examples"]);
        Message {
            side,
            payload: message["payload"].clone(),
            examples: examples
                .iter()
                .map(|example| example["payload"].clone())
                .collect(),
            validator: jsonschema::draft7::new(&schema)
                .unwrap_or_else(|error| panic!("the schema of {name} is none: {error}")),
            name,
        }
    }

    pub fn takes(&self, frame: &Value) -> bool {
        self.validator.is_valid(frame)
    }
}

/// What a reference within the document means, however many stand behind each other.
fn follow<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str() {
        let pointer = reference
            .strip_prefix('#')
            .expect("a reference stays in the document");
        value = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{reference} leads nowhere"));
    }
    value
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
