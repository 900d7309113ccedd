//! How the certificate of a server is judged by a client of ours.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::pair::{self, PairError};

/// Which certificates are good enough.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Any, for this machine's own server: that it is asked whether it serves must not fail because its
    /// certificate is for a public name, has expired, or was replaced a moment ago.
    Any,
    /// One that an authority of this system vouches for, under the name that was asked for; or the very
    /// first one in this file.
    Authorities(Option<&'a Path>),
}

/// How to connect to a server.
///
/// # Errors
/// One sentence that says what is missing.
pub fn client_config(trust: Trust<'_>) -> Result<ClientConfig, String> {
    let provider = super::provider();
    let verifier = Verifier::new(trust, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

#[derive(Debug)]
struct Verifier {
    any: bool,
    own: Option<CertificateDer<'static>>,
    /// `None` where this system has no authorities.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(trust: Trust<'_>, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let Trust::Authorities(own) = trust else {
            return Ok(Self {
                any: true,
                own: None,
                authorities: None,
                provider: Arc::clone(provider),
            });
        };
        let own = own.map(first_of).transpose().map_err(|e| e.to_string())?;
        Ok(Self {
            any: false,
            own,
            authorities: authorities(provider),
            provider: Arc::clone(provider),
        })
    }
}

fn first_of(path: &Path) -> Result<CertificateDer<'static>, PairError> {
    let failed = |why| PairError::Certificate(path.to_owned(), why);
    let chain = pair::read_chain(path).map_err(failed)?;
    let first = chain.into_iter().next();
    first.ok_or_else(|| failed(pair::Unusable::NoCertificate))
}

/// Those that this system trusts.
fn authorities(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::clone(provider);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .ok()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.any || self.own.as_ref() == Some(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let authorities = self.authorities.as_ref();
        let authorities = authorities.ok_or(CertificateError::UnknownIssuer)?;
        authorities.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
