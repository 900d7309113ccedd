//! What a number of a timeline means for each device of its user.

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::MessageId;

/// One number of a user's timeline, as the frames a device of theirs receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number.
    pub seq: i64,
    /// The connection that caused it.
    pub origin: i64,
    /// The message's frame, for devices that did not send it (or see `to_origin`).
    pub message: Option<ByteString>,
    /// Whether even the sending connection receives the message: it is to oneself.
    pub to_origin: bool,
    /// The status frame told to every other connection.
    pub status: Option<ByteString>,
    /// Whether the status is a receipt for a message of the user's own.
    pub receipt: bool,
}

impl Delivery {
    /// The frames for this connection, in order.
    pub fn frames_for(&self, connection: i64) -> impl Iterator<Item = &ByteString> {
        let own = self.origin == connection;
        let message = self.message.iter().filter(move |_| !own || self.to_origin);
        let status = self.status.iter().filter(move |_| !own);
        message.chain(status)
    }

    /// The message that was read, where this is the receipt for one of the user's own. Its frame says which.
    pub fn read_message(&self) -> Option<MessageId> {
        let frame = self.status.as_deref().filter(|_| self.receipt)?;
        let (_, id) = frame.split_once(r#""id":""#)?;
        MessageId::parse(id.split('"').next()?).ok()
    }

    /// How many bytes its frames hold.
    pub fn bytes(&self) -> usize {
        let frames = [&self.message, &self.status];
        frames.into_iter().flatten().map(|frame| frame.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::render;

    fn frames(delivery: &Delivery, connection: i64) -> Vec<&str> {
        let frames = delivery.frames_for(connection);
        frames.map(|frame| &**frame).collect()
    }

    #[test]
    fn the_cause_of_a_delivery_receives_it_only_where_it_wrote_to_itself() {
        let mut delivery = Delivery {
            seq: 1,
            origin: 7,
            message: Some("message".into()),
            to_origin: false,
            status: Some("status".into()),
            receipt: false,
        };
        assert_eq!(frames(&delivery, 8), ["message", "status"]);
        assert!(frames(&delivery, 7).is_empty());
        delivery.to_origin = true;
        assert_eq!(frames(&delivery, 7), ["message"]);
        assert_eq!(delivery.bytes(), 13);
        assert_eq!(delivery.read_message(), None);
        delivery.receipt = true;
        let read = render::status("bob", "ann", MessageId::new(7), 2);
        delivery.status = Some(read);
        assert_eq!(delivery.read_message(), Some(MessageId::new(7)));
        delivery.status = Some("status".into());
        assert_eq!(delivery.read_message(), None);
        delivery.message = None;
        assert_eq!(frames(&delivery, 8), ["status"]);
        assert!(frames(&delivery, 7).is_empty());
    }
}
