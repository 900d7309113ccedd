//! `/users/{user}/blocks`: whose messages a user does not get.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig, route};
use serde::Serialize;
use utoipa::ToSchema;

use super::list::{Page, Part};
use super::users::put_response;
use super::{Api, UserIdParam, resource, user_id};
use crate::http::problem::Problem;
use crate::store::Removed;

/// Somebody who is blocked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Block {
    /// Whom.
    #[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "HK0003")]
    id: String,
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource(
            "/users/{user}/blocks",
            "GET",
            [(Method::GET, route().to(list))],
        ))
        .service(resource(
            "/users/{user}/blocks/{blocked}",
            "PUT, DELETE",
            [
                (Method::PUT, route().to(put)),
                (Method::DELETE, route().to(delete)),
            ],
        ));
}

/// Whom a user blocks.
#[utoipa::path(
    get, operation_id = "listBlocks", path = "/users/{user}/blocks", tag = "blocks",
    params(("user" = UserIdParam, Path,), Part),
    responses((status = 200, description = "A part of the list", body = Page<Block>))
)]
pub async fn list(
    api: Data<Api>,
    path: Path<String>,
    part: Query<Part>,
) -> Result<Json<Page<Block>>, Problem> {
    let user = user_id(&path, "user")?;
    let (after, limit) = part.get()?;
    let found = api
        .read(move |store| store.blocks(user.as_str(), after, limit))
        .await?;
    let found = found.ok_or_else(Problem::unknown_user)?;
    Ok(Json(Page::of(found, |id| Block { id })))
}

/// The user gets no message of the other one from now on; the other one is told `forbidden`. Both must exist.
#[utoipa::path(
    put, operation_id = "putBlock", path = "/users/{user}/blocks/{blocked}", tag = "blocks",
    params(("user" = UserIdParam, Path,), ("blocked" = UserIdParam, Path,)),
    responses(
        (status = 200, description = "The other one was blocked before", body = Block),
        (status = 201, description = "The other one is blocked from now on", body = Block),
    )
)]
pub async fn put(api: Data<Api>, path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (owner, blocked) = (user_id(&path.0, "user")?, user_id(&path.1, "blocked")?);
    let shown = Block {
        id: blocked.as_str().to_owned(),
    };
    let put = api
        .write(move |store| store.block(&owner, &blocked))
        .await?;
    Ok(put_response(put, shown))
}

/// The user gets messages of the other one again. What was refused meanwhile does not come.
#[utoipa::path(
    delete, operation_id = "deleteBlock", path = "/users/{user}/blocks/{blocked}", tag = "blocks",
    params(("user" = UserIdParam, Path,), ("blocked" = UserIdParam, Path,)),
    responses((status = 204, description = "The other one is not blocked any more"))
)]
pub async fn delete(api: Data<Api>, path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (owner, blocked) = (user_id(&path.0, "user")?, user_id(&path.1, "blocked")?);
    let removed = api
        .write(move |store| store.unblock(&owner, &blocked))
        .await?;
    match removed {
        Removed::Gone => Ok(HttpResponse::NoContent().finish()),
        Removed::NotThere => Err(Problem::not_found(
            "not_blocked",
            "that user is not blocked",
        )),
    }
}
