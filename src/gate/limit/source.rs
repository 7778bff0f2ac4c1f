//! What is counted as one address, and which are not counted at all.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// What is counted as one: an IPv4 address, or the /64 of an IPv6 address, which is what one
/// subscriber line is given at the least. An IPv4-mapped address is the IPv4 address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Source {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// Whom a limit is to count.
#[derive(Clone, Copy, Debug)]
pub struct Whom {
    address: IpAddr,
    may_be_exempt: bool,
}

impl Whom {
    /// Somebody at `address`.
    pub const fn at(address: IpAddr) -> Self {
        Self { address, may_be_exempt: true }
    }

    /// Somebody of whom only the proxy at `address` is known: that it is exempt says nothing of
    /// them.
    pub const fn behind(address: IpAddr) -> Self {
        Self { address, may_be_exempt: false }
    }
}

impl From<IpAddr> for Whom {
    fn from(address: IpAddr) -> Self {
        Self::at(address)
    }
}

/// Which addresses are counted, and as what.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    exempt: Vec<IpNet>,
}

impl Sources {
    /// All addresses but those in `exempt`.
    pub(super) fn new(exempt: &[IpNet]) -> Self {
        Self { exempt: exempt.to_vec() }
    }

    /// What `whom` is counted as; `None` if their address is exempt.
    pub(super) fn of(&self, whom: Whom) -> Option<Source> {
        let address = whom.address.to_canonical();
        let is_listed = || self.exempt.iter().any(|network| network.contains(&address));
        (!(whom.may_be_exempt && is_listed())).then(|| Source::of(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sources: &Sources, address: &str) -> Option<Source> {
        sources.of(Whom::at(address.parse().unwrap()))
    }

    #[test]
    fn an_ipv4_address_is_one_and_an_ipv6_address_counts_with_its_64() {
        let all = Sources::new(&[]);
        assert_eq!(of(&all, "192.0.2.1"), of(&all, "::ffff:192.0.2.1"));
        assert_ne!(of(&all, "192.0.2.1"), of(&all, "192.0.2.2"));
        assert_eq!(of(&all, "2001:db8:1:2::1"), of(&all, "2001:db8:1:2:ffff::9"));
        assert_ne!(of(&all, "2001:db8:1:2::1"), of(&all, "2001:db8:1:3::1"));
    }

    #[test]
    fn an_exempt_network_is_not_counted() {
        let networks = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let sources = Sources::new(&networks);
        for exempt in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8:1::1"] {
            assert_eq!(of(&sources, exempt), None, "{exempt}");
            let behind = Whom::behind(exempt.parse().unwrap());
            assert!(sources.of(behind).is_some(), "whoever is behind {exempt}");
        }
        for counted in ["11.1.2.3", "2001:db9::1", "::1"] {
            assert!(of(&sources, counted).is_some(), "{counted}");
        }
    }
}
