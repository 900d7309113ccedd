//! The actions that are counted, by clients that wait for what answers them.

use std::collections::VecDeque;

use crate::door::Door;
use crate::socket::{Socket, odd};
use crate::{Outcome, TEXT};

/// Pairs of users, and how many messages each has in flight at most.
const PAIRS: usize = 10;
const DEPTH: usize = 10;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Heartbeat,
    GetIds,
    Message,
    Messages,
    Read,
    Contacts,
    History,
    Connect,
}

impl Action {
    pub const ALL: [Self; 8] = [
        Self::Heartbeat,
        Self::GetIds,
        Self::Message,
        Self::Messages,
        Self::Read,
        Self::Contacts,
        Self::History,
        Self::Connect,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::GetIds => "ten-ids",
            Self::Message => "message-alone",
            Self::Messages => "message-of-100-in-flight",
            Self::Read => "receipt-of-100-in-flight",
            Self::Contacts => "contacts",
            Self::History => "history-of-10",
            Self::Connect => "connection",
        }
    }
}

/// Two users, one of whom writes to the other.
struct Pair {
    from: String,
    to: String,
    sender: Socket,
    recipient: Socket,
    ids: VecDeque<String>,
    sent: Vec<String>,
}

/// The clients.
pub struct Work {
    door: Door,
    pairs: Vec<Pair>,
    connected: usize,
}

impl Work {
    /// Connects, and fetches the IDs for what is to come.
    pub async fn prepare(door: Door, count: usize) -> Outcome<Self> {
        let mut pairs = Vec::new();
        for number in 0..PAIRS {
            let (from, to) = (format!("HK{number:06}"), format!("KL{number:06}"));
            let mut pair = Pair {
                sender: door.connect(0, &from).await?,
                recipient: door.connect(0, &to).await?,
                from,
                to,
                ids: VecDeque::new(),
                sent: Vec::new(),
            };
            // The first pair sends all those that go alone, beside its share of the others.
            let messages = if number == 0 { 2 * count } else { count };
            while pair.ids.len() < messages {
                pair.get_ids().await?;
            }
            pairs.push(pair);
        }
        Ok(Self {
            door,
            pairs,
            connected: 0,
        })
    }

    /// Performs an action so often, or somewhat more often; returns how often.
    pub async fn perform(&mut self, action: Action, count: usize) -> Outcome<usize> {
        match action {
            Action::Messages => return self.messages(count).await,
            Action::Read => return self.reads(count).await,
            Action::Connect => return self.connects(count).await,
            _ => {}
        }
        let pair = self.pairs.first_mut().ok_or("no pairs")?;
        match action {
            Action::Heartbeat => pair.heartbeats(count).await?,
            Action::GetIds => {
                for _ in 0..count {
                    pair.get_ids().await?;
                }
            }
            Action::Message => {
                for _ in 0..count {
                    pair.send(1).await?;
                }
            }
            Action::Contacts => pair.pages(r#""action":"11""#, count).await?,
            _ => pair.pages(r#""action":"12","pageSize":10"#, count).await?,
        }
        Ok(count)
    }

    /// All pairs at once, so that commits are shared as under load.
    async fn messages(&mut self, count: usize) -> Outcome<usize> {
        let rounds = count.div_ceil(PAIRS * DEPTH);
        for _ in 0..rounds {
            let all = self.pairs.iter_mut().map(|pair| pair.send(DEPTH));
            futures_util::future::try_join_all(all).await?;
        }
        Ok(rounds * PAIRS * DEPTH)
    }

    async fn reads(&mut self, count: usize) -> Outcome<usize> {
        let rounds = count.div_ceil(PAIRS * DEPTH).min(
            // No receipt twice.
            self.pairs
                .iter()
                .map(|pair| pair.sent.len() / DEPTH)
                .min()
                .unwrap_or(0),
        );
        for _ in 0..rounds {
            let all = self.pairs.iter_mut().map(|pair| pair.read(DEPTH));
            futures_util::future::try_join_all(all).await?;
        }
        Ok(rounds * PAIRS * DEPTH)
    }

    /// New users who connect and go.
    async fn connects(&mut self, count: usize) -> Outcome<usize> {
        for _ in 0..count {
            self.connected += 1;
            let user = format!("NEW{:06}", self.connected);
            drop(self.door.connect(0, &user).await?);
        }
        Ok(count)
    }
}

impl Pair {
    async fn get_ids(&mut self) -> Outcome<()> {
        let Self {
            from, sender, ids, ..
        } = self;
        sender.put(format!(r#"{{"action":"2","fromId":"{from}"}}"#).as_bytes());
        answers(sender, 1, |frame| {
            let list = field(frame, "\"message\":\"").ok_or_else(|| odd(frame.as_bytes()))?;
            ids.extend(list.split(',').map(str::to_owned));
            Ok(())
        })
        .await
    }

    /// They are not answered: a request behind them is.
    async fn heartbeats(&mut self, count: usize) -> Outcome<()> {
        for _ in 0..count {
            let frame = format!(r#"{{"action":"5","fromId":"{}"}}"#, self.from);
            self.sender.put(frame.as_bytes());
            self.sender.flush().await?;
        }
        self.pages(r#""action":"1""#, 1).await
    }

    async fn send(&mut self, count: usize) -> Outcome<()> {
        let (from, to) = (&self.from, &self.to);
        for _ in 0..count {
            let id = self.ids.pop_front().ok_or("no IDs are left")?;
            let frame = format!(
                r#"{{"action":"3","fromId":"{from}","toId":"{to}","chatMsg":{{"id":"{id}","type":0,"message":"{TEXT}","status":0,"time":"2021-12-14 12:00:00"}}}}"#
            );
            self.sender.put(frame.as_bytes());
            self.sent.push(id);
        }
        answers(&mut self.sender, count, |_| Ok(())).await?;
        answers(&mut self.recipient, count, |_| Ok(())).await
    }

    async fn read(&mut self, count: usize) -> Outcome<()> {
        let (from, to) = (&self.from, &self.to);
        for id in self.sent.drain(..count) {
            let frame = format!(
                r#"{{"action":"4","fromId":"{to}","toId":"{from}","chatMsg":{{"id":"{id}","status":2}}}}"#
            );
            self.recipient.put(frame.as_bytes());
        }
        self.recipient.flush().await?;
        answers(&mut self.sender, count, |_| Ok(())).await
    }

    async fn pages(&mut self, what: &str, count: usize) -> Outcome<()> {
        for _ in 0..count {
            let frame = format!(r#"{{{what},"fromId":"{}"}}"#, self.from);
            self.sender.put(frame.as_bytes());
            answers(&mut self.sender, 1, |_| Ok(())).await?;
        }
        Ok(())
    }
}

/// Sends what was put, and waits for so many frames.
async fn answers(
    socket: &mut Socket,
    count: usize,
    mut show: impl FnMut(&str) -> Outcome<()>,
) -> Outcome<()> {
    socket.flush().await?;
    let mut left = count;
    while left > 0 {
        socket.read().await?;
        socket.frames(|frame| {
            left = left.checked_sub(1).ok_or_else(|| odd(frame))?;
            let text = std::str::from_utf8(frame)?;
            if text.starts_with(r#"{"action":"0""#) {
                return Err(odd(frame));
            }
            show(text)
        })?;
    }
    Ok(())
}

/// What stands between this and the next quotation mark.
fn field<'a>(frame: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = frame.split_once(before)?;
    rest.split('"').next()
}
