//! `yanshu serve`.

use std::io::Write;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::demo;
use crate::app::Application;
use crate::auth;
use crate::settings::ServeSettings;
use crate::store::{DatabaseUrl, Store, StoreOptions};

/// Serves until SIGTERM or SIGINT.
pub fn run(settings: &ServeSettings) -> Result<(), String> {
    auth::check_open_listen(settings.listen, settings.allow_open).map_err(|e| e.to_string())?;
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        log::warn!("the limit of open files stays as it is: {error}");
    }
    let store = open(settings)?;
    if settings.demo {
        demo::fill(&store).map_err(|error| format!("--demo: {error}"))?;
    }
    actix_web::rt::System::new().block_on(serve(settings, &store))
}

fn open(settings: &ServeSettings) -> Result<Store, String> {
    let options = StoreOptions {
        url: settings.store.database_url.clone(),
        readers: u32::try_from(settings.store_readers.get()).unwrap_or(u32::MAX),
        timeout: settings.store.store_timeout,
    };
    let DatabaseUrl::Sqlite(path) = &options.url;
    Store::open(&options).map_err(|error| format!("{path}: {error}"))
}

async fn serve(settings: &ServeSettings, store: &Store) -> Result<(), String> {
    let listen = settings.listen;
    let failed = |error: std::io::Error| format!("cannot listen on {listen}: {error}");
    let app = Application::build(settings, store).map_err(failed)?;
    let address = app.address();
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    log::warn!("open mode: any client on {address} is believed to be whoever it says");
    announce(address);
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => log::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => log::info!("SIGINT: stopping"),
        }
    };
    app.run_until(stop).await.map_err(|error| error.to_string())
}

fn on(kind: SignalKind) -> Result<Signal, String> {
    signal(kind).map_err(|error| format!("cannot listen for signals: {error}"))
}

/// One line for scripts that start a server on port 0 and wait until it is there.
fn announce(address: std::net::SocketAddr) {
    let mut out = std::io::stdout();
    // Whoever closed our output does not want the line.
    let _ = writeln!(out, "yanshu is listening on http://{address}");
    let _ = out.flush();
}
