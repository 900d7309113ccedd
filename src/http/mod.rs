//! HTTP, plain or over TLS: connections that come in, the WebSocket upgrade, the health check, the metrics,
//! the provisioning API, files and the web client.

mod address;
pub mod api;
mod bearer;
mod connection;
mod desk;
mod entrance;
mod etag;
pub mod files;
mod handover;
mod health;
mod metrics;
mod parting;
mod problem;
mod service;
mod turnstile;
mod upgrade;
mod web;

use actix_web::web::{ServiceConfig, get};

pub use api::Api;
pub use desk::Desk;
pub use entrance::Entrance;
pub use files::{Files, Places};
pub use health::Health;
pub use metrics::Counters;
pub use service::Service;
pub use upgrade::Door;

/// Adds the routes. The application data must hold a [`Door`], a [`Health`] and
/// [`Counters`].
fn routes(config: &mut ServiceConfig) {
    config
        .route("/ws", get().to(upgrade::upgrade))
        .route("/health", get().to(health::health))
        .route("/metrics", get().to(metrics::metrics))
        .route("/health/live", get().to(health::live))
        .route("/", get().to(web::page))
        .route("/web/config.json", get().to(web::config))
        .route("/web/{path:.*}", get().to(web::asset));
}
