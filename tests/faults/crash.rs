//! kill -9 at random moments under load, again and again on one database: of the server, of the database's own
//! server, or of both.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::crash_load::{CrashLoad, FLAGS};
use super::observe::setting;
use super::support::mode::mode;
use super::support::{Mode, Nats, Postgres, Server};

const DEFAULT_SEED: u64 = 0x0DEA_D5E4_7E45;

/// A database is not used for more rounds than this: after each, all that it holds is gone through.
const ROUNDS_OF_A_DATABASE: u64 = 50;

/// Whoever is killed.
struct Doomed {
    server: Server,
    /// Where there is one, the test's own, which syncs what it commits.
    postgres: Option<Postgres>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victims {
    Server,
    Postgres,
    Both,
}

impl Victims {
    /// Each in its turn, where there is more than the server, so that few rounds have them all.
    fn of_round(round: u64, doomed: &Doomed) -> Victims {
        match round % 3 {
            1 if doomed.postgres.is_some() => Victims::Postgres,
            2 if doomed.postgres.is_some() => Victims::Both,
            _ => Victims::Server,
        }
    }
}

impl Doomed {
    fn new() -> Doomed {
        if mode() == Mode::Sqlite {
            let server = Server::with(FLAGS);
            return Doomed {
                server,
                postgres: None,
            };
        }
        let postgres = Postgres::start();
        let database = postgres.new_database();
        let server = if mode() == Mode::Cluster {
            let bus = format!("--nats-url={}", Nats::shared().url());
            let flags = [FLAGS, &[&bus]].concat();
            Server::on(&database, &[&flags, &flags])
        } else {
            Server::on(&database, &[FLAGS])
        };
        Doomed {
            server,
            postgres: Some(postgres),
        }
    }

    fn kill(&mut self, victims: Victims) {
        if victims != Victims::Server {
            self.postgres().kill9();
        }
        if victims != Victims::Postgres {
            self.server.kill9();
        }
    }

    fn restart(&mut self, victims: Victims) {
        if victims != Victims::Server {
            self.postgres().restart();
        }
        if victims != Victims::Postgres {
            self.server.restart();
        }
    }

    fn postgres(&self) -> &Postgres {
        let own = self.postgres.as_ref();
        own.expect("only what is there is killed")
    }
}

async fn kill_again_and_again(random: &mut StdRng, rounds: u64) {
    let mut doomed = Doomed::new();
    let mut load = CrashLoad::of_texts(0);
    for round in 1..=rounds {
        let connections = load.settle(&doomed.server).await;
        let settled = load.settled();
        let victims = Victims::of_round(round, &doomed);
        let after = Duration::from_millis(random.random_range(50..=500));
        let kill = async {
            // Nothing is waited for: the moment of death is meant to be any.
            tokio::time::sleep(after).await;
            doomed.kill(victims);
        };
        load.until(connections, kill).await;
        eprintln!(
            "round {round}: {victims:?} killed after {after:?}, {settled} messages settled before"
        );
        doomed.restart(victims);
    }
    load.verify(doomed.server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_reordered_by_kill_9_at_any_moment() {
    let few = if mode() == Mode::Sqlite { 5 } else { 3 };
    let seed = setting("YANSHU_SEED", DEFAULT_SEED);
    eprintln!("YANSHU_SEED={seed} repeats these moments of death");
    let mut random = StdRng::seed_from_u64(seed);
    let mut left = setting("YANSHU_CRASH_ROUNDS", few);
    while left > 0 {
        let rounds = left.min(ROUNDS_OF_A_DATABASE);
        left -= rounds;
        kill_again_and_again(&mut random, rounds).await;
    }
}
