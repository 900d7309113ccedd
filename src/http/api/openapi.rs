//! What the API looks like, made from the code of it (OpenAPI 3.1).

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{UserIdParam, blocks, contacts, imports, messages, problem, sessions, users};

/// Where it is, below `/api/v1`, and from the root.
pub const PATH: &str = "/openapi.json";
pub const WHOLE_PATH: &str = "/api/v1/openapi.json";

/// See the module.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Yanshu provisioning API",
        description = "For whoever runs the server. Off without `--admin-token`. Everything that goes wrong is a problem (RFC 9457).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact(),
    ),
    servers((url = "/api/v1")),
    paths(
        users::list, users::read, users::put, users::delete,
        contacts::list, contacts::put, contacts::delete,
        blocks::list, blocks::put, blocks::delete,
        sessions::list, sessions::end_all, sessions::end,
        messages::send,
        imports::import_users, imports::import_contacts,
    ),
    components(schemas(problem::Problem, UserIdParam)),
    security(("adminToken" = [])),
    modifiers(&Common),
)]
struct Description;

/// What is the same in all operations.
struct Common;

/// Problems that any operation may answer with: status, why, and whether it is only where something is
/// named in the path, or where there is a body.
const PROBLEMS: [(&str, &str, Needs); 8] = [
    (
        "400",
        "A part of the request is not what it must be",
        Needs::Nothing,
    ),
    ("401", "The token is missing or wrong", Needs::Nothing),
    ("404", "Something that was named is not there", Needs::Name),
    ("405", "This is served in other ways", Needs::Nothing),
    ("413", "The body is too large", Needs::Body),
    ("415", "The body is not JSON", Needs::Body),
    (
        "429",
        "Too many wrong tokens from this address",
        Needs::Nothing,
    ),
    (
        "503",
        "The store fails, or there is no room: ask again",
        Needs::Nothing,
    ),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Name,
    Body,
}

impl Modify for Common {
    fn modify(&self, document: &mut Document) {
        document.info.version = env!("CARGO_PKG_VERSION").to_owned();
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("adminToken", bearer);
        for (path, item) in &mut document.paths.paths {
            let names = path.contains('{');
            let operations = [
                &mut item.get,
                &mut item.put,
                &mut item.post,
                &mut item.delete,
            ];
            for operation in operations.into_iter().flatten() {
                add_problems(operation, names);
            }
        }
    }
}

fn add_problems(operation: &mut Operation, names: bool) {
    let has_body = operation.request_body.is_some();
    let applies = |needs| match needs {
        Needs::Nothing => true,
        Needs::Name => names,
        Needs::Body => has_body,
    };
    for (status, why, _) in PROBLEMS.into_iter().filter(|(_, _, needs)| applies(*needs)) {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let response = ResponseBuilder::new()
            .description(why)
            .content("application/problem+json", content)
            .build();
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert_with(|| response.into());
    }
}

/// The document.
pub struct Described(Bytes);

/// Writes the document out.
pub fn describe() -> Described {
    // It holds nothing that JSON cannot say.
    Described(Description::openapi().to_json().unwrap_or_default().into())
}

/// `GET /api/v1/openapi.json`: needs no token.
pub async fn document(described: Data<Described>) -> HttpResponse {
    let body = described.0.clone();
    HttpResponse::Ok()
        .content_type("application/json")
        .body(body)
}
