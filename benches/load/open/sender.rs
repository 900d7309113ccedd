//! The thread that sends: each frame when it is due, whatever has become of those before it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{PAGE, Shot, What, histogram};
use crate::Outcome;
use crate::cores;
use crate::frames;
use crate::socket::{Line, put_text};

/// What is to be sent, and where.
pub struct Orders {
    pub shots: Arc<Vec<Shot>>,
    pub names: Arc<Vec<String>>,
    /// The user of each connection.
    pub owners: Vec<usize>,
    pub lines: Vec<Arc<Line>>,
    pub start: Instant,
    /// Set by whoever has seen enough.
    pub stop: Arc<AtomicBool>,
}

/// How well it went.
pub struct Sent {
    /// So many, of those that were due first.
    pub count: usize,
    /// Nanoseconds from when each was due until it was written.
    pub lag: Histogram<u64>,
    /// Until the last of them.
    pub elapsed: Duration,
    /// Frames that the kernel had no room for at once.
    pub blocked: u64,
    /// Seconds of CPU time.
    pub busy: f64,
    /// Open descriptors of the process.
    pub descriptors: usize,
}

impl Orders {
    /// Sends everything.
    pub fn carry_out(self) -> Outcome<Sent> {
        let mut sent = Sent {
            count: 0,
            lag: histogram()?,
            elapsed: Duration::ZERO,
            blocked: 0,
            busy: 0.0,
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
        };
        let before = cores::of_this_thread()?;
        let mut full: Vec<usize> = Vec::new();
        let mut frame = Vec::new();
        for shot in self.shots.iter() {
            self.text(shot, &mut frame);
            let due = self.start + shot.due;
            self.retry(&mut full)?;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            if !self.lines[shot.socket].send(&frame)? {
                full.push(shot.socket);
                sent.blocked += 1;
            }
            sent.count += 1;
            let lag = due.elapsed();
            sent.elapsed = shot.due + lag;
            let nanos = u64::try_from(lag.as_nanos())?;
            sent.lag.saturating_record(nanos.max(1));
        }
        while !full.is_empty() {
            thread::sleep(Duration::from_millis(1));
            self.retry(&mut full)?;
        }
        sent.busy = cores::of_this_thread()? - before;
        Ok(sent)
    }

    fn text(&self, shot: &Shot, frame: &mut Vec<u8>) {
        let from = &self.names[self.owners[shot.socket]];
        let text = match shot.what {
            What::Message { to, id, .. } => frames::message(from, &self.names[to], id),
            What::Page { with, base } => frames::page(from, &self.names[with], base, PAGE),
        };
        frame.clear();
        put_text(frame, text.as_bytes());
    }

    /// Sends what is left, and forgets those where nothing is.
    fn retry(&self, full: &mut Vec<usize>) -> Outcome<()> {
        let mut error = None;
        full.retain(|socket| match self.lines[*socket].send(&[]) {
            Ok(gone) => !gone,
            Err(why) => {
                error = Some(why);
                false
            }
        });
        error.map_or(Ok(()), |why| Err(why.into()))
    }
}
