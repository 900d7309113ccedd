//! From a connection that HTTP is spoken on to one that a session speaks on.

use actix_codec::{Encoder, Framed, FramedParts};
use actix_http::body::{BodySize, BoxBody, to_bytes_limited};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Response};
use actix_web::dev::ServiceResponse;
use actix_web::error::ErrorInternalServerError;
use actix_web::{Error, HttpResponse};
use bytes::{Bytes, BytesMut};

use super::connection::Connection;
use super::parting::part;

/// No answer that is refused a connection is larger: one that is streamed is not given over such a connection at all.
const REFUSAL_MAX: usize = 16 * 1024 * 1024;

/// Stands in a request that asks to become something else. Its connection comes along with it, so that no body of it is
/// read, whatever its head says, and what it is answered with is made as a whole before any of it is sent.
pub struct Upgrading;

type Begin = dyn FnOnce(Connection, (Bytes, Bytes));

/// Goes with the answer to an upgrade: takes the connection over.
pub struct Handover(Box<Begin>);

impl Handover {
    /// `begin` is given the connection, the bytes still to be written on it, which are the answer's head,
    /// and those that the client had sent behind its request.
    pub fn new(begin: impl FnOnce(Connection, (Bytes, Bytes)) + 'static) -> Self {
        Self(Box::new(begin))
    }
}

/// Answers a request to become something else: hands its connection over where the answer says so, else the
/// connection ends with the answer.
///
/// # Errors
/// Where the connection ends before, or its answer cannot be made.
pub async fn answer(
    answered: ServiceResponse<BoxBody>,
    connection: Framed<Connection, Codec>,
) -> Result<(), Error> {
    let mut answer = answered.into_parts().1;
    let mut parts = connection.into_parts();
    let handover = answer.extensions_mut().remove::<Handover>();
    let Some(Handover(begin)) = handover else {
        return refuse(answer, parts).await;
    };
    let head = Response::from(answer).drop_body();
    put(&mut parts, Message::Item((head, BodySize::Stream)))?;
    // Copies: the buffers themselves would stay as long as the session.
    let first = Bytes::copy_from_slice(&parts.read_buf);
    let head = Bytes::copy_from_slice(&parts.write_buf);
    begin(parts.io, (head, first));
    Ok(())
}

async fn refuse(
    answer: HttpResponse,
    mut parts: FramedParts<Connection, Codec>,
) -> Result<(), Error> {
    let (mut head, body) = Response::from(answer).into_parts();
    head.head_mut().set_connection_type(ConnectionType::Close);
    let body = to_bytes_limited(body, REFUSAL_MAX).await;
    let body = body.map_err(ErrorInternalServerError)?;
    let body = body.map_err(Error::from)?;
    let size = BodySize::Sized(body.len() as u64);
    put(&mut parts, Message::Item((head, size)))?;
    put(&mut parts, Message::Chunk(Some(body)))?;
    put(&mut parts, Message::Chunk(None))?;
    part(parts.io, &parts.write_buf).await;
    Ok(())
}

type Encoded = <Codec as Encoder<Message<(Response<()>, BodySize)>>>::Error;

fn put(
    parts: &mut FramedParts<Connection, Codec>,
    message: Message<(Response<()>, BodySize)>,
) -> Result<(), Encoded> {
    let buffer: &mut BytesMut = &mut parts.write_buf;
    parts.codec.encode(message, buffer)
}
