//! Where everything is put together, and the order in which it is taken apart.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, Recipient};
use actix_web::dev::{Server, ServerHandle};
use actix_web::web::Data;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::actors::Stage;
use crate::actors::chat_server::{ChatServer, Finish, Parts, StoreState};
use crate::actors::db_executor::{DbExecutor, WriteBatch};
use crate::actors::flow::Untaken;
use crate::actors::link::Links;
use crate::actors::session::{Deadlines, Shared};
use crate::actors::sweeper::{sweep_files_regularly, sweep_regularly};
use crate::auth::{AdminKey, Gate, Verifier};
use crate::bus::local::Hub;
use crate::bus::{Bus, Events};
use crate::chat::{Budget, Limits};
use crate::files::FileStore;
use crate::http::{self, Api, Counters, Desk, Door, Entrance, Files, Health, Places};
use crate::metrics::Metrics;
use crate::settings::{Secret, ServeSettings};
use crate::store::Store;
use crate::tls::Certificates;

/// Bytes of requests in hand, of all sessions.
const BUDGET_BYTES: usize = 64 * 1024 * 1024;
/// KiB of pages read and not yet taken, of all sessions.
const PAGES_KIB: usize = 32 * 1024;
/// Largest buffer for answers that a socket has in the kernel.
const SEND_BUFFER: usize = 256 * 1024;
const BACKLOG: i32 = 4096;
/// How often the limits forget who has not been here for a while.
const FORGET: Duration = Duration::from_secs(30);
/// A batch may take so many times as long as one statement before the store is given up on.
const STORE_PATIENCE: u32 = 2;
/// How long sessions may take to say goodbye, and then the store to finish.
const GOODBYE: Duration = Duration::from_secs(5);
const FINISH: Duration = Duration::from_secs(3);
/// How long clients that were said goodbye may take to read it and go.
const PARTING: Duration = Duration::from_secs(1);
/// How long what was committed may take to leave for other nodes.
const FLUSH: Duration = Duration::from_secs(1);

/// A server's place among the nodes.
pub struct Node {
    /// The way to the others.
    pub bus: Arc<dyn Bus>,
    /// What comes from them.
    pub events: Events,
}

impl Node {
    /// A node that is alone.
    pub fn alone() -> Self {
        let (bus, events) = Hub::default().join(1);
        Self {
            bus: Arc::new(bus),
            events,
        }
    }
}

/// Who is believed to be whom.
#[derive(Clone, Default)]
pub struct Credentials {
    /// What tokens are held against; without it the server is open.
    pub verifier: Option<Verifier>,
    /// What the server shows of itself; without it connections are not encrypted.
    pub certificates: Option<Arc<Certificates>>,
}

/// A server that listens.
pub struct Application {
    server: Server,
    address: SocketAddr,
    stage: watch::Sender<Stage>,
    grace: Duration,
    sessions: Arc<AtomicUsize>,
    links: Links,
    chat: Addr<ChatServer>,
    bus: Arc<dyn Bus>,
}

impl Application {
    /// Puts a server together over a store, a way to other nodes, and credentials. It answers once
    /// [`Self::run_until`] runs.
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub fn build(
        settings: &ServeSettings,
        store: &Store,
        files: Option<FileStore>,
        node: Node,
        credentials: Credentials,
    ) -> io::Result<Self> {
        let writers = DbExecutor::start_writers(store, settings.writers());
        Self::with_writers(settings, store, files, node, credentials, writers)
    }

