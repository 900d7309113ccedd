//! A connection that HTTP is spoken on, plain or encrypted: to actix-http the two are alike.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::actors::link::Link;

/// What is read of a client after its session is over, in bytes. Its answer to the close frame is behind
/// what was on the way; who sends on for ever is not worth the processor.
const PARTING: usize = 256 * 1024;

/// A connection of a client.
pub struct Connection {
    stream: Stream,
    link: Option<Arc<Link>>,
    /// Of [`PARTING`].
    parting: usize,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Encrypted),
}

impl Connection {
    pub fn plain(stream: TcpStream, link: Option<Arc<Link>>) -> Self {
        Self {
            stream: Stream::Plain(stream),
            link,
            parting: PARTING,
        }
    }

    pub fn encrypted(stream: TlsStream<TcpStream>, link: Option<Arc<Link>>) -> Self {
        Self {
            stream: Stream::Encrypted(Encrypted::new(stream, link.clone())),
            link,
            parting: PARTING,
        }
    }

    /// Its handle, where there was a descriptor left for one.
    pub fn link(&self) -> Option<&Arc<Link>> {
        self.link.as_ref()
    }

    fn is_over(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_over())
    }
}

/// A TLS connection that says a piece was written when the socket has it.
///
/// rustls takes 64 KiB and says so at once, whether or not the client reads. What is above counts on
/// being asked for more only when everything before has gone: see `actors::ws`.
struct Encrypted {
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
    fn new(stream: TlsStream<TcpStream>, link: Option<Arc<Link>>) -> Self {
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
        let this = self.get_mut();
        let is_over = this.is_over();
        if is_over && this.parting == 0 {
            // It ends when its time to linger does, which wakes whoever reads.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Encrypted(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        if is_over {
            let count = buffer.filled().len() - before;
            this.parting = this.parting.saturating_sub(count);
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
