//! TLS by the server itself.

use std::path::PathBuf;

use clap::Args;

/// The certificate that the server shows. Without it connections are not encrypted.
#[derive(Debug, Clone, Args)]
pub struct TlsSettings {
    /// Serve over TLS with this certificate and its chain, in PEM; read again when it changes
    #[arg(
        long,
        env = "YANSHU_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// Key of that certificate, in PEM (PKCS#8, SEC1 or PKCS#1); read again when it changes
    #[arg(
        long,
        env = "YANSHU_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
}
