//! `Origin`: which page a request comes from. Source: RFC 6454; wire.md sections 3 and 8.

use http::header::{HOST, ORIGIN};
use http::request::Parts;

use super::Gate;

/// The `Origin` of a request: a browser sets it, and a page cannot change it.
pub(super) fn origin_of(parts: &Parts) -> Option<&str> {
    // What is not ASCII is no origin of any page; it is like none that we know.
    parts.headers.get(ORIGIN).map(|value| value.to_str().unwrap_or("?"))
}

/// Whether `origin` is this server as the request addressed it.
pub(super) fn is_own(parts: &Parts, origin: &str) -> bool {
    let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    let named = origin.split_once("://").map(|(_, authority)| authority);
    named.is_some() && named == host
}

/// Whether a page of `origin` may open a WebSocket: with a list of origins set, only those on it.
pub(super) fn may_upgrade(gate: &Gate, parts: &Parts) -> bool {
    let Some(origin) = origin_of(parts) else {
        return true;
    };
    let listed = |allowed: &String| allowed == "*" || allowed.eq_ignore_ascii_case(origin);
    gate.config.cors.origins.iter().any(listed) || is_own(parts, origin)
}
