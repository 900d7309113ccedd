//! Certificates made for a test, and clients that trust them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_RSA_SHA256};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Error;

use super::support::node::Node;
use super::support::{Client, Server, within};
use super::tokens::{key_file, token};

/// The name that certificates of these tests are for.
pub const NAME: &str = "chat.example";

/// A certificate and its key, in PEM, and what a client must trust to take it.
pub struct Pair {
    pub chain: String,
    pub key: String,
    pub first: CertificateDer<'static>,
    pub root: CertificateDer<'static>,
    pub root_pem: String,
}

impl Pair {
    /// A new pair of an authority of its own, with one certificate between the two.
    pub fn new() -> Pair {
        Pair::for_name(NAME)
    }

    /// The same for another name.
    pub fn for_name(name: &str) -> Pair {
        Pair::with(CertificateParams::new([name.to_owned()]).unwrap())
    }

    /// A new pair whose certificate says this.
    pub fn with(params: CertificateParams) -> Pair {
        Pair::for_key(params, KeyPair::generate().unwrap())
    }

    /// A certificate for an RSA key of `keys/`.
    pub fn for_rsa() -> Pair {
        let pem = fs::read_to_string(key_file("rsa.pem")).unwrap();
        let key = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256).unwrap();
        Pair::for_key(CertificateParams::new([NAME.to_owned()]).unwrap(), key)
    }

    /// A certificate for a P-256 key of `keys/`.
    pub fn for_ec() -> Pair {
        let pem = fs::read_to_string(key_file("ec.pem")).unwrap();
        let key = KeyPair::from_pem(&pem).unwrap();
        Pair::for_key(CertificateParams::new([NAME.to_owned()]).unwrap(), key)
    }

    fn for_key(params: CertificateParams, key: KeyPair) -> Pair {
        let authority = |name: &str| {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, name);
            params
        };
        let root_key = KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("root.example"), root_key).unwrap();
        let between_key = KeyPair::generate().unwrap();
        let between =
            CertifiedIssuer::signed_by(authority("between.example"), between_key, &root).unwrap();
        let own = params.signed_by(&key, &between).unwrap();
        Pair {
            chain: own.pem() + &between.pem(),
            key: key.serialize_pem(),
            first: own.der().clone(),
            root: root.der().clone(),
            root_pem: root.pem(),
        }
    }
}

/// The two files of a server.
pub struct Files {
    directory: TempDir,
}

impl Files {
    pub fn of(pair: &Pair) -> Files {
        let files = Files {
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
        };
        files.put(pair);
        files
    }

    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("tls.crt")
    }

    pub fn key(&self) -> PathBuf {
        self.directory.path().join("tls.key")
    }

    /// Puts another pair in their place, one file after the other.
    pub fn put(&self, pair: &Pair) {
        replace(&self.certificate(), &pair.chain);
        replace(&self.key(), &pair.key);
    }

    pub fn flags(&self) -> [String; 2] {
        [
            format!("--tls-cert={}", self.certificate().display()),
            format!("--tls-key={}", self.key().display()),
        ]
    }

    /// A server with these files and more flags.
    pub fn serve(&self, more: &[&str]) -> Server {
        let flags = self.flags();
        let mut all: Vec<&str> = flags.iter().map(String::as_str).collect();
        all.extend(more);
        Server::with(&all)
    }
}

/// Puts a file in the place of another at once.
pub fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("it can be written");
    fs::rename(&new, path).expect("it can be moved");
}

/// A client that trusts the authorities of these pairs and nobody else.
pub fn trusting(pairs: &[&Pair]) -> ClientConfig {
    trusting_with(pairs, rustls::ALL_VERSIONS)
}

/// The same, that speaks these versions of TLS.
pub fn trusting_with(
    pairs: &[&Pair],
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for pair in pairs {
        roots.add(pair.root.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Makes the TLS handshake on a TCP connection of one's own.
pub async fn encrypt(
    stream: TcpStream,
    trust: &ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::new(trust.clone()));
    let name = ServerName::try_from(NAME).unwrap();
    within("the TLS handshake", connector.connect(name, stream)).await
}

/// Connects and makes the TLS handshake.
pub async fn handshake(node: &Node, trust: &ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", node.port())).await?;
    stream.set_nodelay(true)?;
    encrypt(stream, trust).await
}

/// Opens the WebSocket over TLS with more headers.
pub async fn open_with(
    node: &Node,
    trust: &ClientConfig,
    headers: &[(&'static str, &str)],
) -> Result<Client, Error> {
    let stream = handshake(node, trust).await?;
    let opened = Client::open_over(node, stream, headers).await?;
    Ok(opened.0)
}

/// Opens the WebSocket over TLS with a token for this user, and connects.
pub async fn connect(node: &Node, trust: &ClientConfig, user: &str) -> Client {
    let bearer = format!("Bearer {}", token(user));
    let opened = open_with(node, trust, &[("Authorization", &bearer)]).await;
    let mut client = opened.unwrap_or_else(|error| panic!("the upgrade failed: {error}"));
    client.connect_as(user).await;
    client
}

/// The certificate that a new connection is shown.
pub async fn shown(node: &Node, trust: &ClientConfig) -> CertificateDer<'static> {
    let stream = handshake(node, trust).await.expect("a handshake");
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().expect("a certificate is shown");
    chain[0].clone().into_owned()
}
