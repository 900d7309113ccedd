//! A letter as bytes.
//!
//! MessagePack with named fields: a field that is added is ignored by nodes that do not know it.
//! What must not be misread bears another version, and is as good as lost to nodes of this one. A note is
//! as good as lost to nodes that know deliveries alone.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bus::note::{Letter, Note};
use crate::protocol::Delivery;

/// The way in which this version writes letters.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Outgoing<'a> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'a Delivery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a Note>,
}

#[derive(Deserialize)]
struct Incoming {
    version: u32,
    delivery: Option<Delivery>,
    note: Option<Note>,
}

/// The bytes of a letter; `None` would be one that cannot be written at all.
pub fn encode(letter: &Letter) -> Option<Bytes> {
    let (delivery, note) = match letter {
        Letter::Delivery(delivery) => (Some(delivery), None),
        Letter::Note(note) => (None, Some(note)),
    };
    let letter = Outgoing {
        version: VERSION,
        delivery,
        note,
    };
    rmp_serde::to_vec_named(&letter).ok().map(Bytes::from)
}

/// A letter from its bytes; `None` where it is not one of this version.
pub fn decode(bytes: &[u8]) -> Option<Letter> {
    let letter: Incoming = rmp_serde::from_slice(bytes).ok()?;
    if letter.version != VERSION {
        return None;
    }
    let delivery = letter.delivery.map(Letter::Delivery);
    delivery.or_else(|| letter.note.map(Letter::Note))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bus::note::Which;

    fn delivery() -> Delivery {
        Delivery {
            seq: i64::MAX,
            origin: i64::MIN,
            message: Some(r#"{"action":"3","text":"雁书"}"#.into()),
            to_origin: true,
            status: None,
            receipt: false,
        }
    }

    #[test]
    fn a_letter_is_read_as_it_was_written() {
        let note = Note::Close(Which::One(-7), 4401);
        for letter in [Letter::Delivery(delivery()), Letter::Note(note)] {
            assert_eq!(decode(&encode(&letter).unwrap()), Some(letter));
        }
    }

    #[test]
    fn nodes_that_know_no_notes_still_read_deliveries() {
        #[derive(Deserialize)]
        struct Older {
            version: u32,
            delivery: Delivery,
        }
        let bytes = encode(&Letter::Delivery(delivery())).unwrap();
        let letter: Older = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!((letter.version, letter.delivery), (1, delivery()));
        let note = encode(&Letter::Note(Note::WhoIsThere(1))).unwrap();
        assert!(rmp_serde::from_slice::<Older>(&note).is_err());
    }

    #[test]
    fn a_letter_of_another_version_is_not_misread() {
        let letter = Outgoing {
            version: VERSION + 1,
            delivery: Some(&delivery()),
            note: None,
        };
        let bytes = rmp_serde::to_vec_named(&letter).unwrap();
        assert_eq!(decode(&bytes), None);
    }

    #[test]
    fn a_field_that_was_added_is_ignored() {
        #[derive(Serialize)]
        struct Newer<'a> {
            colour: [u8; 3],
            version: u32,
            delivery: &'a Delivery,
        }
        let letter = Newer {
            colour: [1, 2, 3],
            version: VERSION,
            delivery: &delivery(),
        };
        let bytes = rmp_serde::to_vec_named(&letter).unwrap();
        assert_eq!(decode(&bytes), Some(Letter::Delivery(delivery())));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>, cut in 0usize..100) {
            let _ = decode(&bytes);
            let whole = encode(&Letter::Delivery(delivery())).unwrap();
            let cut = cut.min(whole.len() - 1);
            prop_assert_eq!(decode(&whole[..cut]), None);
        }
    }
}
