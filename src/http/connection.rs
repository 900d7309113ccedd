//! A connection that HTTP is spoken on, plain or encrypted: to actix-http the two are alike.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::turnstile::{Turn, Turnstile, UPGRADE, takes_turns};
use crate::actors::link::Link;

/// The head of a request is no longer than this, in bytes. Without a bound here, actix-http would keep 128 KiB
/// of one that never ends.
const HEAD_MAX: usize = 16 * 1024;

/// It is read in pieces of so many bytes at most.
const HEAD_PIECE: usize = 4 * 1024;

/// Receive buffer of a WebSocket in the kernel, which counts for each connection.
const RECEIVE_BUFFER: usize = 32 * 1024;

/// A connection of a client.
pub struct Connection {
    stream: Stream,
    link: Arc<Link>,
    head: Head,
    way: Way,
}

/// What may be read before the first request is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// So many bytes more.
    Left(usize),
    /// None; actix-http is looking whether a request is among them.
    Looking,
    /// It is there.
    Whole,
}

/// The way in, which a plain connection takes with its first bytes.
enum Way {
    To(Rc<Turnstile>),
    Waiting(Turn),
    In,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Encrypted),
}

impl Connection {
    /// A plain connection that reads nothing before its turn.
    pub fn plain(stream: TcpStream, link: Arc<Link>, turnstile: Rc<Turnstile>) -> Self {
        Self::new(Stream::Plain(stream), link, Way::To(turnstile))
    }

    /// A connection whose handshake is over.
    pub fn encrypted(stream: TlsStream<TcpStream>, link: Arc<Link>) -> Self {
        Self::new(Stream::Encrypted(Encrypted::new(stream)), link, Way::In)
    }

    fn new(stream: Stream, link: Arc<Link>, way: Way) -> Self {
        Self {
            stream,
            link,
            head: Head::Left(HEAD_MAX),
            way,
        }
    }

    /// Its handle.
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// It is a WebSocket from now on: small messages, and many of them idle.
    pub fn upgraded(&self) {
        self.link.upgraded();
        if let Err(error) = self.socket().set_recv_buffer_size(RECEIVE_BUFFER) {
            log::debug!("the receive buffer stays as it is: {error}");
        }
    }

    fn socket(&self) -> SockRef<'_> {
        match &self.stream {
            Stream::Plain(stream) => SockRef::from(stream),
            Stream::Encrypted(stream) => SockRef::from(stream.stream.get_ref().0),
        }
    }

    /// What became of reading or writing, or an error where it would wait and the watchdog has cut the
    /// connection: then it is reset as it is dropped.
    fn unless_cut<T>(
        &self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_pending() && self.link.poll_cut(cx).is_ready() {
            // An error means that the connection is gone already.
            let _ = self.socket().set_linger(Some(Duration::ZERO));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        done
    }

    /// How much of the first request's head may be read now; `None` where it has come.
    fn head_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        if self.head != Head::Whole && self.link.is_requested() {
            self.head = Head::Whole;
        }
        match self.head {
            Head::Whole => Poll::Ready(Ok(None)),
            Head::Left(0) => {
                // What was read is looked at once this says that there is no more for now.
                self.head = Head::Looking;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Head::Left(left) => Poll::Ready(Ok(Some(left))),
            Head::Looking => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
        }
    }

    /// Ready when it may read: once there is something to read, and it is its turn, or it takes none.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match (&mut self.way, &self.stream) {
                (Way::To(turnstile), Stream::Plain(stream)) => {
                    let mut begins = [0; UPGRADE.len()];
                    let mut begins = ReadBuf::new(&mut begins);
                    ready!(stream.poll_peek(cx, &mut begins))?;
                    let waits = takes_turns(begins.filled()).then(|| turnstile.come_in());
                    self.way = waits.flatten().map_or(Way::In, Way::Waiting);
                }
                (Way::Waiting(turn), _) => {
                    ready!(turn.as_mut().poll(cx));
                    self.way = Way::In;
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.link.is_deaf() {
            return Poll::Ready(Ok(()));
        }
        if self.link.is_ahead() {
            return self.unless_cut(cx, Poll::Pending);
        }
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Encrypted(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        self.link.came(buffer.filled().len() - before);
        self.unless_cut(cx, read)
    }
}

/// A TLS connection that says a piece was written when the socket has it.
///
/// rustls takes 64 KiB and says so at once, whether or not the client reads. What is above counts on
/// being asked for more only when everything before has gone: see `actors::ws`.
struct Encrypted {
    stream: Box<TlsStream<TcpStream>>,
    /// Bytes that rustls has taken, and whoever wrote them was not told.
    untold: usize,
}

/// Most bytes that are encrypted before the socket has them: one record (RFC 8446 §5.1).
const PIECE: usize = 16 * 1024;

impl Encrypted {
    fn new(stream: TlsStream<TcpStream>) -> Self {
        Self {
            stream: Box::new(stream),
            untold: 0,
        }
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
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(left) = ready!(this.head_left(cx))? else {
            return this.read(cx, buffer);
        };
        let turn = this.poll_turn(cx);
        ready!(this.unless_cut(cx, turn))?;
        let mut room = [const { MaybeUninit::uninit() }; HEAD_PIECE];
        let length = left.min(HEAD_PIECE).min(buffer.remaining());
        let mut piece = ReadBuf::uninit(&mut room[..length]);
        ready!(this.read(cx, &mut piece))?;
        buffer.put_slice(piece.filled());
        this.head = Head::Left(left - piece.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let done = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        if let Poll::Ready(Ok(written)) = done {
            this.link.moved(written);
        }
        this.unless_cut(cx, done)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let done = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        };
        this.unless_cut(cx, done)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let done = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        };
        this.unless_cut(cx, done)
    }
}
