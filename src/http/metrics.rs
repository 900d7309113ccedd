//! `GET /metrics`: what is counted, for Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::{HttpResponse, web};

use crate::actors::chat_server::StoreState;
use crate::bus::Bus;
use crate::chat::Budget;
use crate::metrics::{Metrics, Now};

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the numbers are.
#[derive(Clone)]
pub struct Counters {
    /// What was counted.
    pub metrics: Metrics,
    /// Open WebSockets.
    pub connections: Arc<AtomicUsize>,
    /// Bytes of requests in hand.
    pub budget: Budget,
    /// How many connections to the database write, and how many of those are idle; the same for reading.
    pub pools: Arc<dyn Fn() -> [(u32, u32); 2] + Send + Sync>,
    /// Whether the store can commit.
    pub store_state: StoreState,
    /// The way to other nodes.
    pub bus: Arc<dyn Bus>,
}

/// All of them, as they are now.
pub async fn metrics(counters: web::Data<Counters>) -> HttpResponse {
    let now = Now {
        connections: counters.connections.load(Ordering::Relaxed),
        in_hand: counters.budget.used(),
        bus_is_up: counters.bus.is_up(),
        store_fails: counters.store_state.is_failing(),
        pools: (counters.pools)(),
    };
    match counters.metrics.render(now) {
        Ok(text) => HttpResponse::Ok().content_type(TEXT).body(text),
        Err(error) => {
            log::error!("the metrics cannot be written out: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}
