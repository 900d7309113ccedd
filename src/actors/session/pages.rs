//! Contacts and history: large answers, one at a time for each session and bounded for all.
//!
//! A page is asked for when the one before has left for the socket, and its bytes count against a
//! budget of all sessions until then.

use std::collections::VecDeque;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use bytestring::ByteString;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{Ctx, Session};
use crate::actors::db_executor::{PageKind, ReadPage};
use crate::protocol::render;
use crate::protocol::{Action, ErrorCode, HistoryQuery, MessageId, Refusal};
use crate::store::StoreError;

/// What is taken from the budget before a page's size is known, in KiB. A page of history is
/// smaller; a contact list can be larger, and then counts as this much.
const PAGE_KIB: u32 = 1024;
/// How long a request waits for its part of the budget.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store that does not answer for so long has failed.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

/// The pages a session waits for.
#[derive(Default)]
pub struct Pages {
    queue: VecDeque<Wanted>,
    busy: bool,
    /// A page was written and has not gone out.
    written: bool,
    /// Held until the page has gone out.
    permit: Option<OwnedSemaphorePermit>,
}

enum Wanted {
    Contacts,
    History(HistoryQuery),
    Refused(Refusal),
}

impl Pages {
    /// How many requests are not answered yet.
    pub fn waiting(&self) -> usize {
        self.queue.len() + usize::from(self.busy)
    }

    /// Nobody is to be shown what was not read yet.
    pub fn give_up_queued(&mut self) {
        self.queue.clear();
    }

    /// Whether all is answered and gone out.
    pub fn is_idle(&self) -> bool {
        self.waiting() == 0
    }
}

impl Session {
    pub(super) fn read_contacts(&mut self, ctx: &mut Ctx) {
        self.want(Wanted::Contacts, ctx);
    }

    pub(super) fn read_history(&mut self, query: HistoryQuery, ctx: &mut Ctx) {
        self.want(Wanted::History(query), ctx);
    }

    pub(super) fn refuse_page(&mut self, refusal: Refusal, ctx: &mut Ctx) {
        self.want(Wanted::Refused(refusal), ctx);
    }

    fn want(&mut self, wanted: Wanted, ctx: &mut Ctx) {
        self.pages.queue.push_back(wanted);
        self.next_page(ctx);
        self.set_gate();
    }

    fn next_page(&mut self, ctx: &mut Ctx) {
        while !self.pages.busy
            && let Some(wanted) = self.pages.queue.pop_front()
        {
            match wanted {
                Wanted::Refused(refusal) => {
                    self.shared.metrics.refused(&refusal);
                    let frame = render::error(self.user(), &refusal);
                    self.write(frame, ctx);
                }
                Wanted::Contacts => self.read(PageKind::Contacts, Action::Contacts, None, ctx),
                Wanted::History(query) => {
                    let about = query.before;
                    self.read(PageKind::History(query), Action::History, about, ctx);
                }
            }
        }
    }

    fn read(&mut self, what: PageKind, action: Action, about: Option<MessageId>, ctx: &mut Ctx) {
        let Some(user) = self.user().cloned() else {
            return;
        };
        self.pages.busy = true;
        let budget = self.shared.pages.clone();
        let readers = self.shared.readers.clone();
        let read = async move {
            let permit = timeout(PATIENCE, budget.acquire_many_owned(PAGE_KIB)).await;
            let Ok(Ok(permit)) = permit else {
                let text = "too many large answers are on their way to others";
                return (None, Ok(Err(Refusal::new(ErrorCode::Busy, text))));
            };
            let answer = timeout(STORE_PATIENCE, readers.send(ReadPage { user, what })).await;
            let answer = answer.unwrap_or(Ok(Err(StoreError::Gone)));
            (Some(permit), answer.unwrap_or(Err(StoreError::Gone)))
        };
        ctx.spawn(
            read.into_actor(self)
                .map(move |(permit, answer), this, ctx| {
                    let answer = answer.unwrap_or_else(|error| {
                        log::debug!("reading a page failed: {error}");
                        let text = "the store failed; ask again";
                        Err(Refusal::new(ErrorCode::StorageUnavailable, text))
                    });
                    let metrics = &this.shared.metrics;
                    if answer.is_ok() {
                        metrics.taken(action);
                    }
                    let frame = answer.unwrap_or_else(|refusal| {
                        let refusal = refusal.on(action);
                        let refusal = about.map_or(refusal.clone(), |id| refusal.about(id));
                        metrics.refused(&refusal);
                        render::error(this.user(), &refusal)
                    });
                    this.page_read(frame, permit, ctx);
                }),
        );
    }

    fn page_read(
        &mut self,
        frame: ByteString,
        permit: Option<OwnedSemaphorePermit>,
        ctx: &mut Ctx,
    ) {
        self.pages.permit = permit;
        let kib = frame.len().div_ceil(1024);
        if let Some(permit) = &mut self.pages.permit {
            let unused = permit.num_permits().saturating_sub(kib);
            drop(permit.split(unused));
        }
        self.pages.written = true;
        self.write(frame, ctx);
        self.pipe.await_drain();
    }

    /// All has gone out, and where that was a page: on to the next.
    pub(super) fn page_taken(&mut self, ctx: &mut Ctx) {
        if !std::mem::take(&mut self.pages.written) {
            return;
        }
        self.pages.permit = None;
        self.pages.busy = false;
        self.next_page(ctx);
        self.set_gate();
    }
}
