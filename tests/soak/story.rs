//! A small ledger and its histories, made up: what a stretch would leave in which nothing went wrong.

use super::archive::Kept;
use super::audit::{Findings, audit};
use super::ledger::{Connection, Heard, Ledger, What};

/// Two users; ann has two devices. Connections have the numbers of the devices, one higher.
pub const ANN: u16 = 0;
pub const BOB: u16 = 1;
pub const ANN_SENDS: u32 = 1;
pub const ANN_LISTENS: u32 = 2;
pub const BOB_SENDS: u32 = 3;

/// A story that is told message by message.
pub struct Story {
    pub ledger: Ledger,
    /// By user, since the last stretch.
    pub timelines: Vec<Vec<Kept>>,
}

impl Story {
    /// A stretch with the messages 1 to 8, of which the fourth and the eighth are left unread.
    pub fn tell() -> Story {
        let mut story = Story {
            ledger: Ledger::new(2),
            timelines: vec![Vec::new(); 2],
        };
        for (user, device) in [(ANN, 0), (ANN, 1), (BOB, 2)] {
            story.connect(user, device);
        }
        story.ledger.granted(&(1..=20).collect::<Vec<_>>());
        for id in 1..=8 {
            story.send(id);
        }
        story
    }

    /// [`Story::tell`], and a second stretch with the messages 11 to 14 after it.
    pub fn tell_on() -> Story {
        let mut story = Story::tell();
        story.settle();
        (11..=14).for_each(|id| story.send(id));
        story
    }

    /// A stretch ends.
    pub fn settle(&mut self) {
        self.ledger.settle(&self.timelines);
        self.timelines = vec![Vec::new(); 2];
    }

    /// A device connects, and gets what is unread.
    pub fn connect(&mut self, user: u16, device: u16) -> u32 {
        let number = self.ledger.connect(user, device);
        self.ledger.connected(number);
        let unread = self.ledger.messages.iter();
        let unread = unread.filter(|(_, message)| message.to == user && message.reported == 0);
        let mut ids: Vec<u32> = unread.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        for id in ids {
            let from = self.ledger.messages[&id].from;
            self.ledger.hear_message(number, id, from, user);
        }
        number
    }

    /// Those of odd numbers are ann's to bob, the others his to her. One in four is left unread.
    fn send(&mut self, id: u32) {
        let is_anns = id % 2 == 1;
        let (from, to) = if is_anns { (ANN, BOB) } else { (BOB, ANN) };
        let (sender, reader) = if is_anns {
            (ANN_SENDS, BOB_SENDS)
        } else {
            (BOB_SENDS, ANN_SENDS)
        };
        let ledger = &mut self.ledger;
        ledger.send(sender, id, to);
        for connection in [ANN_SENDS, ANN_LISTENS, BOB_SENDS] {
            if connection != sender {
                ledger.hear_message(connection, id, from, to);
            }
        }
        ledger.hear_status(sender, id, 1);
        if is_anns {
            ledger.hear_status(ANN_LISTENS, id, 1);
        }
        let is_read = !id.is_multiple_of(4);
        if is_read {
            ledger.report(reader, id);
            for connection in [ANN_SENDS, ANN_LISTENS, BOB_SENDS] {
                if connection != reader {
                    ledger.hear_status(connection, id, 2);
                }
            }
        }
        for timeline in &mut self.timelines {
            timeline.push(Kept {
                id,
                from,
                to,
                status: if is_read { 2 } else { 1 },
                is_whole: true,
            });
        }
    }

    /// What came on a connection.
    pub fn heard(&mut self, connection: u32) -> &mut Vec<Heard> {
        &mut self.connection(connection).heard
    }

    /// A connection.
    pub fn connection(&mut self, number: u32) -> &mut Connection {
        self.ledger
            .connections
            .get_mut(&number)
            .expect("it is there")
    }

    /// Removes what came of a message on a connection.
    pub fn unhear(&mut self, connection: u32, id: u32, what: What) {
        self.heard(connection)
            .retain(|heard| (heard.id, heard.what) != (id, what));
    }

    /// Changes the histories of both in the same way.
    pub fn everywhere(&mut self, change: impl Fn(&mut Vec<Kept>)) {
        self.timelines.iter_mut().for_each(change);
    }

    /// What is wrong with it.
    pub fn audit(&self) -> Findings {
        audit(&self.ledger, &self.timelines)
    }
}
