//! The end of a stretch: what was held against the histories and found right becomes a number for each user.

use std::collections::HashSet;

use super::archive::Kept;
use super::ledger::{Ledger, What};
use super::letter::scatter;

/// A history as a number: that of the whole must be the same at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// How many messages it holds.
    pub count: u32,
    /// The newest of them.
    pub last: Option<u32>,
    /// Changes with each message and with their order.
    chain: u64,
}

impl Settled {
    /// The message is the next one.
    pub fn add(&mut self, id: u32) {
        self.chain = scatter(self.chain, id);
        self.last = Some(id);
        self.count += 1;
    }
}

impl Ledger {
    /// Forgets all but what is unread and what lasts. These are the histories since the last time, by user.
    pub fn settle(&mut self, timelines: &[Vec<Kept>]) {
        let mut unread = HashSet::new();
        for (user, timeline) in (0..).zip(timelines) {
            let settled = &mut self.settled[usize::from(user)];
            for kept in timeline {
                settled.add(kept.id);
                if kept.to == user && kept.status == 1 {
                    unread.insert(kept.id);
                    if let Some(message) = self.messages.get_mut(&kept.id) {
                        message.place = Some(settled.count);
                    }
                }
            }
        }
        let lasts = |number: &u32| {
            let connection = self.connections.get(number);
            connection.is_some_and(|connection| connection.ended == 0)
        };
        self.messages.retain(|id, message| {
            let was_unread = message.place.is_some() || unread.contains(id);
            // Who writes to themselves on their only device is told nothing when they read it.
            let is_to_oneself = message.from == message.to && lasts(&message.reporter);
            was_unread && message.told == 0 && !(is_to_oneself && message.reported > 0)
        });
        self.connections
            .retain(|_, connection| connection.ended == 0);
        let messages = &self.messages;
        for connection in self.connections.values_mut() {
            // What is unread must not come to it once more.
            connection.heard.retain(|heard| {
                let message = messages.get(&heard.id);
                let is_theirs = message.is_some_and(|message| message.to == connection.user);
                is_theirs && heard.what == What::Message
            });
            connection.heard.shrink_to_fit();
        }
        self.messages.shrink_to_fit();
    }
}
