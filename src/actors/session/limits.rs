//! One frame more than the limits allow: what becomes of it.

use super::Session;
use crate::chat::Frames;
use crate::protocol::{ErrorCode, Frame, Refusal};

/// With limits, so many frames may come while nobody is connected.
const EARLY_MAX: usize = 100;

impl Session {
    /// What the limits say of one more frame.
    pub(super) fn use_limits(&mut self) -> Frames {
        let Some(limits) = &self.shared.limits else {
            return Frames::Taken;
        };
        if let Some(user) = self.user() {
            return limits.frame(user);
        }
        self.early += 1;
        if self.early > EARLY_MAX {
            Frames::Flood
        } else {
            Frames::Taken
        }
    }
}

/// What a frame is told that is one too many.
pub(super) fn rate_limited() -> Refusal {
    let text = "this user sends more frames than the limits allow";
    Refusal::new(ErrorCode::RateLimited, text)
}

/// The refusal of a frame that is one too many, whatever else may be wrong with it.
pub(super) fn one_too_many(parsed: Result<Frame, Refusal>) -> Refusal {
    match parsed {
        Ok(frame) => {
            let refusal = rate_limited().on(frame.request.action());
            match frame.request.message() {
                Some(id) => refusal.about(id),
                None => refusal,
            }
        }
        Err(refusal) => Refusal {
            action: refusal.action,
            message: refusal.message,
            ..rate_limited()
        },
    }
}
