//! `GET /files/{id}` and `GET /files/{id}/thumbnail` (RFC 9110 §13, §14).

use std::ops::Range;

use actix_web::body::SizedStream;
use actix_web::http::header::{
    ACCEPT_RANGES, ByteRangeSpec, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CROSS_ORIGIN_RESOURCE_POLICY, ContentRange, ContentRangeSpec, ETag,
    EntityTag, IF_RANGE, REFERRER_POLICY, Range as RangeHeader, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::StreamExt;

use super::asking::who;
use super::headers::{disposition, safe_type};
use super::{Files, file_id, unknown_file};
use crate::actors::link::Transfer;
use crate::files::{FilesError, Kind};
use crate::http::etag::{has_it, wants_another};
use crate::http::problem::Problem;
use crate::http::upgrade::{Door, header};
use crate::protocol::UserId;
use crate::store::FileInfo;

/// Whatever a browser makes of a file that it opens by itself: it runs nothing and asks for nothing (CSP Level 3).
const POLICY: &str = "default-src 'none'; sandbox";

/// What is given out.
struct Given {
    kind: Kind,
    mime: String,
    name: String,
    size: u64,
    tag: EntityTag,
}

/// A file.
pub async fn original(
    request: HttpRequest,
    id: Path<String>,
    door: Data<Door>,
    files: Data<Files>,
) -> Result<HttpResponse, Problem> {
    let (user, info) = readable(&request, &id, &door, &files).await?;
    let given = Given {
        kind: Kind::Original,
        mime: info.mime.clone(),
        name: info.name.clone(),
        size: info.size,
        tag: EntityTag::new_strong(info.sha256.clone()),
    };
    give(&request, &files, (&user, &info), given).await
}

/// The small picture of a picture.
pub async fn thumbnail(
    request: HttpRequest,
    id: Path<String>,
    door: Data<Door>,
    files: Data<Files>,
) -> Result<HttpResponse, Problem> {
    let (user, info) = readable(&request, &id, &door, &files).await?;
    let picture = info.picture.as_ref();
    let Some(mime) = picture.and_then(|picture| picture.thumbnail.clone()) else {
        let text = "this file has no thumbnail";
        return Err(Problem::not_found("no_thumbnail", text));
    };
    let size = files.bytes.size(info.id, Kind::Thumbnail).await;
    let given = Given {
        kind: Kind::Thumbnail,
        mime,
        name: info.name.clone(),
        size: size.map_err(|error| failed(&info, error))?,
        tag: EntityTag::new_strong(format!("{}-thumbnail", info.sha256)),
    };
    give(&request, &files, (&user, &info), given).await
}

/// The file, where whoever asks may read it.
async fn readable(
    request: &HttpRequest,
    id: &str,
    door: &Door,
    files: &Files,
) -> Result<(UserId, FileInfo), Problem> {
    let user = who(request, door)?;
    let (id, login) = (file_id(id)?, user.clone());
    let found = files
        .desk
        .read(move |store| store.file_for(id, login.as_str()))
        .await?;
    Ok((user, found.ok_or_else(unknown_file)?))
}

async fn give(
    request: &HttpRequest,
    files: &Files,
    (user, info): (&UserId, &FileInfo),
    given: Given,
) -> Result<HttpResponse, Problem> {
    if wants_another(request, &given.tag) {
        return Ok(protected(StatusCode::PRECONDITION_FAILED, &given).finish());
    }
    if has_it(request, &given.tag) {
        return Ok(protected(StatusCode::NOT_MODIFIED, &given).finish());
    }
    let (status, range) = match wanted(request, &given) {
        Wanted::All => (StatusCode::OK, 0..given.size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => return Ok(unsatisfiable(&given)),
    };
    let mut answer = protected(status, &given);
    answer
        .insert_header((ACCEPT_RANGES, "bytes"))
        .insert_header((CONTENT_DISPOSITION, disposition(&given.mime, &given.name)))
        .content_type(safe_type(&given.mime));
    if status == StatusCode::PARTIAL_CONTENT {
        answer.insert_header(ContentRange(ContentRangeSpec::Bytes {
            range: Some((range.start, range.end - 1)),
            instance_length: Some(given.size),
        }));
    }
    let length = range.end - range.start;
    if request.method() == Method::HEAD || length == 0 {
        let nothing = futures_util::stream::empty::<Result<bytes::Bytes, FilesError>>();
        return Ok(answer.body(SizedStream::new(length, nothing)));
    }
    let place = files.downloads.take(user)?;
    let pieces = files.bytes.read(info.id, given.kind, range).await;
    let mut pieces = Box::pin(pieces.map_err(|error| failed(info, error))?);
    // The first piece is there before anything is promised.
    let first = pieces.next().await;
    if let Some(Err(error)) = first {
        return Err(failed(info, error));
    }
    Transfer::of(request.conn_data()).goes_on();
    let all = futures_util::stream::iter(first).chain(pieces);
    let all = all.inspect(move |piece| {
        let _until_its_end = &place;
        if let Err(error) = piece {
            log::error!("a file ends early: {error}");
        }
    });
    Ok(answer.body(SizedStream::new(length, all)))
}

fn failed(info: &FileInfo, error: FilesError) -> Problem {
    log::error!("the bytes of file {} are not to be had: {error}", info.id);
    Problem::unavailable()
}

/// What every answer says. It may be kept, but whether one may still read it is asked each time.
fn protected(status: StatusCode, given: &Given) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header(ETag(given.tag.clone()))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"));
    answer
}

fn unsatisfiable(given: &Given) -> HttpResponse {
    let size = ContentRangeSpec::Bytes {
        range: None,
        instance_length: Some(given.size),
    };
    let mut answer = protected(StatusCode::RANGE_NOT_SATISFIABLE, given);
    answer
        .insert_header((CONTENT_RANGE, ContentRange(size)))
        .finish()
}

enum Wanted {
    All,
    Part(Range<u64>),
    Nothing,
}

/// What is wanted: one range at most. Several, or what is no range, are the whole (RFC 9110 §14.2).
fn wanted(request: &HttpRequest, given: &Given) -> Wanted {
    if request.method() == Method::HEAD {
        return Wanted::All; // a range is of `GET` alone
    }
    // For who has a part of another file, a part of this one is of no use.
    let same = header(request, IF_RANGE).is_none_or(|known| known == given.tag.to_string());
    let ranges = request.get_header::<RangeHeader>();
    let Some(RangeHeader::Bytes(ranges)) = ranges.filter(|_| same) else {
        return Wanted::All;
    };
    let [range] = ranges.as_slice() else {
        return Wanted::All;
    };
    if matches!(range, ByteRangeSpec::FromTo(from, to) if from > to) {
        return Wanted::All;
    }
    match range.to_satisfiable_range(given.size) {
        Some((first, last)) => Wanted::Part(first..last + 1),
        None => Wanted::Nothing,
    }
}
