//! What must be true at the end: each device received what was its due, each thing once, and all of it in the one
//! order that history shows on every node.

use std::collections::HashMap;

use super::device::{Said, Seen};
use super::histories::Look;
use super::ledger::Ledger;
use super::plan::{NODES, Plan};

/// What came to each device, by its number.
pub type Records = Vec<Vec<Seen>>;

/// Holds all records and looks against the plan.
pub struct Verdict<'a> {
    pub ledger: &'a Ledger,
    pub records: &'a Records,
    /// For each user, what each node shows.
    pub looks: &'a [Vec<Look>],
}

impl Verdict<'_> {
    /// Fails with the first thing that is not as it must be.
    pub fn pronounce(&self) {
        for user in 0..self.plan().users.len() {
            self.check_history(user);
        }
        self.check_conversations();
        for device in 0..self.plan().devices.len() {
            self.check_messages(device);
            self.check_statuses(device);
        }
        self.check_readers();
    }

    fn plan(&self) -> &Plan {
        &self.ledger.plan
    }

    /// For the message of a failure.
    fn name(&self, device: usize) -> String {
        let planned = &self.plan().devices[device];
        let user = Plan::name(planned.user);
        format!("device {device} of {user} on node {}", planned.node)
    }

    /// The history of a user, from the first node.
    fn history(&self, user: usize) -> impl Iterator<Item = u32> {
        self.looks[user][0].history.iter().map(|(index, _)| *index)
    }

    /// All nodes show the same, all of it, and redeliver what is unread in that order.
    fn check_history(&self, user: usize) {
        let name = Plan::name(user);
        let plan = self.plan();
        let mut shown: Vec<u32> = self.history(user).collect();
        shown.sort_unstable();
        assert_eq!(shown, plan.concerning[user], "the history of {name}");
        for (index, status) in &self.looks[user][0].history {
            let due = if plan.is_read(*index) { 2 } else { 1 };
            assert_eq!(
                *status, due,
                "the status of {index} in the history of {name}"
            );
        }
        for node in 0..NODES {
            let look = &self.looks[user][node];
            let first = &self.looks[user][0].history;
            assert_eq!(&look.history, first, "{name} on node {node} and on node 0");
            let unread = self.history(user);
            let unread = unread.filter(|index| plan.to(*index) == user && !plan.is_read(*index));
            let unread: Vec<u32> = unread.collect();
            assert_eq!(
                look.redelivered, unread,
                "redelivered to {name} by node {node}"
            );
        }
    }

    /// The two of a conversation see it in one order.
    fn check_conversations(&self) {
        let plan = self.plan();
        let mut conversations: HashMap<(usize, usize), Vec<u32>> = HashMap::new();
        for user in 0..plan.users.len() {
            let mut of_user: HashMap<(usize, usize), Vec<u32>> = HashMap::new();
            for index in self.history(user) {
                let (from, to) = (plan.from(index), plan.to(index));
                let pair = (from.min(to), from.max(to));
                of_user.entry(pair).or_default().push(index);
            }
            for (pair, order) in of_user {
                if let Some(before) = conversations.insert(pair, order) {
                    assert_eq!(before, conversations[&pair], "the conversation of {pair:?}");
                }
            }
        }
    }

    /// A device received each message that was its due once, in the order of its user's history. A message of its
    /// own counts as received when it was acknowledged: it must only not be missing.
    fn check_messages(&self, device: usize) {
        let plan = self.plan();
        let user = plan.devices[device].user;
        let came: Vec<u32> = self.came(device, Said::Message).collect();
        let due = self.history(user);
        let due: Vec<u32> = due.filter(|index| plan.receives(device, *index)).collect();
        if came == due {
            return;
        }
        let name = self.name(device);
        let twice = repeated(&came);
        assert!(twice.is_empty(), "{name} received these twice: {twice:?}");
        let lacks: Vec<u32> = due.iter().copied().filter(|i| !came.contains(i)).collect();
        let count = due.len();
        assert!(lacks.is_empty(), "{name} lacks these of {count}: {lacks:?}");
        let more: Vec<u32> = came.iter().copied().filter(|i| !due.contains(i)).collect();
        assert!(
            more.is_empty(),
            "{name} received what is not its due: {more:?}"
        );
        let at = came.iter().zip(&due).position(|(came, due)| came != due);
        let at = at.expect("they differ");
        let (came, due) = (&came[at..], &due[at..]);
        let few = came.len().min(8);
        panic!(
            "{name}: from place {at} on these came {:?}, and history shows {:?}",
            &came[..few],
            &due[..few]
        );
    }

    /// Each message of its user was acknowledged once, to the other devices after the message itself, and its being
    /// read was told once, after that.
    fn check_statuses(&self, device: usize) {
        let plan = self.plan();
        let user = plan.devices[device].user;
        let name = self.name(device);
        let mut stored: Vec<u32> = self.came(device, Said::Stored).collect();
        stored.sort_unstable();
        let mine = |index: &u32| plan.from(*index) == user;
        let mut due: Vec<u32> = self.history(user).filter(mine).collect();
        due.sort_unstable();
        assert_eq!(stored, due, "what was acknowledged to {name}");

        let mut told: Vec<u32> = self.came(device, Said::Read).filter(mine).collect();
        told.sort_unstable();
        due.retain(|index| plan.is_read(*index));
        assert_eq!(told, due, "what was told to be read to {name}");

        let mut last: HashMap<u32, Said> = HashMap::new();
        for seen in &self.records[device] {
            let (index, said) = (seen.index(), seen.said());
            let before = last.insert(index, said);
            let in_order = match said {
                // The device that sent it hears at once that it is stored, wherever it is in its timeline.
                Said::Message if plan.origin(index) == device => before != Some(Said::Read),
                Said::Stored if plan.origin(index) == device => before != Some(Said::Read),
                Said::Message => before.is_none(),
                Said::Stored => before == Some(Said::Message),
                Said::Read if plan.origin(index) == device => before.is_some(),
                Said::Read if mine(&index) => before == Some(Said::Stored),
                Said::Read => before == Some(Said::Message),
            };
            let (from, to) = (Plan::name(plan.from(index)), Plan::name(plan.to(index)));
            assert!(
                in_order,
                "{name}: of {index} ({from} to {to}) came {said:?} after {before:?}"
            );
        }
    }

    /// That a message was read is told to all devices of the reader but the one that said so first.
    fn check_readers(&self) {
        let plan = self.plan();
        let mut untold: HashMap<u32, Vec<usize>> = HashMap::new();
        for devices in &plan.users {
            for device in devices {
                let user = plan.devices[*device].user;
                let mut told: Vec<u32> = self.came(*device, Said::Read).collect();
                told.sort_unstable();
                let twice = repeated(&told);
                assert!(
                    twice.is_empty(),
                    "{} was told twice: {twice:?}",
                    self.name(*device)
                );
                for index in self.history(user) {
                    if plan.to(index) == user
                        && plan.from(index) != user
                        && plan.is_read(index)
                        && told.binary_search(&index).is_err()
                    {
                        untold.entry(index).or_default().push(*device);
                    }
                }
            }
        }
        for (index, devices) in untold {
            let [device] = devices[..] else {
                let names: Vec<String> = devices.iter().map(|d| self.name(*d)).collect();
                panic!("nobody told {names:?} that {index} was read");
            };
            let name = self.name(device);
            assert!(
                plan.reads(device, index),
                "{name} was not told that {index} was read"
            );
        }
    }

    fn came(&self, device: usize, said: Said) -> impl Iterator<Item = u32> {
        let seen = self.records[device].iter();
        seen.filter(move |seen| seen.said() == said)
            .map(|seen| seen.index())
    }
}

/// Those that are there more than once.
fn repeated(indices: &[u32]) -> Vec<u32> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    let pairs = sorted.windows(2).filter(|pair| pair[0] == pair[1]);
    pairs.map(|pair| pair[0]).collect()
}
