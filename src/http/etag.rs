//! Whether a client has an answer already, or wants it only as it knows it (RFC 9110 §13.1).

use actix_web::http::header::{EntityTag, IfMatch, IfNoneMatch};
use actix_web::{HttpMessage, HttpRequest};

/// Whether whoever asks has what has this tag.
pub fn has_it(request: &HttpRequest, tag: &EntityTag) -> bool {
    match request.get_header::<IfNoneMatch>() {
        Some(IfNoneMatch::Any) => true,
        Some(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        None => false,
    }
}

/// Whether whoever asks wants something else than what has this tag.
pub fn wants_another(request: &HttpRequest, tag: &EntityTag) -> bool {
    match request.get_header::<IfMatch>() {
        Some(IfMatch::Items(known)) => !known.iter().any(|known| known.strong_eq(tag)),
        Some(IfMatch::Any) | None => false,
    }
}
