//! Who comes in when, where many come at once.
//!
//! A worker runs what is ready in turns, first come, first served. When everybody reconnects, thousands of
//! requests are ready at once, and whoever is connected already would wait behind all of them for every frame.
//! So of those who come, a few are let in with each turn of the worker. Nobody waits for anybody but the
//! worker: who is silent, or slow, takes nobody's place, and where nobody else is busy all come in at once.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::Instant;

/// So many come in with each turn, if it was short.
const EACH_TURN: usize = 4;
/// If it was long, one for so much of it, so that a worker which is busy with those who are in still takes in some
/// 500 a second. Who comes costs it some 0.1 ms until it is a session, and more after that: with one for each 0.4 ms
/// the turns of a storm made each other longer, and live messages waited twice as long.
const ONE_FOR: Duration = Duration::from_millis(2);
/// No more than so many, however long it was.
const MOST: usize = 16;
/// How the head of a request for a WebSocket begins.
pub const UPGRADE: &[u8; 7] = b"GET /ws";

/// A turn that is waited for.
pub type Turn = Pin<Box<dyn Future<Output = ()>>>;

/// The way in of one worker.
pub struct Turnstile {
    /// Who may still come in with this turn.
    room: Semaphore,
    /// Whether [`Self::turns`] runs.
    turning: Cell<bool>,
}

impl Default for Turnstile {
    fn default() -> Self {
        Self {
            room: Semaphore::new(EACH_TURN),
            turning: Cell::new(false),
        }
    }
}

impl Turnstile {
    /// Ready when it is the turn of who waits for this. It is to be waited for when there is something to do:
    /// from a client's first bytes on.
    pub async fn turn(self: Rc<Self>) {
        self.begin();
        // It is never closed. Who goes away while waiting leaves its place to the next.
        if let Ok(place) = self.room.acquire().await {
            place.forget();
        }
    }

    /// The same, where nobody waits; else its turn is returned.
    pub fn come_in(self: &Rc<Self>) -> Option<Turn> {
        match self.room.try_acquire() {
            Ok(place) => {
                self.begin();
                place.forget();
                None
            }
            Err(_) => Some(Box::pin(Rc::clone(self).turn())),
        }
    }

    fn begin(self: &Rc<Self>) {
        if !self.turning.replace(true) {
            rt::spawn(Rc::clone(self).turns());
        }
    }

    /// Makes room once with every turn of the worker, while anybody needs it.
    async fn turns(self: Rc<Self>) {
        let mut room = EACH_TURN;
        let mut began = Instant::now();
        loop {
            yield_now().await;
            let left = self.room.available_permits();
            if left >= room {
                self.room.forget_permits(left.saturating_sub(EACH_TURN));
                break;
            }
            let now = Instant::now();
            room = room_after(now - began);
            began = now;
            match left < room {
                true => self.room.add_permits(room - left),
                false => drop(self.room.forget_permits(left - room)),
            }
        }
        self.turning.set(false);
    }
}

/// For how many there is room after a turn of this length.
fn room_after(turn: Duration) -> usize {
    let room = turn.as_micros() / ONE_FOR.as_micros();
    usize::try_from(room).map_or(MOST, |room| room.clamp(EACH_TURN, MOST))
}

/// Whether a plain request that begins so is what a crowd comes for. Who asks for something else does not
/// wait: a load balancer's probe must not stand behind a crowd.
pub fn takes_turns(begins: &[u8]) -> bool {
    !begins.is_empty() && UPGRADE.starts_with(begins)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const CROWD: usize = 100;

    #[actix_web::test]
    async fn a_crowd_comes_in_one_after_another_and_with_each_turn_a_few() {
        let turnstile = Rc::new(Turnstile::default());
        let inside = Rc::new(RefCell::new(Vec::new()));
        for number in 0..CROWD {
            let (turnstile, inside) = (Rc::clone(&turnstile), Rc::clone(&inside));
            rt::spawn(async move {
                turnstile.turn().await;
                inside.borrow_mut().push(number);
            });
        }
        // Whoever is inside already gets a turn of their own each time.
        let mut before = 0;
        // The turn that made room is one of the last three, as they are seen here.
        let mut began = [Instant::now(); 3];
        while before < CROWD {
            yield_now().await;
            let now = inside.borrow().len();
            let came = now - before;
            let room = room_after(began[0].elapsed());
            assert!(came <= room, "{came} came in at once, not {room}");
            before = now;
            began = [began[1], began[2], Instant::now()];
        }
        assert!(inside.borrow().is_sorted());
    }

    #[test]
    fn a_long_turn_makes_room_for_more_but_not_for_a_crowd() {
        let room = |millis| room_after(Duration::from_millis(millis));
        assert_eq!([room(0), room(5), room(20), room(10_000)], [4, 4, 10, MOST]);
    }

    #[actix_web::test]
    async fn who_goes_away_while_waiting_takes_nobodys_place() {
        let turnstile = Rc::new(Turnstile::default());
        for _ in 0..CROWD {
            let turnstile = Rc::clone(&turnstile);
            let waits = rt::spawn(turnstile.turn());
            yield_now().await;
            waits.abort();
        }
        for _ in 0..2 * EACH_TURN {
            Rc::clone(&turnstile).turn().await;
        }
        while turnstile.turning.get() {
            yield_now().await;
        }
        assert_eq!(turnstile.room.available_permits(), EACH_TURN);
    }

    #[test]
    fn only_who_comes_for_a_websocket_takes_turns() {
        for begins in [&b"GET /ws"[..], b"G", b"GET /w"] {
            assert!(takes_turns(begins), "{begins:?}");
        }
        for begins in [&b""[..], b"GET /he", b"POST /v", b"get /ws", b"\r\n"] {
            assert!(!takes_turns(begins), "{begins:?}");
        }
    }
}
