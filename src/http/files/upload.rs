//! `POST /files`.
//!
//! The body goes into a spool, and out of it to where it stays. Until the whole of it has come, nothing but the
//! spool knows of it: an upload that ends early has never been.

use std::future::poll_fn;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, rt};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use uuid::Uuid;

use super::asking::who;
use super::headers::mime;
use super::{Files, places::Place};
use crate::actors::Stage;
use crate::actors::link::Transfer;
use crate::files::{FilesError, Looked, Spool, Spooled};
use crate::http::problem::Problem;
use crate::http::upgrade::{Door, header};
use crate::protocol::{FileId, UserId, file_name};
use crate::store::{Admitted, FILE_OVERHEAD, FileInfo, Picture};

/// So many bytes of a body come in before those that have are in the spool.
const AHEAD: u64 = 32 * 1024;
/// A picture larger than this, in bytes, is not looked at.
const PICTURE_MAX: u64 = 16 * 1024 * 1024;
/// Whoever is refused may be in the middle of sending, and reads the answer only after so many bytes of it…
const DRAINED: usize = 16 * 1024 * 1024;
/// …or so long, or when no more comes for a moment.
const DRAINS_FOR: Duration = Duration::from_secs(5);
const DRAINS_ON: Duration = Duration::from_secs(1);

/// What is said of a file beside it.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

/// Who sends a file up.
struct Owner {
    user: UserId,
    /// A number of whoever had the ID when it began.
    tenure: i64,
}

/// What an upload is answered with, and the text of the message that carries the file.
#[derive(Serialize)]
struct Answer<'a> {
    id: String,
    name: &'a str,
    size: u64,
    mime: &'a str,
    sha256: &'a str,
    url: String,
    #[serde(flatten)]
    picture: Option<AnswerPicture>,
}

#[derive(Serialize)]
struct AnswerPicture {
    width: u32,
    height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail: Option<String>,
}

/// Takes a file in.
pub async fn upload(
    request: HttpRequest,
    mut body: Payload,
    door: Data<Door>,
    files: Data<Files>,
) -> Result<HttpResponse, Problem> {
    let transfer = Transfer::of(request.conn_data());
    transfer.within(AHEAD);
    let result = take(&request, &mut body, (&door, &files), &transfer).await;
    if result.is_err() {
        // Bytes that are left unread would reset the connection, and take the answer with them.
        drain(body, &transfer).await;
    }
    files
        .metrics
        .upload(result.as_ref().err().map(Problem::code));
    let info = result?;
    let url = info.id.url();
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, url.as_str()))
        .json(answer(&info, url)))
}

fn answer(info: &FileInfo, url: String) -> Answer<'_> {
    let thumbnail = format!("{url}/thumbnail");
    Answer {
        id: info.id.to_string(),
        name: &info.name,
        size: info.size,
        mime: &info.mime,
        sha256: &info.sha256,
        url,
        picture: info.picture.as_ref().map(|picture| AnswerPicture {
            width: picture.width,
            height: picture.height,
            thumbnail: picture.thumbnail.as_ref().map(|_| thumbnail),
        }),
    }
}

async fn take(
    request: &HttpRequest,
    body: &mut Payload,
    (door, files): (&Door, &Data<Files>),
    transfer: &Transfer,
) -> Result<FileInfo, Problem> {
    let user = who(request, door)?;
    if *door.shared.stage.borrow() == Stage::Leaving {
        return Err(Problem::busy());
    }
    let named = Query::<Named>::from_query(request.query_string());
    let named = named.map_err(|error| Problem::bad_request(format!("the query: {error}")))?;
    let said = header(request, CONTENT_TYPE);
    if said.is_some_and(|said| said.trim_start().starts_with("multipart/")) {
        let text = "the body is the file itself, not a form: its name goes into the query, ?name=";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported_media_type", text));
    }
    let place = files.uploads.take(&user)?;
    let tenure = check_announced(request, files, &user).await?;
    let spooled = receive(body, files, transfer).await?;
    transfer.rests();
    let name = file_name(&named.name);
    let mime = mime(said, &name);
    let info = FileInfo {
        id: FileId::new(Uuid::new_v4().as_u128()),
        name,
        mime,
        size: spooled.size,
        sha256: spooled.sha256.clone(),
        picture: None,
    };
    // Whoever sent it may go now: what has come whole is kept.
    let owner = Owner { user, tenure };
    let kept = rt::spawn(keep(files.clone(), owner, info, spooled, place));
    kept.await.unwrap_or_else(|_| Err(Problem::unavailable()))
}

