//! `yanshu health`: for HEALTHCHECK and for people.

use std::time::Duration;

use super::ask::Whom;
use crate::settings::HealthSettings;
use crate::tls::Trust;

/// How long the server may take, in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server; an answer other than 200 is an error.
pub fn run(settings: &HealthSettings) -> Result<(), String> {
    let HealthSettings { url, server } = settings;
    let certificate = server.tls_cert.as_deref();
    let whom = match url {
        Some(url) => Whom::at(url, Trust::Authorities(certificate)),
        None => Whom::own(server.listen, certificate.map(|_| Trust::Any)),
    }?;
    let answer = whom.ask(("GET", "/health"), &[], "", PATIENCE)?;
    println!("{}", answer.body);
    if answer.status == 200 {
        return Ok(());
    }
    let (authority, status) = (whom.authority, answer.status);
    Err(format!("{authority} cannot serve (HTTP {status})"))
}
