//! A node as the tests see it.

use std::time::{Duration, Instant};

use yanshu::bus::local::Hub;
use yanshu::bus::nats::{self, NatsOptions};
use yanshu::bus::{Bus, Event, Events};
use yanshu::protocol::{Delivery, UserId};

use super::nats_server::NatsServer;

/// How long a thing may take that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Letters that may wait for one user, unless a test says otherwise.
pub const BUFFER: usize = 256;

/// What nodes meet on.
pub enum Ground {
    Local(Hub),
    Nats(NatsServer),
}

impl Ground {
    pub async fn join(&self) -> Node {
        self.join_with(BUFFER).await
    }

    pub async fn join_with(&self, buffer: usize) -> Node {
        match self {
            Self::Local(hub) => {
                let (bus, events) = hub.join(buffer);
                Node::new(bus, events)
            }
            Self::Nats(server) => {
                let mut options = options(&server.url());
                options.buffer = buffer;
                let node = join(options).await;
                node.until("the bus to be up", |bus| bus.is_up()).await;
                node
            }
        }
    }
}

/// Options for these URLs.
pub fn options(urls: &str) -> NatsOptions {
    NatsOptions {
        urls: urls.to_owned(),
        credentials: None,
        ca: None,
        certificate: None,
        cluster: "test".to_owned(),
        buffer: BUFFER,
    }
}

/// A node on NATS, which may be down.
pub async fn join(options: NatsOptions) -> Node {
    match nats::connect(options).await {
        Ok((bus, events)) => Node::new(bus, events),
        Err(error) => panic!("the bus cannot be joined: {error}"),
    }
}

/// One node's bus and what comes over it.
pub struct Node {
    pub bus: Box<dyn Bus>,
    pub events: Events,
}

impl Node {
    fn new(bus: impl Bus + 'static, events: Events) -> Self {
        Self {
            bus: Box::new(bus),
            events,
        }
    }

    /// The next event, of any kind.
    pub async fn next(&mut self) -> Event {
        let event = within("an event", self.events.recv()).await;
        event.expect("the bus has ended")
    }

    /// The next letter; doubts that come before it are left out.
    pub async fn next_letter(&mut self) -> (String, i64) {
        loop {
            match self.next().await {
                Event::Delivery(user, delivery) => return (user.to_string(), delivery.seq),
                Event::Doubt => {}
                other => panic!("an unexpected event: {other:?}"),
            }
        }
    }

    /// Reads on to the next doubt.
    pub async fn next_doubt(&mut self) {
        while self.next().await != Event::Doubt {}
    }

    /// Subscribes, and waits for the answer; letters and doubts before it are left out.
    pub async fn subscribe(&mut self, name: &str) {
        self.bus.subscribe(&user(name));
        self.subscribed(name).await;
    }

    /// Waits to be told that this user is subscribed for.
    pub async fn subscribed(&mut self, name: &str) {
        let expected = Event::Subscribed(user(name));
        while self.next().await != expected {}
    }

    pub fn unsubscribe(&self, name: &str) {
        self.bus.unsubscribe(&user(name));
    }

    pub fn publish(&self, name: &str, seq: i64) {
        self.bus.publish(&user(name), &letter(seq));
    }

    /// Waits until this is so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&dyn Bus) -> bool) {
        let poll = async {
            while !is_so(&*self.bus) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(what, poll).await;
    }
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A letter that is told from others by its number.
pub fn letter(seq: i64) -> Delivery {
    Delivery {
        seq,
        origin: -seq,
        message: Some(format!(r#"{{"action":"3","text":"雁书 {seq}"}}"#).into()),
        to_origin: seq % 2 == 0,
        status: (seq % 3 == 0).then(|| "status".into()),
        receipt: seq % 5 == 0,
    }
}

/// Waits for a thing that must happen.
pub async fn within<T>(what: &str, happening: impl Future<Output = T>) -> T {
    let happened = tokio::time::timeout(PATIENCE, happening).await;
    happened.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Does a thing that must not block.
pub fn at_once(what: impl FnOnce()) {
    let start = Instant::now();
    what();
    assert!(start.elapsed() < Duration::from_secs(1), "it blocked");
}
