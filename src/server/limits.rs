//! Limits and rules of a request's head, judged before anything else of it.
//!
//! hyper refuses what cannot be parsed at all. What is here it lets pass: heads that mean two
//! things at once, that speak to a proxy, or that are larger than our limits.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::code::{Limit, Problem};
use crate::config::Limits;
use crate::gate::Failure;

/// Judges a head.
///
/// # Errors
/// 400 for a request that does not name exactly one host that is one, for a length that is given
/// again, for a target that is no path, and for a `Transfer-Encoding` that is more than `chunked`;
/// 414, 431 or 413, with the limit.
pub(super) fn check(limits: &Limits, parts: &Parts) -> Result<(), Failure> {
    if parts.version < Version::HTTP_2 {
        check_host(parts)?;
        check_target(parts)?;
        check_coding(&parts.headers)?;
    } else {
        check_authority(parts)?;
    }
    check_length(&parts.headers)?;
    check_sizes(limits, parts)
}

/// HTTP/2 names the host in `:authority`. What stands in for HTTP/1.1 may leave it in `Host`; two
/// that differ would lead us elsewhere than whoever looked at the other. Source: RFC 9113 section
/// 8.3.1.
fn check_authority(parts: &Parts) -> Result<(), Failure> {
    let Some(authority) = parts.uri.authority() else { return check_host(parts) };
    if !authority.as_str().bytes().all(is_of_host) {
        return Err(Failure::field(":authority", "is no host with an optional port"));
    }
    let is_same =
        |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(()),
        (Some(host), None) if is_same(host) => Ok(()),
        (Some(_), _) => Err(Failure::field("Host", "must be what :authority is, if it is given")),
    }
}

/// Over HTTP/2 nobody before us minds a length that is given twice and the same.
fn check_length(headers: &HeaderMap) -> Result<(), Failure> {
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_none() {
        return Ok(());
    }
    Err(Failure::field("Content-Length", "must be given once"))
}

/// Source: RFC 9112 section 3.2.
fn check_host(parts: &Parts) -> Result<(), Failure> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => Ok(()),
        (Some(_), None) => Err(Failure::field("Host", "is no host with an optional port")),
        (None, None) if parts.version < Version::HTTP_11 => Ok(()),
        (None | Some(_), _) => Err(Failure::field("Host", "must be given once")),
    }
}

/// Whether only characters stand there that hosts and ports have.
fn is_host(value: &HeaderValue) -> bool {
    value.as_bytes().iter().copied().all(is_of_host)
}

/// Whether names, addresses, a zone or a port may have this.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte)
}

/// Refuses targets that are for proxies: `http://other.test/`, and `other.test:80` of a `CONNECT`.
///
/// RFC 9112 section 3.2.2 has servers take the former. No client that speaks to us sends it, and
/// whoever does means another server, or wants the path judged that a proxy before us did not see.
fn check_target(parts: &Parts) -> Result<(), Failure> {
    let is_for_all = parts.method == Method::OPTIONS && parts.uri.path() == "*";
    if parts.uri.authority().is_none() && (parts.uri.path().starts_with('/') || is_for_all) {
        return Ok(());
    }
    let detail = "the request target must be a path: this is no proxy";
    Err(Failure::new(Problem::BadRequest, detail))
}

/// Refuses what two servers might read as two different lengths.
///
/// hyper takes any list that ends in `chunked`, and a `Content-Length` beside it as not there,
/// closing behind the answer. Source: RFC 9112 section 6.1.
fn check_coding(headers: &HeaderMap) -> Result<(), Failure> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(Failure::field("Transfer-Encoding", "must be chunked, and that once")),
    }
}

fn check_sizes(limits: &Limits, parts: &Parts) -> Result<(), Failure> {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        let detail = format!("the request target has a limit of {} bytes", limits.target_bytes);
        return Err(Failure::of_limit(Limit::TargetBytes, detail));
    }
    let line = |(name, value): (&http::HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    if parts.headers.iter().map(line).sum::<usize>() > limits.header_bytes {
        let detail = format!("the header fields have a limit of {} bytes", limits.header_bytes);
        return Err(Failure::of_limit(Limit::HeaderBytes, detail));
    }
    // Said before a byte of the body is asked for: also on paths that take none.
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if usize::try_from(announced).is_ok_and(|length| length <= limits.body_bytes) {
        return Ok(());
    }
    let detail = format!("the body has a limit of {} bytes", limits.body_bytes);
    Err(Failure::of_limit(Limit::BodyBytes, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn problem(target: &str, headers: &[(&str, &str)]) -> Option<Problem> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&Limits::default(), &parts).err().map(|failure| failure.problem)
    }

    #[test]
    fn an_ordinary_head_passes() {
        for host in ["a", "a.test:80", "[2001:db8::1]:80", "127.0.0.1", "한.test"] {
            let passes = problem("/ws/camera?since=0", &[("host", host)]).is_none();
            assert_eq!(passes, host.is_ascii(), "{host}");
        }
        let chunked = [("host", "a"), ("transfer-encoding", "Chunked")];
        assert_eq!(problem("/post", &chunked), None);
    }

    #[test]
    fn heads_that_mean_two_things_are_refused() {
        for headers in [
            &[][..],
            &[("host", "a"), ("host", "a")],
            &[("host", "a b")],
            &[("host", "a/b")],
            &[("host", "a@b")],
            &[("host", "a, b")],
            &[("host", "a"), ("transfer-encoding", "chunked, chunked")],
            &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
            &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        ] {
            assert_eq!(problem("/", headers), Some(Problem::BadRequest), "{headers:?}");
        }
    }

    #[test]
    fn targets_for_proxies_are_refused() {
        for target in ["http://a/", "https://other.test/login", "a:80", "*"] {
            assert_eq!(problem(target, &[("host", "a")]), Some(Problem::BadRequest), "{target}");
        }
    }

    #[test]
    fn what_is_too_large_is_told_before_it_comes() {
        let host = ("host", "a");
        let long = format!("/{}", "a".repeat(9000));
        assert_eq!(problem(&long, &[host]), Some(Problem::TargetTooLong));
        let large = "a".repeat(17_000);
        assert_eq!(problem("/", &[host, ("x", &large)]), Some(Problem::HeadersTooLarge));
        for length in ["1048577", "10737418240", "18446744073709551613"] {
            let headers = [host, ("content-length", length)];
            assert_eq!(problem("/post", &headers), Some(Problem::TooLarge), "{length}");
        }
        assert_eq!(problem("/post", &[host, ("content-length", "1048576")]), None);
    }
}
