//! Who writes to whom, from which device, and who reads it: drawn before anything is sent, so that all that each
//! device must receive is known.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How many nodes there are.
pub const NODES: usize = 3;

/// One user in so many is hot: much is written to them.
const USERS_FOR_ONE_HOT: usize = 100;

/// Pairs who write to each other all the time, from all of their devices.
const HOT_PAIRS: usize = 5;

/// What a text to the slow reader weighs: together more than what buffers on the way hold.
const HEAVY: usize = 2_000;

/// A crowd and its messages. Users, devices and messages are numbers, from 0.
pub struct Plan {
    /// The devices of each user.
    pub users: Vec<Vec<usize>>,
    /// Every device.
    pub devices: Vec<Device>,
    /// Every message.
    pub messages: Vec<Planned>,
    /// The messages to or from each user.
    pub concerning: Vec<Vec<u32>>,
    /// The device that reads nothing until all is sent, if there is one.
    pub slow: Option<usize>,
}

/// A device of a user.
pub struct Device {
    pub user: usize,
    pub node: usize,
    /// What it sends, in order.
    pub sends: Vec<u32>,
}

/// A message.
pub struct Planned {
    /// The device that sends it.
    pub device: usize,
    /// The user it is sent to.
    pub to: usize,
}

/// How many frames come to all devices together, and what they say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub messages: u64,
    /// Status 1.
    pub acks: u64,
    /// Status 2.
    pub receipts: u64,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(users: usize, messages: usize, with_slow_reader: bool, seed: u64) -> Plan {
        assert!(users > 4 * HOT_PAIRS, "too few users for the hot pairs");
        let mut random = StdRng::seed_from_u64(seed);
        let mut plan = Plan {
            users: vec![Vec::new(); users],
            devices: Vec::new(),
            messages: Vec::with_capacity(messages),
            concerning: vec![Vec::new(); users],
            slow: None,
        };
        for user in 0..users {
            plan.draw_devices(user, &mut random);
        }
        for _ in 0..messages {
            plan.draw_message(&mut random);
        }
        if with_slow_reader {
            plan.slow = Some(plan.add_device(0, random.random_range(0..NODES)));
        }
        plan
    }

    /// One to three devices on one or two nodes; those of hot pairs are on two.
    fn draw_devices(&mut self, user: usize, random: &mut StdRng) {
        let first = random.random_range(0..NODES);
        let second = (first + random.random_range(1..NODES)) % NODES;
        self.add_device(user, first);
        let more = match random.random_range(0..10) {
            _ if self.hot_pairs().contains(&user) => 1,
            0..6 => 0,
            6..9 => 1,
            _ => 2,
        };
        for number in 0..more {
            let other = number == 0 || random.random_bool(0.5);
            self.add_device(user, if other { second } else { first });
        }
    }

    fn add_device(&mut self, user: usize, node: usize) -> usize {
        let device = self.devices.len();
        self.users[user].push(device);
        self.devices.push(Device {
            user,
            node,
            sends: Vec::new(),
        });
        device
    }

    fn draw_message(&mut self, random: &mut StdRng) {
        let hot = self.users.len().div_ceil(USERS_FOR_ONE_HOT);
        let anybody = 0..self.users.len();
        let (from, to) = match random.random_range(0..1000) {
            0..300 => (random.random_range(anybody), random.random_range(0..hot)),
            300..450 => {
                let one = random.random_range(self.hot_pairs());
                (one, one ^ 1)
            }
            450..455 => {
                let oneself = random.random_range(anybody);
                (oneself, oneself)
            }
            _ => (
                random.random_range(anybody.clone()),
                random.random_range(anybody),
            ),
        };
        let devices = &self.users[from];
        let device = devices[random.random_range(0..devices.len())];
        let index = u32::try_from(self.messages.len()).expect("they can be counted");
        self.devices[device].sends.push(index);
        self.messages.push(Planned { device, to });
        self.concerning[from].push(index);
        if to != from {
            self.concerning[to].push(index);
        }
    }

    /// The users of the hot pairs: an even one and the next.
    fn hot_pairs(&self) -> Range<usize> {
        2 * HOT_PAIRS..4 * HOT_PAIRS
    }

    /// A user's ID.
    pub fn name(user: usize) -> String {
        format!("goose-{user:04}")
    }

    /// Who sends a message.
    pub fn from(&self, index: u32) -> usize {
        self.devices[self.messages[index as usize].device].user
    }

    /// To whom.
    pub fn to(&self, index: u32) -> usize {
        self.messages[index as usize].to
    }

    /// From which device.
    pub fn origin(&self, index: u32) -> usize {
        self.messages[index as usize].device
    }

    /// Whether a device receives a message, if it is there all the time: its user is one of the two, and it did
    /// not send it itself (or to its own user).
    pub fn receives(&self, device: usize, index: u32) -> bool {
        let user = self.devices[device].user;
        let (from, to) = (self.from(index), self.to(index));
        to == user || (from == user && self.origin(index) != device)
    }

    /// What the text of a message is.
    pub fn text(&self, index: u32) -> String {
        let heavy = self.slow.is_some() && self.to(index) == 0;
        format!("{index}:{}", "x".repeat(if heavy { HEAVY } else { 0 }))
    }

    /// Whether a message is read by its recipient.
    pub fn is_read(&self, index: u32) -> bool {
        scramble(index) % 10 < 6
    }

    /// Whether this device says that the message was read; sometimes two do.
    pub fn reads(&self, device: usize, index: u32) -> bool {
        let user = self.to(index);
        if !self.is_read(index) || self.devices[device].user != user {
            return false;
        }
        let devices = &self.users[user];
        let first = scramble(index) as usize / 10 % devices.len();
        let second = (first + 1) % devices.len();
        devices[first] == device || (index.is_multiple_of(5) && devices[second] == device)
    }

    /// What comes to all devices together.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for index in 0..u32::try_from(self.messages.len()).expect("they can be counted") {
            let (from, to) = (self.from(index), self.to(index));
            let sending = self.users[from].len() as u64;
            let receiving = self.users[to].len() as u64;
            totals.acks += sending;
            totals.messages += if from == to {
                sending
            } else {
                sending - 1 + receiving
            };
            if self.is_read(index) {
                // The device that said so first is not told, unless it is one of the sender's.
                totals.receipts += if from == to {
                    sending
                } else {
                    sending + receiving - 1
                };
            }
        }
        totals
    }
}

/// A number that looks like a random one.
fn scramble(index: u32) -> u32 {
    let mut bits = index.wrapping_mul(0x9E37_79B9) ^ 0x5bd1_e995;
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x85EB_CA6B);
    bits ^ (bits >> 13)
}
