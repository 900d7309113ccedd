//! HTTP: the WebSocket upgrade and the health check.

mod address;
mod health;
mod upgrade;

use actix_web::web::{ServiceConfig, get};

pub use health::Health;
pub use upgrade::Door;

/// Adds the routes. The application data must hold a [`Door`] and a [`Health`].
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/ws", get().to(upgrade::upgrade))
        .route("/health", get().to(health::health))
        .route("/health/live", get().to(health::live));
}
