//! The task that keeps the subscriptions and watches the connection.
//!
//! It never waits for NATS: what is to be sent next is tried beside everything else, and only
//! while there is a connection. [`Probes`] and [`Seats`] decide, this carries out.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::{Client, Subscriber};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Task;
use super::link::{Link, State};
use super::probes::Probes;
use super::readers::{self, Witness};
use super::seats::Seats;
use super::subjects::Subjects;
use crate::bus::events::{Feed, Inlet};
use crate::hash::HashMap;
use crate::protocol::UserId;

/// How often the connection is looked at unasked, and deadlines are kept.
const TICK: Duration = Duration::from_millis(100);
/// Others are told of lost letters at most so often; and what failed is tried again after it.
const REST: Duration = Duration::from_secs(1);
/// Answers that have been read and not dealt with.
const ANSWERS: usize = 64;

/// A call of [`Bus`](crate::bus::Bus).
pub enum Command {
    Subscribe(Inlet),
    Unsubscribe(UserId),
}

/// What to send next.
enum Step {
    Probe(u64),
    Subscribe(Inlet),
    /// To the other nodes: letters were lost.
    TellDoubt,
}

/// See the module.
pub struct Keeper {
    client: Client,
    subjects: Subjects,
    commands: mpsc::UnboundedReceiver<Command>,
    feed: Feed,
    link: Arc<Link>,
    witness: Witness,
    probes: Probes,
    seats: Seats,
    pumps: HashMap<UserId, Task>,
    answers: (mpsc::Sender<u64>, mpsc::Receiver<u64>),
    connected: bool,
    /// Connections so far.
    connects: u64,
    /// The bus was down: when it is up, what came meanwhile is in doubt.
    shaken: bool,
    tell_doubt: bool,
    /// Nothing is sent before.
    rest: Option<Instant>,
    /// When lost letters were last asked after.
    asked_lost: Instant,
}

impl Keeper {
    pub fn new(
        client: Client,
        subjects: Subjects,
        commands: mpsc::UnboundedReceiver<Command>,
        feed: Feed,
        link: Arc<Link>,
        witness: Witness,
    ) -> Self {
        let now = Instant::now();
        let shaken = client.connection_state() != Connection::Connected;
        let mut keeper = Self {
            client,
            subjects,
            commands,
            feed,
            link,
            witness,
            probes: Probes::new(now),
            seats: Seats::default(),
            pumps: HashMap::default(),
            answers: mpsc::channel(ANSWERS),
            connected: false,
            connects: 0,
            shaken,
            tell_doubt: false,
            rest: None,
            asked_lost: now,
        };
        // Before the first call of publish or subscribe: a connection there is, is to be used.
        keeper.look();
        keeper
    }

