//! The server without a store: what its sockets and actors can do at best.
//!
//! The bench runs itself again as this server. It is the same composition, thread for thread, only
//! that the lane that writes keeps counters in memory and answers at once.
//!
//! Two of them on one NATS are two nodes. They share no counters, and need not: in each pair one
//! user writes to the other, so that the sender's node draws all numbers of both timelines, and the
//! recipient, who connected to the other node while theirs stood at 0, gets them in order over the
//! bus. Both nodes hand out the same IDs, which no pair notices.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Handler, SyncArbiter, SyncContext};
use clap::Parser;
use yanshu::actors::db_executor::WriteBatch;
use yanshu::app::{Application, Credentials, Node};
use yanshu::bus::nats::{self, NatsOptions};
use yanshu::protocol::{MessageId, UserId};
use yanshu::settings::{Cli, Command, ServeSettings};
use yanshu::store::{Connected, Outcome as Written, Store, StoreError, StoreOptions, Write};

use crate::Outcome;

/// The argument that makes the bench this server; the command line of `yanshu` follows.
pub const ARGUMENT: &str = "--no-store";

/// Nodes with a store find each other by another name.
const CLUSTER: &str = "no-store";

/// Serves until it is killed.
pub fn serve(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let cli = Cli::try_parse_from(std::iter::once("yanshu".to_owned()).chain(arguments))?;
    let Some(Command::Serve(settings)) = cli.command else {
        return Err("only `serve` goes without a store".into());
    };
    rlimit::increase_nofile_limit(u64::MAX)?;
    let store = Store::open(&StoreOptions {
        url: settings.store.database_url.clone(),
        writers: 1,
        readers: 2,
        timeout: Duration::from_secs(5),
        strangers: true,
    })?;
    actix_web::rt::System::new().block_on(async move {
        let writer = SyncArbiter::start(1, NullWriter::default);
        let node = join(&settings).await?;
        let writers = vec![writer.recipient()];
        let app = Application::with_writers(
            &settings,
            &store,
            None,
            node,
            Credentials::default(),
            writers,
        )?;
        println!("yanshu is listening on http://{}", app.address());
        std::io::stdout().flush()?;
        app.run_until(std::future::pending(), std::future::pending())
            .await?;
        Ok(())
    })
}

/// Joins the other node, where there is one.
async fn join(settings: &ServeSettings) -> Outcome<Node> {
    let Some(urls) = settings.bus.nats_url.clone() else {
        return Ok(Node::alone());
    };
    let (bus, events) = nats::connect(NatsOptions {
        urls,
        credentials: None,
        ca: None,
        certificate: None,
        cluster: CLUSTER.to_owned(),
        buffer: settings.bus.bus_buffer.get(),
    })
    .await?;
    Ok(Node {
        bus: Arc::new(bus),
        events,
    })
}

/// A lane that forgets everything but the counters.
#[derive(Default)]
struct NullWriter {
    timelines: HashMap<UserId, i64>,
    leased: i64,
}

impl Actor for NullWriter {
    type Context = SyncContext<Self>;
}

impl Handler<WriteBatch> for NullWriter {
    type Result = Result<Vec<Written>, StoreError>;

    fn handle(&mut self, batch: WriteBatch, _: &mut Self::Context) -> Self::Result {
        Ok(batch.0.iter().map(|write| self.one(write)).collect())
    }
}

impl NullWriter {
    fn next(&mut self, user: &UserId) -> i64 {
        if let Some(timeline) = self.timelines.get_mut(user) {
            *timeline += 1;
            return *timeline;
        }
        self.timelines.insert(user.clone(), 1);
        1
    }

    fn one(&mut self, write: &Write) -> Written {
        match write {
            Write::Connect(user) => Written::Connected(Connected {
                head: self.timelines.get(user).copied().unwrap_or(0),
                told: 0,
                unread: false,
                untold: false,
                tenure: 0,
            }),
            Write::Lease(count) => {
                let first = self.leased + 1;
                self.leased += count;
                Written::Leased(MessageId::new(first))
            }
            Write::Message(message) => Written::Stored {
                sender_seq: self.next(&message.from),
                recipient_seq: self.next(&message.to),
            },
            _ => Written::Done,
        }
    }
}
