//! What hyper says of its own about a head that it cannot read: a status, and nothing that a client
//! could know the gateway by, or that a page of another origin may read.

use crate::code::{Limit, Problem};
use crate::config::Limits;
use crate::gate::Failure;

/// The fields that hyper gives an answer of its own.
const FIELDS: [&str; 3] = ["connection", "content-length", "date"];

/// The status of `bytes` if they are such an answer: of ours each refusal has a body, and says of
/// which type.
pub(super) fn status(bytes: &[u8]) -> Option<u16> {
    // All others are let go at a glance.
    if !bytes.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let is_bare =
        lines.all(|line| line.split_once(':').is_some_and(|(name, _)| FIELDS.contains(&name)));
    is_bare.then_some(status)
}

/// What `status` means.
pub(super) fn failure(limits: &Limits, status: u16) -> Failure {
    match status {
        414 => {
            let detail = format!("the request target has a limit of {} bytes", limits.target_bytes);
            Failure::of_limit(Limit::TargetBytes, detail)
        }
        431 => {
            let bytes = limits.header_bytes;
            let detail =
                format!("the header fields have a limit of {bytes} bytes, and are at most 100");
            Failure::of_limit(Limit::HeaderBytes, detail)
        }
        _ => Failure::new(Problem::BadRequest, "the head of the request is no HTTP/1.1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_hyper_is_bare() {
        let lines = "connection: close\r\ncontent-length: 0\r\ndate: now\r\n";
        let said = |text: String| status(text.as_bytes());
        assert_eq!(said(format!("HTTP/1.1 400 Bad Request\r\n{lines}\r\n")), Some(400));
        assert_eq!(said(format!("HTTP/1.1 431 Too Large\r\n{lines}\r\n")), Some(431));
        assert_eq!(said(format!("HTTP/1.1 204 No Content\r\n{lines}\r\n")), None);
        assert_eq!(said(format!("HTTP/1.1 500 Internal\r\n{lines}\r\n")), None);
        assert_eq!(said(format!("HTTP/1.1 400 Bad Request\r\n{lines}\r\nbody")), None);
        assert_eq!(
            said(format!("HTTP/1.1 400 Bad Request\r\n{lines}content-type: a\r\n\r\n")),
            None
        );
        assert_eq!(said("data: 400\r\n\r\n".to_owned()), None);
    }

    #[test]
    fn it_is_told_as_what_it_is() {
        for code in [400, 414, 431] {
            assert_eq!(failure(&Limits::default(), code).problem.status(), code);
        }
    }
}
