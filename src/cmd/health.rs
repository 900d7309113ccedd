//! `yanshu health`: for HEALTHCHECK and for people.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::settings::HealthSettings;
use crate::tls::{Trust, client_config};

const PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_MAX: u64 = 64 * 1024;

/// Asks the server; an answer other than 200 is an error.
pub fn run(settings: &HealthSettings) -> Result<(), String> {
    let Whom { authority, tls } = whom(settings)?;
    let answer =
        ask(&authority, tls).map_err(|error| format!("{authority} does not answer: {error}"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    println!("{body}");
    if status == "200" {
        Ok(())
    } else {
        Err(format!("{authority} cannot serve (HTTP {status})"))
    }
}

/// Whom to ask, and how.
struct Whom {
    /// `host:port`.
    authority: String,
    tls: Option<ClientConfig>,
}

fn whom(settings: &HealthSettings) -> Result<Whom, String> {
    let certificate = settings.tls_cert.as_deref();
    let Some(url) = &settings.url else {
        let authority = own_address(settings);
        let tls = certificate.map(|_| client_config(Trust::Any)).transpose()?;
        return Ok(Whom { authority, tls });
    };
    if let Some(rest) = url.strip_prefix("http://") {
        let authority = authority(rest, 80);
        let tls = None;
        return Ok(Whom { authority, tls });
    }
    let rest = url
        .strip_prefix("https://")
        .ok_or_else(|| format!("{url}: a URL here begins with http:// or https://"))?;
    let authority = authority(rest, 443);
    let tls = Some(client_config(Trust::Authorities(certificate))?);
    Ok(Whom { authority, tls })
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

/// Where a server with the same settings is reached from this machine.
fn own_address(settings: &HealthSettings) -> String {
    let mut address = settings.listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address.to_string()
}

fn ask(authority: &str, tls: Option<ClientConfig>) -> io::Result<String> {
    let address = authority
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::other("no such host"))?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match tls {
        None => ask_on(stream, authority),
        Some(config) => {
            let name = server_name(authority).map_err(io::Error::other)?;
            let session =
                ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
            ask_on(StreamOwned::new(session, stream), authority)
        }
    }
}

/// The name that a certificate must be for.
fn server_name(
    authority: &str,
) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned())
}

fn ask_on(mut stream: impl Read + Write, authority: &str) -> io::Result<String> {
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    )?;
    stream.flush()?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
