//! What nobody announced is found by asking the store: where does each user's timeline end?
//!
//! The bus may lose letters, a node may die between its commit and its letters, and a batch that
//! failed may have been committed after all. So whenever there is a doubt, and every ten seconds where
//! other nodes share the store, the timelines of all users on this node are compared with what their
//! devices have.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::ChatServer;
use crate::actors::db_executor::FetchHeads;
use crate::bus::Which;
use crate::chat::IdAllocator;
use crate::hash::HashMap;
use crate::protocol::{CloseCode, UserId};
use crate::store::{Head, StoreError};

/// How often, where other nodes share the store (design, section 5).
const INTERVAL: Duration = Duration::from_secs(10);
/// What was just committed may still be on its way: only who has not got it after this is behind.
const GRACE: Duration = Duration::from_millis(500);
/// So many users are asked about at once.
const USERS_AT_ONCE: usize = 5_000;

/// Where the comparison stands.
#[derive(Default)]
pub struct Comparing {
    /// Something may have been missed since the last comparison began.
    in_doubt: bool,
    /// Users still to be asked about; `None` while no comparison is under way.
    left: Option<Vec<UserId>>,
}

impl Comparing {
    /// Something may have been missed.
    pub fn doubt(&mut self) {
        self.in_doubt = true;
    }
}

impl ChatServer {
    /// Compares again and again, for what no doubt was raised about.
    pub(super) fn compare_regularly(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(INTERVAL, |this, ctx| {
            this.comparing.doubt();
            this.compare_if_in_doubt(ctx);
        });
    }

    /// Starts a comparison where there is a doubt and none is under way.
    pub(super) fn compare_if_in_doubt(&mut self, ctx: &mut Context<Self>) {
        if !self.comparing.in_doubt || self.comparing.left.is_some() {
            return; // a later call comes back to it
        }
        self.comparing.in_doubt = false;
        self.comparing.left = Some(self.presence.users().cloned().collect());
        self.compare_next(ctx);
    }

    fn compare_next(&mut self, ctx: &mut Context<Self>) {
        let left = self.comparing.left.as_mut();
        let users = left.filter(|left| !left.is_empty()).map(|left| {
            let rest = left.len().saturating_sub(USERS_AT_ONCE);
            left.split_off(rest)
        });
        let Some(users) = users else {
            self.comparing.left = None;
            return;
        };
        // Looked at before the store is asked, whose answer then cannot be older.
        let known: HashMap<UserId, i64> = users
            .iter()
            .map(|user| (user.clone(), self.presence.newest(user)))
            .collect();
        let heads = self.heads.send(FetchHeads(users)).into_actor(self);
        ctx.spawn(heads.map(
            move |result, this, ctx| match result.unwrap_or(Err(StoreError::Gone)) {
                Ok(heads) => {
                    this.start_anew(&known, &heads);
                    this.close_those_of_deleted(&heads);
                    ctx.run_later(GRACE, |this, ctx| this.compared(heads, ctx));
                    this.compare_next(ctx);
                }
                Err(error) => {
                    log::debug!("comparing with the store failed, again in a second: {error}");
                    this.comparing.doubt();
                    this.comparing.left = None;
                }
            },
        ));
    }

    /// A database that was restored, or that failed over to a standby without its last commits, knows
    /// less than was told. Devices there would wait for numbers that come a second time: they are sent
    /// away, and start anew where the store is now.
    fn start_anew(&mut self, known: &HashMap<UserId, i64>, heads: &[(UserId, Head)]) {
        let heads = heads.iter().map(|(user, head)| (user, head.timeline));
        let heads: HashMap<&UserId, i64> = heads.collect();
        let back = known
            .iter()
            .filter(|(user, newest)| heads.get(user).copied().unwrap_or(0) < **newest);
        let back: Vec<&UserId> = back.map(|(user, _)| user).collect();
        if back.is_empty() {
            return;
        }
        log::warn!(
            "the database went back: it has lost the last numbers of {} users, whose devices are closed",
            back.len()
        );
        for user in back {
            self.presence.forget_newest(user);
            for connection in self.routes.of(user).to_vec() {
                self.kick(connection, CloseCode::GoingAway);
            }
        }
        // What was leased here may be leased again elsewhere.
        self.ids = IdAllocator::default();
        self.outside.forget_ids();
    }

    /// A device of a user who was deleted speaks for nobody, or else for whoever has the ID now. That it is to
    /// be closed was told over the bus, which may have lost it.
    fn close_those_of_deleted(&mut self, heads: &[(UserId, Head)]) {
        for (user, head) in heads {
            let which = Which::Before(head.tenure);
            self.close_here(user, which, CloseCode::Unauthorized);
        }
    }

    fn compared(&mut self, heads: Vec<(UserId, Head)>, ctx: &mut Context<Self>) {
        for (user, head) in heads {
            self.know_of(&user, head.timeline);
        }
        self.flush(ctx);
    }
}
