//! Whether a client has an answer already (RFC 9110 §13.1.2).

use actix_web::http::header::{EntityTag, IfNoneMatch};
use actix_web::{HttpMessage, HttpRequest};

/// Whether whoever asks has what has this tag.
pub fn has_it(request: &HttpRequest, tag: &EntityTag) -> bool {
    match request.get_header::<IfNoneMatch>() {
        Some(IfNoneMatch::Any) => true,
        Some(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        None => false,
    }
}
