//! `/users`: who there is.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Json, Path, Query, ServiceConfig, route};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::{Page, PartById};
use super::{Api, UserIdParam, display_name, resource, user_id};
use crate::actors::chat_server::{CloseDevices, Doubt};
use crate::bus::Which;
use crate::http::problem::Problem;
use crate::protocol::CloseCode;
use crate::store::{Profile, Put};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    /// The user ID: 1 to 64 characters of `A-Z a-z 0-9 _ - . @`.
    #[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "HK0001")]
    id: String,
    /// What they are called, where they have a name.
    #[schema(required, example = "张三")]
    name: Option<String>,
}

impl From<Profile> for User {
    fn from(Profile { id, name }: Profile) -> Self {
        Self { id, name }
    }
}

/// What a user is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What to call them: at most 256 characters, none of them a control character. Without it, or with null,
    /// they have no name.
    #[schema(
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "张三"
    )]
    name: Option<String>,
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/users", "GET", [(Method::GET, route().to(list))]))
        .service(resource(
            "/users/{user}",
            "GET, PUT, DELETE",
            [
                (Method::GET, route().to(read)),
                (Method::PUT, route().to(put)),
                (Method::DELETE, route().to(delete)),
            ],
        ));
}

/// All users, by their IDs.
#[utoipa::path(
    get, operation_id = "listUsers", path = "/users", tag = "users", params(PartById),
    responses((status = 200, description = "A part of the list", body = Page<User>))
)]
pub async fn list(api: Data<Api>, part: Query<PartById>) -> Result<Json<Page<User>>, Problem> {
    let (after, limit) = part.get()?;
    let found = api.read(move |store| store.profiles(&after, limit)).await?;
    Ok(Json(Page::of(found, User::from)))
}

/// A user.
#[utoipa::path(
    get, operation_id = "getUser", path = "/users/{user}", tag = "users", params(("user" = UserIdParam, Path,)),
    responses((status = 200, description = "The user", body = User))
)]
pub async fn read(api: Data<Api>, path: Path<String>) -> Result<Json<User>, Problem> {
    let user = user_id(&path, "user")?;
    let found = api.read(move |store| store.profile(user.as_str())).await?;
    found
        .map(User::from)
        .map(Json)
        .ok_or_else(Problem::unknown_user)
}

/// Create a user, or give one another name.
#[utoipa::path(
    put, operation_id = "putUser", path = "/users/{user}", tag = "users", params(("user" = UserIdParam, Path,)),
    request_body = NewUser,
    responses(
        (status = 200, description = "The user was there, and is called so now", body = User),
        (status = 201, description = "The user exists from now on", body = User),
    )
)]
pub async fn put(
    api: Data<Api>,
    path: Path<String>,
    body: Json<NewUser>,
) -> Result<HttpResponse, Problem> {
    let user = user_id(&path, "user")?;
    let name = display_name(body.name.as_deref(), "name")?;
    let shown = User {
        id: user.as_str().to_owned(),
        name: name.clone(),
    };
    let put = api
        .write(move |store| store.put_user(&user, name.as_deref()))
        .await?;
    Ok(put_response(put, shown))
}

/// Delete a user: their contacts, blocks, unspent message IDs and name go, and their sessions end (4401).
/// What they wrote stays in the history of those they wrote to. Whoever gets the ID later sees nothing of it.
#[utoipa::path(
    delete, operation_id = "deleteUser", path = "/users/{user}", tag = "users", params(("user" = UserIdParam, Path,)),
    responses((status = 204, description = "The user does not exist any more"))
)]
pub async fn delete(api: Data<Api>, path: Path<String>) -> Result<HttpResponse, Problem> {
    let user = user_id(&path, "user")?;
    let whose = user.clone();
    let deleted = api.write(move |store| store.delete_user(&user)).await;
    if !matches!(deleted, Ok(Some(_))) {
        // One before this may have deleted the user, and not have come back to close anything.
        api.chat.do_send(Doubt);
    }
    let tenure = deleted?.ok_or_else(Problem::unknown_user)?;
    api.chat.do_send(CloseDevices {
        user: whose,
        which: Which::Before(tenure),
        code: CloseCode::Unauthorized,
    });
    Ok(HttpResponse::NoContent().finish())
}

/// 201 or 200 with what is there now.
pub fn put_response(put: Put, shown: impl Serialize) -> HttpResponse {
    let status = match put {
        Put::Created => StatusCode::CREATED,
        Put::Updated => StatusCode::OK,
        Put::NoSuchUser => {
            return actix_web::ResponseError::error_response(&Problem::unknown_user());
        }
    };
    HttpResponse::build(status).json(shown)
}
