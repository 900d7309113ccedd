//! Holds a [`Ledger`] against what the server shows: whether every promise about messages was kept in a stretch.
//!
//! A finding is either **broken**, which nothing that may still happen can mend, or **missing**, which can still
//! come: whoever waits for the end of a stretch waits until nothing is missing. `tests/cluster/verify.rs` asks
//! the same of a load that is small enough to be remembered whole.

use std::collections::HashMap;

use super::archive::Kept;
use super::hearing::Hearing;
use super::ledger::{Connection, Ledger, Message, Moment};

/// What is wrong, each as a sentence.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Promises that are broken for good.
    pub broken: Vec<String>,
    /// What has not come yet.
    pub missing: Vec<String>,
}

impl Findings {
    /// Notes a broken promise.
    pub fn broken(&mut self, finding: String) {
        self.broken.push(finding);
    }

    /// Notes what can still come.
    pub fn missing(&mut self, finding: String) {
        self.missing.push(finding);
    }
}

/// A message that can come to a user in this stretch: it is in their history, or was unread before.
pub struct Entry<'a> {
    pub id: u32,
    pub message: &'a Message,
    /// Where history shows it: the older ones are not asked for again.
    pub status: Option<u64>,
}

/// What a user is shown, in order.
pub struct View<'a> {
    pub user: u16,
    pub ledger: &'a Ledger,
    pub entries: Vec<Entry<'a>>,
    /// Of each message among the entries.
    pub places: HashMap<u32, usize>,
}

/// Everything that is wrong. These are the histories since the last stretch, by user.
pub fn audit(ledger: &Ledger, timelines: &[Vec<Kept>]) -> Findings {
    let mut findings = Findings::default();
    findings.broken.extend(ledger.complaints.iter().cloned());
    conversations_are_alike(timelines, &mut findings);
    let mut connections: HashMap<u16, Vec<(u32, &Connection)>> = HashMap::new();
    for (number, connection) in &ledger.connections {
        let theirs = connections.entry(connection.user).or_default();
        theirs.push((*number, connection));
    }
    let mut shown: HashMap<u32, u8> = HashMap::new();
    let mut unread: HashMap<u16, Vec<(u32, &Message)>> = HashMap::new();
    for (id, message) in &ledger.messages {
        if message.place.is_some() {
            unread.entry(message.to).or_default().push((*id, message));
        }
    }
    for (user, timeline) in (0..).zip(timelines) {
        let unread = unread.remove(&user).unwrap_or_default();
        let view = View::new(ledger, user, unread, timeline, &mut findings);
        for kept in timeline {
            *shown.entry(kept.id).or_default() += 1;
        }
        view.what_was_sent_once_keeps_its_order(&mut findings);
        view.statuses_are_right(&mut findings);
        for (number, connection) in connections.remove(&user).unwrap_or_default() {
            Hearing::new(&view, number, connection).check(&mut findings);
        }
    }
    everything_acknowledged_is_kept(ledger, &shown, &mut findings);
    findings
}

/// Both sides are shown the same messages in the same order.
fn conversations_are_alike(timelines: &[Vec<Kept>], findings: &mut Findings) {
    let mut sides: HashMap<(u16, u16), [Vec<u32>; 2]> = HashMap::new();
    for (user, timeline) in (0..).zip(timelines) {
        for kept in timeline.iter().filter(|kept| kept.from != kept.to) {
            let pair = (kept.from.min(kept.to), kept.from.max(kept.to));
            let side = usize::from(user == pair.1);
            sides.entry(pair).or_default()[side].push(kept.id);
        }
    }
    for ((one, other), [first, second]) in sides {
        if first != second {
            let same = first.iter().zip(&second).take_while(|(a, b)| a == b);
            let at = same.count();
            let next = |list: &[u32]| list[at..].iter().take(5).copied().collect::<Vec<_>>();
            findings.broken(format!(
                "users {one} and {other} are shown different conversations: after {at} messages one goes on with {:?}, the other with {:?}",
                next(&first),
                next(&second)
            ));
        }
    }
}

