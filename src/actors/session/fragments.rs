//! A message in fragments, put together (RFC 6455 §5.4). The guard has bounded the whole.

use actix_http::ws::Item;
use bytes::{Bytes, BytesMut};

/// What has arrived of a message in fragments.
#[derive(Debug, Default)]
pub struct Fragments {
    bytes: BytesMut,
    binary: bool,
}

/// What a fragment led to.
pub enum Added {
    /// More must come.
    Incomplete,
    /// A text message is whole.
    Text(String),
    /// A binary message is whole.
    Binary,
    /// A text message is whole, but not UTF-8.
    NotUtf8,
}

impl Fragments {
    /// Adds a fragment. The codec sees to it that they come in the right order.
    pub fn add(&mut self, item: Item) -> Added {
        match item {
            Item::FirstText(bytes) => self.first(&bytes, false),
            Item::FirstBinary(bytes) => self.first(&bytes, true),
            Item::Continue(bytes) => self.append(&bytes),
            Item::Last(bytes) => {
                self.append(&bytes);
                return self.whole();
            }
        }
        Added::Incomplete
    }

    fn first(&mut self, bytes: &Bytes, binary: bool) {
        self.binary = binary;
        self.bytes = BytesMut::from(bytes.as_ref());
    }

    fn append(&mut self, bytes: &Bytes) {
        if !self.binary {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn whole(&mut self) -> Added {
        let bytes = std::mem::take(&mut self.bytes);
        if self.binary {
            return Added::Binary;
        }
        String::from_utf8(bytes.into()).map_or(Added::NotUtf8, Added::Text)
    }
}
