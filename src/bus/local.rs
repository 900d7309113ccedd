//! The bus within one process: a [`Hub`] that its nodes share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::events::{Feed, Inlet, events};
use super::note::{Letter, Note};
use super::{Bus, Events, Flushed};
use crate::hash::HashMap;
use crate::protocol::{Delivery, UserId};

/// Where the nodes of one process meet. Cheap to clone; clones are the same hub.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Nodes on the hub: one that is alone must not pay for a bus.
    members: AtomicUsize,
    /// The number of the next node.
    next: AtomicUsize,
    subscribers: Mutex<HashMap<UserId, Vec<Subscriber>>>,
}

struct Subscriber {
    node: usize,
    inlet: Inlet,
}

/// A node's end of a [`Hub`].
pub struct LocalBus {
    hub: Hub,
    node: usize,
    feed: Feed,
}

impl Hub {
    /// A new node on this hub, for which so many letters may wait for one user.
    pub fn join(&self, buffer: usize) -> (LocalBus, Events) {
        let (feed, events) = events(buffer);
        self.0.members.fetch_add(1, Ordering::SeqCst);
        let bus = LocalBus {
            hub: self.clone(),
            node: self.0.next.fetch_add(1, Ordering::Relaxed),
            feed,
        };
        (bus, events)
    }

    fn subscribers(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Subscriber>>> {
        let subscribers = self.0.subscribers.lock();
        subscribers.unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalBus {
    fn post(&self, user: &UserId, letter: impl Fn() -> Letter) {
        if self.hub.0.members.load(Ordering::SeqCst) < 2 {
            return;
        }
        let subscribers = self.hub.subscribers();
        let others = subscribers.get(user).into_iter().flatten();
        for other in others.filter(|other| other.node != self.node) {
            other.inlet.deliver(letter());
        }
    }
}

impl Bus for LocalBus {
    fn publish(&self, user: &UserId, delivery: &Delivery) {
        self.post(user, || Letter::Delivery(delivery.clone()));
    }

    fn note(&self, user: &UserId, note: &Note) {
        self.post(user, || Letter::Note(note.clone()));
    }

    fn subscribe(&self, user: &UserId) {
        let mut subscribers = self.hub.subscribers();
        let nodes = subscribers.entry(user.clone()).or_default();
        let own = nodes.iter().position(|other| other.node == self.node);
        let own = own.unwrap_or_else(|| {
            nodes.push(Subscriber {
                node: self.node,
                inlet: self.feed.inlet(user),
            });
            nodes.len() - 1
        });
        nodes[own].inlet.subscribed();
    }

    fn unsubscribe(&self, user: &UserId) {
        let mut subscribers = self.hub.subscribers();
        if let Some(nodes) = subscribers.get_mut(user) {
            let own = nodes.extract_if(.., |other| other.node == self.node);
            own.for_each(|own| own.inlet.close());
            if nodes.is_empty() {
                subscribers.remove(user);
            }
        }
    }

    fn is_up(&self) -> bool {
        true
    }

    fn flushed(&self) -> Flushed {
        Box::pin(std::future::ready(()))
    }
}

impl Drop for LocalBus {
    fn drop(&mut self) {
        self.hub.0.members.fetch_sub(1, Ordering::SeqCst);
        self.hub.subscribers().retain(|_, nodes| {
            nodes.retain(|other| other.node != self.node);
            !nodes.is_empty()
        });
    }
}
