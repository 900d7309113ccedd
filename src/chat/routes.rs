//! Which connections speak for which user.

use super::ConnectionId;
use crate::hash::HashMap;
use crate::protocol::UserId;

/// The routing table: the connections of each user, oldest first.
#[derive(Debug)]
pub struct Routes {
    users: HashMap<UserId, Vec<ConnectionId>>,
    devices_max: usize,
}

impl Routes {
    /// A table that holds at most so many connections of one user.
    pub fn new(devices_max: usize) -> Self {
        Self {
            users: HashMap::default(),
            devices_max: devices_max.max(1),
        }
    }

    /// Adds a connection; returns the oldest one where that was one too many, already removed.
    pub fn attach(&mut self, user: &UserId, connection: ConnectionId) -> Option<ConnectionId> {
        let devices = self.users.entry(user.clone()).or_default();
        let oldest = (devices.len() >= self.devices_max).then(|| devices.remove(0));
        devices.push(connection);
        oldest
    }

    /// Removes a connection, where it is there.
    pub fn detach(&mut self, user: &UserId, connection: ConnectionId) {
        if let Some(devices) = self.users.get_mut(user) {
            devices.retain(|device| *device != connection);
            if devices.is_empty() {
                self.users.remove(user);
            }
        }
    }

    /// The connections of a user, oldest first.
    pub fn of(&self, user: &UserId) -> &[ConnectionId] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_too_many_replaces_the_oldest() {
        let user = UserId::parse("HK0001").unwrap();
        let mut routes = Routes::new(2);
        assert_eq!(routes.attach(&user, 1), None);
        assert_eq!(routes.attach(&user, 2), None);
        assert_eq!(routes.attach(&user, 3), Some(1));
        assert_eq!(routes.of(&user), [2, 3]);
        routes.detach(&user, 2);
        routes.detach(&user, 3);
        assert!(routes.of(&user).is_empty());
    }
}
