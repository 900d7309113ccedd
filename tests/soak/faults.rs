//! What strikes the servers from time to time, and how they recover.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::ground::Ground;
use super::settings::Dice;
use super::shared::{Phase, Shared};
use super::support::{Nats, Node, Postgres, http};

/// A long run has so many faults, but no more than one in every [`MOST_OFTEN`] and one in every [`LEAST_OFTEN`].
const USUAL: u32 = 40;
const MOST_OFTEN: Duration = Duration::from_secs(12);
const LEAST_OFTEN: Duration = Duration::from_secs(120);

/// How long something is gone, at most.
const GONE: Duration = Duration::from_secs(5);

/// How long it may take until a node that is there again says that it is healthy.
const HEALING: Duration = Duration::from_secs(60);

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Fault {
    /// kill -9 of a node.
    NodeKilled,
    /// A node stops in order.
    NodeStopped,
    /// kill -9 of all of PostgreSQL.
    StoreKilled,
    /// PostgreSQL stops at once and throws everybody out.
    StoreStopped,
    /// kill -9 of nats-server.
    BusKilled,
}

/// A fault that has been.
#[derive(Debug, Clone, Serialize)]
pub struct Strike {
    pub fault: Fault,
    /// Which node, for those that strike one.
    pub node: usize,
    /// Seconds after the beginning.
    pub at: f64,
    /// Seconds until all nodes were healthy again.
    pub lasted: f64,
}

/// What has struck. Held while something strikes: nothing else does, and nobody settles meanwhile.
pub type Stage = Arc<Mutex<Vec<Strike>>>;

/// See the module.
pub struct Faults {
    ground: Arc<Ground>,
    shared: Arc<Shared>,
    random: StdRng,
    /// What is still to come before all kinds have been.
    round: Vec<Fault>,
    pub stage: Stage,
}

impl Fault {
    /// Whether a process of the server ends by it.
    pub fn ends_a_node(self) -> bool {
        matches!(self, Fault::NodeKilled | Fault::NodeStopped)
    }
}

impl Faults {
    /// Those of a soak which has not begun.
    pub fn new(ground: &Arc<Ground>, shared: &Arc<Shared>) -> Faults {
        Faults {
            ground: Arc::clone(ground),
            shared: Arc::clone(shared),
            random: StdRng::seed_from_u64(shared.settings.seed_of(Dice::Faults)),
            round: Vec::new(),
            stage: Arc::default(),
        }
    }

    /// Strikes from time to time, until everybody leaves; in the short form once in each way. After half of the time
    /// no process of the server ends any more: what it does with its memory shows in a long life alone.
    pub async fn run(mut self) {
        let mut phase = self.shared.phase.subscribe();
        let whole = self.shared.settings.duration;
        loop {
            let pause = self.pause();
            // Fails only when the soak is over.
            let _ = timeout(pause, phase.wait_for(|phase| *phase == Phase::Leave)).await;
            if self.shared.phase() == Phase::Leave {
                return;
            }
            let stage = Arc::clone(&self.stage);
            let mut strikes = stage.lock().await;
            if self.shared.phase() != Phase::Talk {
                continue;
            }
            let is_short = self.shared.settings.is_short;
            if is_short && strikes.len() == self.kinds().len() {
                return;
            }
            let spares_nodes = !is_short && self.shared.began.elapsed() > whole / 2;
            if let Some(fault) = self.next(spares_nodes) {
                strikes.push(self.strike(fault).await);
            }
        }
    }

    fn pause(&mut self) -> Duration {
        let settings = &self.shared.settings;
        if settings.is_short {
            let kinds = self.kinds().len() as u32;
            return settings.duration / (kinds + 2);
        }
        let mean = (settings.duration / USUAL).clamp(MOST_OFTEN, LEAST_OFTEN);
        mean.mul_f64(self.random.random_range(0.5..1.5))
    }

    /// All that can happen on this ground.
    fn kinds(&self) -> Vec<Fault> {
        let mut kinds = vec![Fault::NodeKilled, Fault::NodeStopped];
        if self.ground.postgres().is_some() {
            kinds.extend([Fault::StoreKilled, Fault::StoreStopped]);
        }
        if self.ground.nats().is_some() {
            kinds.push(Fault::BusKilled);
        }
        kinds
    }

    /// Every kind once before any comes again.
    fn next(&mut self, spares_nodes: bool) -> Option<Fault> {
        let spared = |fault: &Fault| spares_nodes && fault.ends_a_node();
        self.round.retain(|fault| !spared(fault));
        if self.round.is_empty() {
            self.round = self.kinds();
            self.round.retain(|fault| !spared(fault));
            self.round.shuffle(&mut self.random);
        }
        self.round.pop()
    }

    async fn strike(&mut self, fault: Fault) -> Strike {
        let node = self.random.random_range(0..self.ground.nodes().len());
        let gone = self.random.random_range(0.0..1.0);
        let gone = self.shared.settings.shortened(GONE).mul_f64(gone);
        if !self.ground.nodes().iter().all(Node::is_running) {
            self.shared.complain("a node died by itself".to_owned());
        }
        self.shared.weather.roughens();
        let (began, at) = (Instant::now(), self.shared.seconds());
        self.take_away(fault, node).await;
        sleep(gone).await;
        block_in_place(|| self.bring_back(fault, node));
        self.heal().await;
        self.shared.weather.clears();
        Strike {
            fault,
            node,
            at,
            lasted: began.elapsed().as_secs_f64(),
        }
    }

    async fn take_away(&self, fault: Fault, node: usize) {
        let node = &self.ground.nodes()[node];
        match fault {
            Fault::NodeKilled => block_in_place(|| node.kill9()),
            Fault::NodeStopped => {
                let ended = node.terminate().await;
                if !ended.status.success() {
                    let complaint = format!("a node stopped badly: {ended:?}");
                    self.shared.complain(complaint);
                }
            }
            Fault::StoreKilled => block_in_place(|| self.store().kill9()),
            Fault::StoreStopped => block_in_place(|| self.store().stop()),
            Fault::BusKilled => block_in_place(|| self.bus().kill9()),
        }
    }

    fn bring_back(&self, fault: Fault, node: usize) {
        match fault {
            Fault::NodeKilled | Fault::NodeStopped => self.ground.nodes()[node].restart(),
            Fault::StoreKilled | Fault::StoreStopped => self.store().restart(),
            Fault::BusKilled => self.bus().restart(),
        }
    }

    fn store(&self) -> &Postgres {
        let postgres = self.ground.postgres();
        postgres.expect("its faults are for where it is")
    }

    fn bus(&self) -> &Nats {
        let nats = self.ground.nats();
        nats.expect("its faults are for where it is")
    }

    /// Waits until all nodes say that nothing is the matter with them.
    async fn heal(&self) {
        for port in &self.shared.ports {
            let healthy = async {
                loop {
                    let answer = http::get_at(*port, "/health").await;
                    if answer.status == 200 && !answer.body.contains("degraded") {
                        return;
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            };
            if timeout(HEALING, healthy).await.is_err() {
                let complaint = format!("the node at {port} did not heal in {HEALING:?}");
                self.shared.complain(complaint);
            }
        }
    }
}
