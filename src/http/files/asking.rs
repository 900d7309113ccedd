//! Who asks for files.

use actix_web::http::header::{HOST, ORIGIN};
use actix_web::web::Query;
use actix_web::{HttpMessage, HttpRequest};
use serde::Deserialize;

use crate::chat::Frames;
use crate::http::bearer::bearer;
use crate::http::handover::Upgrading;
use crate::http::problem::Problem;
use crate::http::upgrade::{Door, header};
use crate::protocol::UserId;

/// Who one says to be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    from_id: Option<String>,
}

/// Who asks: whoever the token says, or, in open mode, the query. What the WebSocket would refuse for its `Host`, its
/// `Origin` or the limits is refused here, too.
pub fn who(request: &HttpRequest, door: &Door) -> Result<UserId, Problem> {
    if request.extensions().contains::<Upgrading>() {
        let text = "a file goes up and comes down over plain HTTP, without an Upgrade";
        return Err(Problem::bad_request(text));
    }
    let host = header(request, HOST).unwrap_or_default();
    if !door.gate.allows_host(host) {
        let text = "this server answers to loopback names only (see --allowed-host)";
        return Err(Problem::forbidden(text));
    }
    let origin = header(request, ORIGIN);
    if origin.is_some_and(|origin| !door.gate.allows_origin(origin, host)) {
        let text = "this server answers to pages of its own only (see --allowed-origin)";
        return Err(Problem::forbidden(text));
    }
    let user = identity(request, door)?;
    let limits = door.shared.limits.as_ref();
    if limits.is_some_and(|limits| limits.frame(&user) != Frames::Taken) {
        let text = "this user sends more than the limits allow";
        return Err(Problem::too_many(text));
    }
    Ok(user)
}

fn identity(request: &HttpRequest, door: &Door) -> Result<UserId, Problem> {
    let said = Query::<Said>::from_query(request.query_string());
    let said = said.map_err(|error| Problem::bad_request(format!("the query: {error}")))?;
    let said = said.into_inner().from_id;
    let said = said.as_deref().map(UserId::parse).transpose();
    let said = said.map_err(|error| Problem::bad_request(format!("fromId: {error}")))?;
    let Some(verifier) = &door.shared.verifier else {
        return said.ok_or_else(|| Problem::bad_request("fromId is missing: who asks?"));
    };
    let token = bearer(request.headers()).ok_or_else(Problem::no_token)?;
    let identity = verifier.verify(token).map_err(|error| {
        log::debug!("the token of a request for files is not taken: {error}");
        Problem::no_token()
    })?;
    if said.is_some_and(|said| said != identity.user) {
        return Err(Problem::forbidden("fromId is not whom the token is for"));
    }
    Ok(identity.user)
}
