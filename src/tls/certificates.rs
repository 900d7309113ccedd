//! The certificate that new connections are shown, read again whenever its files change.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::{self, PairError};
use crate::watched::Watched;

/// The one version of HTTP that is served (RFC 7301): WebSockets over HTTP/2 are not.
const HTTP_1_1: &[u8] = b"http/1.1";

/// A certificate and its key, and the files they are from.
#[derive(Debug)]
pub struct Certificates {
    current: RwLock<Arc<CertifiedKey>>,
    certificate: PathBuf,
    key: PathBuf,
    /// The two, as they were just before they were read.
    files: Watched,
}

impl Certificates {
    /// Reads a certificate with its chain, and its key.
    ///
    /// # Errors
    /// Where one of the two cannot be used, or they do not belong together.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Arc<Self>, PairError> {
        let files = Watched::new(vec![certificate.clone(), key.clone()]);
        let pair = pair::read(&certificate, &key)?;
        let certificates = Self {
            current: RwLock::new(Arc::new(pair)),
            certificate,
            key,
            files,
        };
        certificates.warn_if_out_of_date();
        Ok(Arc::new(certificates))
    }

    /// How to serve with this certificate, whichever it is at the moment: TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// Where the library lacks what those need.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(super::provider());
        let builder = builder.with_safe_default_protocol_versions()?;
        let certificates: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = builder
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        // Connections last for days: what a resumed session spares does not pay for keeping it, and
        // every handshake shows the certificate of the day.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// Takes a new pair whenever its files change, for as long as this is polled.
    ///
    /// A pair that cannot be used changes nothing. Two files are seldom replaced at once, so it is tried
    /// again at every look until it can; the log says each reason once.
    pub async fn watch(self: Arc<Self>) {
        let mut files = self.files.clone();
        let mut failed = None;
        loop {
            let changed = files.look().await;
            if changed || failed.is_some() {
                failed = self.read_again(failed.as_deref());
            }
        }
    }

    /// Returns why there is no new pair; `said` is what the log says already.
    fn read_again(&self, said: Option<&str>) -> Option<String> {
        match pair::read(&self.certificate, &self.key) {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                let path = self.certificate.display();
                log::info!("new connections are shown the certificate that is now in {path}");
                self.warn_if_out_of_date();
                None
            }
            Err(error) => {
                let why = error.to_string();
                if said != Some(why.as_str()) {
                    log::warn!("the TLS certificate stays as it is: {why}");
                }
                Some(why)
            }
        }
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    fn warn_if_out_of_date(&self) {
        if let Some(what) = pair::out_of_date(&self.current()) {
            let path = self.certificate.display();
            log::warn!("the first certificate in {path} {what}: clients will refuse it");
        }
    }
}

impl ResolvesServerCert for Certificates {
    /// The same for every name: there is one.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}
