//! The open loop: frames are sent when they are due, by a schedule that nothing of the server can put
//! off, and their latencies count from then. A server that stalls is asked on all the same.

pub mod record;
pub mod report;
pub mod sample;
pub mod schedule;
mod sender;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Notify, oneshot};

use crate::child::Server;
use crate::cores;
use crate::door::Door;
use crate::socket::Socket;
use crate::{Outcome, Plan, frames, pair};
use record::Record;
use sample::{Run, Sample};
use sender::Orders;

/// Messages of a page of history.
pub const PAGE: usize = 50;
/// From the start of the thread to the first frame.
const LEAD: Duration = Duration::from_millis(50);
/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A frame to send.
#[derive(Debug, Clone, Copy)]
pub struct Shot {
    /// From the beginning of the run.
    pub due: Duration,
    /// Over which connection.
    pub socket: usize,
    pub what: What,
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub enum What {
    /// A message to the user of this number, so many of whose devices are connected.
    Message { to: usize, id: i64, devices: usize },
    /// A question for the messages of a conversation before this one.
    Page { with: usize, base: i64 },
}

/// Where a message is to go.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub socket: usize,
    pub to: usize,
    pub devices: usize,
}

/// Users and their connections.
pub struct Stage {
    pub names: Arc<Vec<String>>,
    /// The user of each connection.
    owners: Vec<usize>,
    sockets: Vec<Socket>,
    /// IDs that are left, for each connection.
    ids: Vec<Vec<i64>>,
    /// Whether others write to these users, too.
    pub crowded: bool,
}

impl Stage {
    /// Connects these users, each as often as is said.
    pub async fn connect(door: &Door, users: Vec<(String, usize)>) -> Outcome<Self> {
        let names: Vec<String> = users.iter().map(|(name, _)| name.clone()).collect();
        let devices = users.iter().enumerate();
        let owners: Vec<usize> = devices
            .flat_map(|(user, (_, devices))| vec![user; *devices])
            .collect();
        let mut sockets = Vec::with_capacity(owners.len());
        let numbered: Vec<_> = owners.iter().enumerate().collect();
        for some in numbered.chunks(crate::idle::AT_ONCE) {
            let connecting = some.iter().map(|(number, owner)| {
                // The two of a pair are on two nodes, and all devices of a user on one after the other.
                let node = number / 2 + number % 2;
                door.connect(node, &names[**owner])
            });
            sockets.extend(try_join_all(connecting).await?);
        }
        Ok(Self {
            names: Arc::new(names),
            ids: vec![Vec::new(); owners.len()],
            owners,
            sockets,
            crowded: false,
        })
    }

    /// So many pairs: connection 2n sends to the user of connection 2n + 1.
    pub async fn pairs(door: &Door, pairs: usize) -> Outcome<Self> {
        let names = (0..pairs).map(pair::names).flat_map(|(a, b)| [a, b]);
        Self::connect(door, names.map(|name| (door.user(&name), 1)).collect()).await
    }

    /// Schedules messages, and fetches their IDs.
    pub async fn messages(
        &mut self,
        moments: Vec<Duration>,
        mut way: impl FnMut() -> Way,
    ) -> Outcome<Vec<Shot>> {
        let ways: Vec<Way> = moments.iter().map(|_| way()).collect();
        let mut needed = vec![0; self.sockets.len()];
        ways.iter().for_each(|way| needed[way.socket] += 1);
        let sockets = self.sockets.iter_mut().zip(&mut self.ids);
        let stocking = sockets.zip(&self.owners).zip(&needed);
        let stocking = stocking.map(|(((socket, ids), owner), needed)| {
            let missing = needed - ids.len().min(*needed);
            let name = &self.names[*owner];
            async move {
                ids.extend(frames::stock(socket, name, missing).await?);
                Outcome::Ok(())
            }
        });
        try_join_all(stocking).await?;
        let shots = moments.into_iter().zip(ways).map(|(due, way)| {
            let Way {
                socket,
                to,
                devices,
            } = way;
            let id = self.ids[socket].pop().ok_or("an ID is missing")?;
            let what = What::Message { to, id, devices };
            Outcome::Ok(Shot { due, socket, what })
        });
        shots.collect()
    }

