//! Which devices of a user are connected, on whatever node, and their end at somebody else's word.
//!
//! Other nodes are asked over the bus, on the user's own subject, which this node listens to meanwhile. Those
//! that do not answer in time, or that the bus does not reach, are not in the list.

use std::time::Duration;

use actix::{
    ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture,
};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::ChatServer;
use crate::bus::{DeviceHere, Note, Which};
use crate::hash::HashMap;
use crate::protocol::{CloseCode, UserId};

/// How long other nodes have to answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the bus has to listen for the answers first: as long as it takes to confirm a subscription.
const LISTENS: Duration = Duration::from_millis(1_500);

/// Which devices of this user are connected?
#[derive(Debug, Message)]
#[rtype(result = "Vec<DeviceHere>")]
pub struct WhoIsThere(pub UserId);

/// Something may have been missed: compare all timelines with the store.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Doubt;

/// Close these devices of a user, on whatever node.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CloseDevices {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub which: Which,
    /// With which code.
    pub code: CloseCode,
}

/// Questions that other nodes have been asked, or will be.
#[derive(Default)]
pub struct Inquiries(HashMap<u64, Inquiry>);

struct Inquiry {
    user: UserId,
    asked: bool,
    found: Vec<DeviceHere>,
    done: oneshot::Sender<Vec<DeviceHere>>,
}

impl Inquiries {
    /// Whether one is about this user.
    pub fn concern(&self, user: &UserId) -> bool {
        self.0.values().any(|inquiry| inquiry.user == *user)
    }

    /// The numbers of those about this user that are still to be asked.
    fn unasked(&mut self, user: &UserId) -> Vec<u64> {
        let open = self.0.iter_mut();
        let open = open.filter(|(_, inquiry)| inquiry.user == *user && !inquiry.asked);
        open.map(|(number, inquiry)| {
            inquiry.asked = true;
            *number
        })
        .collect()
    }
}

impl Handler<WhoIsThere> for ChatServer {
    type Result = ResponseActFuture<Self, Vec<DeviceHere>>;

    fn handle(&mut self, WhoIsThere(user): WhoIsThere, ctx: &mut Self::Context) -> Self::Result {
        if !self.is_shared {
            let here = self.devices_here(&user);
            return Box::pin(actix::fut::ready(here));
        }
        let (done, found) = oneshot::channel();
        let number = Uuid::new_v4().as_u64_pair().0;
        let inquiry = Inquiry {
            user: user.clone(),
            asked: false,
            found: Vec::new(),
            done,
        };
        self.inquiries.0.insert(number, inquiry);
        // Asked already, the bus confirms once more.
        self.bus.subscribe(&user);
        ctx.run_later(LISTENS, move |this, _| this.end_inquiry(number));
        Box::pin(
            found
                .into_actor(self)
                .map(|found, _, _| found.unwrap_or_default()),
        )
    }
}

impl Handler<CloseDevices> for ChatServer {
    type Result = ();

    fn handle(&mut self, close: CloseDevices, _: &mut Self::Context) {
        let CloseDevices { user, which, code } = close;
        self.close_here(&user, which, code);
        self.bus.note(&user, &Note::Close(which, code.number()));
        if matches!(which, Which::Before(_)) {
            // A device that is just connecting is none of the user's yet.
            self.comparing.doubt();
        }
    }
}

impl Handler<Doubt> for ChatServer {
    type Result = ();

    fn handle(&mut self, _: Doubt, _: &mut Self::Context) {
        self.comparing.doubt();
    }
}

impl ChatServer {
    fn devices_here(&self, user: &UserId) -> Vec<DeviceHere> {
        let connections = self.routes.of(user).iter();
        let devices = connections.filter_map(|connection| {
            let device = self.devices.get(connection)?;
            Some(DeviceHere {
                connection: *connection,
                since: device.since,
                address: device.address,
            })
        });
        devices.collect()
    }

    pub(super) fn close_here(&mut self, user: &UserId, which: Which, code: CloseCode) {
        for connection in self.routes.of(user).to_vec() {
            let is_meant = match which {
                Which::All => true,
                Which::One(one) => one == connection,
                Which::Before(tenure) => {
                    let device = self.devices.get(&connection);
                    device.is_some_and(|device| device.tenure < tenure)
                }
            };
            if is_meant {
                self.kick(connection, code);
            }
        }
    }

    /// This node hears what others say of a user: now they can be asked.
    pub(super) fn inquire(&mut self, user: &UserId, ctx: &mut Context<Self>) {
        for number in self.inquiries.unasked(user) {
            self.bus.note(user, &Note::WhoIsThere(number));
            ctx.run_later(PATIENCE, move |this, _| this.end_inquiry(number));
        }
    }

    /// Another node has a word about a user.
    pub(super) fn noted(&mut self, user: &UserId, note: Note) {
        match note {
            Note::WhoIsThere(number) => {
                let here = self.devices_here(user);
                if !here.is_empty() {
                    self.bus.note(user, &Note::Here(number, here));
                }
            }
            Note::Here(number, devices) => {
                if let Some(inquiry) = self.inquiries.0.get_mut(&number) {
                    inquiry.found.extend(devices);
                }
            }
            Note::Close(which, code) => {
                let code = CloseCode::from_number(code).unwrap_or(CloseCode::GoingAway);
                self.close_here(user, which, code);
            }
        }
    }

    fn end_inquiry(&mut self, number: u64) {
        let Some(Inquiry {
            user, found, done, ..
        }) = self.inquiries.0.remove(&number)
        else {
            return; // it ended before
        };
        if !self.presence.is_here(&user) && !self.inquiries.concern(&user) {
            self.bus.unsubscribe(&user);
        }
        let mut devices = self.devices_here(&user);
        devices.extend(found);
        devices.sort_unstable_by_key(|device| (device.since, device.connection));
        // Whoever asked may be gone.
        let _ = done.send(devices);
    }
}
