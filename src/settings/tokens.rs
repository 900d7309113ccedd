//! Who is believed: keys for tokens, and the pages that may speak for their visitors.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::duration;
use crate::protocol::UserId;

/// What tokens (JWT) are held against. Without any of it the server is open: it believes everybody.
#[derive(Debug, Clone, Args)]
pub struct TokenSettings {
    /// Take tokens signed with this secret (HS256); best given by the variable
    #[arg(
        long,
        env = "YANSHU_JWT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub jwt_secret: Option<Secret>,
    /// Take tokens signed by a key of this file: a public key in PEM (RS256, ES256, EdDSA) or a JWK Set, read again when it changes
    #[arg(
        long,
        env = "YANSHU_JWT_PUBLIC_KEY",
        value_name = "FILE",
        conflicts_with = "jwt_secret"
    )]
    pub jwt_public_key: Option<PathBuf>,
    /// Take only tokens for this audience (aud)
    #[arg(long, env = "YANSHU_JWT_AUDIENCE", value_name = "NAME")]
    pub jwt_audience: Option<String>,
}

impl TokenSettings {
    /// Whether anybody is believed to be whoever they say.
    pub fn is_open(&self) -> bool {
        self.jwt_secret.is_none() && self.jwt_public_key.is_none()
    }
}

/// What must not be shown. Its `Debug` does not.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("a secret is not empty");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whom to make a token for.
#[derive(Debug, Clone, Args)]
pub struct MintSettings {
    /// The user
    #[arg(value_parser = user_id)]
    pub user: UserId,
    /// How long it is valid
    #[arg(long, default_value = "1d", value_name = "TIME", value_parser = duration)]
    pub ttl: Duration,
    /// What to call the user
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The secret that the server takes tokens of; best given by the variable
    #[arg(
        long,
        env = "YANSHU_JWT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub jwt_secret: Secret,
    /// The audience (aud)
    #[arg(long, env = "YANSHU_JWT_AUDIENCE", value_name = "NAME")]
    pub jwt_audience: Option<String>,
}

pub(super) fn user_id(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}

/// An origin as browsers send it: a scheme and a host, maybe a port, and nothing behind.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let origin = text.trim_end_matches('/');
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '*', '@', '?', '#', ' ']) => {
            Ok(origin.to_owned())
        }
        _ => Err("an origin is http:// or https:// and a host, maybe with a port".to_owned()),
    }
}
