//! `/users/{user}/contacts`: whom a user has in their list.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig, route};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::{Page, Part};
use super::users::put_response;
use super::{Api, UserIdParam, display_name, resource, user_id};
use crate::http::problem::Problem;
use crate::store::{ContactEntry, Removed};

/// A contact of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contact {
    /// Whom.
    #[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "HK0002")]
    id: String,
    /// The owner's own name for them.
    #[schema(required, example = "小张")]
    alias: Option<String>,
}

impl From<ContactEntry> for Contact {
    fn from(ContactEntry { id, alias }: ContactEntry) -> Self {
        Self { id, alias }
    }
}

/// What a contact is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// The owner's own name for them, as a user's name. Without it, or with null, there is none.
    #[schema(
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "小张"
    )]
    alias: Option<String>,
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource(
            "/users/{user}/contacts",
            "GET",
            [(Method::GET, route().to(list))],
        ))
        .service(resource(
            "/users/{user}/contacts/{contact}",
            "PUT, DELETE",
            [
                (Method::PUT, route().to(put)),
                (Method::DELETE, route().to(delete)),
            ],
        ));
}

/// The contacts of a user.
#[utoipa::path(
    get, operation_id = "listContacts", path = "/users/{user}/contacts", tag = "contacts",
    params(("user" = UserIdParam, Path,), Part),
    responses((status = 200, description = "A part of the list", body = Page<Contact>))
)]
pub async fn list(
    api: Data<Api>,
    path: Path<String>,
    part: Query<Part>,
) -> Result<Json<Page<Contact>>, Problem> {
    let user = user_id(&path, "user")?;
    let (after, limit) = part.get()?;
    let found = api
        .read(move |store| store.contact_entries(user.as_str(), after, limit))
        .await?;
    let found = found.ok_or_else(Problem::unknown_user)?;
    Ok(Json(Page::of(found, Contact::from)))
}

/// Add a contact, or give one another alias. Both users must exist. There is no limit here.
#[utoipa::path(
    put, operation_id = "putContact", path = "/users/{user}/contacts/{contact}", tag = "contacts",
    params(("user" = UserIdParam, Path,), ("contact" = UserIdParam, Path,)),
    request_body = NewContact,
    responses(
        (status = 200, description = "The contact was there, and has this alias now", body = Contact),
        (status = 201, description = "The contact is there from now on", body = Contact),
    )
)]
pub async fn put(
    api: Data<Api>,
    path: Path<(String, String)>,
    body: Json<NewContact>,
) -> Result<HttpResponse, Problem> {
    let (owner, contact) = (user_id(&path.0, "user")?, user_id(&path.1, "contact")?);
    let alias = display_name(body.alias.as_deref(), "alias")?;
    let shown = Contact {
        id: contact.as_str().to_owned(),
        alias: alias.clone(),
    };
    let put = api
        .write(move |store| store.put_contact(&owner, &contact, alias.as_deref()))
        .await?;
    Ok(put_response(put, shown))
}

/// Take a contact away. A message between the two adds it anew.
#[utoipa::path(
    delete, operation_id = "deleteContact", path = "/users/{user}/contacts/{contact}", tag = "contacts",
    params(("user" = UserIdParam, Path,), ("contact" = UserIdParam, Path,)),
    responses((status = 204, description = "The contact is gone"))
)]
pub async fn delete(api: Data<Api>, path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (owner, contact) = (user_id(&path.0, "user")?, user_id(&path.1, "contact")?);
    let removed = api
        .write(move |store| store.remove_contact(&owner, &contact))
        .await?;
    match removed {
        Removed::Gone => Ok(HttpResponse::NoContent().finish()),
        Removed::NotThere => Err(Problem::not_found("unknown_contact", "no such contact")),
    }
}
