//! What a session and the two streams of its socket tell each other. All three live in one task.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures_core::Stream;

/// Why the stream of frames ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// The connection is gone.
    Disconnected,
    /// A frame, or a fragmented message, over the limit.
    TooLarge,
    /// Not a client's frame.
    Malformed,
}

/// The shared state.
#[derive(Debug)]
pub struct Pipe {
    open: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    violation: Cell<Option<Violation>>,
    /// When any byte last arrived.
    heard: Cell<Instant>,
    /// The session waits until what it wrote has gone out.
    waiting: Cell<bool>,
    /// All that was written before has gone out.
    drained: Cell<bool>,
}

impl Default for Pipe {
    /// A pipe with its gate open.
    fn default() -> Self {
        Self {
            open: Cell::new(true),
            reader: RefCell::default(),
            violation: Cell::default(),
            heard: Cell::new(Instant::now()),
            waiting: Cell::default(),
            drained: Cell::default(),
        }
    }
}

impl Pipe {
    /// Opens or closes the gate: while it is closed, no frame is read, and TCP slows the client.
    pub fn set_open(&self, open: bool) {
        self.open.set(open);
        if open && let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    /// Whether frames are read.
    pub fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Like [`Self::is_open`], and wakes the reader when that changes.
    pub(super) fn poll_open(&self, cx: &Context<'_>) -> bool {
        if !self.is_open() {
            self.reader.replace(Some(cx.waker().clone()));
        }
        self.is_open()
    }

    /// Notes that something arrived.
    pub fn hear(&self) {
        self.heard.set(Instant::now());
    }

    /// When any byte last arrived, part of a frame or not.
    pub fn heard(&self) -> Instant {
        self.heard.get()
    }

    pub(super) fn fail(&self, violation: Violation) {
        self.violation.set(Some(violation));
    }

    /// Why the stream of frames failed, where the guard knows.
    pub fn violation(&self) -> Option<Violation> {
        self.violation.get()
    }

    /// The session wants one [`Drained`] when all it wrote until now has gone out.
    pub fn await_drain(&self) {
        self.drained.set(false);
        self.waiting.set(true);
    }

    pub(super) fn set_drained(&self) {
        self.drained.set(true);
    }
}

/// All that the session wrote before it asked has been taken by the socket's buffers.
#[derive(Debug, Clone, Copy)]
pub struct Drained;

/// Yields a [`Drained`] for each [`Pipe::await_drain`].
///
/// It needs no waker: the wire polls the session again as soon as it has run dry.
pub struct DrainedStream(pub Rc<Pipe>);

impl Stream for DrainedStream {
    type Item = Drained;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Drained>> {
        if self.0.waiting.get() && self.0.drained.get() {
            self.0.waiting.set(false);
            return Poll::Ready(Some(Drained));
        }
        Poll::Pending
    }
}
