//! Why an attempt failed. None of these texts holds an address, a body or a secret.

use std::borrow::Cow;
use std::fmt;
use std::io;

use super::resolver::NotPublic;
use crate::metrics::Label;

const TLS: &str = "TLS failed: is its certificate that of a known authority, and for this name?";

/// An attempt that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    detail: Cow<'static, str>,
}

/// The kinds of failures, as they are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The answer's status was none of 2xx.
    Status,
    /// There was no whole answer within `hooks.timeout`.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The name leads to an address that is not of the Internet.
    Private,
    /// The answer was too long, or none of HTTP.
    Answer,
}

impl Failure {
    /// Of a bug: what went on is in the log already.
    pub(super) const UNKNOWN: Self =
        Self { reason: Reason::Unreachable, detail: Cow::Borrowed("sending panicked") };

    /// An answer with another status than 2xx.
    pub(super) fn status(status: u16) -> Self {
        Self { reason: Reason::Status, detail: format!("the answer was {status}").into() }
    }

    fn of_io(error: &io::Error) -> Self {
        match error.get_ref() {
            Some(inner) if inner.is::<NotPublic>() => Self::new(Reason::Private, NotPublic::TEXT),
            Some(inner) if inner.is::<rustls::Error>() => Self::new(Reason::Unreachable, TLS),
            Some(_) | None => Self {
                reason: Reason::Unreachable,
                detail: format!("the connection failed: {}", error.kind()).into(),
            },
        }
    }

    fn new(reason: Reason, detail: &'static str) -> Self {
        Self { reason, detail: Cow::Borrowed(detail) }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours, and not exhaustive")]
impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        use ureq::Error;

        match error {
            Error::Timeout(_) => {
                Self::new(Reason::Timeout, "there was no whole answer within hooks.timeout")
            }
            Error::BodyExceedsLimit(_) => Self::new(Reason::Answer, "the answer was too long"),
            Error::Protocol(_)
            | Error::Http(_)
            | Error::LargeResponseHeader(..)
            | Error::Decompress(..) => Self::new(Reason::Answer, "the answer was none of HTTP"),
            Error::HostNotFound => Self::new(Reason::Unreachable, "its name leads nowhere"),
            Error::Tls(_) | Error::Rustls(_) => Self::new(Reason::Unreachable, TLS),
            Error::Io(error) => Self::of_io(&error),
            _ => Self::new(Reason::Unreachable, "the request failed"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Label for Reason {
    const ALL: &'static [Self] =
        &[Self::Status, Self::Timeout, Self::Unreachable, Self::Private, Self::Answer];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Status => "status",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Private => "private",
            Self::Answer => "answer",
        })
    }
}
