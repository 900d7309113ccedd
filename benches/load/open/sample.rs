//! What a run in the open loop gave, and which limits the generator hit itself.

use std::ops::Range;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::histogram;
use super::record::Fate;
use super::sender::Sent;
use crate::Outcome;
use crate::cores::Cores;

/// A generator that is later than this, in milliseconds, for one frame in a hundred, says so.
const LATE: f64 = 1.0;
/// So does one of whose two threads one is this busy.
const BUSY: f64 = 0.9;
/// And one that sends its last frame so much later than planned, as a share of the time.
const SLOW: f64 = 0.01;

/// All there is to know of a run.
pub struct Run {
    pub sent: Sent,
    pub fates: Vec<Fate>,
    pub start: Instant,
    /// Until the last answer.
    pub elapsed: Duration,
    /// When the last of the frames that were sent was due.
    pub planned: Duration,
    /// Seconds of CPU time of the thread that reads.
    pub reader: f64,
}

/// Milliseconds: median, 99 % and 99.9 %.
pub type Quantiles = [f64; 3];

/// What the generator did, and could not do.
#[derive(Debug, Clone, Copy)]
pub struct Generator {
    /// From when a frame was due until it was written.
    pub lag: Quantiles,
    /// Shares of a core.
    pub sender: f64,
    pub reader: f64,
    /// Frames a second that it sent, to those that were due.
    pub kept: f64,
    /// Frames that the kernel had no room for at once.
    pub blocked: u64,
    pub descriptors: usize,
    pub descriptors_max: u64,
}

/// What counts of a run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Frames a second that were due.
    pub offered: f64,
    /// Frames a second that were answered and had arrived while others were still due.
    pub achieved: f64,
    /// From due to acknowledgement, or to the page.
    pub answers: Quantiles,
    /// From due to the last delivery.
    pub deliveries: Quantiles,
    pub generator: Generator,
    pub cores: Cores,
}

impl Sample {
    /// Of a whole run.
    pub fn new(run: &Run, cores: Cores) -> Outcome<Self> {
        let all = Duration::ZERO..run.sent.elapsed.max(run.planned);
        Self::of_part(run, all, cores)
    }

    /// Of what was due in a part of the time.
    pub fn of_part(run: &Run, part: Range<Duration>, cores: Cores) -> Outcome<Self> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos());
        let (from, to) = (nanos(part.start)?, nanos(part.end)?);
        let seconds = (part.end - part.start).as_secs_f64();
        let (mut answers, mut deliveries) = (histogram()?, histogram()?);
        let (mut due, mut done) = (0, 0);
        for fate in &run.fates[..run.sent.count] {
            due += usize::from((from..=to).contains(&fate.due));
            let settled = fate.settled();
            done += usize::from(settled.is_some_and(|at| (from..=to).contains(&at)));
            if !(from..=to).contains(&fate.due) {
                continue;
            }
            answers.saturating_record(fate.answered.saturating_sub(fate.due).max(1));
            if fate.delivered > 0 {
                deliveries.saturating_record(fate.delivered.saturating_sub(fate.due).max(1));
            }
        }
        Ok(Self {
            offered: due as f64 / seconds,
            achieved: done as f64 / seconds,
            answers: quantiles(&answers),
            deliveries: quantiles(&deliveries),
            generator: Generator::of(run),
            cores,
        })
    }

    /// All of it.
    pub fn json(&self) -> Value {
        let three = |[p50, p99, p999]: Quantiles| json!({"p50": p50, "p99": p99, "p99.9": p999});
        let (generator, cores) = (&self.generator, &self.cores);
        json!({
            "offered_per_second": self.offered,
            "achieved_per_second": self.achieved,
            "answer_ms": three(self.answers),
            "delivery_ms": three(self.deliveries),
            "generator": {
                "lag_ms": three(generator.lag),
                "sender_cores": generator.sender,
                "reader_cores": generator.reader,
                "kept_rate": generator.kept,
                "blocked_frames": generator.blocked,
                "descriptors": generator.descriptors,
                "descriptors_max": generator.descriptors_max,
                "limits": generator.limits(),
            },
            "cores": crate::report::cores_json(*cores),
        })
    }
}

impl Generator {
    fn of(run: &Run) -> Self {
        let planned = run.planned.max(Duration::from_millis(1)).as_secs_f64();
        let sent = run.sent.elapsed.max(Duration::from_millis(1)).as_secs_f64();
        let limit = rlimit::Resource::NOFILE.get_soft();
        Self {
            lag: quantiles(&run.sent.lag),
            sender: run.sent.busy / sent,
            reader: run.reader / run.elapsed.as_secs_f64(),
            kept: (planned / sent).min(1.0),
            blocked: run.sent.blocked,
            descriptors: run.sent.descriptors,
            descriptors_max: limit.unwrap_or(u64::MAX),
        }
    }

    /// The limits that it hit itself: with any of them, the figures are of the generator too.
    pub fn limits(&self) -> Vec<&'static str> {
        let nearly_all = self.descriptors as f64 > 0.95 * self.descriptors_max as f64;
        let limits = [
            (self.lag[1] > LATE, "late"),
            (1.0 - self.kept > SLOW, "below its rate"),
            (self.sender > BUSY, "sender at a core"),
            (self.reader > BUSY, "reader at a core"),
            (self.blocked > 0, "sockets full"),
            (nearly_all, "descriptors"),
        ];
        let hit = limits.into_iter().filter(|(hit, _)| *hit);
        hit.map(|(_, name)| name).collect()
    }
}

fn quantiles(times: &Histogram<u64>) -> Quantiles {
    let nothing = times.is_empty();
    [0.5, 0.99, 0.999].map(|share| match nothing {
        true => f64::NAN,
        false => times.value_at_quantile(share) as f64 / 1e6,
    })
}
