//! Two users, one of whom writes to the other.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::socket::{Socket, odd};
use crate::{Outcome, TEXT, TIME};

/// With fewer IDs left than this a pair asks for more while it sends.
const LOW: usize = 60;
/// So many requests for IDs are unanswered at once while a pair stocks up. The server reads on as
/// long as there are fewer than 256.
const ASKS_AT_ONCE: usize = 200;

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
    /// Connects the two users of this number, each to their own address.
    pub async fn connect(
        (senders, recipients): (SocketAddr, SocketAddr),
        number: usize,
    ) -> Outcome<Self> {
        let (from, to) = names(number);
        let sender = Socket::connect(senders, &from).await?;
        let recipient = Socket::connect(recipients, &to).await?;
        let head =
            format!(r#"{{"action":"3","fromId":"{from}","toId":"{to}","chatMsg":{{"id":"MSG"#);
        let tail = format!(r#"","type":0,"message":"{TEXT}","status":0,"time":"{TIME}"}}}}"#);
        let ack =
            format!(r#"{{"action":"4","fromId":"{to}","toId":"{from}","chatMsg":{{"id":"MSG"#);
        let granted = format!(r#"{{"action":"2","toId":"{from}","chatMsg":{{"message":"MSG"#);
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
        })
    }

    /// Fetches IDs until there are so many.
    pub async fn stock(&mut self, count: usize) -> Outcome<()> {
        while self.ids.len() < count {
            let missing = (count - self.ids.len()).div_ceil(10);
            while self.asked < missing.min(ASKS_AT_ONCE) {
                self.ask();
            }
            self.sender.flush().await?;
            self.sender.read().await?;
            self.take_in(None)?;
        }
        while self.asked > 0 {
            self.sender.read().await?;
            self.take_in(None)?;
        }
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
            self.take_in(Some((until, tally)))?;
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
    fn take_in(&mut self, counted: Option<(Instant, &RefCell<Tally>)>) -> Outcome<()> {
        let now = Instant::now();
        let (ids, asked, flights) = (&mut self.ids, &mut self.asked, &mut self.flights);
        let (ack, granted, head) = (&self.ack, &self.granted, self.send.0.as_bytes());
        self.sender.frames(|frame| {
            if let Some(id) = frame.strip_prefix(ack.as_slice()).and_then(number) {
                let flight = flights.iter_mut().find(|f| f.id == id && !f.acked);
                let flight = flight.ok_or_else(|| odd(frame))?;
                flight.acked = true;
                if let Some((_, tally)) = counted {
                    let nanos = u64::try_from((now - flight.sent).as_nanos())?;
                    tally.borrow_mut().acks.saturating_record(nanos);
                }
                return Ok(());
            }
            let list = frame
                .strip_prefix(granted.as_slice())
                .ok_or_else(|| odd(frame))?;
            *asked -= 1;
            let list = list.split(|byte| *byte == b',');
            // The first has lost its MSG to the prefix.
            ids.extend(
                list.filter_map(|id| number(id.strip_prefix(b"MSG".as_slice()).unwrap_or(id))),
            );
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
        if let Some((until, tally)) = counted
            && now < until
        {
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

/// The digits at the beginning.
fn number(bytes: &[u8]) -> Option<i64> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
    (number > 0).then_some(number)
}