    /// Runs until the bus is dropped.
    pub async fn run(mut self) {
        // Not held up by NATS: these are the first commands the client gets.
        let answers = self.client.subscribe(self.subjects.answers()).await;
        let doubts = self.client.subscribe(self.subjects.doubt()).await;
        let (Ok(answers), Ok(doubts)) = (answers, doubts) else {
            return log::error!("the client of NATS has ended: the bus stays down");
        };
        let _answers = Task::spawn(readers::relay(answers, self.answers.0.clone()));
        let _doubts = Task::spawn(readers::doubts(doubts, self.feed.clone()));
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = self.next_step(Instant::now());
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.take(command),
                    None => return,
                },
                // There is always a sender: the one of its own.
                Some(number) = self.answers.1.recv() => self.answered(number),
                () = self.link.woken() => self.look(),
                _ = tick.tick() => self.look(),
                done = carry_out(&self.client, &self.subjects, step.as_ref()) => {
                    self.done(step, done);
                }
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Subscribe(inlet) => {
                let down = self.link.is_down();
                if self.seats.subscribe(&inlet, down, Instant::now()) {
                    inlet.subscribed();
                }
            }
            Command::Unsubscribe(user) => {
                self.seats.unsubscribe(&user);
                self.pumps.remove(&user);
            }
        }
    }

    fn next_step(&self, now: Instant) -> Option<Step> {
        if !self.connected || self.rest.is_some_and(|until| now < until) {
            None
        } else if self.probes.due(self.seats.is_unproven(), now) {
            Some(Step::Probe(self.probes.next()))
        } else if self.tell_doubt && self.link.is_up() {
            Some(Step::TellDoubt)
        } else {
            self.seats.unsent().cloned().map(Step::Subscribe)
        }
    }

    fn done(&mut self, step: Option<Step>, done: Result<Option<Subscriber>, async_nats::Error>) {
        let letters = match done {
            Ok(letters) => letters,
            Err(error) => {
                self.link.complain(&error.to_string());
                self.rest = Some(Instant::now() + REST);
                return;
            }
        };
        match (step, letters) {
            (Some(Step::Probe(_)), _) => self.probes.sent(Instant::now()),
            (Some(Step::TellDoubt), _) => self.tell_doubt = false,
            (Some(Step::Subscribe(inlet)), Some(letters)) => {
                let user = inlet.user().clone();
                self.seats.sent(&user, self.probes.next());
                let pump = Task::spawn(readers::pump(letters, inlet));
                self.pumps.insert(user, pump);
            }
            _ => {}
        }
    }

    fn answered(&mut self, number: u64) {
        if !self.probes.answered(number, Instant::now()) {
            return;
        }
        let proven = self.seats.proven(number);
        if !self.link.is_up() {
            self.up();
        }
        if proven.hasty {
            self.feed.doubt();
        }
        proven.owed.iter().for_each(Inlet::subscribed);
    }

    fn up(&mut self) {
        self.link.set(State::Up);
        let lost = self.link.take_lost();
        match lost {
            0 => log::info!("the bus is up: NATS at {}", self.link.names()),
            _ => log::info!(
                "the bus is up: NATS at {}; {lost} letters were dropped meanwhile",
                self.link.names()
            ),
        }
        if std::mem::take(&mut self.shaken) {
            self.feed.doubt();
        }
        // What the client held when its connection broke is lost as well, and in no count.
        self.tell_doubt |= lost > 0 || self.connects > 1;
    }

    fn down(&mut self, why: &str) {
        if !self.link.is_down() {
            self.link.set(State::Down);
            self.shaken = true;
            log::warn!("the bus is down: {why}");
            self.feed.doubt();
        }
    }

    /// Looks at the connection and the clock.
    fn look(&mut self) {
        let now = Instant::now();
        let connects = self.client.statistics().connects.load(Ordering::Relaxed);
        self.connected = self.client.connection_state() == Connection::Connected;
        if !self.connected {
            self.down("the connection to NATS is lost");
        } else if connects != self.connects {
            self.joined(connects, now);
        } else if self.probes.silent(now) {
            self.down("NATS does not answer");
        } else if self.probes.unanswered(now) {
            self.witness.call(&self.subjects, &self.answers.0);
        }
        let hasty = self.seats.hasten(self.link.is_down(), now);
        hasty.iter().for_each(Inlet::subscribed);
        if self.link.is_up() && now.duration_since(self.asked_lost) >= REST {
            self.asked_lost = now;
            self.tell_doubt |= self.link.take_lost() > 0;
        }
    }

    fn joined(&mut self, connects: u64, now: Instant) {
        // The events of the client may be lost, its count is not: there was a break, seen or not.
        self.shaken |= self.connects > 0;
        self.connects = connects;
        self.link.set(State::Joining);
        self.probes.restart(now);
        self.seats.unprove(self.probes.next());
    }
}

/// Dropped before it is done, it has done nothing.
async fn carry_out(
    client: &Client,
    subjects: &Subjects,
    step: Option<&Step>,
) -> Result<Option<Subscriber>, async_nats::Error> {
    match step {
        Some(Step::Probe(number)) => {
            let (probe, answer) = subjects.probe(*number);
            client
                .publish_with_reply(probe, answer, Bytes::new())
                .await?;
            Ok(None)
        }
        Some(Step::Subscribe(inlet)) => {
            let subject = subjects.user(inlet.user());
            Ok(Some(client.subscribe(subject).await?))
        }
        Some(Step::TellDoubt) => {
            client.publish(subjects.doubt(), Bytes::new()).await?;
            Ok(None)
        }
        None => pending().await,
    }
}
