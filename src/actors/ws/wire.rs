//! The connection under a session: what it reads, and what it writes.
//!
//! One task for each, which owns the connection from the answer to the upgrade on. actix-http would do the same
//! with a body that streams, and keep 16 KiB of buffers and the state of a request for as long as the
//! WebSocket lasts.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::{Buf, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::Pipe;
use crate::actors::link::Link;

/// So much is read at once, in bytes.
const READ: usize = 16 * 1024;

/// A client that is slow has to take so many bytes before it counts as one that takes anything: at about 500
/// bytes a second with the watchdog's 30 s. Less may be the kernel's own doing.
const PIECE: usize = 16 * 1024;

/// How long a client has to read the last frame, and to end the connection in turn.
const LINGER: Duration = Duration::from_secs(1);

/// What is read of it meanwhile, in bytes. Its answer to the close frame is behind what was on the way; who sends
/// on for ever is not worth the processor.
const PARTING_BYTES: usize = 256 * 1024;

/// What a client sends, as it comes.
pub struct Inlet<C> {
    connection: Rc<RefCell<C>>,
    /// What had come behind the request.
    first: Bytes,
}

impl<C> Inlet<C> {
    pub fn new(connection: Rc<RefCell<C>>, first: Bytes) -> Self {
        Self { connection, first }
    }
}

impl<C: AsyncRead + Unpin> Stream for Inlet<C> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.first))));
        }
        let mut room = [const { MaybeUninit::uninit() }; READ];
        let mut buffer = ReadBuf::uninit(&mut room);
        let mut connection = this.connection.borrow_mut();
        ready!(Pin::new(&mut *connection).poll_read(cx, &mut buffer)).map_err(PayloadError::Io)?;
        let read = buffer.filled();
        Poll::Ready((!read.is_empty()).then(|| Ok(Bytes::copy_from_slice(read))))
    }
}

/// See the module. Done when the connection can be dropped.
pub struct Wire<C, S> {
    connection: Rc<RefCell<C>>,
    frames: S,
    /// What is to be written before the session may write more.
    rest: Bytes,
    /// The socket did not take all of `rest` at once; so many bytes of the present piece it has taken.
    stalled: Option<usize>,
    stage: Stage,
    /// When a client that does not end is left.
    lingers: Option<Pin<Box<Sleep>>>,
    pipe: Rc<Pipe>,
    link: Arc<Link>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The session writes.
    Open,
    /// It is over with its last bytes, and the client is told that nothing more will come.
    Ending,
    /// What the client still sends, so many bytes at most, is thrown away until it has ended, too.
    Parting(usize),
}

impl<C, S> Wire<C, S> {
    /// The wire over which these frames go, after the answer to the upgrade.
    pub fn new(
        connection: Rc<RefCell<C>>,
        answer: Bytes,
        frames: S,
        (pipe, link): (Rc<Pipe>, Arc<Link>),
    ) -> Self {
        Self {
            connection,
            frames,
            rest: answer,
            stalled: None,
            stage: Stage::Open,
            lingers: None,
            pipe,
            link,
        }
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin, S> Wire<C, S> {
    /// Ready when the socket has taken all.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = Pin::new(&mut *self.connection.borrow_mut()).poll_write(cx, &self.rest);
            let Poll::Ready(written) = written else {
                if self.stalled.is_none() {
                    self.stalled = Some(0);
                    self.link.started();
                }
                self.link.handed_over();
                return Poll::Pending;
            };
            let count = written?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.advance(count);
            self.note_taken(count);
        }
        // Empty as it is, it would hold on to what it was part of.
        self.rest = Bytes::new();
        Poll::Ready(Ok(()))
    }

    /// Tells the watchdog of bytes that a slow socket has taken.
    fn note_taken(&mut self, count: usize) {
        let Some(taken) = &mut self.stalled else {
            return;
        };
        *taken += count;
        let all = self.rest.is_empty();
        if all || *taken >= PIECE {
            *taken = 0;
            self.link.took(all);
        }
        if all {
            self.stalled = None;
        }
    }

    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.connection.borrow_mut()).poll_shutdown(cx)
    }

    /// Ready when the client has ended, or had time enough to.
    fn poll_parting(&mut self, cx: &mut Context<'_>, mut left: usize) -> Poll<io::Result<()>> {
        let lingers = self.lingers.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if lingers.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while left > 0 {
            let mut room = [const { MaybeUninit::uninit() }; READ];
            let mut buffer = ReadBuf::uninit(&mut room);
            let mut connection = self.connection.borrow_mut();
            ready!(Pin::new(&mut *connection).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            left = left.saturating_sub(buffer.filled().len());
            self.stage = Stage::Parting(left);
        }
        // Nothing more is read: what remains is the time that was given.
        Poll::Pending
    }
}

impl<C, S, E> Wire<C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.stage {
                Stage::Open => {
                    ready!(self.poll_write(cx))?;
                    // The session is polled only here: when everything before has gone out.
                    self.pipe.set_drained();
                    match ready!(Pin::new(&mut self.frames).poll_next(cx)) {
                        Some(Ok(bytes)) => self.rest = bytes,
                        Some(Err(_)) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                        None => {
                            self.link.over();
                            self.stage = Stage::Ending;
                        }
                    }
                }
                Stage::Ending => {
                    ready!(self.poll_end(cx))?;
                    self.stage = Stage::Parting(PARTING_BYTES);
                }
                Stage::Parting(left) => return self.poll_parting(cx, left),
            }
        }
    }
}

impl<C, S, E> Future for Wire<C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // An error means that the connection is gone, which is all that can be done about it.
        self.get_mut().poll_io(cx).map(drop)
    }
}

impl<C, S> Drop for Wire<C, S> {
    fn drop(&mut self) {
        self.link.over();
    }
}