    /// The same with other writing lanes: benchmarks measure the sockets without a store.
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub fn with_writers(
        settings: &ServeSettings,
        store: &Store,
        files: Option<FileStore>,
        Node { bus, events }: Node,
        Credentials {
            verifier,
            certificates,
        }: Credentials,
        writers: Vec<Recipient<WriteBatch>>,
    ) -> io::Result<Self> {
        let metrics = Metrics::new().map_err(io::Error::other)?;
        let (stage, stages) = watch::channel(Stage::Serving);
        let readers = DbExecutor::start_lane(store, settings.readers());
        let store_state = StoreState::new(writers.len());
        let patience = settings.store.store_timeout * STORE_PATIENCE;
        let chat = start_chat(Parts {
            writers,
            readers: readers.clone(),
            store_state: store_state.clone(),
            patience,
            is_shared: settings.store.database_url.is_shared(),
            bus: Arc::clone(&bus),
            events,
            devices_max: settings.max_devices.get(),
            metrics: metrics.clone(),
        });
        let sessions = Arc::new(AtomicUsize::new(0));
        let limits = settings.limits.allowances(verifier.is_some());
        let limits = limits.map(|allowances| Arc::new(Limits::new(&allowances)));
        let budget = Budget::new(BUDGET_BYTES);
        let shared = Arc::new(Shared {
            chat: chat.clone(),
            metrics: metrics.clone(),
            limits: limits.clone(),
            verifier: verifier.clone(),
            readers: readers.clone(),
            budget: budget.clone(),
            untaken: Untaken::default(),
            pages: Arc::new(Semaphore::new(PAGES_KIB)),
            stage: stages.clone(),
            count: Arc::clone(&sessions),
            deadlines: Deadlines {
                connect: settings.connect_timeout,
                answer: patience * 2 + settings.connect_timeout,
                ping: settings.ping_interval,
                idle: settings.idle_timeout,
            },
        });
        let door = Data::new(Door {
            shared,
            gate: gate(settings, verifier.is_some(), certificates.is_some()),
            max_frame: settings.max_frame_size as usize,
            proxies: settings.limits.trusted_proxy.clone(),
            file_size_max: files.is_some().then_some(settings.files.max_file_size),
        });
        let health = Data::new(Health {
            readers,
            store_state,
            bus: Arc::clone(&bus),
            stage: stages,
        });
        let counters = Data::new(Counters {
            metrics: metrics.clone(),
            connections: Arc::clone(&sessions),
            budget,
            pools: Arc::new({
                let store = store.clone();
                move || store.pools()
            }),
            store_state: health.store_state.clone(),
            bus: Arc::clone(&bus),
        });
        let listener = listen(settings.listen)?;
        let address = listener.local_addr()?;
        if let Some(limits) = &limits {
            actix_web::rt::spawn(forget_regularly(Arc::clone(limits)));
        }
        if let Some(verifier) = verifier {
            actix_web::rt::spawn(verifier.watch());
        }
        let api = settings.admin_token.as_ref().map(|Secret(token)| Api {
            key: AdminKey::new(token),
            desk: desk(store, &health, patience, http::api::AT_ONCE),
            chat: chat.clone(),
            limits: limits.clone(),
            proxies: settings.limits.trusted_proxy.clone(),
            metrics: metrics.clone(),
            room: Arc::new(Semaphore::new(http::api::AT_ONCE)),
        });
        if let Some(retain) = settings.retain {
            let lane = DbExecutor::start_lane(store, 1);
            actix_web::rt::spawn(sweep_regularly(lane, retain, metrics.clone()));
        }
        let files = files.map(|bytes| {
            let lane = DbExecutor::start_lane(store, 1);
            let grace = settings.files.file_grace;
            let sweeping = sweep_files_regularly(lane, bytes.clone(), grace, metrics.clone());
            actix_web::rt::spawn(sweeping);
            Files {
                bytes,
                desk: desk(store, &health, patience, http::files::AT_ONCE),
                uploads: Places::for_uploads(limits.is_some()),
                downloads: Places::for_downloads(limits.is_some()),
                size_max: settings.files.max_file_size,
                quota: settings.files.file_quota,
                metrics: metrics.clone(),
            }
        });
        let tls = certificates.map(encryption).transpose()?;
        let links = Links::default();
        actix_web::rt::spawn(links.clone().watch(settings.stall_timeout, metrics.clone()));
        let service = http::Service {
            entrance: Entrance {
                links: links.clone(),
                tls,
                patience: settings.connect_timeout,
                limits,
                proxies: settings.limits.trusted_proxy.clone(),
            },
            patience: settings.connect_timeout,
            door,
            health,
            counters,
            api,
            files,
        };
        let mut server = Server::build().shutdown_timeout(1).disable_signals();
        if let Some(workers) = settings.workers {
            server = server.workers(workers.into());
        }
        Ok(Self {
            server: service.listen(server, listener)?.run(),
            address,
            stage,
            grace: settings.drain_grace,
            sessions,
            links,
            chat,
            bus,
        })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready; then turns red and serves on for the grace period, or until
    /// `hurry` is ready; then says goodbye to every client, finishes what is in hand and returns.
    ///
    /// # Errors
    /// Where the server fails.
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()>,
        hurry: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let handle = self.server.handle();
        let serving = actix_web::rt::spawn(self.server);
        let died = died(self.chat.clone());
        tokio::pin!(died);
        tokio::select! {
            () = stop => {}
            () = &mut died => return end_dead(&self.stage, &self.sessions).await,
        }
        // Red first, so that load balancers look elsewhere; then the goodbyes; then the store, and
        // the letters about what it stored.
        self.stage.send_replace(Stage::Draining);
        tokio::select! {
            () = sleep(self.grace) => {}
            () = hurry => {}
            () = died => return end_dead(&self.stage, &self.sessions).await,
        }
        self.stage.send_replace(Stage::Leaving);
        goodbye(&self.sessions).await;
        if !matches!(timeout(FINISH, self.chat.send(Finish)).await, Ok(Ok(()))) {
            log::error!(
                "the store did not finish in time; what it had in hand was not acknowledged"
            );
        }
        if timeout(FLUSH, self.bus.flushed()).await.is_err() {
            log::warn!("letters to other nodes did not leave in time; those nodes read the store");
        }
        part(&self.links).await;
        shut(&handle).await;
        serving.await.map_err(io::Error::other)?
    }
}

