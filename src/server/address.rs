//! The address a client is known by, behind proxies that are trusted.
//!
//! Source: RFC 7239 for `Forwarded`; `X-Forwarded-For` as proxies write it. The rightmost entry
//! that is no trusted proxy itself is believed: everything left of it anybody could have written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Once;

use http::HeaderMap;
use http::header::FORWARDED;
use ipnet::IpNet;

use crate::gate::Remote;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Who sent a request that came from `peer`.
///
/// A proxy writes one of the two headers and lets the other pass as a client sent it. Which one it
/// writes nobody told us: so where both are there and disagree, neither is believed, and the
/// request is as one that came through a stranger.
pub(crate) fn remote(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], tls: bool) -> Remote {
    let peer = peer.to_canonical();
    let is_forwarded = headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
    if !is_forwarded || !is_trusted(peer, trusted) {
        let untrusted_proxy = is_forwarded;
        return Remote { peer, address: peer, proxied: false, untrusted_proxy, tls };
    }
    let told = |name: &str, read: fn(&str) -> Option<IpAddr>| {
        headers.contains_key(name).then(|| believed(peer, all(headers, name).map(read), trusted))
    };
    let told = (told(FORWARDED.as_str(), forwarded_for), told(X_FORWARDED_FOR, parse_address));
    let (address, disagree) = match told {
        (Some(one), Some(other)) if one != other => (peer, true),
        (Some(address), _) | (None, Some(address)) => (address, false),
        (None, None) => (peer, false),
    };
    if disagree {
        warn_of_disagreement_once();
    }
    Remote { peer, address, proxied: true, untrusted_proxy: disagree, tls }
}

fn warn_of_disagreement_once() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "Forwarded and X-Forwarded-For of a trusted proxy disagree: neither is believed; \
             let the proxy remove the one that it does not write"
        );
    });
}

/// The rightmost of `chain` that is no trusted proxy; the leftmost that can be read if all are.
fn believed(
    peer: IpAddr,
    chain: impl Iterator<Item = Option<IpAddr>>,
    trusted: &[IpNet],
) -> IpAddr {
    let mut address = peer;
    for entry in chain.collect::<Vec<_>>().into_iter().rev() {
        // An entry that hides its address, or is garbage: nothing left of it can be believed.
        let Some(entry) = entry else { break };
        address = entry;
        if !is_trusted(entry, trusted) {
            break;
        }
    }
    address
}

pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The entries of a header that may be repeated and lists entries with commas. Empty ones are none:
/// RFC 9110 section 5.6.1.2.
fn all<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    let entries = values.flat_map(|value| value.to_str().unwrap_or("?").split(','));
    entries.map(str::trim).filter(|entry| !entry.is_empty())
}

/// The `for` of an element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element
        .split(';')
        .find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case("for").then_some(value)
        })
        .and_then(parse_address)
}

/// An address, with or without quotes, brackets and a port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = unquoted.unwrap_or(text);
    let address = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        is_port(port).then_some(IpAddr::V6(address.parse::<Ipv6Addr>().ok()?))?
    } else if let Ok(address) = text.parse() {
        address
    } else {
        let (address, port) = text.split_at(text.find(':')?);
        is_port(port).then_some(IpAddr::V4(address.parse::<Ipv4Addr>().ok()?))?
    };
    Some(address.to_canonical())
}

