//! All users come back at once, and each waits for what they have not read.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::Outcome;
use crate::door::Door;
use crate::frames::{self, Frame};
use crate::socket::{Socket, odd};

/// How long it may take until a user has everything.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long is watched for what comes twice.
const AFTERMATH: Duration = Duration::from_secs(1);
/// A client that is refused tries again after this.
const PAUSE: Duration = Duration::from_millis(200);

/// Somebody, and the IDs of what they have not read.
pub struct Absent {
    pub name: String,
    pub unread: Vec<i64>,
}

/// What came of it. Times are seconds since its beginning.
#[derive(Debug, Clone, Default)]
pub struct Storm {
    /// When each user was connected, and when each message arrived.
    pub connected: Vec<f64>,
    pub delivered: Vec<f64>,
    /// Attempts that failed and were made again.
    pub refused: usize,
    pub lost: usize,
    pub doubled: usize,
}

impl Storm {
    /// When the last message had arrived.
    pub fn seconds(&self) -> f64 {
        let times = self.delivered.iter().chain(&self.connected);
        times.copied().fold(0.0, f64::max)
    }
}

/// Connects all at once, and waits until all have everything.
pub async fn rage(door: &Door, absent: &[Absent]) -> Outcome<Storm> {
    let start = Instant::now();
    let returns = join_all(absent.iter().map(|absent| absent.come_back(door, start))).await;
    let mut storm = Storm::default();
    let mut sockets = Vec::with_capacity(returns.len());
    for back in returns {
        let (part, socket) = back?;
        storm.refused += part.refused;
        storm.lost += part.lost;
        storm.doubled += part.doubled;
        storm.connected.extend(part.connected);
        storm.delivered.extend(part.delivered);
        sockets.push(socket);
    }
    let watching = sockets.iter_mut().map(watch);
    storm.doubled += join_all(watching).await.into_iter().sum::<usize>();
    Ok(storm)
}

impl Absent {
    async fn come_back(&self, door: &Door, start: Instant) -> Outcome<(Storm, Socket)> {
        let mut storm = Storm::default();
        let mut socket = loop {
            match door.connect(0, &self.name).await {
                Ok(socket) => break socket,
                Err(error) if start.elapsed() > PATIENCE => return Err(error),
                Err(_) => storm.refused += 1,
            }
            tokio::time::sleep(PAUSE).await;
        };
        storm.connected.push(start.elapsed().as_secs_f64());
        let mut awaited: HashSet<i64> = self.unread.iter().copied().collect();
        let all = async {
            while !awaited.is_empty() {
                // Some may have come with the answer to the connect.
                socket.frames(|frame| {
                    let Frame::Message(id) = frames::read(frame)? else {
                        return Err(odd(frame));
                    };
                    if awaited.remove(&id) {
                        storm.delivered.push(start.elapsed().as_secs_f64());
                    } else {
                        storm.doubled += 1;
                    }
                    Ok(())
                })?;
                if !awaited.is_empty() {
                    socket.read().await?;
                }
                socket.flush().await?;
            }
            Outcome::Ok(())
        };
        // Whoever waits in vain has lost what is missing.
        let in_time = tokio::time::timeout(PATIENCE, all).await;
        in_time.unwrap_or(Ok(()))?;
        storm.lost = awaited.len();
        Ok((storm, socket))
    }
}

/// Counts what still comes.
async fn watch(socket: &mut Socket) -> usize {
    let mut frames = 0;
    let reading = async {
        loop {
            let shown = socket.frames(|_| {
                frames += 1;
                Ok(())
            });
            if shown.is_err() || socket.read().await.is_err() {
                break;
            }
        }
    };
    // It never ends where the connection does not.
    let _ = tokio::time::timeout(AFTERMATH, reading).await;
    frames
}
