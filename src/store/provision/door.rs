//! What the store takes from outside, one thing at a time.

use super::{ContactEntry, Listed, Profile, Put, Removed};
use crate::protocol::UserId;
use crate::store::{Store, StoreError};

/// All of it fails with the database, and changes nothing then, or, where that failed at the commit itself,
/// what was asked: each can be asked again.
#[allow(clippy::missing_errors_doc)]
impl Store {
    /// A user, where they exist.
    pub fn profile(&self, user: &str) -> Result<Option<Profile>, StoreError> {
        self.read(|link| super::profile(link, user))
    }

    /// So many of the users that exist, by their IDs, from behind this one.
    pub fn profiles(&self, after: &str, limit: usize) -> Result<Listed<Profile>, StoreError> {
        self.read(|link| super::profiles(link, after, limit))
    }

    /// Makes a user exist, and be called so or by their ID alone.
    pub fn put_user(&self, user: &UserId, name: Option<&str>) -> Result<Put, StoreError> {
        self.provide(|link| super::put_user(link, user, name))
    }

    /// Ends a user: their contacts, blocks, grants and name go. What they wrote stays with those they wrote
    /// to, and whoever has the ID next sees nothing of it. Returns the [`crate::store::Head::tenure`] of whoever has it next;
    /// `None`: there was no such user.
    pub fn delete_user(&self, user: &UserId) -> Result<Option<i64>, StoreError> {
        self.provide(|link| super::delete_user(link, user))
    }

    /// So many of a user's contacts, from behind the one with this number; `None`: no such user.
    pub fn contact_entries(
        &self,
        owner: &str,
        after: i64,
        limit: usize,
    ) -> Result<Option<Listed<ContactEntry>>, StoreError> {
        self.read(|link| super::contacts(link, owner, after, limit))
    }

    /// Adds a contact, or gives one another alias.
    pub fn put_contact(
        &self,
        owner: &UserId,
        contact: &UserId,
        alias: Option<&str>,
    ) -> Result<Put, StoreError> {
        self.provide(|link| super::put_contact(link, owner, contact, alias))
    }

    /// Takes a contact away. A message between the two makes it anew.
    pub fn remove_contact(&self, owner: &UserId, contact: &UserId) -> Result<Removed, StoreError> {
        self.provide(|link| super::remove_contact(link, owner, contact))
    }

    /// So many of those whom a user blocks, from behind the one with this number; `None`: no such user.
    pub fn blocks(
        &self,
        owner: &str,
        after: i64,
        limit: usize,
    ) -> Result<Option<Listed<String>>, StoreError> {
        self.read(|link| super::blocks(link, owner, after, limit))
    }

    /// The owner gets no message of this user any more.
    pub fn block(&self, owner: &UserId, blocked: &UserId) -> Result<Put, StoreError> {
        self.provide(|link| super::block(link, owner, blocked))
    }

    /// The owner gets messages of this user again.
    pub fn unblock(&self, owner: &UserId, blocked: &UserId) -> Result<Removed, StoreError> {
        self.provide(|link| super::unblock(link, owner, blocked))
    }
}
