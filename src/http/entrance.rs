//! From a TCP connection to one that HTTP is spoken on.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use ipnet::IpNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::address::is_trusted;
use super::connection::Connection;
use super::turnstile::Turnstile;
use crate::actors::link::Links;
use crate::chat::Limits;

/// How the first record of a TLS handshake begins (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// What is read of a plain request so that its client gets to read the answer.
const REQUEST_MAX: u64 = 16 * 1024;
/// How long that may take.
const PARTING: Duration = Duration::from_secs(1);

/// Where connections come in.
#[derive(Clone)]
pub struct Entrance {
    /// Takes each connection in.
    pub links: Links,
    /// Encrypts them, where they are to be encrypted.
    pub tls: Option<TlsAcceptor>,
    /// How long a handshake may take.
    pub patience: Duration,
    /// How often an address may come, where there are limits.
    pub limits: Option<Arc<Limits>>,
    /// Proxies come for many.
    pub proxies: Vec<IpNet>,
}

impl Entrance {
    /// Takes a connection in. Who comes far too often for a TLS handshake is closed before one begins.
    ///
    /// There is no bound on how many handshakes go on at once but that on connections: a few that stand
    /// still must not hold up the others.
    ///
    /// # Errors
    /// Where it has ended, or its address comes too often, or its client made no TLS handshake, or not in
    /// time.
    pub async fn enter(
        self: Arc<Self>,
        stream: TcpStream,
        turnstile: Rc<Turnstile>,
    ) -> io::Result<(Connection, Option<SocketAddr>)> {
        let address = stream.peer_addr().ok();
        if address.is_some_and(|address| !self.is_welcome(address.ip())) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        stream.set_nodelay(true)?;
        let Some(acceptor) = &self.tls else {
            let connection = Connection::plain(stream, self.links.register(), turnstile);
            return Ok((connection, address));
        };
        // Apart: the task of every connection, encrypted or not, would have room for it.
        let handshake = Box::pin(handshake(acceptor, stream, turnstile));
        let handshake = timeout(self.patience, handshake);
        let stream = handshake.await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok((
            Connection::encrypted(stream, self.links.register()),
            address,
        ))
    }

    /// Whether to begin a TLS handshake, which costs a signature. Nothing is held against a plain connection
    /// before it is known what it asks for: an orchestrator's probes may come from where clients do.
    fn is_welcome(&self, address: IpAddr) -> bool {
        if self.tls.is_none() {
            return true;
        }
        let limits = self.limits.as_ref();
        limits.is_none_or(|limits| is_trusted(address, &self.proxies) || limits.arrival(address))
    }
}

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    turnstile: Rc<Turnstile>,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first[0] != HANDSHAKE && first[0].is_ascii_uppercase() {
        return Err(refuse_plain(stream).await);
    }
    turnstile.turn().await;
    let handshake = acceptor.accept(stream).await;
    handshake.inspect_err(|error| log::debug!("a TLS handshake failed: {error}"))
}

/// Tells a client that speaks plain HTTP what is spoken here.
async fn refuse_plain(mut stream: TcpStream) -> io::Error {
    let body = "this port speaks TLS: the URL begins with https:// or wss://\n";
    let head = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain";
    let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let parting = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // What is left unread would reset the connection, and take the answer with it.
        let mut request = stream.take(REQUEST_MAX);
        tokio::io::copy(&mut request, &mut tokio::io::sink()).await
    };
    let _ = timeout(PARTING, parting).await;
    io::ErrorKind::InvalidData.into()
}
