//! A load under which the faults strike: users on all nodes who write to each other, whatever happens.
//!
//! Each user has a device that talks: it sends numbered messages to everybody, itself included, reads three in
//! four of those that come, asks for pages, and sends again what was not acknowledged, as PROTOCOL.md says. Every
//! other user has a second device, on another node, which only listens. A device whose connection ends, which it now
//! and then brings about itself, goes to the next node. All of them remember what they did and heard.

mod device;
mod line;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::archive;
use super::ground::Ground;
use super::record::{Connection, Record, UserRecord};
use super::setting;
use super::verify::verify;
use device::Device;

/// Within this time everything but a page is answered, whatever fails: where a store may hang, the nodes of these
/// tests give up on it after two seconds. The rest is for a busy machine.
pub const BOUND: Duration = Duration::from_secs(10);

/// The same for pages, on which the server gives up after ten seconds.
pub const PAGE_BOUND: Duration = Duration::from_secs(20);

/// How long a condition of the load may take to become true.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take until everything that was acknowledged is delivered: two comparisons, for a busy machine.
const SETTLING: Duration = Duration::from_secs(30);

/// How much everybody must get done to count as going on.
const STEPS: usize = 20;

/// What the devices are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Write new messages.
    Talk,
    /// Bring to an end what was begun.
    Finish,
}

/// A user, and what is remembered of them.
pub struct User {
    /// Their ID.
    pub name: String,
    /// The node on which they began.
    pub home: usize,
    book: Mutex<Book>,
}

/// See [`User`].
#[derive(Default)]
pub struct Book {
    /// What is held against the archive in the end.
    pub record: UserRecord,
    /// Where they are in their work.
    pub progress: Progress,
    /// Whether a node may be silent: a device then goes to the next one.
    pub forgiving: bool,
}

/// Numbers that only grow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Messages that were acknowledged.
    pub acked: usize,
    /// Messages that came to the talking device, each time they came.
    pub heard: usize,
    /// Requests that were refused because of the store.
    pub refused: usize,
    /// The longest time that an answer took.
    pub longest: Duration,
}

/// A running load.
pub struct Load {
    users: Arc<[User]>,
    orders: watch::Sender<Order>,
    devices: Vec<JoinHandle<()>>,
}

impl User {
    /// What is remembered, to read or to add to.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no device panicked")
    }

    /// Notes what no client should have met.
    pub fn complain(&self, complaint: String) {
        self.book().record.complaints.push(complaint);
    }

    fn progress(&self) -> Progress {
        self.book().progress
    }

    /// Whether the talking device is on this node, or was last.
    fn is_at(&self, node: usize) -> bool {
        let book = self.book();
        let connections = book
            .record
            .devices
            .first()
            .map(|device| &device.connections);
        connections
            .and_then(|all| all.last())
            .is_some_and(|last| last.node == node)
    }
}

impl Load {
    /// Starts the load, and waits until everybody has got something done.
    pub async fn start(ground: &Ground) -> Load {
        let nodes = ground.ports().len();
        let users: Arc<[User]> = (0..6)
            .map(|number| User {
                name: format!("user-{number}"),
                home: number % nodes,
                book: Mutex::default(),
            })
            .collect();
        let (orders, order) = watch::channel(Order::Talk);
        let rate = setting("YANSHU_CLUSTER_RATE", 50);
        let pace = Duration::from_micros(1_000_000 / rate.max(1));
        let mut devices = Vec::new();
        for number in 0..users.len() {
            // The listeners of both nodes' users: 0 and 1, 4 and 5.
            let count = if number % 4 < 2 { 2 } else { 1 };
            for device in 0..count {
                let device = Device::new(&users, number, device, ground.ports(), pace);
                devices.push(tokio::spawn(device.run(order.clone())));
            }
        }
        let load = Load {
            users,
            orders,
            devices,
        };
        load.goes_on().await;
        load
    }

    /// From now on a node may stand still: whoever gets no answer from it goes to the next one.
    pub fn forgive_silence(&self) {
        for user in self.users.iter() {
            user.book().forgiving = true;
        }
    }

    /// Waits until everybody has got some more messages acknowledged, and heard some.
    pub async fn goes_on(&self) {
        self.goes_on_for("everybody", |_| true).await;
    }

