//! The store's threads: lanes that write, and others that read.
//!
//! Each lane is a `SyncArbiter` of [`DbExecutor`]s. What a read finds is made into frames here, so
//! that neither the ChatServer nor a socket's thread spends its time on rendering. A panic would
//! kill a lane's thread for good: it is caught and becomes an error of its one request.

use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::{Actor, Addr, Handler, Message, Recipient, SyncArbiter, SyncContext};
use bytestring::ByteString;

use crate::protocol::render::{self, MessageView};
use crate::protocol::{
    Delivery, ErrorCode, HistoryQuery, MAX_PAGE_BYTES, MessageId, Refusal, UserId,
};
use crate::store::{
    Event, Fetch, Head, Outcome, PageQuery, Store, StoreError, StoredMessage, Write,
};

/// A part of a backlog ends at so many bytes of frames, or with its first message.
const PART_BYTES: usize = 128 * 1024;

/// A thread of the store.
pub struct DbExecutor {
    store: Store,
}

impl DbExecutor {
    /// Starts so many writing lanes, each a thread of its own that keeps its batches in order.
    pub fn start_writers(store: &Store, lanes: usize) -> Vec<Recipient<WriteBatch>> {
        let lanes = 0..lanes.max(1);
        lanes
            .map(|_| Self::start_lane(store, 1).recipient())
            .collect()
    }

    /// Starts a lane of so many threads.
    pub fn start_lane(store: &Store, threads: usize) -> Addr<Self> {
        let store = store.clone();
        SyncArbiter::start(threads.max(1), move || Self {
            store: store.clone(),
        })
    }
}

impl Actor for DbExecutor {
    type Context = SyncContext<Self>;
}

fn caught<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // A connection that a panic leaves in a transaction is thrown away by its pool.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        log::error!("a panic in the store was caught; its request failed");
        Err(StoreError::Gone)
    })
}

/// To the writing lane: apply these in one transaction.
pub struct WriteBatch(pub Vec<Write>);

impl Message for WriteBatch {
    type Result = Result<Vec<Outcome>, StoreError>;
}

impl Handler<WriteBatch> for DbExecutor {
    type Result = Result<Vec<Outcome>, StoreError>;

    fn handle(&mut self, batch: WriteBatch, _: &mut Self::Context) -> Self::Result {
        caught(|| self.store.write(&batch.0))
    }
}

/// To a reading lane: the next part of what a device has to receive.
pub struct FetchPart(pub Fetch);

impl Message for FetchPart {
    type Result = Result<Part, StoreError>;
}

/// A part of a timeline, as frames.
pub struct Part {
    /// By number, ascending.
    pub entries: Vec<Delivery>,
    /// The user's own messages: their places in `entries`, and their IDs.
    pub own: Vec<(usize, MessageId)>,
    /// Everything up to this number is in `entries`.
    pub upto: i64,
    /// Whether nothing more was there.
    pub complete: bool,
}

impl Part {
    /// Leaves off everything from this place on. Returns whether anything is left.
    pub fn cut_at(&mut self, place: usize) -> bool {
        self.entries.truncate(place);
        self.complete = false;
        let last = self.entries.last();
        self.upto = last.map_or(self.upto, |entry| entry.seq);
        last.is_some()
    }

    /// Leaves off what passes [`PART_BYTES`], but keeps one entry: escaped, a text can be six
    /// times as long as in the store.
    fn cut(&mut self) {
        let mut bytes = 0;
        let fitting = self.entries.iter().take_while(|entry| {
            let first = bytes == 0;
            bytes += entry.bytes() + 1;
            first || bytes <= PART_BYTES
        });
        let fitting = fitting.count();
        if fitting < self.entries.len() {
            self.cut_at(fitting);
        }
    }
}

impl Handler<FetchPart> for DbExecutor {
    type Result = Result<Part, StoreError>;

    fn handle(&mut self, FetchPart(fetch): FetchPart, _: &mut Self::Context) -> Self::Result {
        caught(|| {
            let fetched = self.store.fetch(&fetch)?;
            // What is redelivered at connect went to other devices as "sent" long ago.
            let following = matches!(fetch, Fetch::Timeline { .. });
            let (Fetch::Unread { user, .. }
            | Fetch::Receipts { user, .. }
            | Fetch::Timeline { user, .. }) = &fetch;
            let own = fetched.entries.iter().enumerate();
            let own = own.filter_map(|(place, entry)| match &entry.event {
                Event::Message(message) if message.from == user.as_str() => {
                    Some((place, message.id))
                }
                _ => None,
            });
            let own = own.collect();
            let entries = fetched.entries.into_iter();
            let mut part = Part {
                entries: entries
                    .map(|entry| part_entry(user, entry.seq, entry.event, following))
                    .collect(),
                own,
                upto: fetched.upto,
                complete: fetched.complete,
            };
            part.cut();
            Ok(part)
        })
    }
}

