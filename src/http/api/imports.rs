//! `/import`: many users or contacts at once, all or none.

use actix_web::http::Method;
use actix_web::web::{Data, Json, ServiceConfig, route};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Api, display_name, resource, user_id};
use crate::http::problem::Problem;
use crate::store::{ContactRow, UserRow};

/// So many rows are taken at once: while they are written, messages on SQLite wait.
const ROWS_MAX: usize = 10_000;

/// A user to create or rename.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedUser {
    /// The user ID.
    #[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "HK0001")]
    id: String,
    /// What to call them; without it, or with null, they have no name.
    #[schema(max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
}

/// Users to create or rename.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedUsers {
    /// At most 10,000. Of several for one user the last counts.
    #[schema(max_items = 10000)]
    users: Vec<ImportedUser>,
}

/// A contact to add or rename.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedContact {
    /// In whose list.
    #[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "HK0001")]
    owner: String,
    /// Who is listed.
    #[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "HK0002")]
    contact: String,
    /// The owner's own name for them; without it, or with null, there is none.
    #[schema(max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    alias: Option<String>,
}

/// Contacts to add or rename.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedContacts {
    /// At most 10,000. Users that do not exist are created. Of several for one pair the last counts.
    #[schema(max_items = 10000)]
    contacts: Vec<ImportedContact>,
}

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Imported {
    /// How many were not there before.
    #[schema(minimum = 0)]
    added: usize,
    /// How many were, and are as was said now.
    #[schema(minimum = 0)]
    updated: usize,
}

impl From<crate::store::Imported> for Imported {
    fn from(imported: crate::store::Imported) -> Self {
        Self {
            added: imported.added,
            updated: imported.updated,
        }
    }
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource(
            "/import/users",
            "POST",
            [(Method::POST, route().to(import_users))],
        ))
        .service(resource(
            "/import/contacts",
            "POST",
            [(Method::POST, route().to(import_contacts))],
        ));
}

/// Create or rename many users: all or none.
#[utoipa::path(
    post, operation_id = "importUsers", path = "/import/users", tag = "import", request_body = ImportedUsers,
    responses((status = 200, description = "All of them are there now", body = Imported))
)]
pub async fn import_users(
    api: Data<Api>,
    body: Json<ImportedUsers>,
) -> Result<Json<Imported>, Problem> {
    let rows = rows(body.into_inner().users, "users", |row, place| {
        Ok(UserRow {
            id: user_id(&row.id, &format!("{place}.id"))?,
            name: display_name(row.name.as_deref(), &format!("{place}.name"))?,
        })
    })?;
    let imported = api.write(move |store| store.import_users(&rows, |_| ()));
    Ok(Json(imported.await?.into()))
}

/// Add or rename many contacts: all or none.
#[utoipa::path(
    post, operation_id = "importContacts", path = "/import/contacts", tag = "import", request_body = ImportedContacts,
    responses((status = 200, description = "All of them are there now", body = Imported))
)]
pub async fn import_contacts(
    api: Data<Api>,
    body: Json<ImportedContacts>,
) -> Result<Json<Imported>, Problem> {
    let rows = rows(body.into_inner().contacts, "contacts", |row, place| {
        Ok(ContactRow {
            owner: user_id(&row.owner, &format!("{place}.owner"))?,
            contact: user_id(&row.contact, &format!("{place}.contact"))?,
            alias: display_name(row.alias.as_deref(), &format!("{place}.alias"))?,
        })
    })?;
    let imported = api.write(move |store| store.import_contacts(&rows, |_| ()));
    Ok(Json(imported.await?.into()))
}

/// Looks at every row before anything is written; the first that is wrong is named.
fn rows<R, T>(
    given: Vec<R>,
    what: &str,
    row: impl Fn(&R, &str) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    if given.len() > ROWS_MAX {
        let text = format!("{what}: over {ROWS_MAX}");
        return Err(Problem::bad_request(text));
    }
    let given = given.iter().enumerate();
    given
        .map(|(place, given)| row(given, &format!("{what}[{place}]")))
        .collect()
}
