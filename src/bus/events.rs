//! The receiving end of the bus, and what feeds it.
//!
//! Doubts are told apart by half a second at least: each one costs a question to the store, and
//! letters that nobody can read may come by the thousand. A doubt always follows what raised it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use super::Event;
use super::note::Letter;
use super::queue::{Entrance, Exit, queue};
use crate::protocol::UserId;

/// Letters of all users that wait to be taken.
const LETTERS_MAX: usize = 16 * 1024;
/// Bytes of them.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// From one doubt to the next.
const REST: Duration = Duration::from_millis(500);

/// What a node learns from the bus. Between a [`Event::Subscribed`], a [`Event::Doubt`] and the
/// letters there is no order: whoever is told to read the store reads what was committed before.
pub struct Events {
    notices: mpsc::UnboundedReceiver<Notice>,
    letters: Exit<(Arc<Seat>, Letter)>,
    doubted: Arc<AtomicBool>,
    /// A doubt is to be told.
    doubtful: bool,
    /// Until then no doubt is told.
    rest: Option<Pin<Box<Sleep>>>,
}

enum Notice {
    Subscribed(Arc<Seat>),
    Doubt,
}

/// What feeds one node's [`Events`]. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    notices: mpsc::UnboundedSender<Notice>,
    letters: Entrance<(Arc<Seat>, Letter)>,
    doubted: Arc<AtomicBool>,
    buffer: usize,
}

/// A subscription's place in the [`Events`]. Cheap to clone; once closed, nothing that waits for it
/// is shown any more.
#[derive(Clone)]
pub struct Inlet {
    seat: Arc<Seat>,
    feed: Feed,
}

struct Seat {
    user: UserId,
    /// Letters that wait.
    waiting: AtomicUsize,
    open: AtomicBool,
}

impl Seat {
    fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }
}

/// Events, and their feed, in which so many letters may wait for one user.
pub fn events(buffer: usize) -> (Feed, Events) {
    let (notify, notices) = mpsc::unbounded_channel();
    let (entrance, letters) = queue(LETTERS_MAX, BYTES_MAX);
    let doubted = Arc::<AtomicBool>::default();
    let feed = Feed {
        notices: notify,
        letters: entrance,
        doubted: Arc::clone(&doubted),
        buffer,
    };
    let events = Events {
        notices,
        letters,
        doubted,
        doubtful: false,
        rest: None,
    };
    (feed, events)
}

impl Feed {
    /// A place for the letters of this user.
    pub fn inlet(&self, user: &UserId) -> Inlet {
        let seat = Seat {
            user: user.clone(),
            waiting: AtomicUsize::new(0),
            open: AtomicBool::new(true),
        };
        Inlet {
            seat: Arc::new(seat),
            feed: self.clone(),
        }
    }

    /// Something may have been lost. A doubt that has not been taken stands for this one, too.
    pub fn doubt(&self) {
        if !self.doubted.swap(true, Ordering::SeqCst) {
            // An error means that nobody listens any more; the same below.
            let _ = self.notices.send(Notice::Doubt);
        }
    }
}

impl Inlet {
    /// Whose letters these are.
    pub fn user(&self) -> &UserId {
        &self.seat.user
    }

    /// Letters arrive from now on.
    pub fn subscribed(&self) {
        let _ = (self.feed.notices).send(Notice::Subscribed(Arc::clone(&self.seat)));
    }

    /// Passes a letter on. Where it finds no room it is dropped, which raises a doubt.
    pub fn deliver(&self, letter: Letter) {
        let seat = &self.seat;
        let bytes = letter.bytes();
        let fits = seat.waiting.fetch_add(1, Ordering::Relaxed) < self.feed.buffer
            && self.feed.letters.push((Arc::clone(seat), letter), bytes);
        if !fits {
            seat.waiting.fetch_sub(1, Ordering::Relaxed);
            self.feed.doubt();
        }
    }

    /// A letter was lost.
    pub fn doubt(&self) {
        self.feed.doubt();
    }

    /// Nobody waits for what this place holds, or will.
    pub fn close(&self) {
        self.seat.open.store(false, Ordering::Relaxed);
    }
}

impl Events {
    /// The next event, or `None` where the bus is gone.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        // First what no letter must hold up.
        let ended = loop {
            match self.notices.poll_recv(cx) {
                Poll::Ready(Some(Notice::Subscribed(seat))) => {
                    if seat.is_open() {
                        return Poll::Ready(Some(Event::Subscribed(seat.user.clone())));
                    }
                }
                Poll::Ready(Some(Notice::Doubt)) => self.doubtful = true,
                Poll::Ready(None) => break true,
                Poll::Pending => break false,
            }
        };
        if self.doubtful && self.has_rested(cx) {
            self.doubtful = false;
            self.rest = Some(Box::pin(sleep(REST)));
            // Before the store is asked: what is lost from here on is a doubt of its own.
            self.doubted.store(false, Ordering::SeqCst);
            return Poll::Ready(Some(Event::Doubt));
        }
        loop {
            match self.letters.poll_next(cx) {
                Poll::Ready(Some((seat, letter))) => {
                    seat.waiting.fetch_sub(1, Ordering::Relaxed);
                    if seat.is_open() {
                        let user = seat.user.clone();
                        return Poll::Ready(Some(match letter {
                            Letter::Delivery(delivery) => Event::Delivery(user, delivery),
                            Letter::Note(note) => Event::Note(user, note),
                        }));
                    }
                }
                Poll::Ready(None) if ended && !self.doubtful => return Poll::Ready(None),
                _ => return Poll::Pending,
            }
        }
    }

    fn has_rested(&mut self, cx: &mut Context<'_>) -> bool {
        let rest = self.rest.as_mut();
        rest.is_none_or(|rest| rest.as_mut().poll(cx).is_ready())
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::protocol::Delivery;

    fn letter(seq: i64) -> Delivery {
        Delivery {
            seq,
            origin: 1,
            message: Some("m".into()),
            to_origin: false,
            status: None,
            receipt: false,
        }
    }

    #[tokio::test]
    async fn one_users_letters_leave_room_for_those_of_others() {
        let (feed, mut events) = events(2);
        let ann = feed.inlet(&UserId::parse("ann").unwrap());
        let bob = feed.inlet(&UserId::parse("bob").unwrap());
        (1..=3).for_each(|seq| ann.deliver(Letter::Delivery(letter(seq))));
        bob.deliver(Letter::Delivery(letter(7)));
        assert_eq!(events.recv().await, Some(Event::Doubt));
        for (inlet, seq) in [(&ann, 1), (&ann, 2), (&bob, 7)] {
            let expected = Event::Delivery(inlet.seat.user.clone(), letter(seq));
            assert_eq!(events.recv().await, Some(expected));
        }
        ann.deliver(Letter::Delivery(letter(4)));
        ann.subscribed();
        ann.close();
        drop((ann, bob, feed));
        assert_eq!(events.recv().await, None, "nobody waits for her any more");
    }

    #[tokio::test]
    async fn a_flood_of_doubts_is_one_now_and_one_when_it_is_over() {
        let (feed, mut events) = events(2);
        let start = Instant::now();
        feed.doubt();
        feed.doubt();
        assert_eq!(events.recv().await, Some(Event::Doubt));
        assert!(start.elapsed() < REST);
        feed.doubt();
        feed.doubt();
        drop(feed);
        assert_eq!(events.recv().await, Some(Event::Doubt));
        assert!(start.elapsed() >= REST);
        assert_eq!(events.recv().await, None);
    }
}
