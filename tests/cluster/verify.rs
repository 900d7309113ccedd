//! Holds a [`Record`] against an [`Archive`]: whether every promise about messages was kept.
//!
//! A finding is either **broken**, which nothing that may still happen can mend, or **missing**, which can
//! still come: whoever waits for the end of a run waits until nothing is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::record::{
    Archive, Connection, Heard, Kept, Letter, Record, Sent, UserRecord, is_to_be_read,
};

/// What is wrong, each as a sentence.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Promises that are broken for good.
    pub broken: Vec<String>,
    /// What has not come yet.
    pub missing: Vec<String>,
}

impl Findings {
    fn broken(&mut self, finding: String) {
        self.broken.push(finding);
    }

    fn missing(&mut self, finding: String) {
        self.missing.push(finding);
    }
}

/// Everything that is wrong.
pub fn verify(record: &Record, archive: &Archive) -> Findings {
    let mut findings = Findings::default();
    ids_are_granted_once(record, &mut findings);
    what_was_acked_is_kept_once_and_unchanged(record, archive, &mut findings);
    a_conversation_has_one_order(archive, &mut findings);
    what_was_sent_once_keeps_its_order(record, archive, &mut findings);
    statuses_are_right(archive, &mut findings);
    for (name, user) in &record.users {
        findings.broken.extend(user.complaints.iter().cloned());
        let Some(timeline) = archive.timelines.get(name) else {
            findings.broken(format!("nobody asked for the timeline of {name}"));
            continue;
        };
        everything_reaches_the_recipient(name, user, timeline, &mut findings);
        readings_are_told(name, user, timeline, &mut findings);
        for (device, number) in user.devices.iter().zip(0..) {
            for connection in &device.connections {
                let heard = Hearing {
                    name,
                    listens: number > 0,
                    connection,
                    timeline,
                };
                heard.check(&mut findings);
            }
        }
    }
    findings
}

fn ids_are_granted_once(record: &Record, findings: &mut Findings) {
    let mut owners = HashMap::new();
    for (name, user) in &record.users {
        for id in &user.granted {
            if let Some(other) = owners.insert(id, name) {
                findings.broken(format!("{id} was granted to {other} and to {name}"));
            }
        }
    }
}

fn what_was_acked_is_kept_once_and_unchanged(
    record: &Record,
    archive: &Archive,
    findings: &mut Findings,
) {
    let sent: HashMap<&str, &Sent> = record
        .users
        .values()
        .flat_map(|user| &user.sent)
        .map(|sent| (sent.letter.id.as_str(), sent))
        .collect();
    for ((user, partner), conversation) in &archive.conversations {
        let mut kept = HashSet::new();
        for message in conversation {
            let id = message.letter.id.as_str();
            if !kept.insert(id) {
                findings.broken(format!("{id} is twice in {user}'s history with {partner}"));
            }
            if sent.get(id).map(|sent| &sent.letter) != Some(&message.letter) {
                findings.broken(format!("nobody sent {message:?}, which {user} is shown"));
            }
        }
        let theirs = sent.values().filter(|sent| {
            let letter = &sent.letter;
            let (from, to) = (&letter.from, &letter.to);
            (from, to) == (user, partner) || (from, to) == (partner, user)
        });
        for sent in theirs.filter(|sent| sent.acked) {
            if !kept.contains(sent.letter.id.as_str()) {
                let letter = &sent.letter;
                findings.broken(format!(
                    "{letter:?} was acknowledged and is lost, as {user} sees"
                ));
            }
        }
    }
    for sent in sent.values().filter(|sent| !sent.acked) {
        findings.missing(format!("{:?} is not acknowledged", sent.letter));
    }
}

/// Both sides are shown a conversation alike, and their timelines show it in the same order.
fn a_conversation_has_one_order(archive: &Archive, findings: &mut Findings) {
    for ((user, partner), conversation) in &archive.conversations {
        let shown = ids(conversation.iter());
        let other = archive
            .conversations
            .get(&(partner.clone(), user.clone()))
            .map(|other| ids(other.iter()));
        if other.as_ref() != Some(&shown) {
            let difference = difference(&shown, &other.unwrap_or_default());
            findings.broken(format!(
                "{user} and {partner} are shown different conversations: {difference}"
            ));
        }
        let timeline = archive.timelines.get(user).into_iter().flatten();
        let with_partner = timeline.filter(|kept| {
            let letter = &kept.letter;
            let other = if letter.from == *user {
                &letter.to
            } else {
                &letter.from
            };
            other == partner
        });
        let in_timeline = ids(with_partner);
        if in_timeline != shown {
            let difference = difference(&shown, &in_timeline);
            findings.broken(format!(
                "{user}'s history with {partner} is not as in their history of all: {difference}"
            ));
        }
    }
}

