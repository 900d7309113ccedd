//! A delivery as bytes.
//!
//! MessagePack with named fields: a field that is added is ignored by nodes that do not know it.
//! What must not be misread bears another version, and is as good as lost to nodes of this one.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::protocol::Delivery;

/// The way in which this version writes letters.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Outgoing<'a> {
    version: u32,
    delivery: &'a Delivery,
}

#[derive(Deserialize)]
struct Incoming {
    version: u32,
    delivery: Delivery,
}

/// The bytes of a letter; `None` would be a delivery that cannot be written at all.
pub fn encode(delivery: &Delivery) -> Option<Bytes> {
    let letter = Outgoing {
        version: VERSION,
        delivery,
    };
    rmp_serde::to_vec_named(&letter).ok().map(Bytes::from)
}

/// The delivery in a letter; `None` where it is not one of this version.
pub fn decode(bytes: &[u8]) -> Option<Delivery> {
    let letter: Incoming = rmp_serde::from_slice(bytes).ok()?;
    (letter.version == VERSION).then_some(letter.delivery)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        assert_eq!(decode(&encode(&delivery()).unwrap()), Some(delivery()));
    }

    #[test]
    fn a_letter_of_another_version_is_not_misread() {
        let letter = Outgoing {
            version: VERSION + 1,
            delivery: &delivery(),
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
        assert_eq!(decode(&bytes), Some(delivery()));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>, cut in 0usize..100) {
            let _ = decode(&bytes);
            let whole = encode(&delivery()).unwrap();
            let cut = cut.min(whole.len() - 1);
            prop_assert_eq!(decode(&whole[..cut]), None);
        }
    }
}
