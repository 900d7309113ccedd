//! The keys that tokens are held against: a secret, or public keys from a file.
//!
//! Each key is for one algorithm, which follows from the key and is never read from a token (RFC 8725
//! §3.1): HS256 for a secret, RS256, ES256 or EdDSA for a public key. A file holds one key in PEM (RFC
//! 7468) or a set of them in JSON (RFC 7517), which tokens choose from by `kid`.

use std::path::Path;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

/// A secret for HS256 has at least so many bytes (RFC 7518 §3.2), or is warned of.
const SECRET_BYTES: usize = 32;
/// Bytes of a point of the curve P-256, uncompressed.
const P256_POINT: usize = 65;
/// Bytes of a point of Ed25519.
const ED25519_POINT: usize = 32;
/// Bytes of an RSA modulus: 2,048 bits are the least that is safe (RFC 7518 §3.3), 4,096 the most that is
/// verified.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// The same as a key in DER (RFC 8017 §A.1.1): the modulus, an exponent, and what is around them.
const RSA_DER_BYTES: std::ops::RangeInclusive<usize> = 264..=540;
/// A file of keys is no larger.
const FILE_MAX: u64 = 1024 * 1024;

/// A key, and what tokens it is for.
#[derive(Clone)]
pub(super) struct Key {
    /// Its `kid`; a key without one is for tokens with any.
    pub id: Option<String>,
    /// The one algorithm it is used with.
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

/// Keys, one of which must have signed a token.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<Key>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is too large to be a file of keys.
    #[error("is over {FILE_MAX} bytes: that is no file of keys")]
    TooLarge,
    /// It holds a private key.
    #[error("holds a private key: a server needs the public one, and nobody should have both")]
    Private,
    /// It is neither PEM nor a JWK Set.
    #[error("holds no public key for RS256, ES256 or EdDSA, neither in PEM nor as a JWK Set")]
    NoKey,
    /// An empty secret.
    #[error("the secret is empty")]
    Empty,
}

impl Keyring {
    /// A secret that is shared with who issues tokens: HS256.
    ///
    /// # Errors
    /// [`KeyError::Empty`].
    pub fn from_secret(secret: &str) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::Empty);
        }
        if secret.len() < SECRET_BYTES {
            log::warn!(
                "the secret for tokens has {} bytes: one under {SECRET_BYTES} can be guessed",
                secret.len()
            );
        }
        let key = Key {
            id: None,
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret.as_bytes()),
        };
        Ok(Self { keys: vec![key] })
    }

    /// Public keys from a file.
    ///
    /// # Errors
    /// Where it cannot be read, or holds no key to use.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        if std::fs::metadata(path)?.len() > FILE_MAX {
            return Err(KeyError::TooLarge);
        }
        Self::from_text(&std::fs::read_to_string(path)?)
    }

    /// Public keys in PEM, or a JWK Set. Keys of a set that are for something else are left out.
    ///
    /// # Errors
    /// Where there is no key to use.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let keys = if text.trim_start().starts_with('{') {
            let set: JwkSet = serde_json::from_str(text).map_err(|_| KeyError::NoKey)?;
            if holds_private(text) {
                return Err(KeyError::Private);
            }
            set.keys.iter().filter_map(of_set).collect()
        } else {
            vec![of_pem(text)?]
        };
        if keys.is_empty() {
            return Err(KeyError::NoKey);
        }
        Ok(Self { keys })
    }

    /// The keys that may have signed a token with this `kid`.
    pub(super) fn candidates<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| match (id, &key.id) {
            (Some(asked), Some(own)) => asked == own,
            _ => true,
        })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none, which cannot be.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Whether a key of a set has its private part with it (RFC 7518 §6.2.2, §6.3.2; RFC 8037 §2).
fn holds_private(text: &str) -> bool {
    let set: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let keys = set["keys"].as_array();
    keys.is_some_and(|keys| keys.iter().any(|key| key.get("d").is_some()))
}

fn of_pem(text: &str) -> Result<Key, KeyError> {
    if text.contains("PRIVATE KEY") {
        return Err(KeyError::Private);
    }
    let pem = text.as_bytes();
    let rsa = DecodingKey::from_rsa_pem(pem).map(|key| (Algorithm::RS256, key));
    let ec = || DecodingKey::from_ec_pem(pem).map(|key| (Algorithm::ES256, key));
    let ed = || DecodingKey::from_ed_pem(pem).map(|key| (Algorithm::EdDSA, key));
    let (algorithm, key) = rsa
        .or_else(|_| ec())
        .or_else(|_| ed())
        .map_err(|_| KeyError::NoKey)?;
    // Other curves have algorithms of their own, which no token may bring in.
    if !is_usable(algorithm, &key) {
        return Err(KeyError::NoKey);
    }
    Ok(Key {
        id: None,
        algorithm,
        key,
    })
}

fn of_set(jwk: &Jwk) -> Option<Key> {
    if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        // A secret has no place in a file of public keys.
        _ => return None,
    };
    let says = jwk.common.key_algorithm.as_ref();
    if says.is_some_and(|says| says.to_string() != format!("{algorithm:?}")) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    is_usable(algorithm, &key).then(|| Key {
        id: jwk.common.key_id.clone(),
        algorithm,
        key,
    })
}

/// Whether a key has the size that its algorithm needs: one that has not would only show at the first token.
fn is_usable(algorithm: Algorithm, key: &DecodingKey) -> bool {
    match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            RSA_BYTES.contains(&n.len())
        }
        (Algorithm::RS256, DecodingKeyKind::SecretOrDer(der)) => RSA_DER_BYTES.contains(&der.len()),
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => point.len() == P256_POINT,
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => point.len() == ED25519_POINT,
        _ => false,
    }
}
