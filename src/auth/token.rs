//! What a token says, and whether to believe it (RFC 7519, with the advice of RFC 8725).

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;

use super::keys::{Key, KeyError, Keyring};
use crate::protocol::{UserId, display_name};
use crate::watched::Watched;

/// How far clocks may differ.
const LEEWAY: Duration = Duration::from_secs(2);
/// A token is no longer than this, in bytes.
const TOKEN_MAX: usize = 8 * 1024;

/// Who a token says that its bearer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub`: the user.
    pub user: UserId,
    /// `name`: what to call them.
    pub name: Option<String>,
    /// `exp`, and as much later as clocks may differ: when the session ends.
    pub expires: SystemTime,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token, or lacks a claim.
    #[error("it is no token with sub and exp")]
    Malformed,
    /// No key of ours has signed it, or not by the algorithm of that key.
    #[error("no key of this server has signed it")]
    Signature,
    /// `exp` is past.
    #[error("it has expired")]
    Expired,
    /// `nbf` is still to come.
    #[error("it is not valid yet")]
    NotYet,
    /// `aud` is somebody else.
    #[error("it is for another audience")]
    Audience,
    /// `sub` is no user ID.
    #[error("its sub is no user ID")]
    Subject,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since 1970, maybe with a fraction.
    exp: f64,
    /// Anything but a string is no name.
    #[serde(default)]
    name: serde_json::Value,
}

/// Holds tokens against keys. Cheap to clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    keys: RwLock<Arc<Keyring>>,
    /// Where the keys are from, if from a file, as it was just before it was read.
    file: Option<Watched>,
    audience: Option<String>,
}

impl Verifier {
    /// Takes tokens that this secret has signed.
    ///
    /// # Errors
    /// Where there is no secret.
    pub fn with_secret(secret: &str, audience: Option<String>) -> Result<Self, KeyError> {
        Ok(Self::with_keys(Keyring::from_secret(secret)?, audience))
    }

    /// Takes tokens that one of these keys has signed.
    pub fn with_keys(keys: Keyring, audience: Option<String>) -> Self {
        Self::new(keys, None, audience)
    }

    /// Takes tokens that a key in this file has signed.
    ///
    /// # Errors
    /// Where there is no key.
    pub fn with_file(path: PathBuf, audience: Option<String>) -> Result<Self, KeyError> {
        let file = Watched::new(vec![path.clone()]);
        let keys = Keyring::from_file(&path)?;
        Ok(Self::new(keys, Some(file), audience))
    }

    fn new(keys: Keyring, file: Option<Watched>, audience: Option<String>) -> Self {
        Self(Arc::new(Inner {
            keys: RwLock::new(Arc::new(keys)),
            file,
            audience,
        }))
    }

    fn keys(&self) -> Arc<Keyring> {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&keys)
    }

    /// Who the bearer of a token is.
    ///
    /// # Errors
    /// A [`TokenError`] that says why it is not believed.
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        if token.len() > TOKEN_MAX {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        let keys = self.keys();
        let mut why = TokenError::Signature;
        for key in keys.candidates(header.kid.as_deref()) {
            match self.verify_by(key, token) {
                Ok(identity) => return Ok(identity),
                // What another key has signed says nothing; what this one has signed, is final.
                Err(TokenError::Signature) => {}
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn verify_by(&self, key: &Key, token: &str) -> Result<Identity, TokenError> {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if let Some(audience) = &self.0.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        let claims = decode::<Claims>(token, &key.key, &validation).map_err(|e| reason(&e))?;
        let Claims { sub, exp, name } = claims.claims;
        let user = UserId::parse(&sub).map_err(|_| TokenError::Subject)?;
        let exp = Duration::try_from_secs_f64(exp).ok();
        let expires = exp.and_then(|exp| SystemTime::UNIX_EPOCH.checked_add(exp + LEEWAY));
        Ok(Identity {
            user,
            name: name
                .as_str()
                .filter(|name| is_name(name))
                .map(str::to_owned),
            // Beyond what a clock can show is never.
            expires: expires.unwrap_or_else(far_away),
        })
    }

    /// Reads the file of keys again whenever it has changed, for as long as this is polled. A file that
    /// cannot be used changes nothing.
    pub async fn watch(self) {
        let Some(mut file) = self.0.file.clone() else {
            return;
        };
        let mut failed = false;
        loop {
            // What could not be read may be readable soon, although the file is the same.
            if file.look().await || failed {
                let said = failed;
                failed = !file.paths().iter().all(|path| self.read_again(path, said));
            }
        }
    }

    /// Returns whether the keys are those of the file now. `said`: the log knows already that they are not.
    fn read_again(&self, path: &Path, said: bool) -> bool {
        match Keyring::from_file(path) {
            Ok(keys) => {
                log::info!(
                    "{} keys for tokens were read from {}",
                    keys.len(),
                    path.display()
                );
                let mut current = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(keys);
                true
            }
            Err(_) if said => false,
            Err(error) => {
                log::warn!(
                    "the keys for tokens stay as they are: {} {error}",
                    path.display()
                );
                false
            }
        }
    }
}

/// What is no name is left out.
fn is_name(name: &str) -> bool {
    matches!(display_name(name), Ok(Some(_)))
}

/// A hundred years from now.
fn far_away() -> SystemTime {
    SystemTime::now() + Duration::from_secs(100 * 365 * 24 * 3600)
}

fn reason(error: &Error) -> TokenError {
    match error.kind() {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYet,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => TokenError::Audience,
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => TokenError::Signature,
        _ => TokenError::Malformed,
    }
}