    /// Reads for ever, and passes over what comes.
    pub async fn only_listen(&mut self) -> Box<dyn std::error::Error> {
        let listening = self.sockets.iter_mut().map(|socket| async {
            loop {
                socket.read().await?;
                socket.frames(|_| Ok(()))?;
                socket.flush().await?;
            }
        });
        let failed: Outcome<Vec<()>> = try_join_all(listening).await;
        failed.err().unwrap_or("nobody listens".into())
    }

    /// Sends the frames and waits until all are answered and have arrived.
    pub async fn run(&mut self, shots: Vec<Shot>, stop: Arc<AtomicBool>) -> Outcome<Run> {
        let shots = Arc::new(shots);
        let start = Instant::now() + LEAD;
        let orders = Orders {
            shots: Arc::clone(&shots),
            names: Arc::clone(&self.names),
            owners: self.owners.clone(),
            lines: self.sockets.iter().map(Socket::line).collect(),
            start,
            stop,
        };
        let record = Record::new(&shots, self.sockets.len(), self.crowded);
        let (record, progress) = (RefCell::new(record), Notify::new());
        let (tell, told) = oneshot::channel();
        thread::spawn(move || {
            // Where nobody listens any more, the reason is known there.
            let _ = tell.send(orders.carry_out().map_err(|error| error.to_string()));
        });
        let before = cores::of_this_thread()?;
        let sockets = self.sockets.iter_mut().enumerate();
        let listening = try_join_all(
            sockets.map(|(number, socket)| listen(socket, number, start, &record, &progress)),
        );
        let finish = async {
            let sent = told.await??;
            while !record.borrow().is_complete(sent.count) {
                progress.notified().await;
            }
            Outcome::Ok(sent)
        };
        let planned = shots.last().map_or(Duration::ZERO, |shot| shot.due);
        let sent = tokio::select! {
            failed = listening => return Err(failed.err().unwrap_or("nobody listens".into())),
            sent = finish => sent?,
            () = tokio::time::sleep(planned + PATIENCE) => {
                let (settled, all) = (record.borrow().settled(), shots.len());
                return Err(format!("{settled} of {all} answers {PATIENCE:?} after the last").into());
            }
        };
        let last = shots[..sent.count].last();
        Ok(Run {
            reader: cores::of_this_thread()? - before,
            start,
            elapsed: start.elapsed(),
            planned: last.map_or(Duration::ZERO, |shot| shot.due),
            fates: record.into_inner().fates,
            sent,
        })
    }
}

/// Reads for ever.
async fn listen(
    socket: &mut Socket,
    number: usize,
    start: Instant,
    record: &RefCell<Record>,
    progress: &Notify,
) -> Outcome<()> {
    loop {
        socket.read().await?;
        let now = start.elapsed();
        socket.frames(|frame| record.borrow_mut().take(number, frames::read(frame)?, now))?;
        progress.notify_one();
        socket.flush().await?;
    }
}

/// Sends messages at this rate, first for the time of the warm-up, then for what counts.
pub async fn measure(
    stage: &mut Stage,
    server: &Server<'_>,
    rate: f64,
    plan: &Plan,
    mut way: impl FnMut(&mut StdRng) -> Way,
) -> Outcome<Sample> {
    let (mut times, mut choices) = (StdRng::seed_from_u64(1), StdRng::seed_from_u64(2));
    let mut moments = |seconds| plan.open.arrivals.moments(rate, seconds, &mut times);
    let (warm_up, counted) = (moments(plan.warm_up), moments(plan.open.seconds));
    let shots = stage.messages(warm_up, || way(&mut choices)).await?;
    stage.run(shots, Arc::default()).await?;
    let shots = stage.messages(counted, || way(&mut choices)).await?;
    let watch = server.watch()?;
    let run = stage.run(shots, Arc::default()).await?;
    Sample::new(&run, watch.end()?)
}

/// From a microsecond to two minutes, in nanoseconds.
pub fn histogram() -> Outcome<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, 120_000_000_000, 3)?)
}
