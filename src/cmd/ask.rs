//! One question to a running server, over HTTP, plain or with TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::tls::{Trust, client_config};

/// How long the server may take for each step of an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// An answer is no longer than this.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;

/// A server to ask.
pub struct Whom {
    /// `host:port`.
    pub authority: String,
    tls: Option<Arc<ClientConfig>>,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Whom {
    /// The server at a URL.
    pub fn at(url: &str, trust: Trust<'_>) -> Result<Self, String> {
        if let Some(rest) = url.strip_prefix("http://") {
            return Ok(Self::plain(authority(rest, 80)));
        }
        let rest = url
            .strip_prefix("https://")
            .ok_or_else(|| format!("{url}: a URL here begins with http:// or https://"))?;
        Self::encrypted(authority(rest, 443), trust)
    }

    /// The server of this machine that listens there, over TLS where it is judged by something.
    pub fn own(listen: SocketAddr, trust: Option<Trust<'_>>) -> Result<Self, String> {
        let mut address = listen;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        match trust {
            None => Ok(Self::plain(address.to_string())),
            Some(trust) => Self::encrypted(address.to_string(), trust),
        }
    }

    fn plain(authority: String) -> Self {
        let tls = None;
        Self { authority, tls }
    }

    fn encrypted(authority: String, trust: Trust<'_>) -> Result<Self, String> {
        let tls = Some(Arc::new(client_config(trust)?));
        Ok(Self { authority, tls })
    }

    /// Asks. `headers` are lines without their ends.
    pub fn ask(
        &self,
        (method, path): (&str, &str),
        headers: &[String],
        body: &str,
    ) -> Result<Answer, String> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.authority);
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        let length = body.len();
        text.push_str(&format!(
            "Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ));
        let answer = self.exchange(&text);
        let answer = answer.map_err(|e| format!("{} does not answer: {e}", self.authority))?;
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| format!("{} speaks no HTTP", self.authority))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(Answer {
            status,
            body: body.to_owned(),
        })
    }

    fn exchange(&self, text: &str) -> io::Result<String> {
        let address = self
            .authority
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::other("no such host"))?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        match &self.tls {
            None => exchange_on(stream, text),
            Some(config) => {
                let name = server_name(&self.authority).map_err(io::Error::other)?;
                let session =
                    ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                exchange_on(StreamOwned::new(session, stream), text)
            }
        }
    }
}

fn exchange_on(mut stream: impl Read + Write, text: &str) -> io::Result<String> {
    stream.write_all(text.as_bytes())?;
    stream.flush()?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

/// `host:port` of what follows the scheme of a URL.
fn authority(rest: &str, default_port: u16) -> String {
    let authority = rest.split('/').next().unwrap_or_default();
    let has_port = authority
        .rsplit(':')
        .next()
        .is_some_and(|p| p.parse::<u16>().is_ok());
    if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:{default_port}")
    }
}

/// The name that a certificate must be for.
fn server_name(authority: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned())
}
