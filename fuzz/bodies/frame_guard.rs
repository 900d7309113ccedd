//! Any bytes, cut in any way, through the guard before the WebSocket parser: it never holds more than
//! one frame and one read, and the cuts change nothing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_http::ws::Parser;
use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use yanshu::actors::ws::guard::FrameGuard;
use yanshu::actors::ws::{Pipe, Violation};

/// Limits around the borders of the three forms of a length, and the server's own.
const LIMITS: [usize; 6] = [1, 125, 126, 200, 1000, 64 * 1024];
/// Largest payload of a control frame, which no limit concerns.
const CONTROL_MAX: usize = 125;
/// Longest header of a frame.
const HEADER_MAX: usize = 14;
/// The least that a buffer takes when it has given some of itself away.
const BUFFER_MIN: usize = 64 * 1024;

/// A byte that chooses the limit, one that says how many lengths of reads follow, those, and then
/// what the client sends.
pub fn run(data: &[u8]) {
    let &[limit, count, ref rest @ ..] = data else {
        return;
    };
    let limit = LIMITS[usize::from(limit) % LIMITS.len()];
    let (cuts, sent) = rest.split_at(usize::from(count % 32).min(rest.len()));
    let whole = Verdict::of(limit, [sent].into_iter());
    whole.is_sound(limit, sent);
    assert_eq!(whole, Verdict::of(limit, sent.chunks(1)), "byte by byte");
    assert_eq!(whole, Verdict::of(limit, reads(sent, cuts)), "cut");
}

/// `sent` in reads of these lengths, over and over.
fn reads<'a>(mut sent: &'a [u8], cuts: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = cuts.iter().cycle();
    std::iter::from_fn(move || {
        let length = lengths
            .next()
            .map_or(sent.len(), |n| usize::from(*n).max(1));
        let read;
        (read, sent) = sent.split_at(length.min(sent.len()));
        (!read.is_empty()).then_some(read)
    })
}

/// What came through, and what ended it.
#[derive(Debug, PartialEq)]
struct Verdict {
    frames: Vec<Bytes>,
    end: Option<Violation>,
}

impl Verdict {
    fn of<'a>(limit: usize, reads: impl Iterator<Item = &'a [u8]>) -> Self {
        let socket = Socket::default();
        let pipe = Rc::new(Pipe::default());
        let mut guard = FrameGuard::new(socket.clone(), Rc::clone(&pipe), limit);
        let mut frames = Vec::new();
        for read in reads {
            socket.push(Some(Bytes::copy_from_slice(read)));
            drain(&mut guard, &mut frames);
            holds_no_more_than_it_may(guard.buffer(), limit, read.len());
        }
        socket.push(None);
        drain(&mut guard, &mut frames);
        Self {
            frames,
            end: pipe.violation(),
        }
    }

    /// Frames are what was sent, whole, one at a time, and within the limit.
    fn is_sound(&self, limit: usize, sent: &[u8]) {
        assert!(self.end.is_some(), "the end of the stream is an end");
        let through = self.frames.concat();
        assert!(sent.starts_with(&through), "other bytes than were sent");
        for frame in &self.frames {
            assert!(frame.len() <= HEADER_MAX + limit.max(CONTROL_MAX));
            let mut bytes = BytesMut::from(&frame[..]);
            match Parser::parse(&mut bytes, true, limit) {
                Ok(Some(_)) => assert!(bytes.is_empty(), "more than a frame"),
                Ok(None) => panic!("less than a frame"),
                Err(_) => {}
            }
        }
    }
}

/// Polls as the reader above the guard does: once more after each frame, which finds nothing.
fn drain(guard: &mut FrameGuard<Socket>, frames: &mut Vec<Bytes>) {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut *guard).poll_next(&mut context) {
            Poll::Ready(Some(Ok(frame))) => {
                frames.push(frame);
                let next = Pin::new(&mut *guard).poll_next(&mut context);
                assert!(next.is_pending(), "two frames at a time");
            }
            Poll::Ready(Some(Err(_))) => {}
            Poll::Ready(None) | Poll::Pending => return,
        }
    }
}

/// Less than a frame, and the read that was last.
fn holds_no_more_than_it_may(buffer: &BytesMut, limit: usize, read: usize) {
    let frame = HEADER_MAX + limit.max(CONTROL_MAX);
    assert!(buffer.len() < frame + read, "{} bytes", buffer.len());
    let room = (2 * (frame + read)).max(BUFFER_MIN);
    assert!(buffer.capacity() <= room, "room for {}", buffer.capacity());
}

/// What has arrived and was not read; `None` is the end.
#[derive(Clone, Default)]
struct Socket(Rc<RefCell<VecDeque<Option<Bytes>>>>);

impl Socket {
    fn push(&self, read: Option<Bytes>) {
        self.0.borrow_mut().push_back(read);
    }
}

impl Stream for Socket {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.borrow_mut().pop_front() {
            Some(read) => Poll::Ready(read.map(Ok)),
            None => Poll::Pending,
        }
    }
}
