//! A crowd on three nodes: one order for each conversation, on all devices and in the history of every node.
//!
//! Each user has one to three devices on one or two nodes. They write to each other at random; to some users very
//! much is written, and some pairs write to each other all the time, from all of their devices at once. Most of it
//! is read meanwhile, some by two devices at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use tokio::task::{JoinSet, block_in_place};

use super::common::setting;
use super::device::{Device, Seen};
use super::histories::{self, Look};
use super::ledger::{Ledger, Phase};
use super::plan::{NODES, Plan};
use super::support::{Database, Nats, Postgres, Server};
use super::verdict::{Records, Verdict};

const DEFAULT_SEED: u64 = 0x06EE_5E0F;

/// How many connections are opened at once.
const AT_ONCE: usize = 32;

/// After so long without a single frame, nothing more is waited for.
const SILENCE: Duration = Duration::from_secs(30);

/// A slow reader is no reason to end its connection here.
const PATIENCE: [&str; 2] = ["--stall-timeout=900s", "--idle-timeout=900s"];

/// What happens to the crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Calm,
    /// A device reads nothing until all is sent, and NATS is killed in the midst of it.
    Rough,
}

/// Three nodes with a crowd on them.
struct Crowd {
    ledger: Arc<Ledger>,
    server: Server,
    nats: Nats,
    devices: JoinSet<Result<(usize, Vec<Seen>), String>>,
}

impl Crowd {
    /// Connects everybody.
    async fn gather(database: &Database, plan: Plan) -> Crowd {
        let nats = Nats::start();
        let bus = format!("--nats-url={}", nats.url());
        let flags: &[&str] = &[PATIENCE[0], PATIENCE[1], &bus];
        let server = Server::on(database, &[flags; NODES]);
        let ledger = Arc::new(Ledger::new(plan));
        let connecting = ledger.plan.devices.iter().enumerate();
        let connecting = connecting.map(|(number, planned)| {
            let node = server.node(planned.node);
            Device::connect(Arc::clone(&ledger), number, node)
        });
        let connecting = stream::iter(connecting).buffer_unordered(AT_ONCE);
        let connected: Vec<Device> = connecting.collect().await;
        let devices = connected.into_iter().map(Device::live).collect();
        Crowd {
            ledger,
            server,
            nats,
            devices,
        }
    }

    fn enter(&self, phase: Phase) {
        self.ledger.phase.send_replace(phase);
    }

