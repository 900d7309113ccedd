//! User IDs and message IDs, in the one way each is written.

use std::fmt;
use std::sync::Arc;

/// Why a text is no ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 1–64 characters of the alphabet.
    #[error("a user ID is 1 to 64 characters of A-Z a-z 0-9 _ - . @")]
    User,
    /// Not `MSG` and a padded decimal number.
    #[error("a message ID is MSG and a decimal number padded to six digits, such as MSG000001")]
    Message,
}

/// A user's ID: 1–64 characters of `A-Z a-z 0-9 _ - . @`.
///
/// Cheap to clone: the routing table, a session and every frame in flight share one text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

/// The alphabet of user IDs.
const ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < allowed.len() {
        let b = byte as u8;
        allowed[byte] = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@');
        byte += 1;
    }
    allowed
};

impl UserId {
    /// Longest ID, in characters (all of them ASCII).
    pub const MAX_LEN: usize = 64;

    /// Checks a text from outside.
    ///
    /// # Errors
    /// [`IdError::User`] where it is empty, too long or holds another character.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        if fits && text.bytes().all(|b| ALLOWED[usize::from(b)]) {
            Ok(Self(text.into()))
        } else {
            Err(IdError::User)
        }
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message's ID: on the wire `MSG` and the number padded to at least six digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(i64);

impl MessageId {
    /// The ID with this number, which must not be negative.
    pub fn new(number: i64) -> Self {
        debug_assert!(number >= 0);
        Self(number)
    }

    /// The number behind `MSG`.
    pub fn number(self) -> i64 {
        self.0
    }

    /// Longest ID, in characters (all of them ASCII).
    pub const MAX_LEN: usize = 22;

    /// The ID as text, in this room.
    pub fn text(self, room: &mut [u8; Self::MAX_LEN]) -> &str {
        let mut place = room.len();
        let mut rest = self.0.unsigned_abs();
        while rest > 0 || place > room.len() - 6 {
            place -= 1;
            room[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        place -= 3;
        room[place..place + 3].copy_from_slice(b"MSG");
        // Nothing but ASCII was put there.
        std::str::from_utf8(&room[place..]).unwrap_or_default()
    }

    /// Reads the one way in which an ID is written: six digits, or more without a leading zero.
    ///
    /// # Errors
    /// [`IdError::Message`] for everything else, numbers beyond 63 bits included.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix("MSG").ok_or(IdError::Message)?;
        let canonical = digits.len() == 6 || (digits.len() > 6 && !digits.starts_with('0'));
        if !canonical || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdError::Message);
        }
        digits.parse().map(Self).map_err(|_| IdError::Message)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; Self::MAX_LEN]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_has_exactly_one_spelling() {
        for (text, number) in [
            ("MSG000001", 1),
            ("MSG999999", 999_999),
            ("MSG1000000", 1_000_000),
            ("MSG9223372036854775807", i64::MAX),
        ] {
            assert_eq!(MessageId::parse(text), Ok(MessageId(number)));
            assert_eq!(MessageId(number).to_string(), text);
        }
        for text in [
            "MSG1",
            "MSG0000001",
            "msg000001",
            "MSG00000a",
            "MSG+00001",
            "MSG99999999999999999999",
            "MSG",
            "",
        ] {
            assert_eq!(MessageId::parse(text), Err(IdError::Message), "{text}");
        }
    }

    #[test]
    fn a_user_id_is_one_to_64_characters_of_its_alphabet() {
        let longest = "x".repeat(64);
        for text in ["H", "HK0001", "a_b-c.d@e", longest.as_str()] {
            assert!(UserId::parse(text).is_ok(), "{text}");
        }
        let too_long = "x".repeat(65);
        for text in [
            "",
            " ",
            "HK 1",
            "张三",
            "a\0b",
            "a/b",
            "a*",
            too_long.as_str(),
        ] {
            assert_eq!(UserId::parse(text), Err(IdError::User), "{text}");
        }
    }
}
