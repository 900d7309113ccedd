//! Checks a frame's header before its bytes are kept, and lets one frame at a time through.
//!
//! actix-http's parser buffers a frame whole before it looks at its length: one that announces
//! 1 GiB grew a bare server by 307 MB. And actix-web-actors reads all that the socket has,
//! whatever is still unanswered. Both end here.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::{Pipe, Violation};

/// Longest header of a client's frame: 2 bytes, 8 of length, 4 of mask (RFC 6455 §5.2).
const HEADER_MAX: usize = 14;
/// Largest payload of a control frame (RFC 6455 §5.5).
const CONTROL_MAX: u64 = 125;

/// The bytes of a client, one whole frame at a time.
pub struct FrameGuard<S> {
    bytes: S,
    pipe: Rc<Pipe>,
    max_frame: u64,
    /// Bytes of the frame that is not yet whole, and of those after it in the same read.
    buffer: BytesMut,
    /// Payload so far of a message in fragments; each counts one byte at least, so that empty
    /// ones come to an end too.
    fragments: u64,
    /// A frame was let through and not yet asked after: see [`Self::poll_next`].
    passed: bool,
}

/// A frame's header, as far as the guard cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    fin: bool,
    opcode: u8,
    /// Bytes of header and payload.
    header: u64,
    payload: u64,
}

impl<S> FrameGuard<S> {
    pub fn new(bytes: S, pipe: Rc<Pipe>, max_frame: usize) -> Self {
        Self {
            bytes,
            pipe,
            max_frame: max_frame as u64,
            buffer: BytesMut::new(),
            fragments: 0,
            passed: false,
        }
    }

    /// What is kept of the client's bytes, for whoever holds it against its bound.
    #[doc(hidden)]
    pub fn buffer(&self) -> &BytesMut {
        &self.buffer
    }

    /// The next whole frame in the buffer, once its header was found good.
    fn next_frame(&mut self) -> Result<Option<Bytes>, Violation> {
        let Some(header) = parse(&self.buffer)? else {
            return Ok(None);
        };
        let total = self.check(header)?;
        let length =
            usize::try_from(header.header + header.payload).map_err(|_| Violation::TooLarge)?;
        if self.buffer.len() < length {
            self.grow_to(length);
            return Ok(None);
        }
        self.fragments = total;
        if self.buffer.len() == length {
            // Nothing is kept of an allocation that is the frame's.
            return Ok(Some(std::mem::take(&mut self.buffer).freeze()));
        }
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    fn keep(&mut self, bytes: Bytes) {
        if self.buffer.is_empty() {
            // Not copied where they are nobody else's.
            self.buffer = bytes.into();
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// Makes room for the rest of a frame and no more: left to itself, the buffer would double.
    fn grow_to(&mut self, length: usize) {
        if self.buffer.capacity() < length {
            let mut exact = BytesMut::with_capacity(length);
            exact.extend_from_slice(&self.buffer);
            self.buffer = exact;
        }
    }

    /// Holds a header against the limits; returns what `fragments` is after its frame.
    fn check(&self, header: Header) -> Result<u64, Violation> {
        let is_control = header.opcode >= 8;
        if is_control {
            if !header.fin {
                return Err(Violation::Malformed);
            }
            return Ok(self.fragments);
        }
        let in_fragments = header.opcode == 0 || !header.fin;
        let total = if header.opcode == 0 {
            self.fragments + header.payload.max(1)
        } else {
            header.payload
        };
        if total > self.max_frame {
            return Err(Violation::TooLarge);
        }
        Ok(if in_fragments && !header.fin {
            total.max(1)
        } else {
            0
        })
    }

    fn fail(&mut self, violation: Violation) -> Poll<Option<Result<Bytes, PayloadError>>> {
        self.pipe.fail(violation);
        self.buffer = BytesMut::new();
        Poll::Ready(Some(Err(PayloadError::Incomplete(None))))
    }
}

/// Reads a header; `None` until enough of it is there to judge it.
fn parse(bytes: &[u8]) -> Result<Option<Header>, Violation> {
    let &[first, second, ..] = bytes else {
        return Ok(None);
    };
    let opcode = first & 0x0f;
    let reserved = first & 0x70 != 0 || !matches!(opcode, 0..=2 | 8..=10);
    let masked = second & 0x80 != 0;
    if reserved || !masked {
        return Err(Violation::Malformed);
    }
    if opcode >= 8 && u64::from(second & 0x7f) > CONTROL_MAX {
        return Err(Violation::Malformed);
    }
    let (extra, payload) = match second & 0x7f {
        126 => (
            2,
            bytes
                .get(2..4)
                .map(|b| b.iter().fold(0, |n, b| n << 8 | u64::from(*b))),
        ),
        127 => (
            8,
            bytes
                .get(2..10)
                .map(|b| b.iter().fold(0, |n, b| n << 8 | u64::from(*b))),
        ),
        short => (0, Some(u64::from(short))),
    };
    let Some(payload) = payload else {
        return Ok(None);
    };
    if payload > i64::MAX as u64 {
        return Err(Violation::Malformed);
    }
    Ok(Some(Header {
        fin: first & 0x80 != 0,
        opcode,
        header: 2 + extra + 4,
        payload,
    }))
}

impl<S> Stream for FrameGuard<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    /// Alternates between one whole frame and `Pending`.
    ///
    /// The reader above polls until `Pending`, then decodes and hands over one frame, then polls
    /// again. That it finds exactly one frame each time is what makes the gate exact. After a
    /// frame it always comes back, so that this `Pending` needs no waker.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.passed) {
            return Poll::Pending;
        }
        if this.pipe.violation().is_some() {
            return Poll::Ready(None);
        }
        loop {
            // Behind a closed gate nothing is read, and so nothing is kept.
            if !this.pipe.poll_open(cx) {
                return Poll::Pending;
            }
            match this.next_frame() {
                Err(violation) => return this.fail(violation),
                Ok(Some(frame)) => {
                    this.passed = true;
                    return Poll::Ready(Some(Ok(frame)));
                }
                Ok(None) => {}
            }
            match Pin::new(&mut this.bytes).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(bytes))) => {
                    this.pipe.hear();
                    this.keep(bytes);
                }
                Poll::Ready(None | Some(Err(_))) => return this.fail(Violation::Disconnected),
            }
        }
    }
}

