//! TLS (RFC 8446, RFC 5246): the server's certificate, which may be replaced while it serves, and how a
//! client of ours judges one.
//!
//! Nothing here knows of sockets. All cryptography is `ring`'s.

mod certificates;
mod client;
mod pair;

pub use certificates::Certificates;
pub use client::{Trust, client_config};
pub use pair::{PairError, Unusable};

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
