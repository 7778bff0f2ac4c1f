//! The address a client is known by, behind proxies that are trusted.
//!
//! Source: RFC 7239 for `Forwarded`; `X-Forwarded-For` as proxies write it. The rightmost entry
//! that is no trusted proxy itself is believed: everything left of it anybody could have written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Once;

use http::HeaderMap;
use http::header::FORWARDED;
use ipnet::IpNet;

use crate::code::Problem;
use crate::gate::{Failure, Remote, Via};

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// `Forwarded` and `X-Forwarded-For` of a trusted proxy name different addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Disputed;

/// Who sent a request that came from `peer`.
///
/// # Errors
/// [`Disputed`]. A proxy writes one of the two headers and may let the other pass as a client sent
/// it. Which one it writes nobody told us: whichever were believed, a client could choose by it
/// whom its requests are counted for.
pub(crate) fn remote(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[IpNet],
    tls: bool,
) -> Result<Remote, Disputed> {
    let peer = peer.to_canonical();
    let is_forwarded = headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
    if !is_forwarded || !is_trusted(peer, trusted) {
        let via = if is_forwarded { Via::Stranger } else { Via::Nobody };
        return Ok(Remote { peer, address: peer, via, tls });
    }
    let told = |name: &str, chain: fn(&HeaderMap) -> Vec<Option<IpAddr>>| {
        headers.contains_key(name).then(|| believed(peer, chain(headers), trusted))
    };
    let told = (told(FORWARDED.as_str(), of_forwarded), told(X_FORWARDED_FOR, of_x_forwarded_for));
    let (address, via) = match told {
        (Some(one), Some(other)) if one != other => return Err(Disputed),
        (Some(told), _) | (None, Some(told)) => told,
        (None, None) => (peer, Via::Silent),
    };
    Ok(Remote { peer, address, via, tls })
}

impl From<Disputed> for Failure {
    fn from(_: Disputed) -> Self {
        warn_of_dispute_once();
        let detail = "Forwarded and X-Forwarded-For name different addresses; \
                      the proxy is to remove the one that it does not write";
        Self::new(Problem::BadRequest, detail)
    }
}

fn warn_of_dispute_once() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "Forwarded and X-Forwarded-For of a trusted proxy disagree: such requests are refused; \
             let the proxy remove the one that it does not write"
        );
    });
}

/// The rightmost of `chain` that is no trusted proxy; the leftmost that can be read if all are.
fn believed(peer: IpAddr, chain: Vec<Option<IpAddr>>, trusted: &[IpNet]) -> (IpAddr, Via) {
    let (mut address, mut via) = (peer, Via::Silent);
    for entry in chain.into_iter().rev() {
        // An entry that hides its address, or is garbage: nothing left of it can be believed.
        let Some(entry) = entry else {
            via = Via::Silent;
            break;
        };
        (address, via) = (entry, Via::Trusted);
        if !is_trusted(entry, trusted) {
            break;
        }
    }
    (address, via)
}

pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The addresses in `X-Forwarded-For`, which lists them with commas; none for what is no address.
/// Empty entries are none: RFC 9110 section 5.6.1.2.
///
/// They are split before anybody asks whether they are text, so that what a client wrote spoils no
/// entry but its own.
fn of_x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(X_FORWARDED_FOR).into_iter();
    let entries = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let entries = entries.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty());
    entries.map(|entry| std::str::from_utf8(entry).ok().and_then(parse_address)).collect()
}

/// The `for` of each element of `Forwarded`; none where an element has no address, or two.
fn of_forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(FORWARDED).into_iter();
    let elements = values.flat_map(|value| split_outside_quotes(value.as_bytes(), b','));
    elements.filter(|element| !element.is_empty()).map(forwarded_for).collect()
}

/// The `for` of an element of `Forwarded`.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let pairs = split_outside_quotes(element, b';');
    let mut told = pairs.into_iter().filter_map(|pair| {
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
        name.trim_ascii().eq_ignore_ascii_case(b"for").then_some(value.get(1..)?.trim_ascii())
    });
    let (address, more) = (told.next()?, told.next());
    if more.is_some() { None } else { parse_address(std::str::from_utf8(address).ok()?) }
}

