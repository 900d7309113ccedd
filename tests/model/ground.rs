//! Where histories take place: at a server that is kept from one to the next, with users of new names each time, or
//! at one of its own where a process ends.

use std::collections::BTreeSet;

use tokio::runtime::{Builder, Runtime};

use super::history::History;
use super::model::Model;
use super::observe::Fault;
use super::support::Server;
use super::world::World;

/// No ping is sent, so no receipt counts as told: what comes at a connect is certain then.
const FLAGS: [&str; 3] = [
    "--ping-interval=1h",
    "--idle-timeout=3h",
    "--max-devices=64",
];

/// How often a history is tried out once one has failed.
const RETRIES: usize = 3;

/// See the module.
pub struct Ground {
    runtime: Runtime,
    kept: Option<Kept>,
    tally: Tally,
    lives: usize,
    failed: bool,
}

/// How much was tried out.
#[derive(Default)]
pub struct Tally {
    histories: usize,
    restarts: usize,
    connections: usize,
    messages: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally {
            histories,
            restarts,
            connections,
            messages,
        } = self;
        write!(
            f,
            "{histories} histories of {connections} connections, {messages} messages and {restarts} ends of a node"
        )
    }
}

/// A server, and what must not come twice in all of its time.
struct Kept {
    server: Server,
    issued: BTreeSet<String>,
}

impl Kept {
    fn new() -> Kept {
        Kept {
            server: Server::with(&FLAGS),
            issued: BTreeSet::new(),
        }
    }
}

impl Default for Ground {
    fn default() -> Ground {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ground {
            runtime: runtime.expect("a runtime can be made"),
            kept: None,
            tally: Tally::default(),
            lives: 0,
            failed: false,
        }
    }
}

impl Ground {
    /// What was tried out so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether everything in this history is as it should be. After a failure, what follows are attempts to make
    /// it shorter: since not all depends on the history alone, each is made more than once.
    pub fn try_out(&mut self, history: &History) -> Result<(), Fault> {
        self.tally.histories += 1;
        self.tally.restarts += history.restarts();
        let times = if self.failed { RETRIES } else { 1 };
        let outcome = (0..times).try_for_each(|_| self.try_once(history));
        self.failed |= outcome.is_err();
        outcome
    }

    fn try_once(&mut self, history: &History) -> Result<(), Fault> {
        let own = history.restarts() > 0;
        let kept = if own { None } else { self.kept.take() };
        let mut kept = kept.unwrap_or_else(Kept::new);
        let model = Model {
            nodes: kept.server.nodes().len(),
            issued: std::mem::take(&mut kept.issued),
            ..Model::default()
        };
        self.lives += 1;
        let users = (0..history.users).map(|user| format!("u{}-{user}", self.lives));
        let mut world = World::new(&kept.server, users.collect(), model);
        if self.failed {
            world.hurry();
        }
        let outcome = self.runtime.block_on(async {
            let outcome = world.live(history).await;
            world.leave().await;
            outcome
        });
        self.tally.connections += world.model.connections.len();
        self.tally.messages += world.model.messages.len();
        kept.issued = world.model.issued;
        if outcome.is_ok() && !own {
            self.kept = Some(kept);
        }
        outcome
    }
}
