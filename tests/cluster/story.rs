//! A small record and its archive, made up: what a run would leave in which nothing went wrong.

use super::record::{
    Archive, Connection, DeviceRecord, End, Heard, Kept, Letter, Record, Sent, is_to_be_read,
};

/// The user with two devices.
pub const ANN: &str = "ann";
/// The user with one.
pub const BOB: &str = "bob";

/// A story that is told message by message.
#[derive(Default)]
pub struct Story {
    pub record: Record,
    pub archive: Archive,
}

impl Story {
    /// Twelve messages, both ways and to oneself. In their midst ann's other device loses its connection, and
    /// bob his.
    pub fn tell() -> Story {
        let mut story = Story::default();
        for (name, devices) in [(ANN, 2), (BOB, 1)] {
            let user = story.record.users.entry(name.to_owned()).or_default();
            user.devices = vec![DeviceRecord::default(); devices];
            story.archive.timelines.insert(name.to_owned(), Vec::new());
            for device in 0..devices {
                story.connect(name, device);
            }
        }
        for number in 1..=6 {
            story.send(ANN, BOB, number);
            story.send(BOB, ANN, 10 + number);
            if number == 3 {
                story.connect(ANN, 1);
                story.connect(BOB, 0);
            }
        }
        story.send(ANN, ANN, 7);
        story.send(ANN, ANN, 8);
        story
    }

    /// A connection of a device takes the place of the one before.
    pub fn connect(&mut self, name: &str, device: usize) {
        let user = self.record.users.get_mut(name).expect("a known user");
        let connections = &mut user.devices[device].connections;
        if let Some(last) = connections.last_mut() {
            last.end = Some(End::Broken);
        }
        let unread = self.archive.timelines[name].iter();
        let unread = unread.filter(|kept| kept.letter.to == name && kept.status == 1);
        connections.push(Connection {
            node: connections.len() % 2,
            heard: unread
                .map(|kept| Heard::Message(kept.letter.clone()))
                .collect(),
            end: None,
        });
    }

    fn send(&mut self, from: &str, to: &str, number: u64) {
        let letter = Letter {
            id: format!("MSG{number:06}"),
            from: from.to_owned(),
            to: to.to_owned(),
            text: format!("number {number}"),
        };
        let sender = self.record.users.get_mut(from).expect("a known user");
        sender.granted.push(letter.id.clone());
        sender.sent.push(Sent {
            letter: letter.clone(),
            sendings: vec![sender.devices[0].connections.len() - 1],
            acked: true,
        });
        self.keep(&letter);
        for (device, name) in self.devices_of(&[from, to]) {
            if name == to || device > 0 {
                self.hear(&name, device, Heard::Message(letter.clone()));
            }
            if name == from {
                self.hear(&name, device, status(&letter, 1));
            }
            let reads = name == to && device == 0 && name != from;
            if is_to_be_read(&letter.id) && !reads {
                self.hear(&name, device, status(&letter, 2));
            }
        }
    }

    fn keep(&mut self, letter: &Letter) {
        let kept = Kept {
            letter: letter.clone(),
            status: if is_to_be_read(&letter.id) { 2 } else { 1 },
        };
        let mut sides = vec![(&letter.from, &letter.to)];
        if !letter.is_to_oneself() {
            sides.push((&letter.to, &letter.from));
        }
        for (user, partner) in sides {
            let key = (user.clone(), partner.clone());
            let conversation = self.archive.conversations.entry(key).or_default();
            conversation.push(kept.clone());
            let timeline = self.archive.timelines.entry(user.clone()).or_default();
            timeline.push(kept.clone());
        }
    }

    fn devices_of(&self, names: &[&str]) -> Vec<(usize, String)> {
        let users = self.record.users.iter();
        let users = users.filter(|(name, _)| names.contains(&name.as_str()));
        users
            .flat_map(|(name, user)| (0..user.devices.len()).map(|device| (device, name.clone())))
            .collect()
    }

    fn hear(&mut self, name: &str, device: usize, heard: Heard) {
        self.connection(name, device).heard.push(heard);
    }

    /// The last connection of a device.
    pub fn connection(&mut self, name: &str, device: usize) -> &mut Connection {
        let user = self.record.users.get_mut(name).expect("a known user");
        let connections = &mut user.devices[device].connections;
        connections.last_mut().expect("it has connected")
    }

    /// The conversation of ann and bob, as one of them sees it.
    pub fn conversation(&mut self, user: &str) -> &mut Vec<Kept> {
        let partner = if user == ANN { BOB } else { ANN };
        let key = (user.to_owned(), partner.to_owned());
        let conversation = self.archive.conversations.get_mut(&key);
        conversation.expect("they wrote to each other")
    }

    /// The history of all of a user's conversations.
    pub fn timeline(&mut self, user: &str) -> &mut Vec<Kept> {
        let timeline = self.archive.timelines.get_mut(user);
        timeline.expect("a known user")
    }

    /// Changes whatever history the archive has of these two, in the same way.
    pub fn everywhere(&mut self, change: impl Fn(&mut Vec<Kept>)) {
        for user in [ANN, BOB] {
            change(self.conversation(user));
            change(self.timeline(user));
        }
    }
}

fn status(letter: &Letter, status: u64) -> Heard {
    Heard::Status {
        id: letter.id.clone(),
        sender: letter.from.clone(),
        recipient: letter.to.clone(),
        status,
    }
}
