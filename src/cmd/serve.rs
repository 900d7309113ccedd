//! `yanshu serve`.

use std::io::Write;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::demo;
use crate::app::{Application, Credentials, Node};
use crate::auth::{self, Verifier};
use crate::bus::nats::{self, NatsOptions};
use crate::files::FileStore;
use crate::settings::{Secret, ServeSettings, TlsSettings, TokenSettings};
use crate::store::{DatabaseUrl, Store, StoreOptions};
use crate::tls::{Certificates, PairError};

/// Serves until SIGTERM or SIGINT.
pub fn run(settings: &ServeSettings) -> Result<(), String> {
    let credentials = Credentials {
        verifier: verifier(&settings.tokens)?,
        certificates: certificates(&settings.tls)?,
    };
    if credentials.verifier.is_none() {
        auth::check_open_listen(settings.listen, settings.allow_open).map_err(|e| e.to_string())?;
    }
    check_nodes(settings)?;
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        log::warn!("the limit of open files stays as it is: {error}");
    }
    let store = open(settings)?;
    let files = files(settings)?;
    if settings.demo {
        demo::fill(&store).map_err(|error| format!("--demo: {error}"))?;
    }
    actix_web::rt::System::new().block_on(serve(settings, &store, files, credentials))
}

/// What tokens are held against, where the server is not open.
fn verifier(settings: &TokenSettings) -> Result<Option<Verifier>, String> {
    let audience = settings.jwt_audience.clone();
    if let Some(Secret(secret)) = &settings.jwt_secret {
        let verifier = Verifier::with_secret(secret, audience);
        return verifier
            .map(Some)
            .map_err(|error| format!("--jwt-secret: {error}"));
    }
    if let Some(path) = &settings.jwt_public_key {
        let verifier = Verifier::with_file(path.clone(), audience);
        let failed = |error| format!("--jwt-public-key: {} {error}", path.display());
        return verifier.map(Some).map_err(failed);
    }
    if audience.is_some() {
        return Err("--jwt-audience is of no use without --jwt-secret or --jwt-public-key".into());
    }
    Ok(None)
}

/// What the server shows of itself, where connections are encrypted.
fn certificates(settings: &TlsSettings) -> Result<Option<Arc<Certificates>>, String> {
    let files = settings.tls_cert.clone().zip(settings.tls_key.clone());
    let Some((certificate, key)) = files else {
        return Ok(None);
    };
    let certificates = Certificates::load(certificate, key);
    certificates.map(Some).map_err(|error| match error {
        PairError::Certificate(..) => format!("--tls-cert: {error}"),
        PairError::Key(..) | PairError::Mismatch { .. } => format!("--tls-key: {error}"),
    })
}

/// Several nodes need a database that they share.
fn check_nodes(settings: &ServeSettings) -> Result<(), String> {
    if settings.bus.nats_url.is_some() && !settings.store.database_url.is_shared() {
        let url = &settings.store.database_url;
        return Err(format!(
            "--nats-url joins nodes that share a database, and {url} is not one to share: it takes postgres://…"
        ));
    }
    Ok(())
}

fn open(settings: &ServeSettings) -> Result<Store, String> {
    let options = StoreOptions {
        url: settings.store.database_url.clone(),
        // And for whoever runs the server, for files, and for two sweepers, none of whom must wait for another.
        writers: u32::try_from(settings.writers() + 4).unwrap_or(u32::MAX),
        readers: u32::try_from(settings.readers()).unwrap_or(u32::MAX),
        timeout: settings.store.store_timeout,
        strangers: settings.tokens.is_open(),
    };
    Store::open(&options).map_err(|error| match &options.url {
        DatabaseUrl::Sqlite(path) => format!("{path}: {error}"),
        url @ DatabaseUrl::Postgres(_) => format!("{url}: {error}"),
    })
}

/// Joins the other nodes, where there are any.
async fn join(settings: &ServeSettings, store: &Store) -> Result<Node, String> {
    let bus = &settings.bus;
    let Some(urls) = &bus.nats_url else {
        return Ok(Node::alone());
    };
    let options = NatsOptions {
        urls: urls.clone(),
        credentials: bus.nats_creds.clone(),
        ca: bus.nats_ca.clone(),
        certificate: bus.nats_cert.clone().zip(bus.nats_key.clone()),
        cluster: store.cluster().to_owned(),
        buffer: bus.bus_buffer.get(),
    };
    let (bus, events) = nats::connect(options)
        .await
        .map_err(|error| error.to_string())?;
    Ok(Node {
        bus: Arc::new(bus),
        events,
    })
}

/// Where the bytes of files are, where there are any.
fn files(settings: &ServeSettings) -> Result<Option<FileStore>, String> {
    let is_one_of_many = settings.bus.nats_url.is_some();
    let place = settings.files.place(is_one_of_many);
    if settings.files.file_store.is_none() && is_one_of_many {
        log::warn!(
            "there are no files: nodes share a folder or a bucket for them, which --file-store names"
        );
    }
    let rate = settings.files.upload_rate;
    FileStore::open(&place, rate).map_err(|error| format!("--file-store: {place}: {error}"))
}

async fn serve(
    settings: &ServeSettings,
    store: &Store,
    files: Option<FileStore>,
    credentials: Credentials,
) -> Result<(), String> {
    let listen = settings.listen;
    let failed = |error: std::io::Error| format!("cannot listen on {listen}: {error}");
    let node = join(settings, store).await?;
    let is_open = credentials.verifier.is_none();
    let scheme = match credentials.certificates {
        Some(_) => "https",
        None => "http",
    };
    let app = Application::build(settings, store, files, node, credentials).map_err(failed)?;
    let address = app.address();
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    if is_open {
        log::warn!("open mode: any client on {address} is believed to be whoever it says");
    }
    announce(scheme, address);
    let (first, stop) = oneshot::channel();
    let (second, hurry) = oneshot::channel();
    actix_web::rt::spawn(async move {
        for signal in [first, second] {
            tokio::select! {
                _ = terminate.recv() => log::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => log::info!("SIGINT: stopping"),
            }
            let _ = signal.send(());
        }
    });
    // An end of that task without a signal is none.
    let came = async |signal: oneshot::Receiver<()>| {
        if signal.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let stopped = app.run_until(came(stop), came(hurry)).await;
    stopped.map_err(|error| error.to_string())
}

fn on(kind: SignalKind) -> Result<Signal, String> {
    signal(kind).map_err(|error| format!("cannot listen for signals: {error}"))
}

/// One line for scripts that start a server on port 0 and wait until it is there.
fn announce(scheme: &str, address: std::net::SocketAddr) {
    let mut out = std::io::stdout();
    // Whoever closed our output does not want the line.
    let _ = writeln!(out, "yanshu is listening on {scheme}://{address}");
    let _ = out.flush();
}
