//! From a TCP connection to one that HTTP is spoken on.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use ipnet::IpNet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::address::is_trusted;
use super::connection::Connection;
use super::parting::part;
use super::turnstile::Turnstile;
use crate::actors::link::Links;
use crate::chat::Limits;

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
        let handshake = Box::pin(self.handshake(acceptor, stream, turnstile));
        let stream = handshake.await?;
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

    /// The client's time does not run while it waits for its turn.
    async fn handshake(
        &self,
        acceptor: &TlsAcceptor,
        stream: TcpStream,
        turnstile: Rc<Turnstile>,
    ) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
        let in_time = |_| io::Error::from(io::ErrorKind::TimedOut);
        let mut first = [0];
        let peeked = timeout(self.patience, stream.peek(&mut first)).await;
        peeked.map_err(in_time)??;
        // As every method of HTTP begins, and no record of TLS (RFC 8446 §5.1).
        if first[0].is_ascii_uppercase() {
            return Err(refuse_plain(stream).await);
        }
        turnstile.turn().await;
        let handshake = timeout(self.patience, acceptor.accept(stream)).await;
        let handshake = handshake.map_err(in_time)?;
        handshake.inspect_err(|error| log::debug!("a TLS handshake failed: {error}"))
    }
}

/// Tells a client that speaks plain HTTP what is spoken here.
async fn refuse_plain(stream: TcpStream) -> io::Error {
    let body = "this port speaks TLS: the URL begins with https:// or wss://\n";
    let head = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain";
    let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    part(stream, answer.as_bytes()).await;
    io::ErrorKind::InvalidData.into()
}