/// Messages that were sent once, on one connection, are stored as they were sent.
fn what_was_sent_once_keeps_its_order(record: &Record, archive: &Archive, findings: &mut Findings) {
    for (name, user) in &record.users {
        let mut ways: BTreeMap<(&str, usize), Vec<&str>> = BTreeMap::new();
        for sent in user.sent.iter().filter(|sent| sent.acked) {
            if let [connection] = sent.sendings[..] {
                let way = (sent.letter.to.as_str(), connection);
                ways.entry(way).or_default().push(&sent.letter.id);
            }
        }
        for ((partner, connection), sent) in ways {
            let key = (name.clone(), partner.to_owned());
            let conversation = archive.conversations.get(&key).into_iter().flatten();
            let wanted: HashSet<_> = sent.iter().collect();
            let kept = ids(conversation.filter(|kept| wanted.contains(&kept.letter.id.as_str())));
            if kept.len() == sent.len() && kept != sent {
                let difference = difference(&sent, &kept);
                findings.broken(format!(
                    "what {name} sent to {partner} on connection {connection} is stored in another order: {difference}"
                ));
            }
        }
    }
}

fn statuses_are_right(archive: &Archive, findings: &mut Findings) {
    for ((user, _), conversation) in &archive.conversations {
        for Kept { letter, status } in conversation {
            match (is_to_be_read(&letter.id), status) {
                (true, 2) | (false, 1) => {}
                (true, 1) => findings.missing(format!("{letter:?} is not read, as {user} sees")),
                _ => findings.broken(format!(
                    "{letter:?} has the status {status}, as {user} sees"
                )),
            }
        }
    }
}

fn everything_reaches_the_recipient(
    name: &str,
    user: &UserRecord,
    timeline: &[Kept],
    findings: &mut Findings,
) {
    let connections = user.devices.iter().flat_map(|device| &device.connections);
    let arrived: HashSet<&str> = connections
        .flat_map(Connection::letters)
        .map(|letter| letter.id.as_str())
        .collect();
    for Kept { letter, .. } in timeline {
        if letter.to == name && !arrived.contains(letter.id.as_str()) {
            findings.missing(format!("{letter:?} reached no device of {name}"));
        }
    }
}

/// Some device of the sender hears of every reading.
fn readings_are_told(name: &str, user: &UserRecord, timeline: &[Kept], findings: &mut Findings) {
    let connections = user.devices.iter().flat_map(|device| &device.connections);
    let told: HashSet<&str> = connections
        .flat_map(|connection| &connection.heard)
        .filter_map(|heard| match heard {
            Heard::Status { id, status: 2, .. } => Some(id.as_str()),
            _ => None,
        })
        .collect();
    for Kept { letter, .. } in timeline {
        if letter.from == name && is_to_be_read(&letter.id) && !told.contains(letter.id.as_str()) {
            findings.missing(format!("{name} was not told that {letter:?} was read"));
        }
    }
}

/// What one connection heard, beside the timeline of its user.
struct Hearing<'a> {
    name: &'a str,
    listens: bool,
    connection: &'a Connection,
    timeline: &'a [Kept],
}

