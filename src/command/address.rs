//! Where the gateway is, and what its addresses look like.

use std::fmt::Write as _;

use ureq::http::Uri;

use super::error::UsageError;

/// The base address of a gateway: scheme, authority and path prefix, no secret in any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    base: String,
    host: String,
    port: u16,
}

/// A channel as it stands in an address: percent-encoded segments, empty for the root channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Channel {
    path: String,
    name: String,
}

impl Address {
    /// Reads `--url`. Errors do not repeat what was given: it may hold a secret.
    pub(crate) fn parse(url: &str) -> Result<Self, UsageError> {
        let uri: Uri = url.trim().parse().map_err(|_| UsageError::Url)?;
        let scheme = uri.scheme_str().ok_or(UsageError::Url)?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(UsageError::Url),
        };
        let authority = uri.authority().ok_or(UsageError::Url)?;
        if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') {
            return Err(UsageError::UrlParts);
        }
        if authority.host().is_empty() {
            return Err(UsageError::Url);
        }
        Ok(Self {
            base: format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(default_port),
        })
    }

    /// As the user is told of it.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The host (no brackets around IPv6) and port to connect to.
    pub(crate) fn peer(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The address of `verb` on `channel` with `query`.
    pub(crate) fn of(&self, verb: &str, channel: &Channel, query: &[(&str, &str)]) -> String {
        let mut url = format!("{}/{verb}", self.base);
        if !channel.path.is_empty() {
            url.push('/');
            url.push_str(&channel.path);
        }
        for (index, (name, value)) in query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&encode(value));
        }
        url
    }
}

impl Channel {
    /// Reads a channel name as people write it; a slash at either end is the same channel.
    pub(crate) fn parse(name: &str) -> Result<Self, UsageError> {
        let trimmed = name.strip_prefix('/').unwrap_or(name);
        let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
        if trimmed.is_empty() && name.len() < 2 {
            return Ok(Self::default());
        }
        let segments: Vec<&str> = trimmed.split('/').collect();
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(UsageError::Channel);
        }
        let encoded: Vec<String> = segments.into_iter().map(encode).collect();
        Ok(Self { path: encoded.join("/"), name: trimmed.to_owned() })
    }

    /// The name as people write it; empty for the root channel.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986, section 2.3.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prefix_is_kept() {
        let address = Address::parse("https://example.org/push/").unwrap();
        let channel = Channel::parse("chat/lobby").unwrap();
        assert_eq!(
            address.of("ws", &channel, &[("since", "k3x9-41"), ("ids", "1")]),
            "https://example.org/push/ws/chat/lobby?since=k3x9-41&ids=1"
        );
        assert_eq!(address.peer(), ("example.org", 443));
    }

    #[test]
    fn the_root_channel_has_no_segment() {
        let address = Address::parse("http://[::1]:8080").unwrap();
        for name in ["", "/"] {
            let root = Channel::parse(name).unwrap();
            assert_eq!(address.of("post", &root, &[]), "http://[::1]:8080/post");
        }
        assert_eq!(address.peer(), ("::1", 8080));
    }

    #[test]
    fn each_segment_is_encoded_and_slashes_are_not() {
        let channel = Channel::parse("/chat/東京 ?/").unwrap();
        assert_eq!(channel.path, "chat/%E6%9D%B1%E4%BA%AC%20%3F");
        assert_eq!(channel.name(), "chat/東京 ?");
        assert_eq!(encode("a-b._~%2F"), "a-b._~%252F");
    }

    #[test]
    fn names_that_would_change_the_path_are_refused() {
        for name in ["chat//lobby", "chat/..", ".", "//"] {
            assert_eq!(Channel::parse(name), Err(UsageError::Channel), "{name}");
        }
    }

    #[test]
    fn urls_that_are_no_base_address_are_refused() {
        for url in ["", "localhost", "localhost:8080", "ftp://h", "http://"] {
            assert_eq!(Address::parse(url), Err(UsageError::Url), "{url}");
        }
        for url in ["http://u:p@h", "http://h/?token=x", "http://h/#token=x"] {
            assert_eq!(Address::parse(url), Err(UsageError::UrlParts), "{url}");
        }
    }
}
