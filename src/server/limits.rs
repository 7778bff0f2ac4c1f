//! Limits of a request's head, judged before anything else of it.

use http::request::Parts;

use crate::code::Problem;
use crate::config::Limits;
use crate::gate::Failure;

/// # Errors
/// 414 or 431, with the limit.
pub(super) fn check(limits: &Limits, parts: &Parts) -> Result<(), Failure> {
    let target = parts
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        let detail = format!(
            "the request target has a limit of {} bytes",
            limits.target_bytes
        );
        return Err(Failure::new(Problem::TargetTooLong, detail));
    }
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    if parts.headers.iter().map(line).sum::<usize>() > limits.header_bytes {
        let detail = format!(
            "the header fields have a limit of {} bytes",
            limits.header_bytes
        );
        return Err(Failure::new(Problem::HeadersTooLarge, detail));
    }
    Ok(())
}
