//! `GET /`: the web client, out of the binary. What it does is in `web/`.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CROSS_ORIGIN_OPENER_POLICY,
    CROSS_ORIGIN_RESOURCE_POLICY, ETag, EntityTag, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use data_encoding::HEXLOWER;
use rust_embed::Embed;
use serde_json::json;

use super::etag::has_it;
use super::upgrade::Door;

/// The files under `web/`. In a debug build they are read when they are asked for.
#[derive(Embed)]
#[folder = "web"]
struct Files;

/// What the page may do (CSP Level 3): speak with its own server, and never make a script of a text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' blob:; media-src 'self' blob:; form-action 'none'; base-uri 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The page.
pub async fn page(request: HttpRequest, door: web::Data<Door>) -> HttpResponse {
    file(&request, &door, "index.html")
}

/// A file of the page.
pub async fn asset(
    request: HttpRequest,
    door: web::Data<Door>,
    path: web::Path<String>,
) -> HttpResponse {
    file(&request, &door, &path)
}

/// What the page has to know of this server: whether it asks for `tokens`, and how large `files` may be.
pub async fn config(door: web::Data<Door>) -> HttpResponse {
    let tokens = door.shared.verifier.is_some();
    protected(StatusCode::OK)
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({
            "tokens": tokens,
            "files": door.file_size_max.map(|max| json!({ "max": max })),
        }))
}

/// A file, or that the browser has it already (RFC 9110 §13.1.2). It asks each time: a new version of the
/// server has a new page.
fn file(request: &HttpRequest, door: &Door, path: &str) -> HttpResponse {
    if let Some(refused) = door.other_name(request) {
        return refused;
    }
    let Some(file) = Files::get(path) else {
        return protected(StatusCode::NOT_FOUND).body("there is no such file\n");
    };
    let tag = EntityTag::new_strong(HEXLOWER.encode(&file.metadata.sha256_hash()));
    let has_it = has_it(request, &tag);
    let status = if has_it {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let mut answer = protected(status);
    answer
        .insert_header(ETag(tag))
        .insert_header((CACHE_CONTROL, "no-cache"));
    if has_it {
        return answer.finish();
    }
    answer.content_type(file.metadata.mimetype());
    answer.body(file.data.into_owned())
}

/// An answer that no other page can frame, read or be fooled about.
fn protected(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"));
    answer
}