impl Hearing<'_> {
    fn check(&self, findings: &mut Findings) {
        if !self.each_once_and_in_order(findings) {
            return; // what else could be said of it would only repeat that
        }
        self.nothing_of_others(findings);
        self.all_that_is_unread(findings);
        if self.listens {
            self.no_gap_in_what_is_followed(findings);
            self.statuses_on_a_listener(findings);
        }
    }

    fn who(&self) -> String {
        let role = if self.listens { "listening" } else { "talking" };
        let node = self.connection.node;
        format!(
            "a connection of {}'s {role} device to node {node}",
            self.name
        )
    }

    /// Each message at most once, and in the order of the history.
    fn each_once_and_in_order(&self, findings: &mut Findings) -> bool {
        let heard: Vec<&str> = self.connection.letters().map(|l| l.id.as_str()).collect();
        let distinct: HashSet<_> = heard.iter().collect();
        if distinct.len() < heard.len() {
            let mut seen = HashSet::new();
            let twice: Vec<_> = heard.iter().filter(|id| !seen.insert(**id)).collect();
            findings.broken(format!("{} got messages twice: {twice:?}", self.who()));
            return false;
        }
        let kept = self.timeline.iter();
        let expected = ids(kept.filter(|kept| distinct.contains(&kept.letter.id.as_str())));
        if expected != heard {
            let difference = difference(&expected, &heard);
            findings.broken(format!(
                "{} got messages in another order than history: {difference}",
                self.who()
            ));
            return false;
        }
        true
    }

    fn nothing_of_others(&self, findings: &mut Findings) {
        for heard in &self.connection.heard {
            let theirs = match heard {
                Heard::Message(letter) => letter.concerns(self.name),
                Heard::Status {
                    sender, recipient, ..
                } => sender == self.name || recipient == self.name,
            };
            if !theirs {
                findings.broken(format!("{} heard {heard:?}", self.who()));
            }
        }
        let kept: HashMap<&str, &Letter> = self
            .timeline
            .iter()
            .map(|kept| (kept.letter.id.as_str(), &kept.letter))
            .collect();
        for letter in self.connection.letters() {
            if kept.get(letter.id.as_str()) != Some(&letter) {
                findings.broken(format!("{} got {letter:?}, not as kept", self.who()));
            }
        }
    }

    /// What is never read comes on every connection, from the first on.
    fn all_that_is_unread(&self, findings: &mut Findings) {
        let unread = |letter: &&Letter| letter.to == self.name && !is_to_be_read(&letter.id);
        let kept = self.timeline.iter().map(|kept| &kept.letter).filter(unread);
        let kept: Vec<&str> = kept.map(|letter| letter.id.as_str()).collect();
        let heard = self.connection.letters().filter(unread);
        let heard: Vec<&str> = heard.map(|letter| letter.id.as_str()).collect();
        if !kept.starts_with(&heard) {
            let difference = difference(&kept, &heard);
            findings.broken(format!(
                "{} skipped unread messages: {difference}",
                self.who()
            ));
        } else if self.connection.is_alive() && heard.len() < kept.len() {
            let rest = &kept[heard.len()..];
            findings.missing(format!("{} has not got {rest:?}", self.who()));
        }
    }

    /// Where a device hears of a message that its user sent from another one, it follows the timeline: from
    /// there on nothing may be left out.
    fn no_gap_in_what_is_followed(&self, findings: &mut Findings) {
        let heard: Vec<&Letter> = self.connection.letters().collect();
        let own = |letter: &&Letter| letter.from == self.name && !letter.is_to_oneself();
        let Some(first) = heard.iter().position(own) else {
            return;
        };
        let followed: Vec<&str> = heard[first..].iter().map(|l| l.id.as_str()).collect();
        let kept = self.timeline.iter().map(|kept| kept.letter.id.as_str());
        let kept: Vec<&str> = kept.skip_while(|id| *id != followed[0]).collect();
        if !kept.starts_with(&followed) {
            let difference = difference(&kept, &followed);
            findings.broken(format!("{} has a gap: {difference}", self.who()));
        } else if self.connection.is_alive() && followed.len() < kept.len() {
            let rest = &kept[followed.len()..];
            findings.missing(format!("{} has not got {rest:?}", self.who()));
        }
    }

    /// A device that follows hears status 1 once, after the message, and status 2 once, after that.
    fn statuses_on_a_listener(&self, findings: &mut Findings) {
        let mut known = BTreeSet::new();
        let mut told = HashSet::new();
        for heard in &self.connection.heard {
            match heard {
                Heard::Message(letter) => {
                    known.insert(letter.id.as_str());
                }
                Heard::Status { id, status, .. } => {
                    if !told.insert((id, status)) {
                        findings.broken(format!("{} heard twice: {heard:?}", self.who()));
                    }
                    if *status == 1 && !known.contains(id.as_str()) {
                        findings.broken(format!("{} heard too early: {heard:?}", self.who()));
                    }
                    if *status == 2 && !is_to_be_read(id) {
                        findings.broken(format!("{} heard of no reading: {heard:?}", self.who()));
                    }
                }
            }
        }
        if !self.connection.is_alive() {
            return;
        }
        let own = |letter: &&Letter| letter.from == self.name && !letter.is_to_oneself();
        for Letter { id, .. } in self.connection.letters().filter(own) {
            let wanted = if is_to_be_read(id) { 2 } else { 1 };
            for status in 1..=wanted {
                if self.connection.count_status(id, status) == 0 {
                    findings.missing(format!("{} lacks status {status} of {id}", self.who()));
                }
            }
        }
    }
}

fn ids<'a>(kept: impl Iterator<Item = &'a Kept>) -> Vec<&'a str> {
    kept.map(|kept| kept.letter.id.as_str()).collect()
}

/// Where two lists part, with a little of what is around.
fn difference(expected: &[&str], found: &[&str]) -> String {
    let same = expected.iter().zip(found).take_while(|(a, b)| a == b);
    let at = same.count();
    let around = |list: &[&str]| {
        let from = at.saturating_sub(1).min(list.len());
        format!("{:?}", &list[from..list.len().min(at + 4)])
    };
    format!("at {at} {} became {}", around(expected), around(found))
}
