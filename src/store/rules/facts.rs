//! What the rules have to know of a batch before they decide it.

use std::collections::BTreeSet;

use crate::hash::{HashMap, HashSet};
use crate::protocol::{FileId, UserId};
use crate::store::batch::{NewMessage, Write};
use crate::store::bulk::Backlog;
use crate::store::carried::Carried;
use crate::store::ids;
use crate::store::messages::Found;
use crate::store::users::Working;

/// What has to be read before a batch can be decided.
#[derive(Debug, Default)]
pub struct Questions<'a> {
    /// Every user it names.
    pub users: BTreeSet<&'a UserId>,
    /// Every message.
    pub messages: Vec<i64>,
    /// The blocks of IDs of the messages to store.
    pub blocks: Vec<i64>,
    /// Those who connect.
    pub connecting: BTreeSet<&'a UserId>,
    /// Who sends to whom.
    pub pairs: Vec<(&'a UserId, &'a UserId)>,
    /// The keys that are sent under.
    pub keys: Vec<(&'a UserId, &'a str)>,
    /// The files that messages carry, and who sends them.
    pub files: Vec<(FileId, &'a UserId)>,
}

/// What a batch has to know.
#[derive(Debug, Default)]
pub struct Facts {
    /// The users that have a row.
    pub working: Working,
    /// The messages that are stored.
    pub stored: HashMap<i64, Found>,
    /// The positions of those of the batch's messages that are stored with the same content.
    pub same: HashSet<usize>,
    /// Blocks of IDs that are granted: to whom, and when.
    pub grants: HashMap<i64, (i64, i64)>,
    /// What waits for those who connect.
    pub backlogs: HashMap<UserId, Backlog>,
    /// Of those pairs that [`Self::who_may_be_blocked`] names, recipient and sender: whether the recipient
    /// blocks the sender.
    pub blocked: HashMap<(i64, i64), bool>,
    /// What was sent under the keys: sender and key, and the message.
    pub sent: HashMap<(i64, String), i64>,
    /// The files that messages carry.
    pub carried: Carried,
}

impl Facts {
    /// The pairs of recipient and sender about which there is something to ask: of a user of whom
    /// nothing was ever changed from outside, nobody is blocked.
    pub fn who_may_be_blocked(&self, questions: &Questions<'_>) -> Vec<(i64, i64)> {
        let pairs = questions.pairs.iter().filter_map(|(from, to)| {
            let recipient = self.working.find(to).filter(|state| state.revision > 0)?;
            Some((recipient.id, self.working.row_id(from)?))
        });
        let mut pairs: Vec<(i64, i64)> = pairs.collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// What a user was sent as under this key before.
    pub fn sent_as(&self, user: &UserId, key: &str) -> Option<i64> {
        let sender = self.working.row_id(user)?;
        self.sent.get(&(sender, key.to_owned())).copied()
    }

    /// Takes in which of these pairs are blocked.
    pub fn learn_blocked(&mut self, asked: Vec<(i64, i64)>, blocked: &HashSet<(i64, i64)>) {
        let known = asked
            .into_iter()
            .map(|pair| (pair, blocked.contains(&pair)));
        self.blocked.extend(known);
    }
}

/// What a batch has to know.
pub fn questions(batch: &[Write]) -> Questions<'_> {
    let mut questions = Questions::default();
    for write in batch {
        questions.ask(write);
    }
    for asked in [&mut questions.messages, &mut questions.blocks] {
        asked.sort_unstable();
        asked.dedup();
    }
    questions
}

impl<'a> Questions<'a> {
    fn ask(&mut self, write: &'a Write) {
        match write {
            Write::Connect(user) => {
                self.users.insert(user);
                self.connecting.insert(user);
            }
            Write::Grant(user, _) | Write::Told(user, _) | Write::Name(user, _) => {
                self.users.insert(user);
            }
            Write::Message(message) => {
                self.ask_of(message);
                self.blocks.push(ids::block(message.id));
            }
            Write::Keyed(message, key) => {
                self.ask_of(message);
                self.keys.push((&message.from, key));
            }
            Write::Read {
                reader,
                sender,
                message,
                ..
            } => {
                self.users.extend([reader, sender]);
                self.messages.push(message.number());
            }
            Write::Lease(_) | Write::GiveBack(..) | Write::Probe => {}
        }
    }

    /// What has to be known of a message, however it is sent.
    fn ask_of(&mut self, message: &'a NewMessage) {
        self.users.extend([&message.from, &message.to]);
        self.pairs.push((&message.from, &message.to));
        self.messages.push(message.id.number());
        self.files
            .extend(message.file().map(|file| (file, &message.from)));
    }
}
