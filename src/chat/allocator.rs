//! Which message IDs this node may hand out.

use std::collections::VecDeque;
use std::ops::Range;

use crate::protocol::{IDS_PER_GRANT, MessageId};

/// How many IDs a node leases from the store at once. What a crash leaves of them is never used.
const LEASE: i64 = 1_000;

/// IDs leased from the store, handed out in grants of [`IDS_PER_GRANT`], each once.
#[derive(Debug, Default)]
pub struct IdAllocator {
    leases: VecDeque<Range<i64>>,
    asked: bool,
}

impl IdAllocator {
    /// The first ID of a grant that nobody else gets, or `None` until a lease arrives.
    pub fn take(&mut self) -> Option<MessageId> {
        let lease = self.leases.front_mut()?;
        let first = lease.start;
        lease.start += IDS_PER_GRANT;
        if lease.is_empty() {
            self.leases.pop_front();
        }
        Some(MessageId::new(first))
    }

    /// How many IDs to lease now, if any, with so many takers waiting. Until [`Self::leased`] or
    /// [`Self::failed`] answers, it asks no second time.
    pub fn wants(&mut self, waiting: usize) -> Option<i64> {
        let left: i64 = self
            .leases
            .iter()
            .map(|lease| lease.end - lease.start)
            .sum();
        if self.asked || (left >= LEASE / 2 && waiting == 0) {
            return None;
        }
        self.asked = true;
        let waiting = i64::try_from(waiting).unwrap_or(LEASE);
        Some(LEASE.max(waiting * IDS_PER_GRANT))
    }

    /// A lease arrived: `count` IDs from `first` on.
    pub fn leased(&mut self, first: MessageId, count: i64) {
        self.asked = false;
        self.leases
            .push_back(first.number()..first.number() + count);
    }

    /// A lease did not arrive.
    pub fn failed(&mut self) {
        self.asked = false;
    }

    /// What was leased last and not handed out, for the store to take back: from, and before.
    pub fn give_back(&mut self) -> Option<(i64, i64)> {
        let rest = self.leases.pop_back()?;
        Some((rest.start, rest.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_is_handed_out_twice_and_none_before_its_lease() {
        let mut ids = IdAllocator::default();
        assert_eq!(ids.take(), None);
        assert_eq!(ids.wants(0), Some(LEASE));
        assert_eq!(ids.wants(5), None, "one lease is asked for at a time");
        ids.leased(MessageId::new(1), LEASE);
        let mut firsts = Vec::new();
        while let Some(first) = ids.take() {
            firsts.push(first.number());
        }
        let expected: Vec<i64> = (0..LEASE / 10).map(|n| n * 10 + 1).collect();
        assert_eq!(firsts, expected);
        assert_eq!(ids.wants(500), Some(5_000));
    }

    #[test]
    fn the_unused_end_of_a_lease_can_be_given_back() {
        let mut ids = IdAllocator::default();
        ids.leased(MessageId::new(1), 30);
        ids.take();
        assert_eq!(ids.give_back(), Some((11, 31)));
        assert_eq!(ids.take(), None);
    }
}
