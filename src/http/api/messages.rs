//! `/users/{user}/messages`: messages that are sent for a user, such as notices of a system.

use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Json, Path, ServiceConfig, route};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{Api, UserIdParam, resource, user_id};
use crate::actors::chat_server::SendKeyed;
use crate::http::problem::Problem;
use crate::protocol::{ErrorCode, MessageKind, Timestamp, check_body};

/// The header that says under which key a message is sent.
const KEY: &str = "Idempotency-Key";
/// The longest key.
const KEY_MAX: usize = 128;

/// A message to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// To whom.
    #[schema(pattern = "^[A-Za-z0-9_.@-]{1,64}$", example = "HK0001")]
    to: String,
    /// 0 text, which is the default, or 1 file.
    // In JSON 1.0 is a whole number, too.
    #[serde(rename = "type", default)]
    #[schema(value_type = i64, minimum = 0, maximum = 1, default = 0)]
    kind: f64,
    /// What it says: not empty, without NUL, at most 32 KiB of UTF-8.
    #[schema(min_length = 1, max_length = 32768, example = "Maintenance at 22:00")]
    message: String,
    /// The sender's time as `yyyy-MM-dd HH:mm:ss`; without it, now in UTC.
    #[schema(
        pattern = "^(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29) (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$",
        example = "2026-01-31 08:00:00"
    )]
    time: Option<String>,
}

/// A message that is stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentMessage {
    /// Its ID.
    #[schema(pattern = "^MSG[0-9]{6,}$", example = "MSG000001")]
    id: String,
    /// 1 stored, 2 read.
    #[schema(minimum = 1, maximum = 2)]
    status: i16,
}

pub fn routes(config: &mut ServiceConfig) {
    config.service(resource(
        "/users/{user}/messages",
        "POST",
        [(Method::POST, route().to(send))],
    ));
}

/// Send a message for a user. It is stored, acknowledged and delivered as if they had sent it, and comes to
/// their own devices, too. The same key again is the same message, and sends none; a key is good for thirty
/// days at least. Blocks hold.
#[utoipa::path(
    post, operation_id = "sendMessage", path = "/users/{user}/messages", tag = "messages",
    params(
        ("user" = UserIdParam, Path,),
        ("Idempotency-Key" = String, Header, description = "1 to 128 visible ASCII characters",
         min_length = 1, max_length = 128, pattern = "^[!-~]{1,128}$"),
    ),
    request_body = NewMessage,
    responses(
        (status = 200, description = "It was sent before, under this key", body = SentMessage),
        (status = 201, description = "It is stored", body = SentMessage),
        (status = 403, description = "The recipient blocks the sender, or the file that it carries is not there or not the sender's to send", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "Another message was sent under this key", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn send(
    api: Data<Api>,
    request: HttpRequest,
    path: Path<String>,
    body: Json<NewMessage>,
) -> Result<HttpResponse, Problem> {
    let request = SendKeyed {
        key: key(&request)?,
        ..keyed(&path, body.into_inner())?
    };
    let sent = timeout(api.desk.patience(), api.chat.send(request)).await;
    let Ok(Ok(sent)) = sent else {
        return Err(Problem::unavailable());
    };
    let sent = sent.map_err(|refusal| match refusal.code {
        ErrorCode::IdConflict => {
            let text = "another message was sent under this key";
            Problem::new(StatusCode::CONFLICT, "key_conflict", text)
        }
        _ => Problem::from(refusal),
    })?;
    let status = if sent.before {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok(HttpResponse::build(status).json(SentMessage {
        id: sent.id.to_string(),
        status: sent.status,
    }))
}

fn key(request: &HttpRequest) -> Result<String, Problem> {
    let bad = || Problem::bad_request(format!("{KEY}: 1 to {KEY_MAX} visible ASCII characters"));
    let value = request.headers().get(KEY).ok_or_else(bad)?;
    let key = value.to_str().map_err(|_| bad())?;
    let fits = (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(key.to_owned()) } else { Err(bad()) }
}

fn keyed(from: &str, new: NewMessage) -> Result<SendKeyed, Problem> {
    check_body(&new.message, "message")?;
    let kind = match new.kind {
        0.0 => MessageKind::Text,
        1.0 => MessageKind::File,
        _ => return Err(Problem::bad_request("type: neither 0 (text) nor 1 (file)")),
    };
    let time = match new.time {
        None => Timestamp::now(),
        Some(time) => Timestamp::parse(&time)
            .ok_or_else(|| Problem::bad_request("time: no real date as yyyy-MM-dd HH:mm:ss"))?,
    };
    Ok(SendKeyed {
        from: user_id(from, "user")?,
        to: user_id(&new.to, "to")?,
        kind,
        text: new.message,
        time,
        key: String::new(),
    })
}
