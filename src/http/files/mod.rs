//! `/files`: what messages of type 1 carry goes up by `POST /files`, and is fetched by `GET /files/{id}`.
//!
//! Frames stay as they are: an upload is answered with a little JSON, which the client sends as the text of its
//! message. Whoever asks is known as on the WebSocket: by a token, or, where there are none, by a `fromId`.

mod asking;
mod download;
mod headers;
mod places;
mod upload;

use actix_cors::Cors;
use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST, HeaderValue,
    IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, RETRY_AFTER,
};
use actix_web::web::{Data, ServiceConfig, resource, route, scope, to};

use super::desk::Desk;
use super::problem::Problem;
use super::upgrade::Door;
use crate::files::FileStore;
use crate::metrics::Metrics;
use crate::protocol::FileId;

pub use places::Places;

/// So many requests may ask the store at once.
pub const AT_ONCE: usize = 1_024;
/// How long a page may believe that it may ask, in seconds.
const MAY_ASK_FOR: usize = 3_600;

/// What serves files.
#[derive(Clone)]
pub struct Files {
    /// Where their bytes are.
    pub bytes: FileStore,
    /// Asks the store who may read them.
    pub desk: Desk,
    /// Room for uploads.
    pub uploads: Places,
    /// Room for downloads.
    pub downloads: Places,
    /// The largest file, in bytes.
    pub size_max: u64,
    /// So many bytes one user may have here.
    pub quota: u64,
    /// What is counted.
    pub metrics: Metrics,
}

/// Adds the routes; `None`: there are no files here.
pub fn routes(config: &mut ServiceConfig, files: Option<Files>, door: Data<Door>) {
    let only = |allow| move || async move { refused(Problem::method_not_allowed(allow)) };
    let Some(files) = files else {
        let off = || async {
            let text = "this server keeps no files (see --file-store)";
            refused(Problem::not_found("files_off", text))
        };
        config.service(scope("/files").default_service(to(off)));
        return;
    };
    let get = |path: &str| resource(path).default_service(to(only("GET, HEAD")));
    let (original, thumbnail) = (download::original, download::thumbnail);
    config.service(
        scope("/files")
            .wrap(cors(door))
            .app_data(Data::new(files))
            .service(
                resource("")
                    .route(route().method(Method::POST).to(upload::upload))
                    .default_service(to(only("POST"))),
            )
            .service(
                get("/{id}")
                    .route(route().method(Method::GET).to(original))
                    .route(route().method(Method::HEAD).to(original)),
            )
            .service(
                get("/{id}/thumbnail")
                    .route(route().method(Method::GET).to(thumbnail))
                    .route(route().method(Method::HEAD).to(thumbnail)),
            )
            .default_service(to(|| async { refused(unknown_file()) })),
    );
}

/// Pages of other origins that may speak for their visitors may do so here, too (the Fetch standard, §3.2).
fn cors(door: Data<Door>) -> Cors {
    let may = move |origin: &HeaderValue, head: &RequestHead| {
        let host = head.headers().get(HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let origin = origin.to_str().ok();
        origin.is_some_and(|origin| door.gate.allows_origin(origin, host))
    };
    Cors::default()
        .allowed_origin_fn(may)
        .allowed_methods([Method::GET, Method::HEAD, Method::POST])
        .allowed_headers([AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, IF_RANGE, RANGE])
        .expose_headers([
            CONTENT_DISPOSITION,
            CONTENT_RANGE,
            ETAG,
            LOCATION,
            RETRY_AFTER,
        ])
        .max_age(MAY_ASK_FOR)
}

fn refused(problem: Problem) -> Result<HttpResponse, Problem> {
    Err(problem)
}

/// A file in a path.
fn file_id(text: &str) -> Result<FileId, Problem> {
    FileId::parse(text).map_err(|_| unknown_file())
}

/// There is none, or none that whoever asks may read: which of the two, they are not told.
fn unknown_file() -> Problem {
    Problem::not_found("unknown_file", "no such file that this user may read")
}
