//! What a device is owed of its user's timeline.
//!
//! A timeline has a number without gaps for every message to or from a user and every receipt told
//! to them. A device that has everything up to a number takes the next one live; whatever it cannot
//! take (it reads too slowly, or a number is missing) it later reads from the store. So each
//! device gets each number at most once and in order, and skips none that concerns it.

/// Where a device starts when it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The last number of the timeline: the unread among those up to here are redelivered, and
    /// all after it are followed.
    pub head: i64,
    /// Receipts above this number were told to no device.
    pub told: i64,
    /// Whether there is anything unread.
    pub unread: bool,
    /// Whether there are receipts above `told`.
    pub untold: bool,
}

/// What to read from the store for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Unread messages numbered above `after`, up to `upto`.
    Unread {
        /// Had already.
        after: i64,
        /// Last of them.
        upto: i64,
    },
    /// Receipts for the user's own messages numbered above `after`, up to `upto`.
    Receipts {
        /// Had already.
        after: i64,
        /// Last of them.
        upto: i64,
    },
    /// Everything numbered above `after`.
    Timeline {
        /// Had already.
        after: i64,
    },
}

/// What to do with a number that was just committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it now: it is the next one.
    Deliver,
    /// The device has it already, or will not get it by design.
    Skip,
    /// Not now: it will be read from the store.
    Later,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Unread { after: i64 },
    Receipts { after: i64 },
    Following,
    Live,
}

/// A device's place in its user's timeline.
#[derive(Debug)]
pub struct Cursor {
    phase: Phase,
    start: Start,
    /// Everything up to here was dealt with.
    position: i64,
    /// The largest number known to be committed.
    newest: i64,
    /// While a read for this device is under way, where it was when that was asked for.
    reading: Option<i64>,
}

impl Cursor {
    /// The cursor of a device that just connected.
    pub fn new(start: Start) -> Self {
        let mut cursor = Self {
            phase: Phase::Unread { after: 0 },
            start,
            position: start.head,
            newest: start.head,
            reading: None,
        };
        if !start.unread {
            cursor.after_unread();
        }
        cursor
    }

    /// What to read next; `None` while the device is live or a read is under way. Once it was
    /// asked for, [`Self::fetched`] or [`Self::failed`] must follow.
    pub fn next_read(&mut self) -> Option<Want> {
        let upto = self.start.head;
        let want = match self.phase {
            _ if self.reading.is_some() => return None,
            Phase::Live => return None,
            Phase::Unread { after } => Want::Unread { after, upto },
            Phase::Receipts { after } => Want::Receipts { after, upto },
            Phase::Following => Want::Timeline {
                after: self.position,
            },
        };
        self.reading = Some(self.position);
        Some(want)
    }

    /// What was asked for last was delivered up to the number `upto`; `complete` says that nothing
    /// more was there. Returns false where what is known to be committed was not there: the store
    /// went back, and to ask again at once would be in vain.
    pub fn fetched(&mut self, upto: i64, complete: bool) -> bool {
        let before = self.reading.take().unwrap_or(self.position);
        match self.phase {
            Phase::Unread { .. } if complete => self.after_unread(),
            Phase::Unread { .. } => self.phase = Phase::Unread { after: upto },
            Phase::Receipts { .. } if complete => self.follow(),
            Phase::Receipts { .. } => self.phase = Phase::Receipts { after: upto },
            Phase::Following | Phase::Live => {
                self.position = self.position.max(upto);
                self.follow();
                return self.position > before || self.is_live();
            }
        }
        true
    }

    /// The read that was asked for failed; it can be asked for again.
    pub fn failed(&mut self) {
        self.reading = None;
    }

    /// Of what a read has found, the device was sent everything up to this number while it was under way.
    pub fn had_meanwhile(&self) -> i64 {
        match self.phase {
            Phase::Unread { .. } | Phase::Receipts { .. } => 0,
            Phase::Following | Phase::Live => self.position,
        }
    }

    /// A number was committed. `room` says whether the device can take it now.
    pub fn offer(&mut self, seq: i64, room: bool) -> Verdict {
        self.newest = self.newest.max(seq);
        if seq <= self.position {
            return Verdict::Skip;
        }
        if let Phase::Unread { .. } | Phase::Receipts { .. } = self.phase {
            return Verdict::Later;
        }
        // Also where it is behind, and something larger came first.
        if room && seq == self.position + 1 {
            self.position = seq;
            self.follow();
            return Verdict::Deliver;
        }
        self.phase = Phase::Following;
        Verdict::Later
    }

    /// Whether the device gets what is committed as it happens.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Whether [`Self::next_read`] has something to ask for.
    pub fn needs_read(&self) -> bool {
        !self.is_live() && self.reading.is_none()
    }