/// Refuses what can be refused before it comes. Returns the user's tenure.
async fn check_announced(
    request: &HttpRequest,
    files: &Files,
    user: &UserId,
) -> Result<i64, Problem> {
    let length = header(request, CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    let length = length.unwrap_or(0);
    if length > files.size_max {
        return Err(too_large(files));
    }
    let login = user.clone();
    let usage = files
        .desk
        .read(move |store| store.file_usage(login.as_str()))
        .await?;
    if !usage.has_room(length, files.quota) {
        return Err(over_quota(files, usage.bytes));
    }
    Ok(usage.tenure)
}

/// Takes the body in, whole.
async fn receive(
    body: &mut Payload,
    files: &Files,
    transfer: &Transfer,
) -> Result<Spooled, Problem> {
    let mut spool = files.bytes.spool().await.map_err(failed)?;
    transfer.goes_on();
    while let Some(piece) = next(body, transfer).await {
        take_piece(&mut spool, piece, files).await?;
    }
    spool.end().await.map_err(failed)
}

/// The next piece. When there is none for now, all that had come was taken.
async fn next(
    body: &mut Payload,
    transfer: &Transfer,
) -> Option<Result<bytes::Bytes, PayloadError>> {
    poll_fn(|cx| {
        let piece = body.poll_next_unpin(cx);
        if piece.is_pending() {
            transfer.took_all();
        }
        piece
    })
    .await
}

async fn take_piece(
    spool: &mut Spool,
    piece: Result<bytes::Bytes, PayloadError>,
    files: &Files,
) -> Result<(), Problem> {
    let piece = piece.map_err(|error| Problem::bad_request(format!("the body: {error}")))?;
    if spool.size() + piece.len() as u64 > files.size_max {
        return Err(too_large(files));
    }
    spool.take(&piece).await.map_err(failed)
}

/// Keeps what has come whole, its row first: whatever ends this in between, the row says what to clear away.
async fn keep(
    files: Data<Files>,
    owner: Owner,
    mut info: FileInfo,
    spooled: Spooled,
    _place: Place,
) -> Result<FileInfo, Problem> {
    let looked = if spooled.size <= PICTURE_MAX {
        files.bytes.look(&spooled).await
    } else {
        None
    };
    let mut thumbnail = None;
    if let Some(looked) = looked {
        thumbnail = describe(&mut info, looked);
    }
    let id = info.id;
    if let Err(problem) = admit(&files, owner, &info).await {
        // Where the store did not answer in time, the row may still come.
        give_up(&files, id).await;
        return Err(problem);
    }
    if let Err(error) = files.bytes.keep(id, spooled, thumbnail).await {
        give_up(&files, id).await;
        return Err(failed(error));
    }
    let is_there = files.desk.write(move |store| store.file_is_there(id));
    match is_there.await {
        Ok(true) => Ok(info),
        // It took so long that its row was cleared away.
        Ok(false) => {
            give_up(&files, id).await;
            Err(Problem::unavailable())
        }
        Err(problem) => Err(problem),
    }
}

/// Writes the row of a file whose bytes are about to be kept.
async fn admit(files: &Files, owner: Owner, info: &FileInfo) -> Result<(), Problem> {
    let (row, quota) = (info.clone(), files.quota);
    let admitted = files.desk.write(move |store| {
        let Owner { user, tenure } = owner;
        store.admit_file((&user, tenure), &row, quota)
    });
    match admitted.await? {
        Admitted::Yes => Ok(()),
        Admitted::OverQuota(used) => Err(over_quota(files, used)),
        Admitted::Deleted => Err(Problem::forbidden("this user was deleted meanwhile")),
    }
}

/// Takes in what a picture looks like. Returns its thumbnail.
fn describe(info: &mut FileInfo, looked: Looked) -> Option<bytes::Bytes> {
    let thumbnail = looked.thumbnail;
    looked.mime.clone_into(&mut info.mime);
    info.picture = Some(Picture {
        width: looked.width,
        height: looked.height,
        thumbnail: thumbnail.as_ref().map(|small| small.mime.to_owned()),
    });
    thumbnail.map(|small| small.bytes)
}

/// Clears away what could not be kept. What is left of it, or comes after all, a sweep finds.
async fn give_up(files: &Files, id: FileId) {
    let late = files.bytes.comes_late();
    let dropped = files
        .desk
        .write(move |store| store.drop_file(id, late.unwrap_or_default()));
    let dropped = dropped.await;
    let removed = files.bytes.remove(id).await;
    if late.is_none() && dropped.is_ok() && removed.is_ok() {
        let _ = files.desk.write(move |store| store.forget_file(id)).await;
    }
}

/// Reads on for a while, into nothing; whoever goes on after that is not listened to.
async fn drain(mut body: Payload, transfer: &Transfer) {
    transfer.within(0);
    let mut left = DRAINED;
    let draining = async {
        while let Ok(Some(Ok(piece))) = timeout(DRAINS_ON, body.next()).await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                break;
            }
        }
    };
    let _ = timeout(DRAINS_FOR, draining).await;
    transfer.is_over();
}

fn too_large(files: &Files) -> Problem {
    Problem::too_large(format!("a file is {} bytes at most", files.size_max))
}

fn over_quota(files: &Files, used: u64) -> Problem {
    let quota = files.quota;
    let text = format!(
        "this user has {used} bytes of files here, and may have {quota} (each file counts {FILE_OVERHEAD} more)"
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "quota_exceeded", text)
}

fn failed(error: FilesError) -> Problem {
    match error {
        FilesError::Full(why) => {
            log::error!("a file could not be kept: {why}");
            Problem::storage_full("the server has no room for this file")
        }
        error => {
            log::error!("a file could not be kept: {error}");
            Problem::unavailable()
        }
    }
}
