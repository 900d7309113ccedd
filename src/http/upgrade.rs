//! `GET /ws`: from an HTTP request to a session.

use std::sync::Arc;

use actix_web::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_VERSION};
use actix_web::{Error, HttpRequest, HttpResponse, web};
use uuid::Uuid;

use crate::actors::link::Link;
use crate::actors::session::{Session, Shared};
use crate::actors::ws;
use crate::auth::OpenHosts;
use crate::chat::ConnectionId;

/// The one version of the protocol there is (RFC 6455 §4.1). actix would take drafts of it, too.
const VERSION: &str = "13";

/// What the upgrade needs to know.
#[derive(Clone)]
pub struct Door {
    /// Passed on to each session.
    pub shared: Arc<Shared>,
    /// Which `Host`s are answered.
    pub hosts: OpenHosts,
    /// The largest frame, in bytes of payload.
    pub max_frame: usize,
}

/// Answers an upgrade, or says why not.
pub async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    door: web::Data<Door>,
) -> Result<HttpResponse, Error> {
    let host = request.headers().get(HOST).and_then(|h| h.to_str().ok());
    if !host.is_some_and(|host| door.hosts.allows(host)) {
        let text = "this server answers to loopback names only (see --allowed-host)\n";
        return Ok(HttpResponse::Forbidden().body(text));
    }
    let origin = request
        .headers()
        .get(ORIGIN)
        .map(|o| o.to_str().unwrap_or_default());
    if origin.is_some_and(|origin| !door.hosts.allows_origin(origin)) {
        let text = "this server answers to pages of its own only (see --allowed-host)\n";
        return Ok(HttpResponse::Forbidden().body(text));
    }
    let version = request.headers().get(SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version != VERSION) {
        let mut answer = HttpResponse::UpgradeRequired();
        return Ok(answer
            .insert_header((SEC_WEBSOCKET_VERSION, VERSION))
            .finish());
    }
    if *door.shared.leaving.borrow() {
        return Ok(HttpResponse::ServiceUnavailable().body("going away\n"));
    }
    // Without its link a connection could not be ended from outside: see `actors::link`.
    let Some(link) = request.conn_data::<Arc<Link>>().cloned() else {
        return Ok(HttpResponse::ServiceUnavailable().body("no descriptor left\n"));
    };
    let shared = Arc::clone(&door.shared);
    ws::start(&request, payload, link, door.max_frame, |pipe| {
        Session::new(new_connection(), shared, pipe)
    })
}

/// A number from 62 random bits, never 0.
fn new_connection() -> ConnectionId {
    let bits = Uuid::new_v4().as_u64_pair().1 & (i64::MAX as u64);
    i64::try_from(bits).unwrap_or(1).max(1)
}
