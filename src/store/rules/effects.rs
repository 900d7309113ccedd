//! What the rules decide is to be written.

use crate::protocol::UserId;
use crate::store::bulk::{KeyRow, ReceiptRow};
use crate::store::carried::ReaderRow;
use crate::store::messages::NewRow;
use crate::store::users::Numbers;

/// What a batch writes. Users that it creates have numbers below zero until [`Self::number`].
#[derive(Default)]
pub struct Effects<'a> {
    /// Messages to store.
    pub rows: Vec<NewRow<'a>>,
    /// Messages stored before that are read now.
    pub read: Vec<i64>,
    /// Receipts to store.
    pub receipts: Vec<ReceiptRow>,
    /// Grants to store: block, user, Unix seconds.
    pub grants: Vec<(i64, i64, i64)>,
    /// Users and what they are called.
    pub names: Vec<(i64, &'a str)>,
    /// Users who wrote to each other and may not be contacts yet.
    pub acquainted: Vec<(UserId, UserId)>,
    /// What is sent under a key.
    pub keys: Vec<KeyRow<'a>>,
    /// Who may read which file from now on.
    pub readers: Vec<ReaderRow>,
}

impl Effects<'_> {
    /// Whether there is nothing to write, users aside.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.read.is_empty()
            && self.receipts.is_empty()
            && self.grants.is_empty()
            && self.names.is_empty()
            && self.acquainted.is_empty()
            && self.keys.is_empty()
            && self.readers.is_empty()
    }

    /// Puts in the numbers of the users that were created.
    pub fn number(&mut self, numbers: &Numbers) {
        for row in &mut self.rows {
            row.number(numbers);
        }
        for receipt in &mut self.receipts {
            receipt.user = numbers.of(receipt.user);
        }
        for grant in &mut self.grants {
            grant.1 = numbers.of(grant.1);
        }
        for name in &mut self.names {
            name.0 = numbers.of(name.0);
        }
        for key in &mut self.keys {
            key.sender = numbers.of(key.sender);
        }
        for reader in &mut self.readers {
            reader.user_id = numbers.of(reader.user_id);
        }
    }
}