    /// Until `done`. Says no more than that if nothing comes any more: the verdict will say what is missing. Fails
    /// if a device does.
    async fn until(&mut self, what: &str, done: impl Fn(&Ledger) -> bool) {
        let mut last = (self.ledger.come(), Instant::now());
        while !done(&self.ledger) {
            if let Some(ended) = self.devices.try_join_next() {
                let ended = ended.expect("a device does not panic");
                panic!("{what}: {}", ended.expect_err("it ends when it is told to"));
            }
            let come = self.ledger.come();
            if come != last.0 {
                last = (come, Instant::now());
            }
            if last.1.elapsed() > SILENCE {
                let due = self.ledger.plan.totals();
                return eprintln!("{what}: nothing came for {SILENCE:?}; {come:?} of {due:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Until this share of all messages is acknowledged, in thirds.
    async fn until_settled(&mut self, thirds: usize) {
        let count = self.ledger.plan.messages.len() * thirds / 3;
        self.until("settling", |ledger| ledger.settled() >= count)
            .await;
    }

    /// Has everybody send, and waits until all of it is acknowledged.
    async fn send(&mut self, weather: Weather) {
        self.enter(Phase::Sending);
        if weather == Weather::Rough {
            self.until_settled(1).await;
            block_in_place(|| self.nats.kill9());
            self.until_settled(2).await;
            block_in_place(|| self.nats.restart());
        }
        self.until_settled(3).await;
    }

    /// What has come to whom, once all of it has.
    async fn end(&mut self) -> Records {
        self.enter(Phase::Reading);
        let due = self.ledger.plan.totals();
        self.until("receiving", |ledger| ledger.come() == due).await;
        self.enter(Phase::Ending);
        let mut records = vec![Vec::new(); self.ledger.plan.devices.len()];
        while let Some(ended) = self.devices.join_next().await {
            let ended = ended.expect("a device does not panic");
            let (device, seen) = ended.unwrap_or_else(|error| panic!("{error}"));
            records[device] = seen;
        }
        records
    }

    /// What every node shows to every user.
    async fn look(&self) -> Vec<Vec<Look>> {
        let users = 0..self.ledger.plan.users.len();
        let looks = users.flat_map(|user| (0..NODES).map(move |node| (user, node)));
        let looks =
            looks.map(|(user, node)| histories::look(&self.ledger, self.server.node(node), user));
        let looks: Vec<Look> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        let mut looks = looks.into_iter();
        let by_user = std::iter::from_fn(|| {
            let of_user: Vec<Look> = looks.by_ref().take(NODES).collect();
            (!of_user.is_empty()).then_some(of_user)
        });
        by_user.collect()
    }

    /// Conversations by themselves, on every node and for both: those of the hottest, and some of others.
    async fn check_conversations(&self, looks: &[Vec<Look>]) {
        let plan = &self.ledger.plan;
        let some = (0..plan.messages.len()).step_by(plan.messages.len().div_ceil(50));
        let pairs = some.map(|index| {
            let index = u32::try_from(index).expect("they can be counted");
            (plan.from(index), plan.to(index))
        });
        let asked = pairs.flat_map(|(one, other)| [(one, other), (other, one)]);
        let asked = asked.flat_map(|pair| (0..NODES).map(move |node| (pair, node)));
        let asked = asked.map(|((user, partner), node)| async move {
            let node = self.server.node(node);
            let shown = histories::conversation(&self.ledger, node, user, partner).await;
            let all = looks[user][0].history.iter().map(|(index, _)| *index);
            let between = all.filter(|index| {
                let (from, to) = (plan.from(*index), plan.to(*index));
                (from, to) == (user, partner) || (from, to) == (partner, user)
            });
            assert_eq!(
                shown,
                between.collect::<Vec<_>>(),
                "of {user} and {partner}"
            );
        });
        stream::iter(asked)
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<()>>()
            .await;
    }
}

async fn hold(weather: Weather) {
    rlimit::increase_nofile_limit(u64::MAX).expect("sockets for everybody");
    let users = setting("YANSHU_ORDER_USERS", 200) as usize;
    let messages = setting("YANSHU_ORDER_MESSAGES", 4_000) as usize;
    let seed = setting("YANSHU_SEED", DEFAULT_SEED);
    let plan = Plan::draw(users, messages, weather == Weather::Rough, seed);
    let due = plan.totals();
    let count = plan.devices.len();
    eprintln!(
        "{weather:?}: {users} users with {count} devices, {messages} messages; YANSHU_SEED={seed}"
    );

    let postgres = Postgres::start();
    let mut crowd = Crowd::gather(&postgres.new_database(), plan).await;
    let began = Instant::now();
    crowd.send(weather).await;
    let sent = began.elapsed();
    let records = crowd.end().await;
    let received = began.elapsed();
    let looks = crowd.look().await;
    crowd.check_conversations(&looks).await;
    let looked = began.elapsed();
    let frames = due.messages + due.acks + due.receipts;
    let rate = |count: f64, time: Duration| (count / time.as_secs_f64()).round();
    eprintln!(
        "{weather:?}: all acknowledged after {sent:.1?} ({} messages/s), none later than {:.1?} after it was sent; \
         the last of {frames} frames came after {received:.1?} ({} frames/s); histories read in {:.1?}; the nodes took {} KiB at most, together",
        rate(messages as f64, sent),
        crowd.ledger.longest(),
        rate(frames as f64, received),
        looked - received,
        crowd.server.peak_rss_kib(),
    );
    Verdict {
        ledger: &crowd.ledger,
        records: &records,
        looks: &looks,
    }
    .pronounce();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_three_nodes_sees_each_conversation_in_one_order() {
    hold(Weather::Calm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_outlasts_a_device_that_reads_nothing_and_a_bus_that_is_killed() {
    hold(Weather::Rough).await;
}
