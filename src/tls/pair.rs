//! A certificate and its key, from two files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::parse_x509_certificate;

/// A file of certificates or of a key is no larger.
const FILE_MAX: u64 = 1024 * 1024;

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The file of the certificate.
    #[error("{path} {1}", path = .0.display())]
    Certificate(PathBuf, Unusable),
    /// The file of the key.
    #[error("{path} {1}", path = .0.display())]
    Key(PathBuf, Unusable),
    /// The two do not belong together.
    #[error("the key in {} does not fit the first certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is too large.
    #[error("is over {FILE_MAX} bytes: that is neither a certificate nor a key")]
    TooLarge,
    /// It holds no certificate, or a broken one.
    #[error("holds no certificate in PEM, or one that is broken")]
    NoCertificate,
    /// It holds no private key, or a broken one.
    #[error("holds no private key in PEM (PKCS#8, SEC1 or PKCS#1), or one that is broken")]
    NoKey,
    /// Its key needs a passphrase.
    #[error(
        "holds an encrypted key, and nobody will be there to type its passphrase: \
         write it without one (openssl pkey -in ENCRYPTED -out FILE)"
    )]
    Encrypted,
    /// Its key is of a kind or size that is not served.
    #[error(
        "holds a key of a kind that is not served: take RSA from 2048 bits, P-256, P-384 or Ed25519"
    )]
    Unsupported,
}

/// Reads a certificate with its chain, and the key that fits it.
///
/// # Errors
/// Where one of the two cannot be used, or they do not belong together.
pub(super) fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, PairError> {
    let chain = read_chain(certificate)
        .map_err(|why| PairError::Certificate(certificate.to_owned(), why))?;
    let private = read_key(key).map_err(|why| PairError::Key(key.to_owned(), why))?;
    CertifiedKey::from_der(chain, private, &super::provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => PairError::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        },
        Error::InvalidCertificate(_) => {
            PairError::Certificate(certificate.to_owned(), Unusable::NoCertificate)
        }
        _ => PairError::Key(key.to_owned(), Unusable::Unsupported),
    })
}

/// The certificates of a file, the server's own first.
///
/// # Errors
/// Where there is none, or one is broken.
pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let text = read_file(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    chain
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or(Unusable::NoCertificate)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    let text = read_file(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        if is_encrypted(&text) {
            Unusable::Encrypted
        } else {
            Unusable::NoKey
        }
    })
}

/// As PKCS#8 says it in its label (RFC 7468 §11), and what was before in a header (RFC 1421 §4.6.1.1).
fn is_encrypted(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn read_file(path: &Path) -> Result<Vec<u8>, Unusable> {
    if std::fs::metadata(path)?.len() > FILE_MAX {
        return Err(Unusable::TooLarge);
    }
    Ok(std::fs::read(path)?)
}

/// What clients will have against a certificate because of its dates, if anything.
pub(super) fn out_of_date(pair: &CertifiedKey) -> Option<&'static str> {
    let certificate = pair.end_entity_cert().ok()?;
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let now = i64::try_from(now.as_secs()).ok()?;
    let validity = certificate.validity();
    if validity.not_after.timestamp() < now {
        return Some("has expired");
    }
    (validity.not_before.timestamp() > now).then_some("is not valid yet")
}
