//! What has become of each frame: when it was answered, and when it arrived.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::{Shot, What};
use crate::Outcome;
use crate::frames::Frame;

/// Times from the beginning of the run, in nanoseconds; 0 is not yet.
#[derive(Debug, Clone, Default)]
pub struct Fate {
    pub due: u64,
    /// The acknowledgement, or the page.
    pub answered: u64,
    /// The last delivery.
    pub delivered: u64,
    /// Deliveries that have not come.
    pub awaited: usize,
}

impl Fate {
    fn is_settled(&self) -> bool {
        self.answered > 0 && self.awaited == 0
    }

    /// When the last of it had come.
    pub fn settled(&self) -> Option<u64> {
        self.is_settled()
            .then_some(self.answered.max(self.delivered))
    }
}

/// Of all frames of a run.
pub struct Record {
    pub fates: Vec<Fate>,
    messages: HashMap<i64, usize>,
    /// Pages that each connection has asked for, in the order of their answers.
    pages: Vec<VecDeque<usize>>,
    settled: usize,
    /// Whether connections hear of messages of others, too.
    crowded: bool,
}

impl Record {
    pub fn new(shots: &[Shot], sockets: usize, crowded: bool) -> Self {
        let mut messages = HashMap::with_capacity(shots.len());
        let mut pages = vec![VecDeque::new(); sockets];
        let mut fates = Vec::with_capacity(shots.len());
        for (number, shot) in shots.iter().enumerate() {
            let awaited = match shot.what {
                What::Message { id, devices, .. } => {
                    messages.insert(id, number);
                    devices
                }
                What::Page { .. } => {
                    pages[shot.socket].push_back(number);
                    0
                }
            };
            fates.push(Fate {
                due: u64::try_from(shot.due.as_nanos()).unwrap_or(u64::MAX),
                awaited,
                ..Fate::default()
            });
        }
        Self {
            fates,
            messages,
            pages,
            settled: 0,
            crowded,
        }
    }

    /// Whether the first so many are answered and have arrived.
    pub fn is_complete(&self, count: usize) -> bool {
        self.settled >= count
    }

    /// How many are.
    pub fn settled(&self) -> usize {
        self.settled
    }

    /// A frame has come over a connection.
    pub fn take(&mut self, socket: usize, frame: Frame, now: Duration) -> Outcome<()> {
        let number = match frame {
            Frame::Page => self.pages[socket].pop_front(),
            Frame::Ack(id) | Frame::Message(id) => self.messages.get(&id).copied(),
        };
        let Some(number) = number else {
            return if self.crowded && frame != Frame::Page {
                Ok(())
            } else {
                Err(format!("not awaited: {frame:?}").into())
            };
        };
        let fate = &mut self.fates[number];
        let now = u64::try_from(now.as_nanos())?.max(1);
        let is_new = match frame {
            Frame::Message(_) => fate.awaited > 0,
            Frame::Page | Frame::Ack(_) => fate.answered == 0,
        };
        if !is_new {
            return Err(format!("for the second time: {frame:?}").into());
        }
        if matches!(frame, Frame::Message(_)) {
            fate.awaited -= 1;
            fate.delivered = now;
        } else {
            fate.answered = now;
        }
        self.settled += usize::from(fate.is_settled());
        Ok(())
    }
}
