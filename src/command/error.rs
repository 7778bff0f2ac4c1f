//! What can go wrong with a command, and what the process ends with.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use super::problem::Problem;

/// Why a command failed.
///
/// The text is complete in itself and names its cause; it holds no token and no key.
#[derive(Debug)]
pub enum CommandError {
    /// The gateway said no.
    Refused(Problem),
    /// The gateway ended the connection with a code that forbids coming back.
    Closed(u16),
    /// What answered is not the gateway, or speaks another language.
    Foreign(Problem),
    /// Nobody answered.
    Unreachable {
        /// The base address of the gateway.
        address: String,
        /// What the network said; boxed because it is large.
        source: Box<ureq::Error>,
    },
    /// The arguments do not make sense.
    Usage(UsageError),
    /// Standard input cannot be read.
    Input(io::Error),
    /// Standard output cannot be written.
    Output(io::Error),
    /// The machine refused a thread or a runtime.
    Runtime(io::Error),
}

/// What is wrong with the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageError {
    /// `--url` is not `http://host[:port][/prefix]`.
    Url,
    /// `--url` holds a user, a query or a fragment.
    UrlParts,
    /// A channel name with an empty segment.
    Channel,
    /// A token or key with characters that none has.
    Secret,
    /// No value, and standard input is a terminal.
    Value,
    /// An idempotency key that is empty, too long, or not printable.
    IdempotencyKey,
}

/// Whether a request that failed is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It would fail again.
    Never,
    /// It may succeed, after as long as the gateway asks to wait, if it does.
    After(Option<Duration>),
}

impl CommandError {
    /// What the process ends with: 1 refused by the gateway, 2 usage, 3 unreachable.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Closed(_) | Self::Output(_) | Self::Runtime(_) => 1,
            Self::Foreign(problem) if problem.status < 500 => 1,
            Self::Usage(_) | Self::Input(_) => 2,
            Self::Foreign(_) | Self::Unreachable { .. } => 3,
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Refused(problem) | Self::Foreign(problem) if problem.is_temporary() => {
                Retry::After(problem.retry_after)
            }
            Self::Unreachable { source, .. } if is_lost(source) => Retry::After(None),
            Self::Refused(_)
            | Self::Closed(_)
            | Self::Foreign(_)
            | Self::Unreachable { .. }
            | Self::Usage(_)
            | Self::Input(_)
            | Self::Output(_)
            | Self::Runtime(_) => Retry::Never,
        }
    }

    /// The problem the gateway told, if it told one.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        if let Self::Refused(problem) = self { Some(problem) } else { None }
    }
}

/// Whether a connection was there and broke, unlike an address where nobody listens.
fn is_lost(error: &ureq::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock,
    };
    if let ureq::Error::Io(error) = error {
        return matches!(
            error.kind(),
            BrokenPipe
                | ConnectionAborted
                | ConnectionReset
                | TimedOut
                | UnexpectedEof
                | WouldBlock
        );
    }
    if let ureq::Error::Timeout(timeout) = error {
        return !matches!(timeout, ureq::Timeout::Connect | ureq::Timeout::Resolve);
    }
    matches!(error, ureq::Error::Protocol(_))
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => problem.fmt(f),
            Self::Closed(4001) => f.write_str("the token has expired (4001): log in again"),
            Self::Closed(4002) => {
                f.write_str("logged out elsewhere, or the token was replaced by a newer one (4002)")
            }
            Self::Closed(4003) => f.write_str("kicked by a backend (4003)"),
            Self::Closed(code) => write!(f, "the gateway closed the connection ({code})"),
            Self::Foreign(problem) => write!(f, "not an answer of the gateway: {problem}"),
            Self::Unreachable { address, source } => {
                write!(f, "cannot reach the gateway at {address}: {source}")
            }
            Self::Usage(error) => error.fmt(f),
            Self::Input(error) => write!(f, "cannot read standard input: {error}"),
            Self::Output(error) => write!(f, "cannot write to standard output: {error}"),
            Self::Runtime(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "--url must read http://host[:port][/prefix], or https://",
            Self::UrlParts => "--url must hold no user, no query and no fragment",
            Self::Channel => "a channel is named by segments with single slashes between them",
            Self::Secret => "the token or key holds characters that none has",
            Self::Value => "no value: give one, or lines on standard input",
            Self::IdempotencyKey => "--idempotency-key must hold 1 to 128 printable characters",
        })
    }
}

impl Error for UsageError {}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } => Some(source),
            Self::Usage(error) => Some(error),
            Self::Input(error) | Self::Output(error) | Self::Runtime(error) => Some(error),
            Self::Refused(_) | Self::Closed(_) | Self::Foreign(_) => None,
        }
    }
}

impl From<UsageError> for CommandError {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable(source: ureq::Error) -> CommandError {
        CommandError::Unreachable { address: "http://h".to_owned(), source: Box::new(source) }
    }

    #[test]
    fn exit_codes_tell_refused_usage_and_unreachable_apart() {
        assert_eq!(CommandError::Closed(4003).exit_code(), 1);
        assert_eq!(CommandError::from(UsageError::Url).exit_code(), 2);
        assert_eq!(unreachable(ureq::Error::HostNotFound).exit_code(), 3);
        let bad_gateway = Problem { status: 502, ..Problem::default() };
        assert_eq!(CommandError::Foreign(bad_gateway).exit_code(), 3);
        let not_found = Problem { status: 404, ..Problem::default() };
        assert_eq!(CommandError::Foreign(not_found).exit_code(), 1);
    }

    #[test]
    fn a_broken_connection_is_tried_again_and_a_closed_port_is_not() {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(unreachable(ureq::Error::Io(reset)).retry(), Retry::After(None));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(unreachable(ureq::Error::Io(refused)).retry(), Retry::Never);
    }
}
