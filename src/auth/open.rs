//! What protects a server without tokens.
//!
//! It is **open**: it believes any `fromId`. So it serves only this machine
//! unless its owner says otherwise: it listens on loopback, and the `Host` that a
//! browser names must be loopback too, or one that was configured, and so must the `Origin` of the
//! page. Else any page on the Internet could open a WebSocket to 127.0.0.1, or point a name of its
//! own there, and speak for the person who visits it.

use std::net::{IpAddr, SocketAddr};

/// Which `Host`s are answered, and the pages of which `Origin`s may speak for their visitors.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Names that an open server answers to, beside loopback; `None` where tokens are asked for.
    hosts: Option<Vec<String>>,
    origins: Vec<String>,
    /// The server itself speaks TLS: a page that came without it is of another server.
    https_only: bool,
}

impl Gate {
    /// Of an open server: it answers to loopback and to these names, without a port.
    pub fn open(hosts: &[String], origins: &[String]) -> Self {
        let lower = hosts.iter().map(|host| host.to_ascii_lowercase());
        Self {
            hosts: Some(lower.collect()),
            origins: normal(origins),
            https_only: false,
        }
    }

    /// Of a server with tokens: it answers to any name, and to pages of its own and of these origins.
    /// Its own are those of HTTPS only, where it speaks TLS by itself.
    pub fn with_tokens(origins: &[String], has_tls: bool) -> Self {
        Self {
            hosts: None,
            origins: normal(origins),
            https_only: has_tls,
        }
    }

    /// Whether this `Host` header (RFC 9110 §7.2, with or without a port) may be answered.
    pub fn allows_host(&self, header: &str) -> bool {
        self.hosts
            .as_ref()
            .is_none_or(|hosts| is_named(hosts, header))
    }

    /// Whether a page of this `Origin` (RFC 6454 §7) may speak to the server by the name of this `Host`:
    /// one that is listed, or one of the same host and port; to an open server, also one that bears a
    /// name it answers to. Browsers let any page open a WebSocket to anywhere, and say only where the
    /// page is from.
    pub fn allows_origin(&self, origin: &str, host: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        let Some((scheme, of_page)) = origin.split_once("://") else {
            return false;
        };
        match &self.hosts {
            Some(hosts) => is_named(hosts, of_page),
            None => {
                let port = default_port(scheme).filter(|_| scheme == "https" || !self.https_only);
                port.is_some() && with_port(of_page, port) == with_port(host, port)
            }
        }
    }
}

fn normal(origins: &[String]) -> Vec<String> {
    let origins = origins.iter().map(|origin| origin.trim_end_matches('/'));
    origins.map(str::to_ascii_lowercase).collect()
}

fn is_named(hosts: &[String], header: &str) -> bool {
    let host = host_of(header).to_ascii_lowercase();
    is_loopback(&host) || hosts.contains(&host)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A host, and the port, which may be left out where it is the scheme's own.
fn with_port(authority: &str, default: Option<u16>) -> (String, Option<u16>) {
    let host = host_of(authority).to_ascii_lowercase();
    let port = authority
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    (host, port.or(default))
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
        let gate = Gate::open(&["Chat.Example".to_owned()], &[]);
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:80",
            "127.9.9.9",
            "[::1]:8080",
            "chat.example:1",
        ] {
            assert!(gate.allows_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "192.168.0.1",
            "[fe80::1]",
            "127.0.0.1.evil.example",
        ] {
            assert!(!gate.allows_host(host), "{host}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_cannot_speak_for_its_visitor_to_an_open_server() {
        let gate = Gate::open(
            &["chat.example".to_owned()],
            &["https://app.example".to_owned()],
        );
        for origin in [
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "https://chat.example",
            "https://app.example",
        ] {
            assert!(gate.allows_origin(origin, "127.0.0.1:8080"), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "https://localhost.evil.example",
            "http://app.example",
            "localhost",
        ] {
            assert!(!gate.allows_origin(origin, "127.0.0.1:8080"), "{origin}");
        }
    }

    #[test]
    fn with_tokens_a_page_is_of_the_same_host_and_port_or_listed_to_the_letter() {
        let gate = Gate::with_tokens(&["https://App.example/".to_owned()], false);
        assert!(gate.allows_host("whatever.example"));
        for (origin, host) in [
            ("https://chat.example", "chat.example"),
            ("https://chat.example", "CHAT.example:443"),
            ("http://chat.example:8080", "chat.example:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("https://app.example", "chat.example"),
        ] {
            assert!(gate.allows_origin(origin, host), "{origin} to {host}");
        }
        for (origin, host) in [
            ("https://evil.example", "chat.example"),
            ("https://chat.example:444", "chat.example"),
            ("https://chat.example.evil.example", "chat.example"),
            ("http://app.example", "chat.example"),
            ("https://app.example:8443", "chat.example"),
            ("http://localhost:3000", "localhost:8080"),
            ("null", "null"),
            ("file://chat.example", "chat.example"),
            ("", ""),
        ] {
            assert!(!gate.allows_origin(origin, host), "{origin} to {host}");
        }
    }

    #[test]
    fn a_page_that_came_without_tls_is_not_of_a_server_that_has_it() {
        let gate = Gate::with_tokens(&["http://old.example".to_owned()], true);
        for (origin, host) in [
            ("https://chat.example", "chat.example"),
            ("https://chat.example", "chat.example:443"),
            ("https://chat.example:8443", "chat.example:8443"),
            ("http://old.example", "chat.example"),
        ] {
            assert!(gate.allows_origin(origin, host), "{origin} to {host}");
        }
        for (origin, host) in [
            ("http://chat.example", "chat.example"),
            ("http://chat.example:8443", "chat.example:8443"),
            ("http://chat.example:443", "chat.example"),
        ] {
            assert!(!gate.allows_origin(origin, host), "{origin} to {host}");
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
