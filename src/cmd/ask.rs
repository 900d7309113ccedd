//! One question to a running server, over HTTP, plain or with TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::tls::{Trust, client_config};

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
        let path = url
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'));
        if path.is_some_and(|(_, path)| !path.is_empty()) {
            return Err(format!("{url}: a URL here has no path behind the host"));
        }
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

    /// How to encrypt, and the name that the certificate must be for; nothing where it speaks in the clear.
    pub fn tls(
        &self,
    ) -> Option<(
        Arc<ClientConfig>,
        Result<ServerName<'static>, InvalidDnsNameError>,
    )> {
        let config = self.tls.as_ref()?;
        Some((Arc::clone(config), server_name(&self.authority)))
    }

    fn plain(authority: String) -> Self {
        let tls = None;
        Self { authority, tls }
    }

    fn encrypted(authority: String, trust: Trust<'_>) -> Result<Self, String> {
        let tls = Some(Arc::new(client_config(trust)?));
        Ok(Self { authority, tls })
    }

    /// Asks, and waits for the answer so long at most. `headers` are lines without their ends.
    pub fn ask(
        &self,
        (method, path): (&str, &str),
        headers: &[String],
        body: &str,
        patience: Duration,
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
        let answer = self.exchange(&text, Instant::now() + patience);
        let answer = answer.map_err(|e| format!("{} does not answer: {e}", self.authority))?;
        understood(&answer).ok_or_else(|| format!("{} gives no whole answer", self.authority))
    }

    fn exchange(&self, text: &str, deadline: Instant) -> io::Result<String> {
        let stream = self.connect(deadline)?;
        match self.tls() {
            None => exchange_on(Timed { stream, deadline }, text),
            Some((config, name)) => {
                let name = name.map_err(io::Error::other)?;
                let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
                exchange_on(StreamOwned::new(session, Timed { stream, deadline }), text)
            }
        }
    }

    /// To the first address of the name that takes connections.
    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut why = io::Error::other("no such host");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(stream) => return Ok(stream),
                Err(error) => why = error,
            }
        }
        Err(why)
    }
}

/// A connection on which all together takes until a deadline at most.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn exchange_on(mut stream: impl Read + Write, text: &str) -> io::Result<String> {
    stream.write_all(text.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_MAX).read_to_end(&mut answer) {
        // Some end a TLS connection without a word: whether the answer is whole, its length tells.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
        _ => {}
    }
    String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// An answer that is whole: as long as it says, or empty.
fn understood(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())
    });
    let is_whole = match length {
        Some(length) => length? == body.len(),
        None => body.is_empty(),
    };
    is_whole.then(|| Answer {
        status,
        body: body.to_owned(),
    })
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
