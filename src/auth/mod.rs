//! Who may speak to this server at all.
//!
//! Without tokens the server is **open**: it believes any `fromId`. So it serves only this machine
//! unless its owner says otherwise: it listens on loopback, and the `Host` that a
//! browser names must be loopback too, or one that was configured, and so must the `Origin` of the
//! page. Else any page on the Internet could open a WebSocket to 127.0.0.1, or point a name of its
//! own there, and speak for the person who visits it.

use std::net::{IpAddr, SocketAddr};

/// Which `Host`s an open server answers to.
#[derive(Debug, Clone, Default)]
pub struct OpenHosts {
    configured: Vec<String>,
}

impl OpenHosts {
    /// Loopback and these names, without a port.
    pub fn new(configured: &[String]) -> Self {
        let lower = configured.iter().map(|host| host.to_ascii_lowercase());
        Self {
            configured: lower.collect(),
        }
    }

    /// Whether a page of this `Origin` (RFC 6454 §7) may speak to the server. Browsers let any page
    /// open a WebSocket to anywhere, and say only where the page is from.
    pub fn allows_origin(&self, header: &str) -> bool {
        let host = header.split_once("://").map(|(_, host)| host);
        host.is_some_and(|host| self.allows(host))
    }

    /// Whether this `Host` header (RFC 9110 §7.2, with or without a port) may be answered.
    pub fn allows(&self, header: &str) -> bool {
        let host = host_of(header).to_ascii_lowercase();
        is_loopback(&host) || self.configured.contains(&host)
    }
}

/// The host of a `Host` header, without its port and without the brackets of an IPv6 address.
fn host_of(header: &str) -> &str {
    if let Some(rest) = header.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    header.split(':').next().unwrap_or_default()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Why an open server must not listen here.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} can be reached from other machines, and without tokens anyone there could speak for anyone: \
     listen on 127.0.0.1, or say --allow-open if that is what you want"
)]
pub struct NotLoopback(SocketAddr);

/// Refuses addresses that other machines reach, unless the owner allows it.
///
/// # Errors
/// [`NotLoopback`] where the address is not loopback and `allow_open` is not set.
pub fn check_open_listen(address: SocketAddr, allow_open: bool) -> Result<(), NotLoopback> {
    if address.ip().is_loopback() || allow_open {
        Ok(())
    } else {
        Err(NotLoopback(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_server_answers_to_loopback_and_to_configured_names_only() {
        let hosts = OpenHosts::new(&["Chat.Example".to_owned()]);
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:80",
            "127.9.9.9",
            "[::1]:8080",
            "chat.example:1",
        ] {
            assert!(hosts.allows(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "192.168.0.1",
            "[fe80::1]",
            "127.0.0.1.evil.example",
        ] {
            assert!(!hosts.allows(host), "{host}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_cannot_speak_for_its_visitor() {
        let hosts = OpenHosts::new(&["chat.example".to_owned()]);
        for origin in [
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "https://chat.example",
        ] {
            assert!(hosts.allows_origin(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "https://localhost.evil.example",
            "localhost",
        ] {
            assert!(!hosts.allows_origin(origin), "{origin}");
        }
    }

    #[test]
    fn an_open_server_listens_beyond_loopback_only_when_told_to() {
        let everywhere = "0.0.0.0:8080".parse().unwrap();
        assert!(check_open_listen(everywhere, false).is_err());
        assert!(check_open_listen(everywhere, true).is_ok());
        assert!(check_open_listen("[::1]:8080".parse().unwrap(), false).is_ok());
    }
}