/// `:80`, `:_hidden` or nothing: RFC 7239 section 6.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match port.strip_prefix('_') {
        Some(hidden) => !hidden.is_empty() && hidden.bytes().all(plain),
        None => (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn of(peer: &str, headers: &[(&str, &str)]) -> (String, bool) {
        let remote = remote_of(peer, headers);
        (remote.address.to_string(), remote.untrusted_proxy)
    }

    fn remote_of(peer: &str, headers: &[(&str, &str)]) -> Remote {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "127.0.0.2/32".parse().unwrap()];
        remote(peer.parse().unwrap(), &map, &trusted, false)
    }

    #[test]
    fn only_what_came_from_loopback_all_the_way_is_from_here() {
        let header = "x-forwarded-for";
        for here in [
            ("127.0.0.1", [].as_slice()),
            ("::1", &[]),
            ("::ffff:127.0.0.1", &[]),
            ("127.0.0.2", &[(header, "127.0.0.1")]),
            ("127.0.0.2", &[(header, "9.9.9.9, ::1")]),
        ] {
            assert!(remote_of(here.0, here.1).is_here(), "{here:?}");
        }
        for elsewhere in [
            ("9.9.9.9", [].as_slice()),
            ("9.9.9.9", &[(header, "127.0.0.1")]),
            ("10.0.0.1", &[(header, "127.0.0.1")]),
            ("127.0.0.1", &[(header, "127.0.0.1")]),
            ("127.0.0.1", &[("forwarded", "for=127.0.0.1")]),
            ("127.0.0.2", &[(header, "9.9.9.9")]),
            ("127.0.0.2", &[(header, "127.0.0.1, 9.9.9.9")]),
        ] {
            assert!(!remote_of(elsewhere.0, elsewhere.1).is_here(), "{elsewhere:?}");
        }
    }

    #[test]
    fn headers_of_a_stranger_are_not_believed() {
        let forged = [("x-forwarded-for", "1.2.3.4")];
        assert_eq!(of("9.9.9.9", &forged), ("9.9.9.9".to_owned(), true));
        assert_eq!(of("9.9.9.9", &[]), ("9.9.9.9".to_owned(), false));
        assert_eq!(of("::ffff:9.9.9.9", &[]).0, "9.9.9.9");
    }

    #[test]
    fn the_rightmost_untrusted_entry_is_believed() {
        let cases = [
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
            ("x-forwarded-for", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("x-forwarded-for", "1.2.3.4, garbage", "10.0.0.1"),
            ("forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:99\";proto=https", "2001:db8::1"),
            ("forwarded", "for=1.2.3.4:80", "1.2.3.4"),
            ("forwarded", "for=_hidden", "10.0.0.1"),
            ("forwarded", "For=\"[2001:DB8::1]\" ; by=x", "2001:db8::1"),
            ("forwarded", "for=\"1.2.3.4:_port\"", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4, for=unknown", "10.0.0.1"),
            ("forwarded", "for=\"6.6.6.6, for=1.2.3.4", "1.2.3.4"),
            ("forwarded", "proto=https;host=a", "10.0.0.1"),
            ("x-forwarded-for", "2001:db8::1", "2001:db8::1"),
            ("x-forwarded-for", "[2001:db8::1]:99", "2001:db8::1"),
            ("x-forwarded-for", "1.2.3.4:99", "1.2.3.4"),
            ("x-forwarded-for", "::ffff:1.2.3.4", "1.2.3.4"),
            ("x-forwarded-for", ",, 1.2.3.4 ,", "1.2.3.4"),
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4 5.6.7.8", "10.0.0.1"),
            ("x-forwarded-for", "6.6.6.6, [1.2.3.4]", "10.0.0.1"),
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4:", "10.0.0.1"),
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4:999999", "10.0.0.1"),
            ("x-forwarded-for", "6.6.6.6, [2001:db8::1", "10.0.0.1"),
            ("x-forwarded-for", "6.6.6.6, 2001:db8::1%eth0", "10.0.0.1"),
        ];
        for (name, value, address) in cases {
            assert_eq!(of("10.0.0.1", &[(name, value)]), (address.to_owned(), false), "{value}");
        }
        let two = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(of("10.0.0.1", &two).0, "1.2.3.4");
    }

    #[test]
    fn headers_that_disagree_are_both_not_believed() {
        let both = |one, other| [("forwarded", one), ("x-forwarded-for", other)];
        let agreed = of("10.0.0.1", &both("for=1.2.3.4", "6.6.6.6, 1.2.3.4"));
        assert_eq!(agreed, ("1.2.3.4".to_owned(), false));
        for (one, other) in
            [("for=6.6.6.6", "1.2.3.4"), ("for=1.2.3.4", "6.6.6.6"), ("for=_a", "1.2.3.4")]
        {
            let disputed = of("10.0.0.1", &both(one, other));
            assert_eq!(disputed, ("10.0.0.1".to_owned(), true), "{one} against {other}");
        }
    }
}
