//! The writing lanes: what waits for each, and which of them a request goes through.
//!
//! What a device asks goes through one lane while anything it asked is unanswered. Beyond that, any
//! lane would do: the store itself puts batches that concern the same users in order. So there are as
//! many lanes in use as there is work for. One batch of a hundred writes costs the database far less
//! than four of twenty-five, and who waits for the batch in flight has the next one sooner.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter;
use std::time::{Duration, Instant};

use actix::Recipient;

use super::batching::Job;
use crate::actors::db_executor::WriteBatch;
use crate::chat::ConnectionId;
use crate::protocol::{MessageId, UserId};
use crate::store::Write;

/// A batch ends at so many writes, or so many bytes of messages.
const BATCH_WRITES: usize = 2_000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// So many connects at most are part of a batch: when everybody comes at once, who is there already does not
/// wait for more of them than these.
const BATCH_CONNECTS: usize = 32;

/// Another lane is put to use for each so many writes that wait or are in flight.
const WRITES_FOR_A_LANE: usize = 512;
/// A batch that takes so long is held up by something: requests take another lane, if there is one.
const HELD_UP: Duration = Duration::from_millis(100);

/// What to do once something is written, and what that is; a refusal writes nothing.
type Waiting = (Job, Option<Write>);

/// Who connects, and waits to be part of a batch.
pub struct Connecting {
    pub connection: ConnectionId,
    pub user: UserId,
    /// What to name them, if that is to be changed.
    pub name: Option<String>,
}

impl Connecting {
    fn job(&self) -> Job {
        let connection = self.connection;
        Job::Connect { connection }
    }
}

/// A writing lane: one batch in flight, and the next one that is being put together.
pub struct Lane {
    pub writer: Recipient<WriteBatch>,
    next: VecDeque<Waiting>,
    connects: VecDeque<Connecting>,
    pub in_flight: Option<Flight>,
}

/// A batch on its way to the store.
pub struct Flight {
    /// What to do with each outcome, and whether it has one: a refusal writes nothing. Empty where
    /// the lane was given up.
    pub jobs: Vec<(Job, bool)>,
    pub since: Instant,
    /// The store has taken too long: whoever waited was told so.
    pub given_up: bool,
}

