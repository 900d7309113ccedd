//! `yanshu health`: for HEALTHCHECK and for people.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::settings::HealthSettings;

const PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_MAX: u64 = 64 * 1024;

/// Asks the server; an answer other than 200 is an error.
pub fn run(settings: &HealthSettings) -> Result<(), String> {
    let authority = match &settings.url {
        Some(url) => authority(url)?,
        None => own_address(settings),
    };
    let answer =
        ask(&authority).map_err(|error| format!("{authority} does not answer: {error}"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    println!("{body}");
    if status == "200" {
        Ok(())
    } else {
        Err(format!("{authority} cannot serve (HTTP {status})"))
    }
}

/// `host:port` of a plain HTTP URL.
fn authority(url: &str) -> Result<String, String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| format!("{url}: a URL here begins with http://"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    let has_port = authority
        .rsplit(':')
        .next()
        .is_some_and(|p| p.parse::<u16>().is_ok());
    Ok(if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    })
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

fn ask(authority: &str) -> std::io::Result<String> {
    let address = authority
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| std::io::Error::other("no such host"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
