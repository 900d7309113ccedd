//! What goes out, in pieces small enough that a stalled socket is seen at once.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use bytes::Bytes;
use futures_core::Stream;

use super::Pipe;
use crate::actors::link::Link;

/// Largest piece handed to the connection, which asks for the next one when the last has gone (its
/// write buffer is set to a size of 1). So a client that takes anything at all is seen to take it, at about 500 bytes a second
/// with the watchdog's 30 s.
const PIECE: usize = 16 * 1024;

/// The body of the upgrade response: the frames of a session.
pub struct Outlet<S> {
    frames: Pin<Box<S>>,
    rest: Bytes,
    /// Nothing more will come.
    ended: bool,
    pipe: Rc<Pipe>,
    link: Arc<Link>,
}

impl<S> Outlet<S> {
    pub fn new(frames: S, pipe: Rc<Pipe>, link: Arc<Link>) -> Self {
        Self {
            frames: Box::pin(frames),
            rest: Bytes::new(),
            ended: false,
            pipe,
            link,
        }
    }
}

impl<S> Stream for Outlet<S>
where
    S: Stream<Item = Result<Bytes, Error>>,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.link.took(this.rest.is_empty());
        if this.ended {
            // The connection wrote its last bytes since the poll before.
            this.link.finish();
            return Poll::Ready(None);
        }
        if this.rest.is_empty() {
            // The session is polled only here: when everything before has gone out.
            this.pipe.set_drained();
            match ready!(this.frames.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) => {
                    this.link.started();
                    this.rest = bytes;
                }
                None => {
                    // The session is over with our last bytes. Without this the client would wait
                    // for the end of the connection, and we, in actix-http, for the client.
                    this.link.over();
                    this.ended = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                error => {
                    this.link.over();
                    return Poll::Ready(error);
                }
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        if this.rest.is_empty() {
            this.rest = Bytes::new();
        }
        this.link.handed_over();
        Poll::Ready(Some(Ok(piece)))
    }
}

impl<S> Drop for Outlet<S> {
    fn drop(&mut self) {
        self.link.over();
    }
}