    fn after_unread(&mut self) {
        if self.start.untold {
            self.phase = Phase::Receipts {
                after: self.start.told,
            };
        } else {
            self.follow();
        }
    }

    fn follow(&mut self) {
        self.phase = if self.position >= self.newest {
            Phase::Live
        } else {
            Phase::Following
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(head: i64, unread: bool, untold: bool) -> Start {
        Start {
            head,
            told: 0,
            unread,
            untold,
        }
    }

    #[test]
    fn a_device_with_nothing_owed_takes_the_next_number_at_once() {
        let mut cursor = Cursor::new(start(7, false, false));
        assert!(cursor.is_live());
        assert_eq!(cursor.offer(7, true), Verdict::Skip);
        assert_eq!(cursor.offer(8, true), Verdict::Deliver);
        assert_eq!(cursor.offer(8, true), Verdict::Skip);
    }

    #[test]
    fn what_is_committed_during_the_backlog_is_read_after_it() {
        let mut cursor = Cursor::new(start(7, true, true));
        assert_eq!(cursor.next_read(), Some(Want::Unread { after: 0, upto: 7 }));
        assert_eq!(cursor.next_read(), None, "one read at a time");
        assert_eq!(cursor.offer(8, true), Verdict::Later);
        cursor.fetched(5, false);
        assert_eq!(cursor.next_read(), Some(Want::Unread { after: 5, upto: 7 }));
        cursor.fetched(7, true);
        assert_eq!(
            cursor.next_read(),
            Some(Want::Receipts { after: 0, upto: 7 })
        );
        cursor.fetched(7, true);
        assert_eq!(cursor.next_read(), Some(Want::Timeline { after: 7 }));
        cursor.fetched(8, true);
        assert!(cursor.is_live());
    }

    #[test]
    fn a_gap_or_a_full_window_sends_the_device_to_the_store() {
        for (seq, room) in [(9, true), (8, false)] {
            let mut cursor = Cursor::new(start(7, false, false));
            assert_eq!(cursor.offer(seq, room), Verdict::Later);
            assert_eq!(cursor.offer(seq + 1, true), Verdict::Later);
            assert_eq!(cursor.next_read(), Some(Want::Timeline { after: 7 }));
            cursor.fetched(seq, true);
            assert!(!cursor.is_live(), "the last number is still owed");
            assert_eq!(cursor.next_read(), Some(Want::Timeline { after: seq }));
            cursor.fetched(seq + 1, true);
            assert!(cursor.is_live());
            assert_eq!(cursor.offer(seq + 2, true), Verdict::Deliver);
        }
    }

    #[test]
    fn the_next_number_is_sent_though_a_larger_one_came_first_and_a_read_is_under_way() {
        let mut cursor = Cursor::new(start(7, false, false));
        assert_eq!(cursor.offer(9, true), Verdict::Later);
        assert_eq!(cursor.next_read(), Some(Want::Timeline { after: 7 }));
        assert_eq!(cursor.offer(8, true), Verdict::Deliver);
        assert_eq!(cursor.had_meanwhile(), 8, "the read brings it once more");
        assert!(!cursor.is_live(), "the larger one is still owed");
        assert!(cursor.fetched(9, true));
        assert!(cursor.is_live());
        assert_eq!(cursor.offer(10, true), Verdict::Deliver);
    }

    #[test]
    fn a_read_from_before_what_was_sent_meanwhile_is_followed_by_another_at_once() {
        let mut cursor = Cursor::new(start(7, false, false));
        assert_eq!(cursor.offer(8, false), Verdict::Later);
        let _ = cursor.next_read();
        assert_eq!(cursor.offer(10, true), Verdict::Later);
        assert!(cursor.fetched(8, true));
        let _ = cursor.next_read();
        assert_eq!(cursor.offer(9, true), Verdict::Deliver);
        assert!(cursor.fetched(8, true), "it is not in vain");
        assert_eq!(cursor.next_read(), Some(Want::Timeline { after: 9 }));
    }

    #[test]
    fn a_store_that_has_less_than_was_announced_is_not_asked_again_at_once() {
        let mut cursor = Cursor::new(start(7, false, false));
        assert_eq!(cursor.offer(9, false), Verdict::Later);
        let _ = cursor.next_read();
        assert!(cursor.fetched(8, true));
        let _ = cursor.next_read();
        assert!(!cursor.fetched(8, true));
        assert!(cursor.needs_read(), "but it is asked again later");
    }

    #[test]
    fn what_was_read_ahead_of_its_announcement_is_not_sent_again() {
        let mut cursor = Cursor::new(start(7, false, false));
        assert_eq!(cursor.offer(8, false), Verdict::Later);
        let _ = cursor.next_read();
        cursor.fetched(9, true);
        assert_eq!(cursor.offer(9, true), Verdict::Skip);
        assert_eq!(cursor.offer(10, true), Verdict::Deliver);
    }
}