impl Lane {
    pub fn new(writer: Recipient<WriteBatch>) -> Self {
        Self {
            writer,
            next: VecDeque::new(),
            connects: VecDeque::new(),
            in_flight: None,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.waiting() == 0 && self.in_flight.is_none()
    }

    /// Puts something to the end of what waits.
    pub fn push(&mut self, job: Job, write: Option<Write>) {
        self.next.push_back((job, write));
    }

    /// Lets somebody wait to be connected. That needs no order with what else there is: the device asks nothing
    /// before it is connected, and its start is a place in its user's timeline, whenever the store is asked for
    /// it.
    pub fn connect(&mut self, who: Connecting) {
        self.connects.push_back(who);
    }

    /// Nobody who connects waits any longer: what they would have asked the store.
    pub fn turn_away(&mut self) -> Vec<Job> {
        self.connects.drain(..).map(|who| who.job()).collect()
    }

    /// How much waits in it.
    pub fn waiting(&self) -> usize {
        self.next.len() + self.connects.len()
    }

    /// How much waits in it, or is in flight. Connects that wait do not count: they are to take their time.
    fn writes(&self) -> usize {
        let in_flight = self.in_flight.as_ref();
        self.next.len() + in_flight.map_or(0, |flight| flight.jobs.len())
    }

    fn is_held_up(&self) -> bool {
        let in_flight = self.in_flight.as_ref();
        in_flight.is_some_and(|flight| flight.since.elapsed() > HELD_UP)
    }

    /// The messages of this connection in the batch in flight.
    pub fn storing(&self, of: ConnectionId) -> Vec<MessageId> {
        let jobs = self.in_flight.iter().flat_map(|flight| &flight.jobs);
        jobs.filter_map(|(job, _)| match job {
            Job::Message { connection, id, .. } if *connection == of => Some(*id),
            _ => None,
        })
        .collect()
    }

    /// The next batch, unless one is in flight or there is nothing to do. Who connects is part of it only if
    /// still here: clients that give up and come again must not stand in each other's way.
    pub fn take(&mut self, is_here: impl Fn(ConnectionId) -> bool) -> Option<Batch> {
        if self.in_flight.is_some() {
            return None;
        }
        let mut bytes = 0;
        let end = self
            .next
            .iter()
            .take(BATCH_WRITES)
            .take_while(|(_, write)| {
                let fits = bytes < BATCH_BYTES;
                if let Some(Write::Message(message) | Write::Keyed(message, _)) = write {
                    bytes += message.text.len();
                }
                fits
            });
        let end = end.count();
        let count = end + self.connects.len().min(BATCH_CONNECTS);
        let (mut jobs, mut writes) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (job, write) in self.next.drain(..end) {
            jobs.push((job, write.is_some()));
            writes.extend(write);
        }
        let connects = iter::from_fn(|| self.connects.pop_front());
        let here = connects.filter(|who| is_here(who.connection));
        for who in here.take(BATCH_CONNECTS) {
            let job = who.job();
            if let Some(name) = who.name {
                jobs.push((Job::Unasked, true));
                writes.push(Write::Name(who.user.clone(), name));
            }
            jobs.push((job, true));
            writes.push(Write::Connect(who.user));
        }
        (!jobs.is_empty()).then_some(Batch { jobs, writes })
    }

    /// The jobs of a lane whose store has not answered for so long: of the batch in flight, and of
    /// those that wait behind it.
    pub fn give_up(&mut self, patience: Duration) -> Vec<Job> {
        let Some(flight) = self.in_flight.as_mut() else {
            return Vec::new();
        };
        if flight.since.elapsed() < patience {
            return Vec::new();
        }
        flight.given_up = true;
        let jobs = std::mem::take(&mut flight.jobs).into_iter();
        let jobs = jobs.map(|(job, _)| job);
        let jobs = jobs.chain(self.next.drain(..).map(|(job, _)| job));
        let mut jobs: Vec<Job> = jobs.collect();
        jobs.extend(self.turn_away());
        jobs
    }
}

/// What a lane does next.
pub struct Batch {
    pub jobs: Vec<(Job, bool)>,
    pub writes: Vec<Write>,
}

/// A lane for what concerns no user.
pub fn any(lanes: &[Lane]) -> usize {
    let moving = lanes.iter().position(|lane| !lane.is_held_up());
    moving.unwrap_or(0)
}

/// The lane for what these two have to do with each other: batches in different lanes that concern
/// the same user would wait for one another.
pub fn choose(lanes: &[Lane], a: &UserId, b: &UserId) -> usize {
    let writes: usize = lanes.iter().map(Lane::writes).sum();
    let free: Vec<usize> = (0..lanes.len())
        .filter(|lane| !lanes[*lane].is_held_up())
        .take(1 + writes / WRITES_FOR_A_LANE)
        .collect();
    let place = |lanes: usize| {
        let mut hasher = DefaultHasher::new();
        (a.min(b), a.max(b)).hash(&mut hasher);
        let lanes = u64::try_from(lanes.max(1)).unwrap_or(1);
        usize::try_from(hasher.finish() % lanes).unwrap_or(0)
    };
    match free.len() {
        0 => place(lanes.len()),
        1 => free[0],
        several => free[place(several)],
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler};

    use super::*;
    use crate::store::{Outcome, StoreError};

    /// A store that is not asked.
    struct Nothing;

    impl Actor for Nothing {
        type Context = Context<Self>;
    }

    impl Handler<WriteBatch> for Nothing {
        type Result = Result<Vec<Outcome>, StoreError>;

        fn handle(&mut self, _: WriteBatch, _: &mut Self::Context) -> Self::Result {
            Err(StoreError::Gone)
        }
    }

    const CROWD: usize = 10 * BATCH_CONNECTS;

    /// A lane in which a crowd connects, and one thing more is to be written after that.
    fn crowded() -> Lane {
        let mut lane = Lane::new(Nothing.start().recipient());
        for number in 0..CROWD {
            let connection = ConnectionId::try_from(number).unwrap();
            let user = UserId::parse(&format!("user{number}")).unwrap();
            let name = None;
            lane.connect(Connecting {
                connection,
                user,
                name,
            });
        }
        lane.push(Job::Unasked, Some(Write::Probe));
        lane
    }

    fn connects(jobs: &[(Job, bool)]) -> Vec<ConnectionId> {
        let connections = jobs.iter().filter_map(|(job, _)| match job {
            Job::Connect { connection } => Some(*connection),
            _ => None,
        });
        connections.collect()
    }

    #[actix_web::test]
    async fn what_comes_after_a_crowd_waits_for_a_few_of_it_and_the_crowd_keeps_its_order() {
        let mut lane = crowded();
        let first = lane.take(|_| true).unwrap();
        assert!(matches!(first.writes.first(), Some(Write::Probe)));
        assert_eq!(first.writes.len(), 1 + BATCH_CONNECTS);
        let mut came = connects(&first.jobs);
        while let Some(batch) = lane.take(|_| true) {
            assert!(batch.writes.len() <= BATCH_CONNECTS);
            came.extend(connects(&batch.jobs));
        }
        let all = 0..ConnectionId::try_from(CROWD).unwrap();
        assert_eq!(came, all.collect::<Vec<_>>());
        assert!(lane.is_idle());
    }

    #[actix_web::test]
    async fn who_has_gone_takes_nobodys_place_in_a_batch_and_is_not_asked_for() {
        let mut lane = crowded();
        let last = ConnectionId::try_from(CROWD - 1).unwrap();
        let batch = lane.take(|connection| connection == last).unwrap();
        assert_eq!(connects(&batch.jobs), [last]);
        assert!(lane.is_idle());
        let mut lane = crowded();
        lane.take(|_| false).unwrap(); // what is to be written besides
        assert!(lane.take(|_| false).is_none());
        assert!(lane.is_idle());
    }

    #[actix_web::test]
    async fn a_name_takes_nobodys_place_in_a_batch() {
        let mut lane = Lane::new(Nothing.start().recipient());
        for number in 0..CROWD {
            let connection = ConnectionId::try_from(number).unwrap();
            let user = UserId::parse(&format!("user{number}")).unwrap();
            let name = Some("name".to_owned());
            lane.connect(Connecting {
                connection,
                user,
                name,
            });
        }
        let batch = lane.take(|_| true).unwrap();
        assert_eq!(connects(&batch.jobs).len(), BATCH_CONNECTS);
        assert_eq!(batch.jobs.len(), batch.writes.len());
        assert!(matches!(
            batch.writes[..2],
            [Write::Name(..), Write::Connect(_)]
        ));
    }

    #[actix_web::test]
    async fn who_waits_to_connect_is_told_too_when_the_store_is_given_up_on() {
        let mut lane = crowded();
        let Batch { jobs, .. } = lane.take(|_| true).unwrap();
        lane.in_flight = Some(Flight {
            jobs,
            since: Instant::now(),
            given_up: false,
        });
        assert_eq!(lane.give_up(Duration::ZERO).len(), CROWD + 1);
        assert_eq!(lane.waiting(), 0);
    }
}
