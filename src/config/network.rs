//! Addresses as operators write them: networks, origins of pages, URLs.

use std::net::IpAddr;

use ipnet::IpNet;

/// A network such as `10.0.0.0/8`, or an address as the network that holds it alone.
pub(super) fn parse(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    match text.parse::<IpNet>() {
        Ok(network) => Ok(network.trunc()),
        Err(_) => Err("must be a network such as \"10.0.0.0/8\", or an address".to_owned()),
    }
}

/// An address to listen on.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| {
        "must be an address such as \"0.0.0.0\", \"127.0.0.1\" or \"::\", without a port".to_owned()
    })
}

/// The origin of a page as browsers send it: `scheme://host[:port]` in lower case, without the
/// scheme's own port; `*` and `null` as they are.
pub(super) fn origin(text: &str) -> Result<String, String> {
    const WANTED: &str = "must be \"*\", \"null\" or scheme://host[:port]";
    if text == "*" || text == "null" {
        return Ok(text.to_owned());
    }
    let lower = text.to_ascii_lowercase();
    let Some((scheme, authority)) = lower.split_once("://") else {
        return Err(format!("{WANTED}, not {text:?}"));
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.chars().all(plain) {
        return Err(format!("{WANTED}, not {text:?}"));
    }
    if authority.contains(['/', '?', '#']) {
        return Err(format!("{WANTED}: an origin has no path, not even a slash at its end"));
    }
    let (host, port) = split(authority).map_err(|what| format!("{WANTED}: {what}"))?;
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    Ok(match port {
        Some(port) if usual != Some(port) => format!("{scheme}://{host}:{port}"),
        Some(_) | None => format!("{scheme}://{host}"),
    })
}

/// An `http` or `https` address that paths can be put after; a slash at its end is dropped.
///
/// No error repeats the text, which may hold a password where it should not.
pub(super) fn url(text: &str) -> Result<String, String> {
    const WANTED: &str = "must be an http:// or https:// address";
    let lower = text.to_ascii_lowercase();
    let start = ["http://", "https://"].into_iter().find(|start| lower.starts_with(start));
    let Some(rest) = start.and_then(|start| text.get(start.len()..)) else {
        return Err(WANTED.to_owned());
    };
    if rest.contains(['?', '#']) || !rest.chars().all(|c| c.is_ascii_graphic()) {
        return Err(format!("{WANTED} without a query, a fragment, or characters to be escaped"));
    }
    let authority = rest.split('/').next().unwrap_or_default();
    split(authority).map_err(|what| format!("{WANTED}: {what}"))?;
    Ok(text.trim_end_matches('/').to_owned())
}

/// The host of `host[:port]`, as a [`url`] has it.
pub(super) fn host(authority: &str) -> Option<&str> {
    split(authority).ok().map(|(host, _)| host)
}

/// The host and the port of `host[:port]`.
fn split(authority: &str) -> Result<(&str, Option<u16>), String> {
    if authority.contains('@') {
        return Err("it must not hold a name or a password".to_owned());
    }
    let end = authority.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match authority.get(end..).and_then(|rest| rest.rfind(':')) {
        None => (authority, None),
        Some(colon) => {
            let (host, port) = authority.split_at(end + colon);
            let digits = port.trim_start_matches(':');
            let number = digits.parse().ok().filter(|_| !digits.starts_with('+'));
            let number: u16 = number.ok_or("its port must be a number up to 65535")?;
            (host, Some(number))
        }
    };
    let numeric = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let good = numeric.map_or_else(
        || !host.is_empty() && host.chars().all(plain),
        |address| address.parse::<std::net::Ipv6Addr>().is_ok(),
    );
    if good {
        Ok((host, port))
    } else {
        Err("its host must be a name in ASCII (punycode) or an address, without a wildcard".into())
    }
}