fn everything_acknowledged_is_kept(
    ledger: &Ledger,
    shown: &HashMap<u32, u8>,
    findings: &mut Findings,
) {
    for (id, message) in &ledger.messages {
        let times = shown.get(id).copied().unwrap_or_default();
        let sides = if message.from == message.to { 1 } else { 2 };
        if message.place.is_some() {
            continue;
        }
        if message.acked == 0 {
            findings.missing(format!("{id} is not acknowledged: {message:?}"));
        } else if times < sides {
            findings.broken(format!(
                "{id} was acknowledged and is lost: {times} of {sides} histories show it, {message:?}"
            ));
        }
    }
}

impl<'a> View<'a> {
    fn new(
        ledger: &'a Ledger,
        user: u16,
        mut unread: Vec<(u32, &'a Message)>,
        timeline: &[Kept],
        findings: &mut Findings,
    ) -> View<'a> {
        unread.sort_by_key(|(_, message)| message.place);
        let older = unread.into_iter().map(|(id, message)| Entry {
            id,
            message,
            status: None,
        });
        let mut view = View {
            user,
            ledger,
            entries: older.collect(),
            places: HashMap::new(),
        };
        for kept in timeline {
            match ledger.messages.get(&kept.id) {
                Some(message) if kept.is_of(message) => view.entries.push(Entry {
                    id: kept.id,
                    message,
                    status: Some(kept.status),
                }),
                Some(message) => findings.broken(format!(
                    "user {user} is shown {kept:?}, otherwise than it was sent: {message:?}"
                )),
                None => {
                    findings.broken(format!("nobody sent {kept:?}, which user {user} is shown"))
                }
            }
        }
        for (place, entry) in view.entries.iter().enumerate() {
            if view.places.insert(entry.id, place).is_some() {
                let id = entry.id;
                findings.broken(format!("{id} is twice in the history of user {user}"));
            }
        }
        view
    }

    /// The messages that history shows for the first time.
    fn new_entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(|entry| entry.status.is_some())
    }

    /// Messages that were sent once, on one connection, are stored as they were sent.
    fn what_was_sent_once_keeps_its_order(&self, findings: &mut Findings) {
        let mut last: HashMap<u32, (Moment, u32)> = HashMap::new();
        let own = self.new_entries().filter(|entry| {
            let message = entry.message;
            message.from == self.user && message.sendings == 1 && message.acked > 0
        });
        for Entry { id, message, .. } in own {
            let before = last.insert(message.connection, (message.sent, *id));
            if let Some((sent, other)) = before
                && sent > message.sent
            {
                findings.broken(format!(
                    "user {} sent {id} before {other} on connection {}, and they are stored in another order",
                    self.user, message.connection
                ));
            }
        }
    }

    /// What was reported as read is read, nothing else is, and its sender was told.
    fn statuses_are_right(&self, findings: &mut Findings) {
        for Entry {
            id,
            message,
            status,
        } in &self.entries
        {
            let is_incoming = message.to == self.user;
            let is_reported = message.reported > 0;
            let reporter = self.ledger.connections.get(&message.reporter);
            let arrived = is_reported && reporter.is_some_and(Connection::is_alive);
            match status {
                Some(1) if is_incoming && arrived => {
                    findings.missing(format!("{id} was reported as read: {message:?}"));
                }
                Some(2) if !is_reported => {
                    findings.broken(format!("{id} is read, and nobody reported it: {message:?}"));
                }
                Some(1 | 2) | None => {}
                Some(other) => findings.broken(format!("{id} has the status {other}")),
            }
            let is_read = *status == Some(2) || status.is_none() && arrived;
            if is_read && message.told == 0 && message.from != message.to {
                findings.missing(format!("nobody was told that {id} was read: {message:?}"));
            }
        }
    }
}
