//! Whom a session may speak for: what its token says, and until when.

use std::time::{Duration, SystemTime};

use actix::AsyncContext;

use super::{Ctx, Session};
use crate::auth::Identity;
use crate::protocol::{Action, CloseCode, ErrorCode, Refusal, Token, UserId};

/// A clock can be set: the end of a token is looked for this often at least.
const LOOK: Duration = Duration::from_secs(60);

/// The token that came with the upgrade.
#[derive(Debug)]
pub enum Shown {
    /// None came, or none is asked for.
    Nothing,
    /// It says who the client is.
    Identity(Identity),
    /// It is not to be believed.
    Wrong,
}

impl Session {
    /// What comes of the token of the upgrade. Returns whether the session goes on.
    pub(super) fn admit(&mut self, ctx: &mut Ctx) -> bool {
        match std::mem::replace(&mut self.shown, Shown::Nothing) {
            Shown::Nothing => {}
            Shown::Identity(identity) => self.identify(identity, ctx),
            Shown::Wrong => {
                self.close(CloseCode::Unauthorized, ctx);
                return false;
            }
        }
        true
    }

    /// Whether this session may connect as this user, with the token of the connect frame if there is
    /// one. Where not, it has been refused, or closed.
    pub(super) fn may_be(&mut self, user: &UserId, token: Option<&Token>, ctx: &mut Ctx) -> bool {
        let Some(verifier) = &self.shared.verifier else {
            return true; // an open server believes everybody
        };
        let fresh = match token.map(|token| verifier.verify(&token.0)).transpose() {
            Ok(fresh) => fresh,
            Err(error) => {
                log::debug!("the token of a connect frame is not taken: {error}");
                self.close(CloseCode::Unauthorized, ctx);
                return false;
            }
        };
        let known = self.identity.as_ref().map(|identity| &identity.user);
        let Some(says) = fresh.as_ref().map(|fresh| &fresh.user).or(known) else {
            self.close(CloseCode::Unauthorized, ctx); // no token at all
            return false;
        };
        if says != user || known.is_some_and(|known| known != user) {
            let text = "fromId is not the user of the token";
            let refusal = Refusal::new(ErrorCode::Forbidden, text).on(Action::Connect);
            self.refuse(refusal, ctx);
            return false;
        }
        if let Some(fresh) = fresh {
            self.identify(fresh, ctx);
        }
        true
    }

    /// What the token calls the user.
    pub(super) fn name(&self) -> Option<String> {
        self.identity
            .as_ref()
            .and_then(|identity| identity.name.clone())
    }

    /// From now on the session speaks for who this is, until their token ends.
    fn identify(&mut self, identity: Identity, ctx: &mut Ctx) {
        self.identity = Some(identity);
        if let Some(watch) = self.token_watch.take() {
            ctx.cancel_future(watch);
        }
        self.watch_token(ctx);
    }

    /// Ends the session with its token.
    fn watch_token(&mut self, ctx: &mut Ctx) {
        let Some(identity) = &self.identity else {
            return;
        };
        match identity.expires.duration_since(SystemTime::now()) {
            Ok(left) if !left.is_zero() => {
                let watch = ctx.run_later(left.min(LOOK), |this, ctx| this.watch_token(ctx));
                self.token_watch = Some(watch);
            }
            _ => {
                self.pages.give_up_queued();
                self.leave(CloseCode::Unauthorized, ctx);
            }
        }
    }
}
