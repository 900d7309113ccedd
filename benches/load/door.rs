//! How a server is reached, and who may come in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use yanshu::protocol::UserId;

use crate::Outcome;
use crate::socket::Socket;

/// Connections from one address of ours to one of the server's: there are 28,000 ports by default.
const FROM_ONE_ADDRESS: usize = 20_000;
/// How long a token holds.
const TTL: Duration = Duration::from_secs(24 * 3600);

/// The addresses of a server's nodes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door {
    nodes: Vec<SocketAddr>,
    /// What the upgrade's `Host` says.
    host: String,
    path: String,
    /// What tokens are signed with, where the server wants them.
    secret: Option<String>,
    /// How all names begin: on a used database nobody else has such a one.
    prefix: String,
    /// Connections so far.
    opened: Arc<AtomicUsize>,
}

impl Door {
    /// To nodes of our own, on fresh databases.
    pub fn new(nodes: Vec<SocketAddr>) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            path: "/ws".to_owned(),
            secret: None,
            prefix: String::new(),
            opened: Arc::default(),
            nodes,
        }
    }

    /// To a server that is there already, by the URL of its WebSocket.
    pub fn outside(url: &str, secret: Option<String>) -> Outcome<Self> {
        let rest = url
            .strip_prefix("ws://")
            .ok_or_else(|| format!("{url}: it must begin with ws://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let mut addresses = address
            .to_socket_addrs()
            .map_err(|error| format!("{url}: {error}"))?;
        let node = addresses
            .next()
            .ok_or_else(|| format!("{url}: no address"))?;
        Ok(Self {
            host: authority.to_owned(),
            path: if path.is_empty() { "/ws" } else { path }.to_owned(),
            secret,
            ..Self::new(vec![node])
        }
        .for_others())
    }

    /// The same for users who have never been there.
    pub fn for_others(&self) -> Self {
        Self {
            prefix: format!("b{:08x}-", rand::random::<u32>()),
            ..self.clone()
        }
    }

    /// A user's ID on this server.
    pub fn user(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Connects to a node, counted from 0 and round again, as the user of this ID.
    pub async fn connect(&self, node: usize, user: &str) -> Outcome<Socket> {
        let stream = self.stream(self.nodes[node % self.nodes.len()]).await?;
        stream.set_nodelay(true)?;
        Socket::connect(stream, &self.upgrade(user)?, user).await
    }

    async fn stream(&self, node: SocketAddr) -> Outcome<TcpStream> {
        let before = self.opened.fetch_add(1, Ordering::Relaxed);
        let address = before / FROM_ONE_ADDRESS;
        if address == 0 || node.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
            return Ok(TcpStream::connect(node).await?);
        }
        let socket = TcpSocket::new_v4()?;
        let last = 1 + u8::try_from(address % 250)?;
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0)))?;
        Ok(socket.connect(node).await?)
    }

    fn upgrade(&self, user: &str) -> Outcome<String> {
        let Self { host, path, .. } = self;
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        if let Some(secret) = &self.secret {
            let token = yanshu::auth::mint(secret, &UserId::parse(user)?, TTL, None, None)?;
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        request.push_str("\r\n");
        Ok(request)
    }
}
