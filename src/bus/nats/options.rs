//! What it takes to join, checked before anything is tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use super::subjects::Subjects;

/// A dead server is noticed after three of these. The keeper's probes are faster.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long one attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(3);
/// From one attempt to the next: doubled each time, from the first to the last of these.
const DELAYS_MS: (u64, u64) = (50, 1000);

/// Where NATS is and how to join it. Holds secrets: it cannot be printed.
pub struct NatsOptions {
    /// URLs joined by commas, `nats://` or `tls://`, with `user:password@` or `token@` where one is
    /// needed (percent-encoded). Those without take those of the others.
    pub urls: String,
    /// A `.creds` file, instead of a password.
    pub credentials: Option<PathBuf>,
    /// The certificates to trust, instead of the system's. Demands TLS.
    pub ca: Option<PathBuf>,
    /// A certificate of one's own and its key. Demands TLS.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Nodes of one cluster hear each other: letters, digits, `-` and `_`.
    pub cluster: String,
    /// Letters that may wait for one user.
    pub buffer: usize,
}

/// Why a bus cannot be joined, ever. Never holds a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// One of the URLs.
    #[error("NATS URL {0}: {1}")]
    Url(usize, String),
    /// Two ways to authenticate.
    #[error("NATS URLs with different users, or with a user beside a credentials file")]
    Logins,
    /// A file.
    #[error("{0} cannot be used for NATS: {1}")]
    File(PathBuf, String),
    /// The name of the cluster.
    #[error("a cluster's name on NATS consists of letters, digits, - and _")]
    Cluster,
    /// The server does not want us.
    #[error("NATS at {0} refuses the user, password, token or credentials it was given")]
    Refused(String),
    /// TLS cannot even be tried.
    #[error("TLS to NATS at {0} cannot be set up: {1}")]
    Tls(String, String),
}

/// How a node says who it is.
#[derive(Clone, PartialEq, Eq)]
enum Login {
    User(String, String),
    Token(String),
}

/// The servers, without anything secret: async-nats logs its URLs.
pub struct Servers {
    /// Their addresses.
    pub addresses: Vec<ServerAddr>,
    /// Hosts and ports, for the log.
    pub names: String,
    login: Option<Login>,
    tls: bool,
}

impl NatsOptions {
    /// The servers that the URLs name.
    pub fn servers(&self) -> Result<Servers, BusError> {
        let mut addresses = Vec::new();
        let mut logins = Vec::new();
        for (index, url) in self.urls.split(',').enumerate() {
            let (address, login) =
                server(url.trim()).map_err(|reason| BusError::Url(index + 1, reason))?;
            addresses.push(address);
            logins.extend(login);
        }
        logins.dedup();
        if logins.len() + usize::from(self.credentials.is_some()) > 1 {
            return Err(BusError::Logins);
        }
        let named = addresses
            .iter()
            .map(|a| format!("{}:{}", a.host(), a.port()));
        Ok(Servers {
            names: named.collect::<Vec<_>>().join(", "),
            tls: addresses.iter().any(ServerAddr::tls_required),
            login: logins.pop(),
            addresses,
        })
    }

    /// What async-nats is to know, of the files too.
    pub fn client_options(
        &self,
        servers: &Servers,
        subjects: &Subjects,
    ) -> Result<ConnectOptions, BusError> {
        let mut options = ConnectOptions::new()
            .name("yanshu")
            .no_echo()
            .ping_interval(PING_INTERVAL)
            .connection_timeout(ATTEMPT)
            .reconnect_delay_callback(delay)
            .custom_inbox_prefix(subjects.inbox())
            .subscription_capacity(self.buffer.max(1));
        options = match &servers.login {
            Some(Login::User(user, password)) => {
                options.user_and_password(user.clone(), password.clone())
            }
            Some(Login::Token(token)) => options.token(token.clone()),
            None => options,
        };
        if let Some(path) = &self.credentials {
            let text = fs::read_to_string(path).map_err(|error| unusable(path, error))?;
            // The error is not passed on: it comes from the text of a secret.
            options = options
                .credentials(&text)
                .map_err(|_| unusable(path, "it does not hold a user's JWT and its seed"))?;
        }
        if let Some(path) = &self.ca {
            certificates(path)?;
            options = options.add_root_certificates(path.clone());
        }
        if let Some((certificate, key)) = &self.certificate {
            certificates(certificate)?;
            PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?;
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let files = self.ca.is_some() || self.certificate.is_some();
        Ok(options.require_tls(servers.tls || files))
    }
}

fn unusable(path: &Path, reason: impl ToString) -> BusError {
    BusError::File(path.to_owned(), reason.to_string())
}

fn certificates(path: &Path) -> Result<(), BusError> {
    let mut found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, error))?;
    match found.next() {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(unusable(path, error)),
        None => Err(unusable(path, "it holds no certificate")),
    }
}

