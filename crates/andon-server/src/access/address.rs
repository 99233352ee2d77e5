//! Where a request comes from: the other end of the connection, or, where that is a proxy that is trusted, what it says.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

/// Addresses that begin with the same bits: `10.1.0.0/16`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: write 10.0.0.1 or 10.1.0.0/16")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.chars().take(60).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl Network {
    /// Whether an address belongs to it.
    pub fn holds(&self, address: IpAddr) -> bool {
        let (one, two, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(two)) => (u128::from(one.to_bits()), u128::from(two.to_bits()), 32),
            (IpAddr::V6(one), IpAddr::V6(two)) => (one.to_bits(), two.to_bits(), 128u32),
            _ => return false,
        };
        let rest = width - u32::from(self.bits);
        one.checked_shr(rest).unwrap_or(0) == two.checked_shr(rest).unwrap_or(0)
    }
}

/// The proxies in front of this server that are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Trusted(pub Vec<Network>);

impl Trusted {
    /// Whether a proxy is one of them.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(address))
    }

    /// The client behind `peer`: the last address of `X-Forwarded-For` (all of its lines, in order) that no trusted proxy
    /// has. What a client wrote there itself stands before it, and is not believed.
    pub fn client(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let mut client = peer;
        for word in forwarded.iter().flat_map(|line| line.split(',')).rev() {
            if !self.holds(client) {
                break;
            }
            match word.trim().parse() {
                Ok(address) => client = address,
                Err(_) => break,
            }
        }
        client.to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_what_begins_with_its_bits() {
        let holds = |network: &str, text: &str| network.parse::<Network>().unwrap().holds(address(text));
        assert!(holds("10.1.0.0/16", "10.1.255.3") && !holds("10.1.0.0/16", "10.2.0.1"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("0.0.0.0/0", "192.0.2.1") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "::1") && holds("2001:db8::/32", "2001:db8:1::2"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1"));
        for wrong in ["", "10.0.0.1/33", "localhost", "10.0.0.1/x", "10.0.0.1/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_a_trusted_proxy_added_is_believed() {
        let trusted = Trusted(vec!["10.0.0.0/8".parse().unwrap()]);
        let client = |peer, lines: &[&str]| trusted.client(address(peer), lines).to_string();
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1", "not from a proxy");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            client("10.0.0.1", &["6.6.6.6, 198.51.100.7"]),
            "198.51.100.7",
            "the client lies about itself"
        );
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, nonsense"]), "10.0.0.1");
    }
}