/// Whoever listens on an address means it to be asked for.
fn gate(settings: &ServeSettings, has_tokens: bool, has_tls: bool) -> Gate {
    let origins = &settings.allowed_origin;
    if has_tokens {
        return Gate::with_tokens(origins, has_tls);
    }
    let mut names = settings.allowed_host.clone();
    names.push(settings.listen.ip().to_string());
    Gate::open(&names, origins)
}

/// The way of requests to the store, with a writing lane of its own.
fn desk(store: &Store, health: &Health, patience: Duration, at_once: usize) -> Desk {
    let writer = DbExecutor::start_lane(store, 1);
    Desk::new(health.readers.clone(), writer, patience, at_once)
}

fn start_chat(parts: Parts) -> Addr<ChatServer> {
    // A thread of its own: its mailbox is drained without a budget, and no socket must wait for it.
    let arbiter = Arbiter::new();
    ChatServer::start_in_arbiter(&arbiter.handle(), move |_| ChatServer::new(parts))
}

/// Ready when the ChatServer is gone: a process without it must not go on accepting connections.
async fn died(chat: Addr<ChatServer>) {
    while chat.connected() {
        sleep(Duration::from_millis(500)).await;
    }
}

/// Listens with a send buffer of bounded size, which accepted sockets inherit: what a client does
/// not read must not pile up in the kernel either.
fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Encrypts with a certificate, and sees to it that it is read again when it changes.
fn encryption(certificates: Arc<Certificates>) -> io::Result<TlsAcceptor> {
    let config = certificates.server_config().map_err(io::Error::other)?;
    actix_web::rt::spawn(certificates.watch());
    Ok(Arc::new(config).into())
}

/// Keeps the memory of the limits to those who were here of late.
async fn forget_regularly(limits: Arc<Limits>) {
    loop {
        sleep(FORGET).await;
        limits.forget();
    }
}

/// Without its ChatServer the process must not go on accepting connections.
async fn end_dead(stage: &watch::Sender<Stage>, sessions: &AtomicUsize) -> io::Result<()> {
    stage.send_replace(Stage::Leaving);
    goodbye(sessions).await;
    Err(io::Error::other("the ChatServer died; see the log"))
}

async fn goodbye(sessions: &AtomicUsize) {
    let deadline = Instant::now() + GOODBYE;
    while sessions.load(Ordering::Relaxed) > 0 {
        if Instant::now() >= deadline {
            let left = sessions.load(Ordering::Relaxed);
            return log::warn!("{left} clients did not take their goodbye");
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for the connections to end, which each of them does when its client has read the last frame and gone.
async fn part(links: &Links) {
    let deadline = Instant::now() + PARTING;
    while links.count() > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(10)).await;
    }
}

/// Drains what is left of the requests, for a second at most.
async fn shut(handle: &ServerHandle) {
    handle.stop(true).await;
}
