//! `/users/{user}/sessions` and `/users/{user}/disconnect`: the devices of a user that are connected, on whatever node.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{Data, Json, Path, ServiceConfig, route};
use serde::Serialize;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::list::Page;
use super::{Api, UserIdParam, resource, user_id};
use crate::actors::chat_server::{CloseDevices, WhoIsThere};
use crate::bus::{DeviceHere, Which};
use crate::chat::ConnectionId;
use crate::http::problem::Problem;
use crate::protocol::{CloseCode, UserId};

/// Other nodes are waited for, whatever the store's own timeout is.
const PATIENCE: Duration = Duration::from_secs(3);

/// A device that is connected.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its number: unique, and gone with its connection.
    #[schema(pattern = "^[0-9]+$", example = "6219004373241093")]
    id: String,
    /// Since when (RFC 3339, UTC).
    #[schema(format = DateTime, example = "2026-01-31T08:00:00Z")]
    connected_at: String,
    /// From where, as far as it is known.
    #[schema(required, example = "192.0.2.7")]
    address: Option<String>,
}

impl From<DeviceHere> for Session {
    fn from(device: DeviceHere) -> Self {
        let since = OffsetDateTime::from_unix_timestamp(device.since);
        let since = since.ok().and_then(|since| since.format(&Rfc3339).ok());
        Self {
            id: device.connection.to_string(),
            connected_at: since.unwrap_or_default(),
            address: device.address.map(|address| address.to_string()),
        }
    }
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource(
            "/users/{user}/sessions",
            "GET",
            [(Method::GET, route().to(list))],
        ))
        .service(resource(
            "/users/{user}/disconnect",
            "POST",
            [(Method::POST, route().to(end_all))],
        ))
        .service(resource(
            "/users/{user}/sessions/{session}",
            "DELETE",
            [(Method::DELETE, route().to(end))],
        ));
}

/// A user in the path, who must exist.
async fn existing(api: &Api, text: &str) -> Result<UserId, Problem> {
    let user = user_id(text, "user")?;
    let asked = user.clone();
    let found = api.read(move |store| store.profile(asked.as_str())).await?;
    found.map(|_| user).ok_or_else(Problem::unknown_user)
}

async fn sessions(api: &Api, user: UserId) -> Result<Vec<DeviceHere>, Problem> {
    let patience = api.desk.patience().max(PATIENCE);
    let found = timeout(patience, api.chat.send(WhoIsThere(user))).await;
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) | Err(_) => Err(Problem::busy()),
    }
}

/// The devices of a user that are connected, the oldest first. Nodes that do not answer in half a second are
/// left out.
#[utoipa::path(
    get, operation_id = "listSessions", path = "/users/{user}/sessions", tag = "sessions",
    params(("user" = UserIdParam, Path,)),
    responses((status = 200, description = "All of the list", body = Page<Session>))
)]
pub async fn list(api: Data<Api>, path: Path<String>) -> Result<Json<Page<Session>>, Problem> {
    let found = sessions(&api, existing(&api, &path).await?).await?;
    Ok(Json(Page::whole(
        found.into_iter().map(Session::from).collect(),
    )))
}

/// Close every device of a user (1001): clients connect again and show who they are.
#[utoipa::path(
    post, operation_id = "disconnectUser", path = "/users/{user}/disconnect", tag = "sessions",
    params(("user" = UserIdParam, Path,)),
    responses((status = 204, description = "They are being closed, or there were none"))
)]
pub async fn end_all(api: Data<Api>, path: Path<String>) -> Result<HttpResponse, Problem> {
    close(&api, existing(&api, &path).await?, Which::All);
    Ok(HttpResponse::NoContent().finish())
}

/// Close a device of a user (1001).
#[utoipa::path(
    delete, operation_id = "endSession", path = "/users/{user}/sessions/{session}", tag = "sessions",
    params(
        ("user" = UserIdParam, Path,),
        ("session" = String, Path, description = "The session's ID", pattern = "^[0-9]{1,19}$"),
    ),
    responses((status = 204, description = "It is being closed"))
)]
pub async fn end(api: Data<Api>, path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let user = existing(&api, &path.0).await?;
    let unknown = || Problem::not_found("unknown_session", "no such session of this user");
    let session: ConnectionId = path.1.parse().map_err(|_| unknown())?;
    let found = sessions(&api, user.clone()).await?;
    if !found.iter().any(|device| device.connection == session) {
        return Err(unknown());
    }
    close(&api, user, Which::One(session));
    Ok(HttpResponse::NoContent().finish())
}

fn close(api: &Api, user: UserId, which: Which) {
    api.chat.do_send(CloseDevices {
        user,
        which,
        code: CloseCode::GoingAway,
    });
}
