//! What a request names: its channel, its query, its headers.

use http::request::Parts;
use memchr::{memchr, memchr2};
use percent_encoding::percent_decode;

use super::{Failure, Gate, Remote, Via};
use crate::channel::{ChannelName, Policy, Since};
use crate::code::Problem;
use crate::hub::From;
use std::sync::Arc;

/// More fields than any verb has, by far.
pub(super) const MAX_FIELDS: usize = 1000;

/// Name and value pairs of a query or a form, decoded. Bound: [`MAX_FIELDS`].
#[derive(Debug, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads `a=1&b=2`. Source: WHATWG URL section 5.1, but bytes that are not UTF-8 are refused.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Failure> {
        let mut pairs = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let pair;
            (pair, rest) = halves(rest, b'&');
            if pair.is_empty() {
                continue;
            }
            let (name, value) = halves(pair, b'=');
            let name = decode(name).ok_or_else(|| Failure::field("field name", "is not UTF-8"))?;
            let value =
                decode(value).ok_or_else(|| Failure::field(shown(&name), "is not UTF-8"))?;
            pairs.push(name, value)?;
        }
        Ok(pairs)
    }

    pub(super) fn of_query(parts: &Parts) -> Result<Self, Failure> {
        Self::parse(parts.uri.query().unwrap_or_default().as_bytes())
    }

    /// Adds a pair.
    pub(super) fn push(&mut self, name: String, value: String) -> Result<(), Failure> {
        if self.0.len() == MAX_FIELDS {
            return Err(too_many_fields());
        }
        self.0.push((name, value));
        Ok(())
    }

    /// All pairs, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The last value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The value of that name, where a second one would be a mistake.
    pub(super) fn once(&self, name: &str) -> Result<Option<&str>, Failure> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(given_twice(name)) } else { Ok(first) }
    }

    /// All values of that name.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A whole number within `range`, clamped to it.
    pub(super) fn number(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return Err(Failure::field(name, "must be a whole number"));
        }
        // More digits than a number has are clamped as well.
        let number = text.parse().unwrap_or(usize::MAX);
        Ok(Some(number.clamp(*range.start(), *range.end())))
    }

    /// A number such as 0.5 within `range`, clamped to it.
    pub(super) fn decimal(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Option<f64>, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        let number = number.ok_or_else(|| Failure::field(name, "must be a number"))?;
        Ok(Some(number.clamp(*range.start(), *range.end())))
    }

    /// The value of `since`, or of `name`, as a position.
    pub(super) fn since(&self, name: &str) -> Result<Option<Since>, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        parse_since(name, text).map(Some)
    }

    /// Whether a switch such as `ids=1` is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true"))
    }
}

pub(super) fn given_twice(name: &str) -> Failure {
    Failure::field(shown(name), "is given more than once")
}

pub(super) fn too_many_fields() -> Failure {
    Failure::new(Problem::BadRequest, format!("there are more than {MAX_FIELDS} fields"))
}

/// The name of a field as an answer may repeat it: one of ours is short and plain.
pub(super) fn shown(name: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=32).contains(&name.len()) && name.bytes().all(plain) { name } else { "a field" }
}

pub(super) fn parse_since(name: &str, text: &str) -> Result<Since, Failure> {
    Since::parse(text).map_err(|error| Failure::field(name, &error.to_string()))
}

/// What stands before the first `sign` and behind it.
fn halves(text: &[u8], sign: u8) -> (&[u8], &[u8]) {
    let at = memchr(sign, text).unwrap_or(text.len());
    let (before, after) = text.split_at(at);
    (before, after.get(1..).unwrap_or_default())
}

fn decode(text: &[u8]) -> Option<String> {
    if memchr2(b'%', b'+', text).is_none() {
        return String::from_utf8(text.to_vec()).ok();
    }
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// The channel that a path such as `/ws/chat/lobby` names behind its verb, with its rules.
pub(super) fn channel_of(
    gate: &Gate,
    parts: &Parts,
) -> Result<(ChannelName, Arc<Policy>), Failure> {
    let name = channel_name(parts)?;
    let policy = policy_of(gate, &name)?;
    Ok((name, policy))
}

/// The channel that a path names behind its verb.
pub(super) fn channel_name(parts: &Parts) -> Result<ChannelName, Failure> {
    let path = parts.uri.path().get(1..).unwrap_or_default();
    let (_verb, channel) = path.split_once('/').unwrap_or((path, ""));
    Ok(ChannelName::from_path(channel)?)
}

/// The rules of a channel.
pub(super) fn policy_of(gate: &Gate, name: &ChannelName) -> Result<Arc<Policy>, Failure> {
    let policy = gate.policies.of(name).map(Arc::clone);
    policy.ok_or_else(|| Failure::new(Problem::UnknownChannel, "there is no such channel here"))
}

/// Who sent the request.
pub(super) fn remote_of(parts: &Parts) -> Remote {
    let nowhere = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    let unknown = Remote { peer: nowhere, address: nowhere, via: Via::Stranger, tls: false };
    // Put there by the server for each request; without it nothing is taken for granted.
    parts.extensions.get::<Remote>().copied().unwrap_or(unknown)
}

/// Where a stream begins: `Last-Event-ID`, else `since`, else `history`, else now.
pub(super) fn from_of(parts: &Parts, query: &Pairs) -> Result<From, Failure> {
    if let Some(header) = parts.headers.get("last-event-id").filter(|value| !value.is_empty()) {
        let text = header.to_str().map_err(|_| Failure::field("Last-Event-ID", "is no id"))?;
        return Ok(From::Since(parse_since("Last-Event-ID", text)?));
    }
    if let Some(since) = query.since("since")? {
        return Ok(From::Since(since));
    }
    let newest = query.number("history", 1..=1000)?;
    Ok(newest.map_or(From::Now, From::Newest))
}
