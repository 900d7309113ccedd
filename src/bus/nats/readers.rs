//! Tasks that read what NATS delivers.

use std::future::poll_fn;
use std::pin::Pin;

use async_nats::{ConnectOptions, Message, ServerAddr, Subscriber};
use futures_core::Stream;
use tokio::sync::mpsc;

use super::subjects::{self, Subjects};
use super::{Task, letter};
use crate::bus::events::{Feed, Inlet};

async fn next(subscriber: &mut Subscriber) -> Option<Message> {
    poll_fn(|cx| Pin::new(&mut *subscriber).poll_next(cx)).await
}

/// Passes the letters of one user on as they come; never waits for whoever takes them.
pub async fn pump(mut letters: Subscriber, inlet: Inlet) {
    while let Some(message) = next(&mut letters).await {
        match letter::decode(&message.payload) {
            Some(letter) => inlet.deliver(letter),
            None => {
                log::debug!("a letter on {} cannot be read", message.subject);
                inlet.doubt();
            }
        }
    }
}

/// Other nodes lost letters.
pub async fn doubts(mut told: Subscriber, feed: Feed) {
    while next(&mut told).await.is_some() {
        feed.doubt();
    }
}

/// Passes on the numbers of probes that were answered, or came back.
pub async fn relay(mut answers: Subscriber, numbers: mpsc::Sender<u64>) {
    while let Some(message) = next(&mut answers).await {
        if let Some(number) = subjects::number(&message.subject) {
            // Full is nothing this node has caused. Another probe will follow.
            let _ = numbers.try_send(number);
        }
    }
}

/// A second connection, on which the probes come back.
///
/// NATS answers a probe only while nobody receives it. Somebody who listens to everything (`>`, a
/// stream over `yanshu.>`) makes the answer fail: then this one is called, once and for all.
pub struct Witness {
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
    task: Option<Task>,
}

impl Witness {
    pub fn new(servers: Vec<ServerAddr>, options: ConnectOptions) -> Self {
        Self {
            servers,
            options,
            task: None,
        }
    }

    /// Called before, it changes nothing.
    pub fn call(&mut self, subjects: &Subjects, answers: &mpsc::Sender<u64>) {
        if self.task.is_some() {
            return;
        }
        let options = self.options.clone().name("yanshu witness");
        let options = options.retry_on_initial_connect();
        let servers = self.servers.clone();
        let (probes, answers) = (subjects.probes(), answers.clone());
        self.task = Some(Task::spawn(async move {
            let Ok(client) = options.connect(servers).await else {
                return;
            };
            if let Ok(probes) = client.subscribe(probes).await {
                relay(probes, answers).await;
            }
        }));
    }
}
