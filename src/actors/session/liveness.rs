//! Is anybody there? Deadlines, pings, and what a pong tells about receipts.

use actix::AsyncContext;

use super::{Ctx, Session, State};
use crate::actors::chat_server::Told;
use crate::protocol::CloseCode;

/// What a session knows of the other side's life.
#[derive(Debug, Default)]
pub struct Liveness {
    /// The number of the last ping, which is its payload.
    ping: u64,
    /// The largest number of a receipt that went out.
    receipts: i64,
    /// The same when the last ping went out.
    pinged: i64,
    /// The largest number of a receipt that the store knows to be told.
    told: i64,
}

impl Liveness {
    /// Receipts up to this number went out.
    pub fn receipts(&mut self, upto: i64) {
        self.receipts = self.receipts.max(upto);
    }

    /// The payload of the next ping.
    fn next_ping(&mut self) -> [u8; 8] {
        self.ping += 1;
        self.pinged = self.receipts;
        self.ping.to_be_bytes()
    }

    /// A pong arrived. Where it answers the last ping, the receipts that had gone out before that
    /// ping are told: returns their largest number, if the store does not know yet.
    fn ponged(&mut self, payload: &[u8]) -> Option<i64> {
        let answers = payload == self.ping.to_be_bytes() && self.ping > 0;
        if answers && self.pinged > self.told {
            self.told = self.pinged;
            return Some(self.told);
        }
        None
    }
}

impl Session {
    pub(super) fn start_liveness(&mut self, ctx: &mut Ctx) {
        let deadlines = self.shared.deadlines;
        ctx.run_later(deadlines.connect, move |this, ctx| {
            match this.state {
                State::Anonymous => this.close(CloseCode::Idle, ctx),
                // A connect frame came in time: its answer is up to the server.
                State::Connecting(_) => {
                    ctx.run_later(deadlines.answer, |this, ctx| {
                        if matches!(this.state, State::Anonymous | State::Connecting(_)) {
                            this.close(CloseCode::Idle, ctx);
                        }
                    });
                }
                State::Connected(_) | State::Leaving(..) => {}
            }
        });
        ctx.run_interval(deadlines.ping, |this, ctx| {
            let payload = this.liveness.next_ping();
            ctx.ping(&payload);
        });
        self.watch_idle(deadlines.idle, ctx);
    }

    /// Looks again when the silence could have become too long.
    fn watch_idle(&self, after: std::time::Duration, ctx: &mut Ctx) {
        ctx.run_later(after, |this, ctx| {
            let limit = this.shared.deadlines.idle;
            // Behind a closed gate nothing can be heard: the client waits for us.
            if !this.pipe.is_open() {
                this.pipe.hear();
            }
            match limit.checked_sub(this.pipe.heard().elapsed()) {
                Some(left) if !left.is_zero() => this.watch_idle(left, ctx),
                _ => this.close(CloseCode::Idle, ctx),
            }
        });
    }

    pub(super) fn on_pong(&mut self, payload: &[u8]) {
        if let Some(seq) = self.liveness.ponged(payload) {
            let connection = self.connection;
            self.shared.chat.do_send(Told { connection, seq });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_a_later_ping_tells_that_a_receipt_arrived() {
        let mut liveness = Liveness::default();
        let before = liveness.next_ping();
        liveness.receipts(7);
        assert_eq!(liveness.ponged(&before), None);
        let after = liveness.next_ping();
        assert_eq!(liveness.ponged(&before), None);
        assert_eq!(liveness.ponged(b""), None);
        assert_eq!(liveness.ponged(&after), Some(7));
        assert_eq!(liveness.ponged(&after), None, "the store knows already");
    }
}
