//! How many bytes of requests may be in hand at once, of all connections and of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shared limit on bytes in hand. Cheap to clone; clones share the limit.
#[derive(Debug, Clone)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Bytes taken out of a [`Budget`], and counted against one connection; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    used: Arc<AtomicUsize>,
    connection: Arc<AtomicUsize>,
    bytes: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            used: Arc::default(),
            limit,
        }
    }

    /// Bytes in hand.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes bytes, or `None` where they would exceed the limit.
    pub fn take(&self, bytes: usize, connection: &Arc<AtomicUsize>) -> Option<Permit> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        connection.fetch_add(bytes, Ordering::Relaxed);
        // Made before the check, so that a refusal gives back by the same way.
        let permit = Permit {
            used: Arc::clone(&self.used),
            connection: Arc::clone(connection),
            bytes,
        };
        (before + bytes <= self.limit).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.connection.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_or_given_back_can_be_taken_again() {
        let budget = Budget::new(100);
        let connection = Arc::default();
        let first = budget.take(60, &connection);
        assert!(first.is_some());
        assert!(budget.take(60, &connection).is_none());
        assert_eq!(connection.load(Ordering::Relaxed), 60);
        drop(first);
        assert!(budget.take(100, &connection).is_some());
        assert_eq!(connection.load(Ordering::Relaxed), 0);
    }
}
