//! One device of one user, over as many connections as it takes.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::driver::{Order, Way};
use super::line::{BOUND, Line};
use super::settings::Dice;
use super::shared::{Phase, Shared};
use super::support::socket::{End, NotOpened, Socket};
use super::talk::Talk;

/// Small enough for a node to notice soon that nobody reads.
const NARROW: u32 = 8 * 1024;

/// One device in so many is a slow reader now and then, and has a small buffer.
pub const SLOW: u16 = 8;

/// How often a device looks at what there is to do.
const TICK: Duration = Duration::from_millis(100);

/// A device that reads nothing for this time may be cut. The server allows thirty seconds.
const MAY_BE_CUT: Duration = Duration::from_secs(20);

/// See the module.
pub struct Device {
    shared: Arc<Shared>,
    /// Its number among all devices.
    number: u16,
    talk: Talk,
    orders: mpsc::Receiver<Order>,
    phase: watch::Receiver<Phase>,
    /// Says whether all that was begun has come to an end.
    settled: watch::Sender<bool>,
    random: StdRng,
    /// The port to connect to next, of those of the nodes.
    at: usize,
}

impl Device {
    /// The device of this number.
    pub fn new(
        shared: &Arc<Shared>,
        number: u16,
        talk: Talk,
        orders: mpsc::Receiver<Order>,
        settled: watch::Sender<bool>,
    ) -> Device {
        let seed = shared.settings.seed_of(Dice::Device(number));
        Device {
            at: usize::from(number) % shared.ports.len(),
            shared: Arc::clone(shared),
            number,
            talk,
            orders,
            phase: shared.phase.subscribe(),
            settled,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Connects again and again, and does what it is told, until all are to leave.
    pub async fn run(mut self) {
        while self.shared.phase() != Phase::Leave {
            let narrow = self.number.is_multiple_of(SLOW).then_some(NARROW);
            let port = self.shared.ports[self.at];
            let way = match Socket::open_with_receive_buffer(port, BOUND, narrow).await {
                Ok(socket) => self.live(socket).await,
                Err(NotOpened::Refused) => {
                    let complaint = format!("device {} was refused", self.number);
                    self.shared.complain_if_calm(complaint);
                    None
                }
                Err(NotOpened::Silent) => {
                    let complaint = format!("device {} got no connection", self.number);
                    self.shared.complain_if_calm(complaint);
                    None
                }
            };
            self.be_away(way).await;
        }
    }

    /// Until the next connection: a time of its own choice, or, when the node went, a pause with some chance in it.
    async fn be_away(&mut self, way: Option<Way>) {
        let nodes = self.shared.ports.len();
        self.at = match way {
            None => (self.at + 1) % nodes,
            // Any of them, as behind a load balancer: a node that was gone is found again.
            Some(_) => self.random.random_range(0..nodes),
        };
        let away = match way {
            None => Duration::from_millis(self.random.random_range(20..400)),
            Some(_) if self.random.random_bool(0.4) => Duration::ZERO,
            Some(_) => {
                let long = Duration::from_millis(self.random.random_range(100..30_000));
                self.shared.settings.shortened(long)
            }
        };
        let calls = async {
            if way.is_none() {
                return std::future::pending().await;
            }
            // Fails only when the soak is over.
            let _ = self.phase.wait_for(|phase| *phase != Phase::Talk).await;
        };
        let _ = timeout(away, calls).await;
    }

    /// One connection, from the connect frame to the end. Returns the way in which the device left, if it did.
    async fn live(&mut self, mut socket: Socket) -> Option<Way> {
        let mut line = self.talk.begin(&self.shared);
        let connect = self.talk.connect();
        let outcome = if socket.send(&connect).await {
            self.converse(&mut socket, &mut line).await
        } else {
            Err(End::Broken)
        };
        self.settled.send_replace(false);
        self.talk.end(&self.shared, &line);
        match outcome {
            Ok(Way::Close) => socket.close(BOUND).await,
            Ok(Way::Reset) => socket.reset(),
            Ok(Way::Drop) => {}
            Err(end) => self.judge(end, &line),
        }
        outcome.ok()
    }

    /// A connection that ends without the device's doing has a reason.
    fn judge(&self, end: End, line: &Line) {
        let may_be = match end {
            End::Broken => line.lag() > MAY_BE_CUT || !self.is_calm(line),
            // A node that stops, and one that heard of no connect frame while its store was down.
            End::Closed(1001 | 4408) => !self.is_calm(line),
            End::Closed(_) | End::Left => false,
        };
        if !may_be {
            self.shared.complain(format!(
                "the connection {} of device {} ended with {end:?}",
                line.number, self.number
            ));
        }
    }

    fn is_calm(&self, line: &Line) -> bool {
        self.shared.weather.is_calm_for(line.lag())
    }

    async fn converse(&mut self, socket: &mut Socket, line: &mut Line) -> Result<Way, End> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frames = tokio::select! {
                frame = socket.next() => self.talk.take(&self.shared, line, &frame?),
                Some(order) = self.orders.recv(), if line.is_connected => match order {
                    // What is asked of it at the end of a stretch comes too late.
                    _ if self.shared.phase() != Phase::Talk => Vec::new(),
                    Order::Leave(way) => return Ok(way),
                    Order::Stall(time) => {
                        self.stall(line, time).await;
                        Vec::new()
                    }
                    order => self.talk.obey(&self.shared, line, order),
                },
                _ = tick.tick() => {
                    if self.shared.phase() == Phase::Leave {
                        return Ok(Way::Close);
                    }
                    if let Some(asked) = line.overdue() {
                        let who = self.number;
                        self.shared.complain(format!("device {who} was not answered {asked:?}"));
                        return Ok(Way::Drop);
                    }
                    self.talk.tick(&self.shared, line)
                }
            };
            for frame in frames {
                self.send(socket, &frame).await?;
            }
            self.say_whether_settled(line);
        }
    }

    async fn send(&self, socket: &mut Socket, frame: &Value) -> Result<(), End> {
        match timeout(BOUND, socket.send(frame)).await {
            Ok(true) => Ok(()),
            // What came before the end is still to be read; so the reading says how it ended.
            Ok(false) => Ok(()),
            Err(_) => {
                let who = self.number;
                self.shared
                    .complain(format!("nobody took what device {who} sent"));
                Err(End::Left)
            }
        }
    }

    /// Reads nothing and says nothing for a while.
    async fn stall(&mut self, line: &mut Line, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            // Fails only when the soak is over.
            _ = self.phase.wait_for(|phase| *phase != Phase::Talk) => {}
        }
        line.stalled(time);
    }

    fn say_whether_settled(&self, line: &Line) {
        let settled = self.shared.phase() == Phase::Settle && self.talk.is_settled(line);
        self.settled.send_if_modified(|before| {
            let changes = *before != settled;
            *before = settled;
            changes
        });
    }
}
