//! The head of an answer as bytes, for answers that hyper does not write. Source: RFC 9112 section 4.

use std::time::SystemTime;

use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};

use crate::gate::Failure;

/// The head of `response` and what follows it.
///
/// A body whose length `is_known_later` gets neither its length nor the empty line: whoever knows
/// the length adds both.
pub(super) fn render(response: &Response, is_known_later: bool, opening: &[u8]) -> Bytes {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in response.headers() {
        if *name != CONTENT_LENGTH {
            line(&mut out, name.as_str(), value.as_bytes());
        }
    }
    if !response.headers().contains_key(DATE) {
        let date = httpdate::fmt_http_date(SystemTime::now());
        line(&mut out, "date", date.as_bytes());
    }
    if !is_known_later {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(opening);
    }
    Bytes::from(out)
}

/// The last answer on a connection that hyper does not have, or has no more: `failure`, as `told`
/// has it.
pub(super) fn whole(failure: &Failure, told: Response) -> Bytes {
    let body = crate::gate::problem_document(failure.problem, &failure.detail);
    let response = closing(told);
    let length = format!("content-length: {}\r\n\r\n{body}", body.len());
    Bytes::from([&render(&response, true, b""), length.as_bytes()].concat())
}

/// `response`, behind which the connection ends.
pub(super) fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn a_head_has_all_headers_and_a_date() {
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("x-a", HeaderValue::from_static("1"));
        response.headers_mut().insert(DATE, HeaderValue::from_static("now"));
        let head = render(&response, false, b"opening");
        assert_eq!(head, "HTTP/1.1 200 OK\r\nx-a: 1\r\ndate: now\r\n\r\nopening");
    }

    #[test]
    fn a_head_without_its_length_is_left_open() {
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        response.headers_mut().insert(DATE, HeaderValue::from_static("now"));
        assert_eq!(render(&response, true, b""), "HTTP/1.1 200 OK\r\ndate: now\r\n");
    }
}