const _: () = assert!(HEADER_MAX == 2 + 8 + 4);

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(max: usize) -> FrameGuard<()> {
        FrameGuard::new((), Rc::new(Pipe::default()), max)
    }

    fn feed(guard: &mut FrameGuard<()>, bytes: &[u8]) -> Result<Option<usize>, Violation> {
        guard.buffer.extend_from_slice(bytes);
        guard.next_frame().map(|frame| frame.map(|f| f.len()))
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_at_its_header() {
        let mut announces_a_gigabyte = vec![0x81, 0xff];
        announces_a_gigabyte.extend(0x4000_0000_u64.to_be_bytes());
        assert_eq!(
            feed(&mut guard(65_536), &announces_a_gigabyte),
            Err(Violation::TooLarge)
        );
        assert_eq!(
            feed(&mut guard(65_536), &[0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]),
            Err(Violation::Malformed)
        );
    }

    #[test]
    fn fragments_are_limited_as_a_whole_even_empty_ones() {
        let mut guard = guard(100);
        let fragment = |first, len: u8| {
            let mut frame = vec![first, 0x80 | len, 0, 0, 0, 0];
            frame.extend(vec![0; usize::from(len)]);
            frame
        };
        assert_eq!(feed(&mut guard, &fragment(0x01, 60)), Ok(Some(66)));
        assert_eq!(
            feed(&mut guard, &fragment(0x89, 60)),
            Ok(Some(66)),
            "a ping between counts nothing"
        );
        for _ in 0..40 {
            assert_eq!(feed(&mut guard, &fragment(0x00, 0)), Ok(Some(6)));
        }
        assert_eq!(
            feed(&mut guard, &fragment(0x00, 0)),
            Err(Violation::TooLarge)
        );
    }

    #[test]
    fn only_a_clients_frames_pass() {
        for bytes in [
            [0x81, 0x05],
            [0xc1, 0x85],
            [0x83, 0x85],
            [0x09, 0x80],
            [0x89, 0xfe],
        ] {
            let mut bytes = bytes.to_vec();
            bytes.extend([0; 8]);
            assert_eq!(
                feed(&mut guard(100), &bytes),
                Err(Violation::Malformed),
                "{bytes:x?}"
            );
        }
        assert_eq!(feed(&mut guard(100), &[0x81]), Ok(None));
        assert_eq!(feed(&mut guard(100), &[0x81, 0x81, 0, 0, 0]), Ok(None));
    }
}