fn part_entry(user: &UserId, seq: i64, event: Event, following: bool) -> Delivery {
    match event {
        Event::Message(message) => {
            let from_me = message.from == user.as_str();
            let ack = (from_me && following)
                .then(|| render::status(&message.to, &message.from, message.id, 1));
            Delivery {
                seq,
                origin: message.origin,
                message: Some(render::message(&view(&message))),
                to_origin: message.from == message.to,
                status: ack,
                receipt: false,
            }
        }
        Event::Read(receipt) => Delivery {
            seq,
            origin: receipt.origin,
            message: None,
            to_origin: false,
            status: Some(render::status(
                &receipt.reader,
                &receipt.sender,
                receipt.message,
                2,
            )),
            receipt: receipt.sender == user.as_str(),
        },
    }
}

fn view(message: &StoredMessage) -> MessageView<'_> {
    MessageView {
        from: &message.from,
        to: &message.to,
        id: message.id,
        kind: message.kind,
        text: &message.text,
        status: message.status,
        time: &message.time,
    }
}

/// To a reading lane: the answer to an action 11 or 12.
pub struct ReadPage {
    /// Who asks.
    pub user: UserId,
    /// For what.
    pub what: PageKind,
}

/// What a [`ReadPage`] asks for.
pub enum PageKind {
    /// Action 11.
    Contacts,
    /// Action 12.
    History(HistoryQuery),
}

impl Message for ReadPage {
    type Result = Result<Result<ByteString, Refusal>, StoreError>;
}

impl Handler<ReadPage> for DbExecutor {
    type Result = Result<Result<ByteString, Refusal>, StoreError>;

    fn handle(&mut self, ReadPage { user, what }: ReadPage, _: &mut Self::Context) -> Self::Result {
        caught(|| match what {
            PageKind::Contacts => {
                let list = self.store.contacts(user.as_str())?;
                let pairs = list.iter().map(|c| (c.id.as_str(), c.name.as_str()));
                Ok(Ok(render::contacts(&user, pairs)))
            }
            PageKind::History(query) => self.history(&user, &query),
        })
    }
}

impl DbExecutor {
    fn history(
        &self,
        user: &UserId,
        query: &HistoryQuery,
    ) -> Result<Result<ByteString, Refusal>, StoreError> {
        let page = self.store.history(&PageQuery {
            user: user.as_str().to_owned(),
            with: query.with.as_ref().map(|with| with.as_str().to_owned()),
            before: query.before,
            limit: query.page_size,
            bytes: MAX_PAGE_BYTES,
        })?;
        Ok(match page {
            Some(page) => Ok(render::history(
                user,
                query.with.as_ref(),
                page.iter().map(view),
            )),
            None => Err(Refusal::new(
                ErrorCode::UnknownMessage,
                "baseMsgId is no message in what was asked for",
            )),
        })
    }
}

/// To a reading lane: the ends of these users' timelines.
pub struct FetchHeads(pub Vec<UserId>);

impl Message for FetchHeads {
    type Result = Result<Vec<(UserId, Head)>, StoreError>;
}

impl Handler<FetchHeads> for DbExecutor {
    type Result = Result<Vec<(UserId, Head)>, StoreError>;

    fn handle(&mut self, FetchHeads(users): FetchHeads, _: &mut Self::Context) -> Self::Result {
        caught(|| self.store.heads(&users))
    }
}

/// The work of a [`Run`].
type Work<T> = Box<dyn FnOnce(&Store) -> Result<T, StoreError> + Send>;

/// To a lane of its own, or a reading one: what whoever runs the server asks of the store.
pub struct Run<T>(Work<T>);

impl<T> Run<T> {
    /// Does this with the store.
    pub fn new(work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static) -> Self {
        Self(Box::new(work))
    }
}

impl<T: Send + 'static> Message for Run<T> {
    type Result = Result<T, StoreError>;
}

impl<T: Send + 'static> Handler<Run<T>> for DbExecutor {
    type Result = Result<T, StoreError>;

    fn handle(&mut self, Run(work): Run<T>, _: &mut Self::Context) -> Self::Result {
        caught(|| work(&self.store))
    }
}

/// To a reading lane: does the store answer?
pub struct Ping;

impl Message for Ping {
    type Result = Result<(), StoreError>;
}

impl Handler<Ping> for DbExecutor {
    type Result = Result<(), StoreError>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        caught(|| self.store.ping())
    }
}
