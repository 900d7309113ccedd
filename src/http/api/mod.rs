//! The provisioning API, under `/api/v1`: users, contacts, blocks, sessions, messages, for whoever runs the
//! server and shows its `--admin-token`.
//!
//! Every handler is: look at the request, ask the store or the ChatServer, answer. What goes wrong is a
//! `Problem` (RFC 9457). So many requests are in hand at once; one more is told to come again.

mod admission;
mod blocks;
mod contacts;
mod imports;
mod list;
mod messages;
mod openapi;
mod sessions;
mod users;

use std::sync::Arc;

use actix::Addr;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, JsonConfig, PathConfig, QueryConfig, ServiceConfig, route, scope, to};
use actix_web::{HttpResponse, Resource, Route};
use ipnet::IpNet;
use tokio::sync::Semaphore;

use crate::actors::chat_server::ChatServer;
use crate::auth::AdminKey;
use crate::chat::Limits;
use crate::http::desk::Desk;
use crate::http::problem::{self, Problem};
use crate::metrics::Metrics;
use crate::protocol::UserId;
use crate::store::{Store, StoreError};

/// So many requests are in hand at once.
pub const AT_ONCE: usize = 64;
/// The largest body, in bytes.
const BODY_MAX: usize = 4 * 1024 * 1024;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    /// Who is let in.
    pub key: AdminKey,
    /// Asks the store.
    pub desk: Desk,
    /// Sends messages, knows the sessions.
    pub chat: Addr<ChatServer>,
    /// How often an address may show a wrong token; `None` where there are no limits.
    pub limits: Option<Arc<Limits>>,
    /// Proxies that are believed when they say for whom they ask.
    pub proxies: Vec<IpNet>,
    /// What is counted.
    pub metrics: Metrics,
    /// Room for requests: [`AT_ONCE`].
    pub room: Arc<Semaphore>,
}

impl Api {
    /// Reads from the store.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.desk.read(read).await
    }

    /// Writes to the store.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.desk.write(write).await
    }
}

/// A user ID: 1 to 64 characters of `A-Z a-z 0-9 _ - . @`.
#[derive(utoipa::ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "HK0001")]
#[allow(dead_code)] // it stands for a path's part in the description alone
pub struct UserIdParam(String);

/// A user ID in a path or a body.
fn user_id(text: &str, place: &str) -> Result<UserId, Problem> {
    UserId::parse(text).map_err(|error| Problem::bad_request(format!("{place}: {error}")))
}

/// A display name in a body.
fn display_name(name: Option<&str>, place: &str) -> Result<Option<String>, Problem> {
    let name = name.map(crate::protocol::display_name).transpose();
    let name = name.map_err(|error| Problem::bad_request(format!("{place}: {error}")))?;
    Ok(name.flatten().map(str::to_owned))
}

/// A resource with these ways to serve it; another way is told which there are.
fn resource<const N: usize>(
    path: &str,
    allow: &'static str,
    routes: [(Method, Route); N],
) -> Resource {
    let mut resource = Resource::new(path);
    for (method, handler) in routes {
        resource = resource.route(handler.method(method));
    }
    resource.default_service(to(move || async move {
        Err::<HttpResponse, _>(Problem::method_not_allowed(allow))
    }))
}

/// Adds the API.
pub fn routes(config: &mut ServiceConfig, api: Api) {
    let json = JsonConfig::default().limit(BODY_MAX);
    let described = openapi::describe();
    let api_scope = scope("/api/v1")
        .wrap(from_fn(admission::admit))
        .app_data(Data::new(api))
        .app_data(Data::new(described))
        .app_data(json.error_handler(problem::of_json))
        .app_data(PathConfig::default().error_handler(problem::of_path))
        .app_data(QueryConfig::default().error_handler(problem::of_query))
        .service(resource(
            openapi::PATH,
            "GET",
            [(Method::GET, route().to(openapi::document))],
        ))
        .configure(users::routes)
        .configure(contacts::routes)
        .configure(blocks::routes)
        .configure(sessions::routes)
        .configure(messages::routes)
        .configure(imports::routes)
        .default_service(to(|| async {
            let text = "no such path; see /api/v1/openapi.json";
            Err::<HttpResponse, _>(Problem::not_found("not_found", text))
        }));
    config.service(api_scope);
}
