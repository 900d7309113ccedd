//! A TCP proxy in front of a server on 127.0.0.1, that can be cut or frozen: a network that fails for one node.
//!
//! It runs in a thread of its own, so that it works while a test blocks.

use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc as orders, watch};
use tokio::task::JoinSet;

use super::ports::free_port;

/// What the proxy does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Passes them on.
    Open,
    /// Keeps them, and every connection; takes none that is new.
    Frozen,
    /// Has no connection and refuses new ones.
    Cut,
}

/// An order, and where to say that it is carried out.
type Order = (State, mpsc::Sender<()>);

/// A running proxy.
pub struct Proxy {
    port: u16,
    orders: Option<orders::UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a port of 127.0.0.1, and passes every connection on to `target`.
    pub fn to(target: u16) -> Proxy {
        let (orders, received) = orders::unbounded_channel();
        let (say_port, port) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .expect("a runtime can be made")
                .block_on(run(target, received, say_port));
        });
        Proxy {
            port: port.recv().expect("the proxy listens"),
            orders: Some(orders),
            thread: Some(thread),
        }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Resets all connections, and refuses new ones until [`Proxy::heal`].
    pub fn cut(&self) {
        self.set(State::Cut);
    }

    /// Passes nothing on until [`Proxy::heal`], and keeps what comes and all connections.
    pub fn freeze(&self) {
        self.set(State::Frozen);
    }

    /// Passes on again, what was kept first.
    pub fn heal(&self) {
        self.set(State::Open);
    }

    fn set(&self, state: State) {
        let (done, is_done) = mpsc::channel();
        let orders = self.orders.as_ref().expect("the proxy runs until the drop");
        orders.send((state, done)).expect("the proxy runs");
        is_done.recv().expect("the proxy obeys");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn run(target: u16, mut orders: orders::UnboundedReceiver<Order>, say: mpsc::Sender<u16>) {
    let first = listen_anywhere().await;
    let port = first.local_addr().expect("it has an address").port();
    say.send(port)
        .expect("whoever starts it waits for the port");
    let (state, _) = watch::channel(State::Open);
    let mut listener = Some(first);
    let mut connections = JoinSet::new();
    loop {
        let accepting = *state.borrow() == State::Open;
        tokio::select! {
            order = orders.recv() => {
                let Some((wanted, done)) = order else { return };
                state.send_replace(wanted);
                if wanted == State::Cut {
                    listener = None;
                    while connections.join_next().await.is_some() {}
                } else if listener.is_none() {
                    listener = Some(listen_again(port).await);
                }
                // Who asked may have panicked.
                let _ = done.send(());
            }
            client = accept(listener.as_ref()), if accepting => {
                connections.spawn(connect(client, target, state.subscribe()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn listen_anywhere() -> TcpListener {
    loop {
        // Somebody may have been faster.
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", free_port())).await {
            return listener;
        }
    }
}

async fn listen_again(port: u16) -> TcpListener {
    super::within("the proxy's port to be free again", async {
        loop {
            match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(listener) => return listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    })
    .await
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        let listener = listener.expect("an open proxy listens");
        if let Ok((client, _)) = listener.accept().await {
            return client;
        }
    }
}

/// One connection, until it ends by itself or is cut.
async fn connect(mut client: TcpStream, target: u16, state: watch::Receiver<State>) {
    let mut watched = state.clone();
    let ended = tokio::select! {
        ended = pass_both(&mut client, target, state) => ended,
        _ = watched.wait_for(|state| *state == State::Cut) => Err(io::Error::other("cut")),
    };
    if ended.is_err() {
        end_by_reset(&client, true);
    }
}

async fn pass_both(
    client: &mut TcpStream,
    target: u16,
    state: watch::Receiver<State>,
) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    // Before it connects, which is when the server may see it.
    end_by_reset(&socket, true);
    let mut server = socket.connect(([127, 0, 0, 1], target).into()).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        pass(from_client, to_server, state.clone()),
        pass(from_server, to_client, state),
    )?;
    end_by_reset(&server, false);
    Ok(())
}

/// Passes on all of one direction, and then its end.
async fn pass(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        let open = state.wait_for(|state| *state == State::Open).await;
        open.map_err(io::Error::other)?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bytes[..count]).await?;
    }
}

/// Whether the drop of this connection resets it, instead of ending it in order.
fn end_by_reset(socket: &impl AsFd, reset: bool) {
    let _ = SockRef::from(socket).set_linger(reset.then_some(Duration::ZERO));
}
