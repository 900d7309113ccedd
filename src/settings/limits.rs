//! How much one user and one address may do.

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use crate::chat::{Allowance, Allowances};

/// How much one user and one address may do, on each node.
#[derive(Debug, Clone, Args)]
pub struct LimitSettings {
    /// Whether there are limits [default: on with tokens, else off]
    #[arg(long, env = "YANSHU_LIMITS", value_name = "on|off")]
    pub limits: Option<Switch>,
    /// Frames of a user a second, all devices together
    #[arg(
        long,
        env = "YANSHU_FRAME_RATE",
        default_value = "50",
        value_name = "N"
    )]
    pub frame_rate: NonZeroU32,
    /// Frames of a user in one go
    #[arg(
        long,
        env = "YANSHU_FRAME_BURST",
        default_value = "1000",
        value_name = "N"
    )]
    pub frame_burst: NonZeroU32,
    /// Handshakes of an address a second (of IPv6: of a /64)
    #[arg(
        long,
        env = "YANSHU_HANDSHAKE_RATE",
        default_value = "50",
        value_name = "N"
    )]
    pub handshake_rate: NonZeroU32,
    /// Handshakes of an address in one go
    #[arg(
        long,
        env = "YANSHU_HANDSHAKE_BURST",
        default_value = "500",
        value_name = "N"
    )]
    pub handshake_burst: NonZeroU32,
    /// Connections of an address at the same time
    #[arg(
        long,
        env = "YANSHU_MAX_ADDRESS_CONNECTIONS",
        default_value = "2000",
        value_name = "N"
    )]
    pub max_address_connections: NonZeroUsize,
    /// A proxy, or a network of them, that is believed when X-Forwarded-For says for whom it asks (may be repeated)
    #[arg(
        long,
        env = "YANSHU_TRUSTED_PROXY",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = network
    )]
    pub trusted_proxy: Vec<IpNet>,
}

impl LimitSettings {
    /// How much one may do; `None` where there are no limits.
    pub fn allowances(&self, has_tokens: bool) -> Option<Allowances> {
        let default = if has_tokens { Switch::On } else { Switch::Off };
        (self.limits.unwrap_or(default) == Switch::On).then_some(Allowances {
            frames: Allowance {
                rate: self.frame_rate,
                burst: self.frame_burst,
            },
            handshakes: Allowance {
                rate: self.handshake_rate,
                burst: self.handshake_burst,
            },
            connections: self.max_address_connections.get(),
        })
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// A network, or an address as one that holds nothing else.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse().or_else(|_| address());
    network.map_err(|_| "it takes an address, or a network such as 10.0.0.0/8".to_owned())
}