    /// The same for those who talk to this node.
    pub async fn goes_on_at(&self, node: usize) {
        let who = format!("everybody on node {node}");
        self.goes_on_for(&who, |user| user.is_at(node)).await;
    }

    async fn goes_on_for(&self, who: &str, is_meant: impl Fn(&User) -> bool) {
        let what = format!("{who} to go on");
        self.changes(&what, is_meant, |before, now| {
            now.acked >= before.acked + STEPS && now.heard >= before.heard + STEPS
        })
        .await;
    }

    /// Waits until everybody who talks to this node has been refused something because of the store.
    pub async fn is_refused_at(&self, node: usize) {
        let what = format!("everybody on node {node} to be told that the store fails");
        self.changes(
            &what,
            |user| user.is_at(node),
            |before, now| now.refused > before.refused,
        )
        .await;
    }

    /// Waits until this has become true of all who are meant, of whom there must be some.
    async fn changes(
        &self,
        what: &str,
        is_meant: impl Fn(&User) -> bool,
        is_so: impl Fn(Progress, Progress) -> bool,
    ) {
        let before: Vec<_> = self.users.iter().map(User::progress).collect();
        self.until(what, || {
            let users = self.users.iter().zip(&before);
            let mut meant = users.filter(|(user, _)| is_meant(user)).peekable();
            meant.peek().is_some() && meant.all(|(user, before)| is_so(*before, user.progress()))
        })
        .await;
    }

    /// How many connections, past and present, are like this.
    pub fn connections(&self, is_like: impl Fn(&Connection) -> bool) -> usize {
        let count = |user: &User| {
            let book = user.book();
            let devices = book.record.devices.iter();
            let connections = devices.flat_map(|device| &device.connections);
            connections.filter(|connection| is_like(connection)).count()
        };
        self.users.iter().map(count).sum()
    }

    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            if Instant::now() >= deadline {
                self.show();
                panic!("waited {PATIENCE:?} in vain for {what}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// On the terminal, where everybody is in their work.
    fn show(&self) {
        for user in self.users.iter() {
            let book = user.book();
            let record = &book.record;
            let connected = record.devices.iter().map(|device| {
                let last = device.connections.last();
                last.map(|last| (device.connections.len(), last.node, last.end))
            });
            eprintln!(
                "{}: {:?}, {} unacknowledged, connections {:?}, {:?}",
                user.name,
                book.progress,
                record.unacked(),
                connected.collect::<Vec<_>>(),
                record.complaints
            );
        }
    }

    /// Ends the talking, waits until everything is acknowledged and delivered, and fails unless every promise was
    /// kept.
    pub async fn settle(self, ground: &Ground) {
        self.orders.send_replace(Order::Finish);
        self.until("everything to be acknowledged", || {
            self.users
                .iter()
                .all(|user| user.book().record.unacked() == 0)
        })
        .await;
        let deadline = Instant::now() + SETTLING;
        loop {
            // What is judged last is a record of after the deadline: to read the archive may take longer than that.
            let is_last = Instant::now() >= deadline;
            // The record first: what comes between the two is then only missing.
            let record = self.record();
            let archive = archive::read(ground, &record).await;
            let findings = verify(&record, &archive);
            if findings.broken.is_empty() && findings.missing.is_empty() {
                return self.report();
            }
            if !findings.broken.is_empty() || is_last {
                self.show();
                let count = (findings.broken.len(), findings.missing.len());
                let shown: Vec<_> = findings
                    .broken
                    .iter()
                    .chain(&findings.missing)
                    .take(30)
                    .collect();
                panic!("{} broken, {} missing: {shown:#?}", count.0, count.1);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What the test shows of itself.
    fn report(&self) {
        let progress: Vec<_> = self.users.iter().map(User::progress).collect();
        let acked: usize = progress.iter().map(|progress| progress.acked).sum();
        let refused: usize = progress.iter().map(|progress| progress.refused).sum();
        let longest = progress.iter().map(|progress| progress.longest).max();
        let connections = self.connections(|_| true);
        eprintln!(
            "{acked} messages over {connections} connections, {refused} requests refused, the longest answer took {:?}",
            longest.unwrap_or_default()
        );
    }

    fn record(&self) -> Record {
        let users = self.users.iter();
        Record {
            users: users
                .map(|user| (user.name.clone(), user.book().record.clone()))
                .collect(),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for device in &self.devices {
            device.abort();
        }
    }
}
