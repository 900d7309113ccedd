//! Who is on this node: what the bus has to be asked for, and what it has told.
//!
//! A device of a user that nobody here speaks for yet waits until the bus has confirmed that letters
//! for them arrive; only then is the store asked where it starts. So nothing is committed elsewhere
//! that neither the store's answer holds nor the bus brings.

use actix::{AsyncContext, Context, StreamHandler};

use super::device::Device;
use super::lanes::{self, Connecting};
use super::{ChatServer, Turn};
use crate::actors::session::Kick;
use crate::bus::Event;
use crate::chat::ConnectionId;
use crate::hash::HashMap;
use crate::protocol::{CloseCode, UserId};

/// The users on this node. A user is here from a device's connect frame until the last one is gone.
#[derive(Default)]
pub struct Presence {
    users: HashMap<UserId, Here>,
}

#[derive(Default)]
struct Here {
    devices: usize,
    subscribed: bool,
    /// Devices that connect, and wait for the subscription.
    waiting: Vec<ConnectionId>,
    /// The largest number of the timeline that was heard of.
    newest: i64,
}

/// What to do with a device that connects.
enum Arrival {
    /// The bus is to be asked for its user.
    First,
    /// The bus has been asked, and has not confirmed.
    Waits,
    /// Letters arrive already.
    Ready,
}

impl Presence {
    fn arrive(&mut self, user: &UserId, connection: ConnectionId) -> Arrival {
        let here = self.users.entry(user.clone()).or_default();
        here.devices += 1;
        if here.subscribed {
            return Arrival::Ready;
        }
        here.waiting.push(connection);
        if here.devices == 1 {
            Arrival::First
        } else {
            Arrival::Waits
        }
    }

    /// A device is gone. Returns whether it was its user's last.
    fn leave(&mut self, user: &UserId) -> bool {
        let Some(here) = self.users.get_mut(user) else {
            return false;
        };
        here.devices = here.devices.saturating_sub(1);
        let last = here.devices == 0;
        if last {
            self.users.remove(user);
        }
        last
    }

    /// Letters for a user arrive from now on. Returns the devices that waited for that.
    fn subscribed(&mut self, user: &UserId) -> Vec<ConnectionId> {
        let Some(here) = self.users.get_mut(user) else {
            return Vec::new(); // gone meanwhile
        };
        here.subscribed = true;
        std::mem::take(&mut here.waiting)
    }

    /// Whether there is a device of this user.
    pub fn is_here(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    /// A number of a user's timeline is committed.
    pub fn announce(&mut self, user: &UserId, seq: i64) {
        if let Some(here) = self.users.get_mut(user) {
            here.newest = here.newest.max(seq);
        }
    }

    /// The largest number of a user's timeline that was heard of while they are here.
    pub fn newest(&self, user: &UserId) -> i64 {
        self.users.get(user).map_or(0, |here| here.newest)
    }

    /// The store knows less of this user's timeline than was heard of.
    pub fn forget_newest(&mut self, user: &UserId) {
        if let Some(here) = self.users.get_mut(user) {
            here.newest = 0;
        }
    }

    /// Everybody who is here.
    pub fn users(&self) -> impl Iterator<Item = &UserId> {
        self.users.keys()
    }
}

impl ChatServer {
    /// A device connects: where it starts is asked of the store once the bus brings the rest.
    pub(super) fn arrive(
        &mut self,
        connection: ConnectionId,
        device: Device,
        ctx: &mut Context<Self>,
    ) {
        let user = device.user.clone();
        self.devices.insert(connection, device);
        match self.presence.arrive(&user, connection) {
            Arrival::First => self.bus.subscribe(&user),
            Arrival::Waits => {}
            Arrival::Ready => self.ask_for_start(connection, &user, ctx),
        }
        self.count_users();
    }

    /// Forgets a device. Its user's letters are no longer wanted here where it was the last.
    pub(super) fn remove_device(&mut self, connection: ConnectionId) -> Option<Device> {
        let device = self.devices.remove(&connection)?;
        self.routes.detach(&device.user, connection);
        if self.presence.leave(&device.user) && !self.inquiries.concern(&device.user) {
            self.bus.unsubscribe(&device.user);
        }
        self.count_users();
        Some(device)
    }

    fn count_users(&self) {
        let users = self.presence.users.len();
        self.metrics
            .users
            .set(i64::try_from(users).unwrap_or(i64::MAX));
    }

    /// Closes a device with this code: nothing more is delivered to it, and when all it asked is
    /// answered, it goes. What it sent may be in another lane than what sends it away.
    pub(super) fn kick(&mut self, connection: ConnectionId, code: CloseCode) {
        if let Some(device) = self.devices.get_mut(&connection) {
            device.cursor = None;
            device.flush();
            device.session.do_send(Kick(code));
            self.routes.detach(&device.user, connection);
        }
    }

    fn ask_for_start(&mut self, connection: ConnectionId, user: &UserId, ctx: &mut Context<Self>) {
        let lane = lanes::choose(&self.lanes, user, user);
        let device = self.devices.get_mut(&connection);
        let connecting = Connecting {
            connection,
            user: user.clone(),
            name: device.and_then(|device| device.name.take()),
        };
        self.enqueue_connect(lane, connecting, ctx);
    }
}

impl StreamHandler<Event> for ChatServer {
    fn handle(&mut self, event: Event, ctx: &mut Self::Context) {
        match event {
            Event::Delivery(user, delivery) => {
                self.offer(&user, &delivery);
                if !std::mem::replace(&mut self.noticed, true) {
                    ctx.notify(Turn);
                }
            }
            Event::Note(user, note) => self.noted(&user, note),
            Event::Subscribed(user) => {
                self.inquire(&user, ctx);
                for connection in self.presence.subscribed(&user) {
                    if self.devices.contains_key(&connection) {
                        self.ask_for_start(connection, &user, ctx);
                    }
                }
            }
            Event::Doubt => {
                self.metrics.bus_doubts.inc();
                self.comparing.doubt();
                self.compare_if_in_doubt(ctx);
            }
        }
    }

    /// The bus is gone, which ends with the process: the devices here are served on.
    fn finished(&mut self, _: &mut Self::Context) {}
}