/// The parts of `text` between separators that stand outside of quoted strings, without white space
/// around them. Within quotes a separator is text, which a client may have written: a proxy tells
/// the `host` that it was asked for. Source: RFC 7239 section 4, RFC 9110 section 5.6.4.
///
/// Read from the right, where the proxy that we trust has written: a quote that a client left open
/// swallows nothing of that.
fn split_outside_quotes(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let is_escaped = |at: usize| {
        let before = text.get(..at).unwrap_or_default().iter().rev();
        before.take_while(|byte| **byte == b'\\').count() % 2 == 1
    };
    let (mut parts, mut end, mut is_quoted) = (Vec::new(), text.len(), false);
    for (at, byte) in text.iter().enumerate().rev() {
        if *byte == b'"' && !is_escaped(at) {
            is_quoted = !is_quoted;
        } else if *byte == separator && !is_quoted {
            parts.push(text.get(at + 1..end).unwrap_or_default().trim_ascii());
            end = at;
        }
    }
    parts.push(text.get(..end).unwrap_or_default().trim_ascii());
    parts.reverse();
    parts
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

    fn of(peer: &str, headers: &[(&str, &str)]) -> (String, Via) {
        let remote = remote_of(peer, headers);
        (remote.address.to_string(), remote.via)
    }

    fn remote_of(peer: &str, headers: &[(&str, &str)]) -> Remote {
        try_remote_of(peer, headers).unwrap()
    }

    fn try_remote_of(peer: &str, headers: &[(&str, &str)]) -> Result<Remote, Disputed> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
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
            ("127.0.0.2", &[(header, "\u{e9}, 9.9.9.9")]),
            ("127.0.0.2", &[(header, "\u{e9}")]),
            ("127.0.0.2", &[(header, "\u{e9}, 127.0.0.2")]),
            ("127.0.0.2", &[(header, "127.0.0.1, garbage, 127.0.0.2")]),
            ("127.0.0.2", &[(header, "")]),
            ("127.0.0.2", &[(header, " , ,")]),
            ("127.0.0.2", &[("forwarded", "for=unknown")]),
            ("127.0.0.2", &[("forwarded", "for=127.0.0.1, for=_hidden")]),
            ("127.0.0.2", &[("forwarded", "proto=https")]),
        ] {
            assert!(!remote_of(elsewhere.0, elsewhere.1).is_here(), "{elsewhere:?}");
        }
    }

    #[test]
    fn headers_of_a_stranger_are_not_believed() {
        let forged = [("x-forwarded-for", "1.2.3.4")];
        assert_eq!(of("9.9.9.9", &forged), ("9.9.9.9".to_owned(), Via::Stranger));
        assert_eq!(of("9.9.9.9", &[]), ("9.9.9.9".to_owned(), Via::Nobody));
        assert_eq!(of("::ffff:9.9.9.9", &[]).0, "9.9.9.9");
    }

    #[test]
    fn the_rightmost_untrusted_entry_is_believed() {
        let told = |address: &str| (address.to_owned(), Via::Trusted);
        let silent = || ("10.0.0.1".to_owned(), Via::Silent);
        let cases = [
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.2", told("1.2.3.4")),
            ("x-forwarded-for", "10.0.0.3, 10.0.0.2", told("10.0.0.3")),
            ("x-forwarded-for", "1.2.3.4, garbage", silent()),
            ("forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:99\";proto=https", told("2001:db8::1")),
            ("forwarded", "for=1.2.3.4:80", told("1.2.3.4")),
            ("forwarded", "for=_hidden", silent()),
            ("forwarded", "For=\"[2001:DB8::1]\" ; by=x", told("2001:db8::1")),
            ("forwarded", "for=\"1.2.3.4:_port\"", told("1.2.3.4")),
            ("forwarded", "for=1.2.3.4, for=unknown", silent()),
            ("forwarded", "for=\"6.6.6.6, for=1.2.3.4", told("1.2.3.4")),
            ("forwarded", "proto=https;host=a", silent()),
            ("forwarded", "for=1.2.3.4;host=\"x, for=9.9.9.9;y=\"", told("1.2.3.4")),
            ("forwarded", "host=\"a,for=9.9.9.9;x=\";for=1.2.3.4", told("1.2.3.4")),
            ("forwarded", "host=\"a;for=9.9.9.9;b\";for=1.2.3.4", told("1.2.3.4")),
            ("forwarded", "for=1.2.3.4;host=\"a\\\",for=9.9.9.9\"", told("1.2.3.4")),
            ("forwarded", "for=\"6, for=1.2.3.4;host=\"x, for=9.9.9.9;y=\"", told("1.2.3.4")),
            ("forwarded", "for=9.9.9.9;for=1.2.3.4", silent()),
            ("forwarded", "for=1.2.3.4;host=\"x\\\"", silent()),
            ("x-forwarded-for", "\u{e9}, 1.2.3.4", told("1.2.3.4")),
            ("forwarded", "\u{e9}, for=1.2.3.4", told("1.2.3.4")),
            ("x-forwarded-for", "1.2.3.4, \u{e9}", silent()),
            ("x-forwarded-for", "", silent()),
            ("x-forwarded-for", "garbage, 10.0.0.2", ("10.0.0.2".to_owned(), Via::Silent)),
            ("x-forwarded-for", "2001:db8::1", told("2001:db8::1")),
            ("x-forwarded-for", "[2001:db8::1]:99", told("2001:db8::1")),
            ("x-forwarded-for", "1.2.3.4:99", told("1.2.3.4")),
            ("x-forwarded-for", "::ffff:1.2.3.4", told("1.2.3.4")),
            ("x-forwarded-for", ",, 1.2.3.4 ,", told("1.2.3.4")),
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4 5.6.7.8", silent()),
            ("x-forwarded-for", "6.6.6.6, [1.2.3.4]", silent()),
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4:", silent()),
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4:999999", silent()),
            ("x-forwarded-for", "6.6.6.6, [2001:db8::1", silent()),
            ("x-forwarded-for", "6.6.6.6, 2001:db8::1%eth0", silent()),
        ];
        for (name, value, expected) in cases {
            assert_eq!(of("10.0.0.1", &[(name, value)]), expected, "{value}");
        }
        let two = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(of("10.0.0.1", &two).0, "1.2.3.4");
    }

    #[test]
    fn headers_that_disagree_are_refused() {
        let both = |one, other| [("forwarded", one), ("x-forwarded-for", other)];
        let agreed = of("10.0.0.1", &both("for=1.2.3.4", "6.6.6.6, 1.2.3.4"));
        assert_eq!(agreed, ("1.2.3.4".to_owned(), Via::Trusted));
        for (one, other) in [
            ("for=6.6.6.6", "1.2.3.4"),
            ("for=1.2.3.4", "6.6.6.6"),
            ("for=_a", "1.2.3.4"),
            ("for=10.0.0.1", "garbage"),
            ("", "1.2.3.4"),
        ] {
            let disputed = try_remote_of("10.0.0.1", &both(one, other));
            assert_eq!(disputed.unwrap_err(), Disputed, "{one} against {other}");
            let own = of("9.9.9.9", &both(one, other));
            assert_eq!(
                own,
                ("9.9.9.9".to_owned(), Via::Stranger),
                "of a stranger neither says anything"
            );
        }
    }
}
