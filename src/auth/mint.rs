//! Tokens for development: `yanshu token`. In earnest, they come from whoever knows the users.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;

use crate::protocol::UserId;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[error("the token cannot be made: {0}")]
pub struct MintError(#[from] jsonwebtoken::errors::Error);

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// A token for this user, signed with this secret (HS256), for so long from now.
///
/// # Errors
/// Where it cannot be signed.
pub fn mint(
    secret: &str,
    user: &UserId,
    ttl: Duration,
    name: Option<&str>,
    audience: Option<&str>,
) -> Result<String, MintError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    let claims = Claims {
        sub: user.as_str(),
        iat: now,
        exp: now.saturating_add(ttl.as_secs()),
        name,
        aud: audience,
    };
    let key = EncodingKey::from_secret(secret.as_bytes());
    Ok(encode(&Header::default(), &claims, &key)?)
}
