//! The power is cut at random moments under load: what was written and not synced is gone.
//!
//! The server is killed, and its files become what a disk may then hold ([`super::unsynced`]).

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::crash_load::{CrashLoad, FLAGS};
use super::crash_pair::LOST;
use super::journal::Journal;
use super::observe::{eventually, setting};
use super::support::{Client, Mode, Server, Shim, only_on};
use super::unsynced::{Disk, Fate, Lost};

const DEFAULT_SEED: u64 = 0x000F_F1CE_0FF0;

/// So long that the log is full, and is checkpointed, after some thousand messages.
const TEXT_BYTES: usize = 4_000;

/// A database is not used for more rounds than this: each round reads and writes all of it.
const ROUNDS_OF_A_DATABASE: u64 = 10;

const WHY_SQLITE: &str = "PostgreSQL has a disk of its own";

/// A server, its shim, and what its disk was when the power last came.
struct Powered {
    shim: Shim,
    server: Server,
    disk: Disk,
    random: StdRng,
}

impl Powered {
    fn new(random: StdRng) -> Powered {
        let shim = Shim::new();
        Powered {
            // The disk that is cut off knows of no folders.
            server: Server::behind(&shim, &[FLAGS, &["--file-store=off"]].concat()),
            shim,
            disk: Disk::default(),
            random,
        }
    }

    /// Lets the load run for a while, and cuts the power.
    async fn cut_under(&mut self, load: &mut CrashLoad, fate: Fate) -> Lost {
        let connections = load.settle(&self.server).await;
        let after = Duration::from_millis(self.random.random_range(0..=200));
        let changes = self.random.random_range(1..=100);
        let in_checkpoint = self.random.random_bool(0.4);
        let acks = load.acks();
        let before = acks.load(Ordering::Relaxed);
        let death = async {
            let more = || acks.load(Ordering::Relaxed) > before;
            eventually("something to lose", more).await;
            // Nothing is waited for: the moment is meant to be any.
            tokio::time::sleep(after).await;
            self.shim.order_death(changes, in_checkpoint);
            eventually("the server to die", || !self.server.is_running()).await;
        };
        load.until(connections, death).await;
        self.shim.take_back_death();
        self.lose(fate)
    }

    /// What a killed server has written and not synced is lost.
    fn lose(&mut self, fate: Fate) -> Lost {
        let directory = self.server.directory();
        self.disk
            .cut_power(&self.shim, directory, fate, &mut self.random)
    }

    fn assert_intact(&self) {
        let check = "SELECT integrity_check FROM pragma_integrity_check";
        assert_eq!(self.server.database().query(check), ["ok"]);
    }

    /// Has the log be made anew, as at the first start: a stop in order leaves none.
    async fn stop_and_start(&mut self) {
        let ended = self.server.terminate().await;
        assert!(ended.status.success(), "{ended:?}");
        self.server.restart();
    }
}

fn seeded() -> StdRng {
    let seed = setting("YANSHU_SEED", DEFAULT_SEED);
    eprintln!("YANSHU_SEED={seed} repeats these moments and what is lost at them");
    StdRng::seed_from_u64(seed)
}

fn rounds() -> u64 {
    setting("YANSHU_POWER_ROUNDS", 3)
}

/// Cuts the power again and again, under load, and checks what is left. `fate` is what each cut takes; without one, it
/// is any.
async fn cut_again_and_again(mut powered: Powered, rounds: u64, fate: Option<Fate>) -> Lost {
    let mut load = CrashLoad::of_texts(TEXT_BYTES);
    let mut lost = Lost::default();
    for round in 1..=rounds {
        if round % 3 == 0 {
            powered.stop_and_start().await;
        }
        let fate = fate.unwrap_or_else(|| Fate::any(&mut powered.random));
        let now = powered.cut_under(&mut load, fate).await;
        let settled = load.settled();
        eprintln!("round {round}: {fate:?}, {now:?}, {settled} messages settled before");
        lost.add(now);
        powered.server.restart();
        powered.assert_intact();
        load.lost_nothing(&powered.server).await;
    }
    load.verify(powered.server).await;
    lost
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_reordered_by_a_power_cut_at_any_moment() {
    if !only_on(&[Mode::Sqlite], WHY_SQLITE) {
        return;
    }
    let mut random = seeded();
    let mut lost = Lost::default();
    let mut left = rounds();
    while left > 0 {
        let rounds = left.min(ROUNDS_OF_A_DATABASE);
        left -= rounds;
        let powered = Powered::new(StdRng::seed_from_u64(random.random()));
        lost.add(cut_again_and_again(powered, rounds, None).await);
    }
    eprintln!("{} power cuts: {lost:?}", rounds());
    assert!(lost.writes > 0, "no cut took anything");
}

/// So the test above finds what is lost, where it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_under_a_disk_that_lies_about_syncs_loses_what_was_acknowledged() {
    if !only_on(&[Mode::Sqlite], WHY_SQLITE) {
        return;
    }
    let powered = Powered::new(seeded());
    powered.shim.order_lies();
    let rounds = cut_again_and_again(powered, 1, Some(Fate::Everything));
    let failure = tokio::spawn(rounds).await.expect_err("nothing was lost");
    let failure = failure.into_panic();
    let said = failure.downcast_ref::<String>().map(String::as_str);
    assert!(
        said.is_some_and(|said| said.starts_with(LOST)),
        "it failed otherwise: {said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_moment_of_the_first_start_leaves_what_the_next_one_makes_whole() {
    if !only_on(&[Mode::Sqlite], WHY_SQLITE) {
        return;
    }
    let mut powered = Powered::new(seeded());
    let rounds = u32::try_from(rounds()).expect("a few rounds");
    let changes = Journal::read(&powered.shim.journal(), &HashMap::new(), 0).count();
    let part = f64::from(changes) / f64::from(rounds);
    let mut lost = Lost::default();
    for round in 0..rounds {
        powered.server.kill9();
        powered.disk = Disk::blank(&powered.shim, powered.server.directory());
        let moment = (f64::from(round) + powered.random.random::<f64>()) * part;
        powered.shim.order_death(1 + moment as i32, false);
        powered.server.node(0).respawn();
        eventually("the server to die", || !powered.server.is_running()).await;
        powered.shim.take_back_death();
        let fate = Fate::any(&mut powered.random);
        lost.add(powered.lose(fate));
        powered.server.restart();
        powered.assert_intact();
        let mut client = Client::connect(&powered.server, "early").await;
        client.deliver("bird", "hello").await;
    }
    eprintln!("{rounds} power cuts during {changes} changes: {lost:?}");
    assert!(lost.writes > 0, "no cut took anything");
}
