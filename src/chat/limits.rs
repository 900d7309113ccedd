//! How much one user, and one address, may do: more than a person ever does, and less than a script can.
//!
//! Buckets that refill at a steady rate (GCRA). They count on this node alone.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use nonzero_ext::nonzero;

use crate::hash::HashMap;
use crate::protocol::UserId;

/// Frames of one user that may be refused in one go, and a second after that, before it is a flood.
const REFUSALS: Allowance = Allowance {
    rate: nonzero!(10u32),
    burst: nonzero!(200u32),
};

/// Connections of an address, whatever they are for, to one handshake that is allowed: more than these are
/// not worth an answer, nor the signature that TLS costs.
const ARRIVALS: NonZeroU32 = nonzero!(10u32);

type Buckets<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock>;

/// So many a second, and so many in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// A second.
    pub rate: NonZeroU32,
    /// At once, after a rest.
    pub burst: NonZeroU32,
}

impl Allowance {
    fn buckets<K: std::hash::Hash + Eq + Clone>(self) -> Buckets<K> {
        RateLimiter::dashmap(Quota::per_second(self.rate).allow_burst(self.burst))
    }

    fn times(self, factor: NonZeroU32) -> Self {
        Self {
            rate: self.rate.saturating_mul(factor),
            burst: self.burst.saturating_mul(factor),
        }
    }
}

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowances {
    /// Frames of a user, all devices together.
    pub frames: Allowance,
    /// Handshakes of an address.
    pub handshakes: Allowance,
    /// Connections of an address at the same time.
    pub connections: usize,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// It is within the limits.
    Taken,
    /// It is one too many: `rate_limited`.
    Refused,
    /// So were many before it: the connection is closed.
    Flood,
}

/// What each user and address has used.
pub struct Limits {
    frames: Buckets<UserId>,
    refusals: Buckets<UserId>,
    arrivals: Buckets<Network>,
    handshakes: Buckets<Network>,
    connections: Mutex<HashMap<Network, usize>>,
    connections_max: usize,
}

/// What counts as one address: of IPv6, what one customer of a provider has as a rule (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
            }
        })
    }
}

/// A connection's place among those of its address, until it is dropped.
pub struct Seat {
    limits: Arc<Limits>,
    network: Network,
}

impl Limits {
    /// Nothing is used yet.
    pub fn new(allowances: &Allowances) -> Self {
        Self {
            frames: allowances.frames.buckets(),
            refusals: REFUSALS.buckets(),
            arrivals: allowances.handshakes.times(ARRIVALS).buckets(),
            handshakes: allowances.handshakes.buckets(),
            connections: Mutex::default(),
            connections_max: allowances.connections,
        }
    }

    /// A user sends a frame.
    pub fn frame(&self, user: &UserId) -> Frames {
        if self.frames.check_key(user).is_ok() {
            Frames::Taken
        } else if self.refusals.check_key(user).is_ok() {
            Frames::Refused
        } else {
            Frames::Flood
        }
    }

    /// A connection comes from this address, nobody knows yet what for. Returns whether to serve it.
    pub fn arrival(&self, address: IpAddr) -> bool {
        self.arrivals.check_key(&Network::from(address)).is_ok()
    }

    /// Somebody at this address asks for a WebSocket. Returns whether that is within the limits.
    pub fn handshake(&self, address: IpAddr) -> bool {
        self.handshakes.check_key(&Network::from(address)).is_ok()
    }

    /// A place for a connection from this address, if there is one.
    pub fn connection(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let network = Network::from(address);
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let used = connections.entry(network).or_default();
        if *used >= self.connections_max {
            return None;
        }
        *used += 1;
        Some(Seat {
            limits: Arc::clone(self),
            network,
        })
    }

    /// Forgets whose buckets are full again: memory is held for who was here of late.
    pub fn forget(&self) {
        self.frames.retain_recent();
        self.refusals.retain_recent();
        self.arrivals.retain_recent();
        self.handshakes.retain_recent();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let connections = &self.limits.connections;
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = connections.get_mut(&self.network) {
            *used -= 1;
            if *used == 0 {
                connections.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Arc<Limits> {
        let few = |rate, burst| Allowance {
            rate: NonZeroU32::new(rate).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        };
        Arc::new(Limits::new(&Allowances {
            frames: few(1, 3),
            handshakes: few(1, 2),
            connections: 2,
        }))
    }

    #[test]
    fn frames_are_taken_then_refused_then_a_flood_and_others_are_not_concerned() {
        let limits = limits();
        let user = |id| UserId::parse(id).unwrap();
        let seen: Vec<Frames> = (0..250).map(|_| limits.frame(&user("ann"))).collect();
        let count = |what| seen.iter().filter(|frames| **frames == what).count();
        assert_eq!(count(Frames::Taken), 3);
        // A slow machine may refill a bucket by one meanwhile.
        assert!((200..205).contains(&count(Frames::Refused)));
        assert!(count(Frames::Flood) > 40);
        assert_eq!(limits.frame(&user("bob")), Frames::Taken);
    }

    #[test]
    fn an_address_may_come_ten_times_as_often_as_it_may_shake_hands() {
        let limits = limits();
        let address = "192.0.2.1".parse().unwrap();
        let came = (0..100).filter(|_| limits.arrival(address)).count();
        // A slow machine may refill a bucket by a few meanwhile.
        assert!((20..25).contains(&came), "{came}");
        assert!(limits.arrival("192.0.2.2".parse().unwrap()));
    }

    #[test]
    fn an_address_has_as_many_connections_as_are_allowed_and_gets_them_back() {
        let limits = limits();
        let address = "192.0.2.1".parse().unwrap();
        let seats = [limits.connection(address), limits.connection(address)];
        assert!(seats.iter().all(Option::is_some));
        assert!(limits.connection(address).is_none());
        assert!(limits.connection("192.0.2.2".parse().unwrap()).is_some());
        drop(seats);
        assert!(limits.connection(address).is_some());
        assert!(
            limits.connections.lock().unwrap().len() <= 1,
            "nothing is kept"
        );
    }

    #[test]
    fn of_ipv6_a_whole_network_is_one_address_and_of_a_mapped_one_its_ipv4() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
