//! A connection that HTTP is spoken on, plain or encrypted: to actix-http the two are alike.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::actors::link::Link;

/// A connection of a client.
pub enum Connection {
    /// TCP.
    Plain(TcpStream, Option<Arc<Link>>),
    /// TLS.
    Encrypted(Encrypted),
}

impl Connection {
    /// Its handle, where there was a descriptor left for one.
    pub fn link(&self) -> Option<&Arc<Link>> {
        match self {
            Self::Plain(_, link) => link.as_ref(),
            Self::Encrypted(encrypted) => encrypted.link.as_ref(),
        }
    }
}

/// A TLS connection that says a piece was written when the socket has it.
///
/// rustls takes 64 KiB and says so at once, whether or not the client reads. What is above counts on
/// being asked for more only when everything before has gone: see `actors::ws`.
pub struct Encrypted {
    stream: Box<TlsStream<TcpStream>>,
    link: Option<Arc<Link>>,
    /// Bytes that rustls has taken, and whoever wrote them was not told.
    untold: usize,
    /// The client was told that nothing more will come.
    ended: bool,
}

/// Most bytes that are encrypted before the socket has them: one record (RFC 8446 §5.1).
const PIECE: usize = 16 * 1024;

impl Encrypted {
    pub fn new(stream: TlsStream<TcpStream>, link: Option<Arc<Link>>) -> Self {
        Self {
            stream: Box::new(stream),
            link,
            untold: 0,
            ended: false,
        }
    }

    fn is_finished(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_finished())
    }
}

impl AsyncRead for Encrypted {
    /// An end without a `close_notify` is an end: frames and requests have ends of their own.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.stream).poll_read(cx, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for Encrypted {
    /// After `Pending` it must be called with the same bytes again, as actix-http does: they are
    /// encrypted already.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.untold == 0 {
            let piece = bytes.get(..PIECE).unwrap_or(bytes);
            self.untold = ready!(Pin::new(&mut self.stream).poll_write(cx, piece))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.untold)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.is_finished() && !self.ended {
            ready!(self.as_mut().poll_shutdown(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.ended = true;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_read(cx, buffer),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_write(cx, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_flush(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_shutdown(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
