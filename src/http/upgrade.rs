//! `GET /ws`: from an HTTP request to a session.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_LENGTH, HOST, HeaderName, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::{Error, HttpRequest, HttpResponse, HttpResponseBuilder, rt, web};
use ipnet::IpNet;
use uuid::Uuid;

use super::address::client_address;
use super::bearer::bearer;
use super::handover::Handover;
use crate::actors::Stage;
use crate::actors::session::{Session, Shared, Shown};
use crate::actors::ws;
use crate::auth::Gate;
use crate::chat::{ConnectionId, Seat};

/// The one version of the protocol there is (RFC 6455 §4.1). actix would take drafts of it, too.
const VERSION: &str = "13";

/// What the upgrade needs to know.
#[derive(Clone)]
pub struct Door {
    /// Passed on to each session.
    pub shared: Arc<Shared>,
    /// Which `Host`s are answered, and the pages of which `Origin`s.
    pub gate: Gate,
    /// The largest frame, in bytes of payload.
    pub max_frame: usize,
    /// Proxies that are believed when they say for whom they ask.
    pub proxies: Vec<IpNet>,
    /// The largest file, in bytes, where there are files.
    pub file_size_max: Option<u64>,
}

impl Door {
    /// What is answered to a request for a name that is none of this server's.
    pub(super) fn other_name(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let host = header(request, HOST).unwrap_or_default();
        let text = "this server answers to loopback names only (see --allowed-host)\n";
        let is_other = !self.gate.allows_host(host);
        is_other.then(|| refuse(StatusCode::FORBIDDEN).body(text))
    }
}

/// Answers an upgrade, or says why not.
pub async fn upgrade(request: HttpRequest, door: web::Data<Door>) -> Result<HttpResponse, Error> {
    if let Some(refused) = door.other_name(&request) {
        return Ok(refused);
    }
    let host = header(&request, HOST).unwrap_or_default();
    let origin = header(&request, ORIGIN);
    if origin.is_some_and(|origin| !door.gate.allows_origin(origin, host)) {
        let text = "this server answers to pages of its own only (see --allowed-origin)\n";
        return Ok(refuse(StatusCode::FORBIDDEN).body(text));
    }
    if let Some(refused) = misfit(&request) {
        return Ok(refused);
    }
    if *door.shared.stage.borrow() == Stage::Leaving {
        return Ok(refuse(StatusCode::SERVICE_UNAVAILABLE).body("going away\n"));
    }
    let shared = Arc::clone(&door.shared);
    let address = client_address(&request, &door.proxies);
    let Ok(seat) = seat(address, &door) else {
        let mut answer = refuse(StatusCode::TOO_MANY_REQUESTS);
        return Ok(answer
            .insert_header((RETRY_AFTER, "10"))
            .body("too many connections from this address\n"));
    };
    let shown = shown(&request, &shared);
    let mut answer = ws::accept(&request)?;
    let max_frame = door.max_frame;
    answer
        .extensions_mut()
        .insert(Handover::new(move |connection, bytes| {
            connection.upgraded();
            let link = Arc::clone(connection.link());
            let make =
                move |pipe| Session::new(new_connection(), shared, (shown, address, seat), pipe);
            rt::spawn(ws::run((connection, link), bytes, max_frame, make));
        }));
    Ok(answer)
}

/// What is answered to an upgrade that is none to a WebSocket, or not to this one.
fn misfit(request: &HttpRequest) -> Option<HttpResponse> {
    // What else is among the names, actix-http does not take for an upgrade.
    let is_else = |name: &str| !name.trim().eq_ignore_ascii_case("websocket");
    if header(request, UPGRADE).is_some_and(is_else) {
        let text = "an upgrade is to `websocket` alone\n";
        return Some(refuse(StatusCode::BAD_REQUEST).body(text));
    }
    // Behind a body would come another request, on a connection that is none for requests any more.
    let length = request.headers().get(CONTENT_LENGTH);
    let has_body = length.is_some_and(|length| length != "0");
    if has_body || request.headers().contains_key(TRANSFER_ENCODING) {
        return Some(refuse(StatusCode::BAD_REQUEST).body("an upgrade has no body\n"));
    }
    let version = request.headers().get(SEC_WEBSOCKET_VERSION);
    version.is_some_and(|version| version != VERSION).then(|| {
        let mut answer = refuse(StatusCode::UPGRADE_REQUIRED);
        answer
            .insert_header((SEC_WEBSOCKET_VERSION, VERSION))
            .finish()
    })
}

/// An answer other than an upgrade, with which the connection ends: it was asked to become something else.
fn refuse(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.force_close();
    answer
}

/// This address asks for more than it may.
struct TooMany;

/// A place among the connections of the client's address, where there are limits.
fn seat(address: Option<IpAddr>, door: &Door) -> Result<Option<Seat>, TooMany> {
    let Some((limits, address)) = door.shared.limits.as_ref().zip(address) else {
        return Ok(None);
    };
    if !limits.handshake(address) {
        return Err(TooMany);
    }
    limits.connection(address).map(Some).ok_or(TooMany)
}

/// A header as text; empty where it is none.
pub(super) fn header(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    let value = request.headers().get(name)?;
    Some(value.to_str().unwrap_or_default())
}

/// Who the token of an upgrade says the client is. A wrong one gets its WebSocket, and is closed there:
/// a page is not told why an upgrade was refused.
fn shown(request: &HttpRequest, shared: &Shared) -> Shown {
    let Some((verifier, token)) = shared.verifier.as_ref().zip(token(request)) else {
        return Shown::Nothing;
    };
    match verifier.verify(token) {
        Ok(identity) => Shown::Identity(identity),
        Err(error) => {
            log::debug!("the token of an upgrade is not taken: {error}");
            Shown::Wrong
        }
    }
}

/// The token of an upgrade: from `Authorization: Bearer` (RFC 6750 §2.1), or among the subprotocols,
/// the one place where a page can put it.
fn token(request: &HttpRequest) -> Option<&str> {
    bearer(request.headers()).or_else(|| {
        let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
        let offered = offered.filter_map(|value| value.to_str().ok());
        let mut offered = offered.flat_map(|value| value.split(',')).map(str::trim);
        offered.find_map(|name| name.strip_prefix("bearer."))
    })
}

/// A number from 62 random bits, never 0.
fn new_connection() -> ConnectionId {
    let bits = Uuid::new_v4().as_u64_pair().1 & (i64::MAX as u64);
    i64::try_from(bits).unwrap_or(1).max(1)
}
