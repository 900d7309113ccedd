//! Talkers in the closed loop: so many messages are in flight, of all talkers together, and with each
//! acknowledgement the next one goes out, whoever sends it. Recipients need not be connected: a message is in
//! flight until it is acknowledged.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use tokio::sync::Notify;

use crate::Outcome;
use crate::door::Door;
use crate::frames::{self, Frame};
use crate::idle::AT_ONCE;
use crate::open::histogram;
use crate::socket::{Socket, odd, put_text};

/// How long the last acknowledgements may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Users who are connected to write.
pub struct Crowd {
    names: Vec<String>,
    sockets: Vec<Socket>,
    ids: Vec<Vec<i64>>,
}

/// What came of it.
pub struct Tally {
    /// Messages acknowledged in time.
    pub done: usize,
    /// The time.
    pub elapsed: Duration,
    /// Nanoseconds from send to acknowledgement.
    pub acks: Histogram<u64>,
    /// The IDs of what was sent: of each draw, in their order.
    pub ids: Vec<i64>,
}

impl Tally {
    /// Messages a second.
    pub fn rate(&self) -> f64 {
        self.done as f64 / self.elapsed.as_secs_f64()
    }

    /// Milliseconds.
    pub fn ack(&self, share: f64) -> f64 {
        self.acks.value_at_quantile(share) as f64 / 1e6
    }
}

impl Crowd {
    /// Connects these users.
    pub async fn connect(door: &Door, names: Vec<String>) -> Outcome<Self> {
        let mut sockets = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            sockets.extend(try_join_all(some.iter().map(|name| door.connect(0, name))).await?);
        }
        Ok(Self {
            ids: vec![Vec::new(); names.len()],
            sockets,
            names,
        })
    }

    /// Fetches an ID for each of these draws.
    pub async fn stock(&mut self, draws: &[(usize, String)]) -> Outcome<()> {
        let mut needed = vec![0_usize; self.names.len()];
        draws.iter().for_each(|(talker, _)| needed[*talker] += 1);
        let sockets = self.sockets.iter_mut().zip(&mut self.ids);
        let talkers = sockets.zip(self.names.iter().zip(needed));
        let stocking = talkers.map(|((socket, ids), (name, needed))| async move {
            let missing = needed.saturating_sub(ids.len());
            ids.extend(frames::stock(socket, name, missing).await?);
            Outcome::Ok(())
        });
        try_join_all(stocking).await?;
        Ok(())
    }

    /// Sends these, each from a talker to a user, with so many in flight, until the time is over or there
    /// are no more of them, and waits for the last acknowledgements.
    pub async fn write(
        &mut self,
        draws: &[(usize, String)],
        depth: usize,
        limit: Duration,
    ) -> Outcome<Tally> {
        let start = Instant::now();
        let state = RefCell::new(Writing {
            draws,
            names: &self.names,
            lines: self.sockets.iter().map(Socket::line).collect(),
            ids: &mut self.ids,
            flights: HashMap::with_capacity(depth),
            until: start + limit,
            last: start,
            frame: Vec::new(),
            tally: Tally {
                done: 0,
                elapsed: limit,
                acks: histogram()?,
                ids: Vec::with_capacity(draws.len()),
            },
        });
        let landed = Notify::new();
        for _ in 0..depth {
            state.borrow_mut().next()?;
        }
        let sockets = self.sockets.iter_mut();
        let listening = try_join_all(sockets.map(|socket| listen(socket, &state, &landed)));
        let finish = async {
            while !state.borrow().flights.is_empty() {
                landed.notified().await;
            }
        };
        tokio::select! {
            failed = listening => return Err(failed.err().unwrap_or("nobody writes".into())),
            () = finish => {}
            () = tokio::time::sleep(limit + PATIENCE) => {
                return Err(format!("no acknowledgement for {PATIENCE:?}").into());
            }
        }
        let Writing {
            mut tally, last, ..
        } = state.into_inner();
        if tally.ids.len() == draws.len() {
            // Nothing was left to send: what counts is the time until the last acknowledgement.
            tally.elapsed = last - start;
        }
        Ok(tally)
    }
}

struct Writing<'a> {
    draws: &'a [(usize, String)],
    names: &'a [String],
    lines: Vec<std::sync::Arc<crate::socket::Line>>,
    ids: &'a mut [Vec<i64>],
    /// Since when each is on its way.
    flights: HashMap<i64, Instant>,
    until: Instant,
    /// The last acknowledgement in time.
    last: Instant,
    frame: Vec<u8>,
    tally: Tally,
}

impl Writing<'_> {
    /// Sends one more, if there is one and it is not too late.
    fn next(&mut self) -> Outcome<()> {
        let now = Instant::now();
        let Some((talker, to)) = self.draws.get(self.tally.ids.len()) else {
            return Ok(());
        };
        if now >= self.until {
            return Ok(());
        }
        let id = self.ids[*talker].pop().ok_or("an ID is missing")?;
        self.frame.clear();
        let text = frames::message(&self.names[*talker], to, id);
        put_text(&mut self.frame, text.as_bytes());
        // What the kernel has no room for goes out before the next frame of this talker, or when
        // they are answered.
        self.lines[*talker].send(&self.frame)?;
        self.flights.insert(id, now);
        self.tally.ids.push(id);
        Ok(())
    }

    fn land(&mut self, id: i64) -> Outcome<()> {
        let sent = self.flights.remove(&id);
        let sent = sent.ok_or_else(|| format!("MSG{id:06} was acknowledged unasked"))?;
        let nanos = u64::try_from(sent.elapsed().as_nanos())?;
        self.tally.acks.saturating_record(nanos);
        let now = Instant::now();
        if now < self.until {
            self.tally.done += 1;
            self.last = now;
        }
        self.next()
    }
}

/// Reads for ever. What others write to a talker is passed over.
async fn listen(socket: &mut Socket, state: &RefCell<Writing<'_>>, landed: &Notify) -> Outcome<()> {
    let line = socket.line();
    loop {
        socket.read().await?;
        socket.frames(|frame| match frames::read(frame)? {
            Frame::Ack(id) => state.borrow_mut().land(id),
            Frame::Message(_) => Ok(()),
            Frame::Page => Err(odd(frame)),
        })?;
        landed.notify_one();
        line.send(&[])?;
        socket.flush().await?;
    }
}
