//! Which node a client connects to.

use std::collections::HashMap;

use super::node::Node;

/// What a client can connect to: a server, which spreads its users over its nodes, or one node.
pub trait Place {
    /// The node for the next device of a user, or for a connection that has not said whose it is.
    fn node_for(&self, user: Option<&str>) -> &Node;

    /// All nodes.
    fn nodes(&self) -> &[Node];

    /// The node for a request that is nobody's.
    fn any_node(&self) -> &Node {
        &self.nodes()[0]
    }
}

impl Place for Node {
    fn node_for(&self, _: Option<&str>) -> &Node {
        self
    }

    fn nodes(&self) -> &[Node] {
        std::slice::from_ref(self)
    }
}

/// Who was placed so far.
///
/// Users begin on one node after the other, in the order in which they appear, and each further device of a
/// user is on the next one: so the two sides of a conversation are on different nodes, and so are the devices
/// of one user.
#[derive(Debug, Default)]
pub struct Places {
    users: HashMap<String, Devices>,
    seen: usize,
}

#[derive(Debug)]
struct Devices {
    user: usize,
    count: usize,
}

impl Places {
    /// Where the next device of this user belongs; who has no name is a user of their own.
    pub fn next(&mut self, user: Option<&str>) -> usize {
        let seen = &mut self.seen;
        let mut appear = || {
            *seen += 1;
            *seen - 1
        };
        let Some(user) = user else { return appear() };
        let devices = self
            .users
            .entry(user.to_owned())
            .or_insert_with(|| Devices {
                user: appear(),
                count: 0,
            });
        devices.count += 1;
        devices.user + devices.count - 1
    }
}
