//! Limits of a request's head, judged before anything else of it.

use http::Version;
use http::header::HOST;
use http::request::Parts;

use crate::code::Limit;
use crate::config::Limits;
use crate::gate::Failure;

/// What hyper lets pass of a head that is none, and heads beyond the limits.
///
/// # Errors
/// 400 for an HTTP/1.1 request without exactly one `Host` (RFC 9112 section 3.2); 414 or 431, with
/// the limit.
pub(super) fn check(limits: &Limits, parts: &Parts) -> Result<(), Failure> {
    let hosts = parts.headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && parts.version == Version::HTTP_11) {
        return Err(Failure::field("Host", "must be given once"));
    }
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        let detail = format!("the request target has a limit of {} bytes", limits.target_bytes);
        return Err(Failure::of_limit(Limit::TargetBytes, detail));
    }
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    if parts.headers.iter().map(line).sum::<usize>() > limits.header_bytes {
        let detail = format!("the header fields have a limit of {} bytes", limits.header_bytes);
        return Err(Failure::of_limit(Limit::HeaderBytes, detail));
    }
    Ok(())
}
