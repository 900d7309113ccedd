//! `GET /health`: whether this node can serve, for load balancers.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix_web::{HttpResponse, web};
use serde_json::json;
use tokio::sync::watch;

use crate::actors::Stage;
use crate::actors::chat_server::StoreState;
use crate::actors::db_executor::{DbExecutor, Ping};
use crate::bus::Bus;

/// How long the store may take to answer before the check turns red.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the check looks at.
#[derive(Clone)]
pub struct Health {
    /// Asked for a row.
    pub readers: Addr<DbExecutor>,
    /// Whether the store can commit.
    pub store_state: StoreState,
    /// The way to other nodes.
    pub bus: Arc<dyn Bus>,
    /// Whether the server is going away.
    pub stage: watch::Receiver<Stage>,
}

impl Health {
    /// Why this node cannot serve; nothing where it can.
    async fn reasons(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if *self.stage.borrow() != Stage::Serving {
            reasons.push("draining");
        }
        let ping = actix_web::rt::time::timeout(PATIENCE, self.readers.send(Ping)).await;
        let answers = matches!(ping, Ok(Ok(Ok(()))));
        if self.store_state.is_failing() || !answers {
            reasons.push("store");
        }
        reasons
    }
}

/// 200 while the process answers at all, also where it cannot serve: nothing is mended by its restart.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// 200 and `{"status":"ok"}`, with `degraded` where other nodes are not reached; or 503 and why.
pub async fn health(health: web::Data<Health>) -> HttpResponse {
    let reasons = health.reasons().await;
    if !reasons.is_empty() {
        return HttpResponse::ServiceUnavailable()
            .json(json!({"status": "unavailable", "reasons": reasons}));
    }
    HttpResponse::Ok().json(if health.bus.is_up() {
        json!({"status": "ok"})
    } else {
        json!({"status": "ok", "degraded": ["bus"]})
    })
}
