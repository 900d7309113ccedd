//! What went wrong, as JSON that programs can read (RFC 9457).

use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::{ErrorCode, Refusal};
use crate::store::StoreError;

/// A problem (RFC 9457), as `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(title = "Problem")]
pub struct Problem {
    /// `urn:yanshu:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:yanshu:problem:unknown_user")]
    kind: String,
    /// The name of the HTTP status.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// What it is, for programs.
    #[schema(example = "unknown_user")]
    code: &'static str,
    /// What it is, for people.
    #[schema(example = "no such user")]
    detail: String,
    /// Whether the same request can succeed later.
    retryable: bool,
    #[serde(skip)]
    allow: Option<&'static str>,
}

impl Problem {
    /// A problem that a retry does not cure.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:yanshu:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            retryable: false,
            allow: None,
        }
    }

    /// What it is, for programs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// One that may be over in a moment.
    fn passing(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            retryable: true,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        }
    }

    /// A part of the request is not what it must be.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// There is no such thing.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// No such user.
    pub fn unknown_user() -> Self {
        Self::not_found("unknown_user", "no such user")
    }

    /// The token is missing or wrong.
    pub fn unauthorized() -> Self {
        let text = "Authorization: Bearer with the server's --admin-token is needed";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
    }

    /// The token is missing, wrong or expired.
    pub fn no_token() -> Self {
        let text = "Authorization: Bearer with a token is needed";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
    }

    /// This is not for whoever asks.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden.name(), detail)
    }

    /// This is more than may be sent.
    pub fn too_large(detail: impl Into<String>) -> Self {
        let code = ErrorCode::TooLarge.name();
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail)
    }

    /// There is no room for more, until somebody makes some.
    pub fn storage_full(detail: impl Into<String>) -> Self {
        let code = StatusCode::INSUFFICIENT_STORAGE;
        Self {
            retryable: true,
            ..Self::new(code, "storage_full", detail)
        }
    }

    /// This user does more than they may.
    pub fn too_many(detail: impl Into<String>) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self {
            retryable: true,
            ..Self::new(status, ErrorCode::RateLimited.name(), detail)
        }
    }

    /// This address has shown too many wrong tokens.
    pub fn rate_limited() -> Self {
        Self::too_many("too many requests without the right token from this address")
    }

    /// The server has as many of these requests in hand as it may.
    pub fn busy() -> Self {
        Self::passing(
            "busy",
            "the server has as many of these requests in hand as it may",
        )
    }

    /// The store failed, or did not answer in time: what it did is unknown.
    pub fn unavailable() -> Self {
        let text = "the store failed or did not answer in time; ask again, the outcome is unknown";
        Self::passing(ErrorCode::StorageUnavailable.name(), text)
    }

    /// This is served in other ways, namely these.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let code = StatusCode::METHOD_NOT_ALLOWED;
        let text = format!("only {allow} is served here");
        Self {
            allow: Some(allow),
            ..Self::new(code, "method_not_allowed", text)
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self.status_code() {
            StatusCode::UNAUTHORIZED => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"yanshu\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.insert_header((RETRY_AFTER, "1"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                response.insert_header((RETRY_AFTER, "10"));
            }
            _ => {}
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, HeaderValue::from_static(allow)));
        }
        let body = serde_json::to_string(self).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        log::debug!("a request failed at the store: {error}");
        Self::unavailable()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code {
            ErrorCode::UnknownUser => StatusCode::NOT_FOUND,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::IdConflict => StatusCode::CONFLICT,
            ErrorCode::TooLarge => StatusCode::BAD_REQUEST,
            ErrorCode::BadFrame => return Self::bad_request(refusal.text),
            ErrorCode::Busy => return Self::busy(),
            ErrorCode::StorageUnavailable => return Self::unavailable(),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, refusal.code.name(), refusal.text)
    }
}

/// For [`actix_web::web::JsonConfig`].
pub fn of_json(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let problem = match &error {
        JsonPayloadError::OverflowKnownLength { limit, .. }
        | JsonPayloadError::Overflow { limit } => {
            Problem::too_large(format!("the body is over {limit} bytes"))
        }
        JsonPayloadError::ContentType => {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let text = "the body must be application/json";
            Problem::new(status, "unsupported_media_type", text)
        }
        other => Problem::bad_request(format!("the body: {other}")),
    };
    problem.into()
}

/// For [`actix_web::web::PathConfig`].
pub fn of_path(error: PathError, _: &HttpRequest) -> actix_web::Error {
    Problem::bad_request(format!("the path: {error}")).into()
}

/// For [`actix_web::web::QueryConfig`].
pub fn of_query(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    Problem::bad_request(format!("the query: {error}")).into()
}
