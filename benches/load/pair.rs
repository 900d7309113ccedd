//! Two users, one of whom writes to the other.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::door::Door;
use crate::frames::{self, number};
use crate::socket::{Socket, odd};
use crate::{Outcome, TEXT, TIME};

/// With fewer IDs left than this a pair asks for more while it sends.
const LOW: usize = 60;

/// A message on its way.
struct Flight {
    id: i64,
    sent: Instant,
    acked: bool,
    delivered: bool,
}

/// What all pairs of a measurement count together.
pub struct Tally {
    /// Messages that were acknowledged and delivered in time.
    pub done: u64,
    /// Requests for IDs in the same time.
    pub asks: u64,
    /// Nanoseconds from send to acknowledgement.
    pub acks: Histogram<u64>,
}

impl Tally {
    pub fn new() -> Outcome<Self> {
        Ok(Self {
            done: 0,
            asks: 0,
            acks: Histogram::new_with_bounds(1_000, 120_000_000_000, 3)?,
        })
    }
}

/// See the module.
pub struct Pair {
    sender: Socket,
    recipient: Socket,
    /// The sender's ID.
    from: String,
    ids: VecDeque<i64>,
    /// Requests for IDs that are not answered.
    asked: usize,
    flights: Vec<Flight>,
    /// The fixed parts of the frames.
    ask: Vec<u8>,
    send: (String, String),
    ack: Vec<u8>,
    granted: Vec<u8>,
}

impl Pair {
    /// Connects the two users of this number. Of two nodes, each has the senders of half of the pairs,
    /// and the recipients of the others.
    pub async fn connect(door: &Door, number: usize) -> Outcome<Self> {
        let (from, to) = names(number);
        let (from, to) = (door.user(&from), door.user(&to));
        let sender = door.connect(number, &from).await?;
        let recipient = door.connect(number + 1, &to).await?;
        let head =
            format!(r#"{{"action":"3","fromId":"{from}","toId":"{to}","chatMsg":{{"id":"MSG"#);
        let tail = format!(r#"","type":0,"message":"{TEXT}","status":0,"time":"{TIME}"}}}}"#);
        let ack =
            format!(r#"{{"action":"4","fromId":"{to}","toId":"{from}","chatMsg":{{"id":"MSG"#);
        let granted = format!(r#"{{"action":"2","toId":"{from}","chatMsg":{{"message":""#);
        Ok(Self {
            sender,
            recipient,
            ids: VecDeque::new(),
            asked: 0,
            flights: Vec::new(),
            ask: format!(r#"{{"action":"2","fromId":"{from}"}}"#).into(),
            send: (head, tail),
            ack: ack.into(),
            granted: granted.into(),
            from,
        })
    }

    /// Fetches IDs until there are so many.
    pub async fn stock(&mut self, count: usize) -> Outcome<()> {
        let missing = count.saturating_sub(self.ids.len());
        let ids = frames::stock(&mut self.sender, &self.from, missing).await?;
        self.ids.extend(ids);
        Ok(())
    }

    /// Keeps `depth` messages in flight until the time is over, then waits for the last ones.
    pub async fn run(
        &mut self,
        depth: usize,
        until: Instant,
        tally: &RefCell<Tally>,
    ) -> Outcome<()> {
        loop {
            let now = Instant::now();
            if now < until {
                self.send(depth, now, tally);
            } else if self.flights.is_empty() && self.asked == 0 {
                return Ok(());
            }
            self.sender.flush().await?;
            self.recipient.flush().await?;
            tokio::select! {
                read = self.sender.read() => read?,
                read = self.recipient.read() => read?,
            }
            self.take_in(until, tally)?;
        }
    }

    fn send(&mut self, depth: usize, now: Instant, tally: &RefCell<Tally>) {
        while self.flights.len() < depth {
            let Some(id) = self.ids.pop_front() else {
                break;
            };
            let (head, tail) = &self.send;
            self.sender.put(format!("{head}{id:06}{tail}").as_bytes());
            self.flights.push(Flight {
                id,
                sent: now,
                acked: false,
                delivered: false,
            });
        }
        if self.ids.len() < LOW && self.asked == 0 {
            self.ask();
            tally.borrow_mut().asks += 1;
        }
    }

    fn ask(&mut self) {
        self.sender.put(&self.ask);
        self.asked += 1;
    }

    /// Deals with what has arrived on both sides.
    fn take_in(&mut self, until: Instant, tally: &RefCell<Tally>) -> Outcome<()> {
        let now = Instant::now();
        let (ids, asked, flights) = (&mut self.ids, &mut self.asked, &mut self.flights);
        let (ack, granted, head) = (&self.ack, &self.granted, self.send.0.as_bytes());
        self.sender.frames(|frame| {
            if let Some(id) = frame.strip_prefix(ack.as_slice()).and_then(number) {
                let flight = flights.iter_mut().find(|f| f.id == id && !f.acked);
                let flight = flight.ok_or_else(|| odd(frame))?;
                flight.acked = true;
                let nanos = u64::try_from((now - flight.sent).as_nanos())?;
                tally.borrow_mut().acks.saturating_record(nanos);
                return Ok(());
            }
            let list = frame
                .strip_prefix(granted.as_slice())
                .ok_or_else(|| odd(frame))?;
            *asked -= 1;
            ids.extend(frames::split(list));
            Ok(())
        })?;
        self.recipient.frames(|frame| {
            let id = frame.strip_prefix(head).and_then(number);
            let flight = flights
                .iter_mut()
                .find(|f| Some(f.id) == id && !f.delivered);
            flight.ok_or_else(|| odd(frame))?.delivered = true;
            Ok(())
        })?;
        let before = flights.len();
        flights.retain(|flight| !(flight.acked && flight.delivered));
        if now < until {
            tally.borrow_mut().done += (before - flights.len()) as u64;
        }
        Ok(())
    }
}

/// The users of a pair.
pub fn names(number: usize) -> (String, String) {
    (
        format!("HK{:06}", 2 * number),
        format!("HK{:06}", 2 * number + 1),
    )
}
