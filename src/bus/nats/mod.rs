//! The bus between processes: core NATS.
//!
//! | task | does |
//! |---|---|
//! | `keeper` | subscribes and unsubscribes, has it confirmed by the server (`probes`, `seats`), watches the connection. It waits for nothing but its next turn |
//! | `publisher` | encodes what this node committed and publishes it |
//! | `readers` | for each subscribed user, decode what arrives and pass it to [`Events`]; and read the subjects of the bus itself (`subjects`) |
//!
//! Memory, whatever others publish and however NATS fares:
//!
//! - to be published: 4,096 letters and 32 MiB in the queue (what finds no room is dropped and
//!   counted), 256 KiB between the publisher and the socket, since it waits for the socket then;
//! - arrived: the bounds of [`Events`](crate::bus). A reader never waits, so what async-nats holds
//!   for it is what one turn of the connection has read, `buffer` letters at most for each user;
//! - calls of `subscribe` and `unsubscribe`: the keeper takes them as they come. What it remembers
//!   is one entry for each user this node is subscribed for, whether NATS is up or not.

mod keeper;
mod letter;
mod link;
mod options;
mod probes;
mod publisher;
mod readers;
mod seats;
mod subjects;

pub use options::{BusError, NatsOptions};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event as ClientEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::keeper::{Command, Keeper};
use self::link::Link;
use self::options::Servers;
use self::publisher::Outgoing;
use self::readers::Witness;
use self::subjects::Subjects;
use super::events::{Feed, Inlet, events};
use super::note::{Letter, Note};
use super::queue::{Entrance, queue};
use super::{Bus, Events, Flushed};
use crate::hash::HashMap;
use crate::protocol::{Delivery, UserId};

/// Letters to be published.
const LETTERS_MAX: usize = 4096;
/// Bytes of them.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a start may wait for NATS; then it goes on without.
const FIRST_ATTEMPT: Duration = Duration::from_secs(5);

/// A node's end of the bus. Its tasks end when it is dropped.
pub struct NatsBus {
    link: Arc<Link>,
    feed: Feed,
    /// The present subscriptions. Closed here, at once: nothing of one that was given up may be
    /// taken for its successor's.
    inlets: Mutex<HashMap<UserId, Inlet>>,
    commands: mpsc::UnboundedSender<Command>,
    letters: Entrance<Outgoing>,
    _tasks: [Task; 2],
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Task {
    fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Joins the bus, on the runtime this is called on. Where NATS does not answer, the bus begins
/// as one that is down, and is up as soon as NATS is.
///
/// # Errors
/// What no waiting can cure: options that make no sense, a file that cannot be read, credentials
/// that the server refuses.
pub async fn connect(options: NatsOptions) -> Result<(NatsBus, Events), BusError> {
    let servers = options.servers()?;
    let subjects = Subjects::new(&options.cluster)?;
    let client_options = options.client_options(&servers, &subjects)?;
    let (feed, events) = events(options.buffer);
    let link = Arc::new(Link::new(servers.names.clone()));
    let client = join(&servers, listen(client_options.clone(), &feed, &link)).await?;

    let (entrance, letters) = queue(LETTERS_MAX, BYTES_MAX);
    let (commands, orders) = mpsc::unbounded_channel();
    let publisher = publisher::run(letters, client.clone(), subjects.clone(), Arc::clone(&link));
    let witness = Witness::new(servers.addresses, client_options);
    let keeper = Keeper::new(
        client,
        subjects,
        orders,
        feed.clone(),
        Arc::clone(&link),
        witness,
    );
    let bus = NatsBus {
        link,
        feed,
        inlets: Mutex::default(),
        commands,
        letters: entrance,
        _tasks: [Task::spawn(publisher), Task::spawn(keeper.run())],
    };
    Ok((bus, events))
}

/// Makes the client tell what happens to it.
fn listen(options: ConnectOptions, feed: &Feed, link: &Arc<Link>) -> ConnectOptions {
    let (feed, link) = (feed.clone(), Arc::clone(link));
    options.event_callback(move |event| {
        match event {
            ClientEvent::Connected | ClientEvent::Disconnected => link.wake(),
            ClientEvent::SlowConsumer(_) => feed.doubt(),
            ClientEvent::ServerError(error) => link.complain(&error.to_string()),
            _ => {}
        }
        std::future::ready(())
    })
}

/// A client that is connected, or that goes on trying.
async fn join(servers: &Servers, options: ConnectOptions) -> Result<Client, BusError> {
    let attempt = options.clone().connect(&servers.addresses);
    let error = match timeout(FIRST_ATTEMPT, attempt).await {
        Ok(Ok(client)) => return Ok(client),
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    let names = servers.names.clone();
    match error
        .as_ref()
        .map(|error| (error.kind(), error.to_string()))
    {
        Some((ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication, _)) => {
            return Err(BusError::Refused(names));
        }
        Some((ConnectErrorKind::Tls, text)) => return Err(BusError::Tls(names, text)),
        _ => log::warn!("NATS at {names} does not answer: the bus is down, and tried again"),
    }
    let client = options.retry_on_initial_connect();
    let client = client.connect(&servers.addresses).await;
    client.map_err(|error| BusError::Url(1, error.to_string()))
}

impl NatsBus {
    fn inlets(&self) -> MutexGuard<'_, HashMap<UserId, Inlet>> {
        self.inlets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, user: &UserId, letter: impl Fn() -> Letter) {
        let sent = !self.link.is_down() && {
            let letter = letter();
            let bytes = letter.bytes();
            self.letters
                .push(Outgoing::Letter(user.clone(), letter), bytes)
        };
        if !sent {
            self.link.lose();
        }
    }
}

impl Bus for NatsBus {
    fn publish(&self, user: &UserId, delivery: &Delivery) {
        self.post(user, || Letter::Delivery(delivery.clone()));
    }

    fn note(&self, user: &UserId, note: &Note) {
        self.post(user, || Letter::Note(note.clone()));
    }

    fn subscribe(&self, user: &UserId) {
        let mut inlets = self.inlets();
        let inlet = inlets.entry(user.clone());
        let inlet = inlet.or_insert_with(|| self.feed.inlet(user));
        // An error means that the runtime has ended, and the node with it; the same below.
        let _ = self.commands.send(Command::Subscribe(inlet.clone()));
    }

    fn unsubscribe(&self, user: &UserId) {
        if let Some(inlet) = self.inlets().remove(user) {
            inlet.close();
            let _ = self.commands.send(Command::Unsubscribe(user.clone()));
        }
    }

    fn is_up(&self) -> bool {
        self.link.is_up()
    }

    fn flushed(&self) -> Flushed {
        let (done, flushed) = oneshot::channel();
        // Without a connection, or room in the queue, nothing more leaves.
        let asked = !self.link.is_down() && self.letters.push(Outgoing::Flush(done), 0);
        Box::pin(async move {
            if asked {
                let _ = flushed.await;
            }
        })
    }
}