fn delay(attempts: usize) -> Duration {
    let (first, last) = DELAYS_MS;
    let doublings = attempts.saturating_sub(1).min(16);
    Duration::from_millis((first << doublings).min(last))
}

/// The server and the login that a URL names, or what is wrong with it.
fn server(url: &str) -> Result<(ServerAddr, Option<Login>), String> {
    let address: ServerAddr = url.parse().map_err(|error| format!("{error}"))?;
    if address.is_websocket() {
        return Err("it starts with nats:// or tls://".into());
    }
    if address.host().is_empty() {
        return Err("it names no host".into());
    }
    let mut url = address.into_inner();
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("something follows the host and port; in a password, / ? # @ , are written %2F %3F %23 %40 %2C".into());
    }
    let login = login(url.username(), url.password())?;
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    stripped.map_err(|()| "it names no host")?;
    let address = ServerAddr::from_url(url).map_err(|error| format!("{error}"))?;
    Ok((address, login))
}

fn login(user: &str, password: Option<&str>) -> Result<Option<Login>, String> {
    let decode = |text| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map_err(|_| "the user or password is not UTF-8 when percent-decoded".to_owned())
    };
    let user = decode(user)?.into_owned();
    Ok(match password {
        Some(_) if user.is_empty() => return Err("a password without a user".into()),
        Some(password) => Some(Login::User(user, decode(password)?.into_owned())),
        None if user.is_empty() => None,
        None => Some(Login::Token(user)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(urls: &str) -> NatsOptions {
        NatsOptions {
            urls: urls.to_owned(),
            credentials: None,
            ca: None,
            certificate: None,
            cluster: "c".to_owned(),
            buffer: 256,
        }
    }

    #[test]
    fn what_a_url_says_of_the_user_is_decoded_and_taken_out_of_it() {
        let servers = options("nats://us%40r:p%2Fw@a:1, b, tls://[::1]:3").servers();
        let servers = servers.unwrap();
        assert!(servers.login == Some(Login::User("us@r".into(), "p/w".into())));
        assert_eq!(servers.names, "a:1, b:4222, ::1:3");
        assert!(servers.tls);
        for address in &servers.addresses {
            assert!(!address.has_user_pass() && address.password().is_none());
        }
        let servers = options("token%2B@host").servers().unwrap();
        assert!(servers.login == Some(Login::Token("token+".into())));
    }

    #[test]
    fn a_wrong_url_is_refused_in_words_that_hold_no_password() {
        for (urls, position) in [
            ("", 1),
            ("nats://", 1),
            ("nats://a,,nats://b", 2),
            ("http://user:hunter2@a", 1),
            ("ws://user:hunter2@a", 1),
            ("a,nats://user:hunter2@a:port", 2),
            ("nats://user:hunt/er2@a", 1),
            ("nats://user:4#hunter2@a", 1),
            ("nats://user:4?hunter2@a", 1),
            ("nats://:hunter2@a", 1),
            ("nats://user:hunter2%FF@a", 1),
            ("user:hunter2@a b", 1),
        ] {
            match options(urls).servers() {
                Err(BusError::Url(at, reason)) => {
                    assert_eq!(at, position, "{urls}: {reason}");
                    assert!(!reason.contains("er2"), "{reason}");
                }
                Err(other) => panic!("{urls}: {other}"),
                Ok(servers) => panic!("{urls} is {}", servers.names),
            }
        }
        let two = options("nats://a:b@c,nats://a:hunter2@d").servers();
        assert!(matches!(two, Err(BusError::Logins)));
    }

    #[test]
    fn a_file_that_does_not_serve_is_named() {
        let nothing = PathBuf::from("/nonexistent/file");
        let empty = tempfile::NamedTempFile::new().unwrap();
        let subjects = Subjects::new("c").unwrap();
        for path in [nothing, empty.path().to_owned()] {
            let mut with_credentials = options("a");
            with_credentials.credentials = Some(path.clone());
            let mut with_ca = options("a");
            with_ca.ca = Some(path.clone());
            let mut with_certificate = options("a");
            with_certificate.certificate = Some((path.clone(), path.clone()));
            for options in [with_credentials, with_ca, with_certificate] {
                let servers = options.servers().unwrap();
                let error = options.client_options(&servers, &subjects).unwrap_err();
                assert!(
                    matches!(&error, BusError::File(file, _) if *file == path),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn attempts_to_connect_slow_down_to_one_a_second() {
        assert_eq!(delay(1), Duration::from_millis(50));
        assert_eq!(delay(2), Duration::from_millis(100));
        assert_eq!(delay(usize::MAX), Duration::from_secs(1));
    }
}
