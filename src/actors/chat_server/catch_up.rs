//! Devices that are behind: what they are owed is read from the store, part by part.

use std::collections::VecDeque;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::ChatServer;
use super::lanes::Lane;
use crate::actors::db_executor::{FetchPart, Part};
use crate::actors::flow::Room;
use crate::chat::{ConnectionId, Want};
use crate::hash::HashSet;
use crate::store::{Fetch, StoreError};

/// So many parts are read at once, of all devices; a part is 128 KiB of bodies or one message.
const READS_AT_ONCE: usize = 16;

/// Devices that wait for their turn to be read for.
#[derive(Default)]
pub struct Line {
    waiting: VecDeque<ConnectionId>,
    listed: HashSet<ConnectionId>,
    reading: usize,
    /// Devices whose read failed, or for which all others left no room: they wait for the next try.
    later: HashSet<ConnectionId>,
}

impl ChatServer {
    /// Sends each touched device what was put together for it, and reads on for those behind.
    pub(super) fn flush(&mut self, ctx: &mut Context<Self>) {
        let mut touched = std::mem::take(&mut self.touched);
        for connection in touched.drain(..) {
            if let Some(device) = self.devices.get_mut(&connection) {
                device.flush();
            }
            self.catch_up(connection, ctx);
        }
        self.touched = touched;
    }

    /// Reads on for a device, where it is behind and has room.
    pub(super) fn catch_up(&mut self, connection: ConnectionId, ctx: &mut Context<Self>) {
        if self.catching_up.later.contains(&connection) {
            return;
        }
        let device = self.devices.get(&connection);
        let Some(device) = device.filter(|device| device.needs_read()) else {
            return;
        };
        match device.room() {
            Room::WhenTaken => {}
            Room::Later => {
                self.catching_up.later.insert(connection);
            }
            Room::Now => {
                if self.catching_up.listed.insert(connection) {
                    self.catching_up.waiting.push_back(connection);
                    self.read_next(ctx);
                }
            }
        }
    }

    /// Tries again what could not be done a second ago.
    pub(super) fn catch_up_again(&mut self, ctx: &mut Context<Self>) {
        for connection in std::mem::take(&mut self.catching_up.later) {
            self.catch_up(connection, ctx);
        }
    }

    fn read_next(&mut self, ctx: &mut Context<Self>) {
        while self.catching_up.reading < READS_AT_ONCE {
            let Some(connection) = self.catching_up.waiting.pop_front() else {
                return;
            };
            self.catching_up.listed.remove(&connection);
            let Some(fetch) = self.fetch_for(connection) else {
                continue;
            };
            self.catching_up.reading += 1;
            let read = self.reader.send(FetchPart(fetch)).into_actor(self);
            ctx.spawn(read.map(move |result, this, ctx| {
                this.catching_up.reading -= 1;
                this.part_read(connection, result.unwrap_or(Err(StoreError::Gone)), ctx);
                this.read_next(ctx);
            }));
        }
    }

    fn fetch_for(&mut self, connection: ConnectionId) -> Option<Fetch> {
        let device = self.devices.get_mut(&connection)?;
        let user = device.user.clone();
        Some(match device.cursor.as_mut()?.next_read()? {
            Want::Unread { after, upto } => Fetch::Unread { user, after, upto },
            Want::Receipts { after, upto } => Fetch::Receipts { user, after, upto },
            Want::Timeline { after } => Fetch::Timeline { user, after },
        })
    }

    fn part_read(
        &mut self,
        connection: ConnectionId,
        result: Result<Part, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        let Some(device) = self.devices.get_mut(&connection) else {
            return; // gone meanwhile
        };
        let lane = &self.lanes[device.lane()];
        let Some(cursor) = device.cursor.as_mut() else {
            return;
        };
        let mut part = match result {
            Ok(part) => part,
            Err(error) => {
                log::debug!("reading a backlog failed, again in a second: {error}");
                cursor.failed();
                self.catching_up.later.insert(connection);
                return;
            }
        };
        let held = first_unanswered(&part, lane, connection);
        if held.is_some_and(|place| !part.cut_at(place)) {
            return cursor.failed();
        }
        let had = cursor.had_meanwhile();
        if !cursor.fetched(part.upto, part.complete) {
            self.catching_up.later.insert(connection);
        }
        self.metrics.catch_ups.inc();
        for delivery in part.entries.iter().filter(|entry| entry.seq > had) {
            let frames = device.deliver(connection, delivery);
            self.metrics.deliveries.inc_by(frames);
        }
        device.flush();
        if held.is_none() {
            self.catch_up(connection, ctx);
        }
    }
}

/// The place of the first message in a part that this connection sent and has no answer to: the store
/// is ahead of a batch that is on its way back from it. That the message was read must not reach the
/// device before the answer that it was stored, which comes back to what is held.
fn first_unanswered(part: &Part, lane: &Lane, connection: ConnectionId) -> Option<usize> {
    if part.own.is_empty() {
        return None;
    }
    let storing = lane.storing(connection);
    let mut own = part.own.iter();
    let first = own.find(|(_, message)| storing.contains(message));
    first.map(|(place, _)| *place)
}
