//! Where a request comes from, also through a proxy.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use ipnet::IpNet;

/// What proxies say of those for whom they ask, each at the end of what was there before.
const FORWARDED_FOR: &str = "X-Forwarded-For";

/// The address of who asks. What a proxy says counts only where it is trusted: the last address that is
/// not a trusted proxy's own. Whatever stands before that, anybody may have written.
pub fn client_address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let values = request.headers().get_all(FORWARDED_FOR);
    let values: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
    Some(behind(peer, &values, trusted))
}

/// Whether a proxy at this address is believed when it says for whom it asks.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

fn behind(peer: IpAddr, forwarded: &[&[u8]], trusted: &[IpNet]) -> IpAddr {
    let mut address = peer;
    let said = forwarded.iter().rev();
    for text in said.flat_map(|value| value.rsplit(|byte| *byte == b',')) {
        if !is_trusted(address, trusted) {
            break;
        }
        match parse(text) {
            Some(next) => address = next,
            None => break, // whoever wrote this, it was no proxy of ours
        }
    }
    address
}

/// An address as proxies write it: some add the port, and brackets around IPv6.
fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    let inner = || text.strip_prefix('[')?.strip_suffix(']');
    text.parse()
        .or_else(|_| with_port())
        .ok()
        .or_else(|| inner()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_trusted_proxy_says_counts() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].map(|n| n.parse().unwrap()).into();
        for (peer, said, expected) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["203.0.113.9, 198.51.100.1, 10.0.0.2"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["rubbish"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, rubbish"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["\u{ff}, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.2.3.4", "\u{ff}"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
        ] {
            let peer: IpAddr = peer.parse().unwrap();
            let bytes: Vec<&[u8]> = said.iter().map(|value| value.as_bytes()).collect();
            let address = behind(peer, &bytes, &trusted).to_canonical();
            assert_eq!(address.to_string(), expected, "{peer} says {said:?}");
        }
    }
}
