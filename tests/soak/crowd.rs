//! All devices of all users.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::device::Device;
use super::driver::Order;
use super::shared::{Phase, Shared};
use super::talk::{Talk, Who};

/// How many orders wait for a device that is away.
const ORDERS: usize = 16;

/// How long it may take until everybody has brought to an end what was begun: the store may just have failed.
const PATIENCE: Duration = Duration::from_secs(90);

/// See the module.
pub struct Crowd {
    shared: Arc<Shared>,
    devices: Vec<Member>,
}

struct Member {
    user: u16,
    orders: mpsc::Sender<Order>,
    settled: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

/// One user in three has two devices, one in nine has three.
fn devices_of(user: u16) -> u16 {
    match user % 9 {
        0 => 3,
        3 | 6 => 2,
        _ => 1,
    }
}

impl Crowd {
    /// Everybody begins to connect.
    pub fn start(shared: &Arc<Shared>) -> Crowd {
        let mut devices = Vec::new();
        for user in 0..shared.settings.users {
            let count = devices_of(user);
            for place in 0..count {
                let device = u16::try_from(devices.len()).expect("there are not so many devices");
                let who = Who {
                    user,
                    device,
                    place,
                    count,
                };
                let (orders, taken) = mpsc::channel(ORDERS);
                let (says, settled) = watch::channel(false);
                let device = Device::new(shared, device, Talk::new(who), taken, says);
                devices.push(Member {
                    user,
                    orders,
                    settled,
                    task: tokio::spawn(device.run()),
                });
            }
        }
        Crowd {
            shared: Arc::clone(shared),
            devices,
        }
    }

    /// How many devices there are.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whose device this is.
    pub fn user_of(&self, device: usize) -> u16 {
        self.devices[device].user
    }

    /// Gives an order. False where the device has too many already.
    pub fn order(&self, device: usize, order: Order) -> bool {
        self.devices[device].orders.try_send(order).is_ok()
    }

    /// Has everybody be connected and bring to an end what they began. Returns who does not.
    pub async fn settle(&mut self) -> Vec<String> {
        self.shared.phase.send_replace(Phase::Settle);
        let deadline = Instant::now() + PATIENCE;
        let mut late = Vec::new();
        for (number, member) in self.devices.iter_mut().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let settles = member.settled.wait_for(|settled| *settled);
            match timeout(left, settles).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => late.push(format!("device {number} panicked")),
                Err(_) => late.push(format!("device {number} did not settle in {PATIENCE:?}")),
            }
        }
        late
    }

    /// Goes on after [`Crowd::settle`].
    pub fn go_on(&self) {
        self.shared.phase.send_replace(Phase::Talk);
    }

    /// Has everybody leave.
    pub async fn leave(self) {
        self.shared.phase.send_replace(Phase::Leave);
        for member in self.devices {
            member.task.await.expect("no device panicked");
        }
    }
}
