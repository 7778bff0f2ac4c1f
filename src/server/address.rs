//! The address a client is known by, behind proxies that are trusted.
//!
//! Source: RFC 7239 for `Forwarded`; `X-Forwarded-For` as proxies write it. The rightmost entry
//! that is no trusted proxy itself is believed: everything left of it anybody could have written.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::FORWARDED;
use ipnet::IpNet;

use crate::gate::Remote;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Who sent a request that came from `peer`.
pub(super) fn remote(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], tls: bool) -> Remote {
    let peer = peer.to_canonical();
    let forwarded = headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
    if !forwarded || !is_trusted(peer, trusted) {
        return Remote { peer, address: peer, proxied: false, untrusted_proxy: forwarded, tls };
    }
    let chain = if headers.contains_key(FORWARDED) {
        all(headers, FORWARDED.as_str()).map(forwarded_for).collect::<Vec<_>>()
    } else {
        all(headers, X_FORWARDED_FOR).map(parse_address).collect()
    };
    let mut address = peer;
    for entry in chain.into_iter().rev() {
        // An entry that hides its address, or is garbage: nothing left of it can be believed.
        let Some(entry) = entry else { break };
        address = entry;
        if !is_trusted(entry, trusted) {
            break;
        }
    }
    Remote { peer, address, proxied: true, untrusted_proxy: false, tls }
}

pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The entries of a header that may be repeated and lists entries with commas.
fn all<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.to_str().unwrap_or("?").split(','))
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

/// An address, with or without port, brackets and quotes.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|both| both.ip()));
    address.map(|address| address.to_canonical())
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
        ];
        for (name, value, address) in cases {
            assert_eq!(of("10.0.0.1", &[(name, value)]), (address.to_owned(), false), "{value}");
        }
        let two = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(of("10.0.0.1", &two).0, "1.2.3.4");
    }
}
