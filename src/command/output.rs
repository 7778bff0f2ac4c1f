//! What goes to the user: results on standard output, everything else on standard error.

use std::io::{self, ErrorKind, Write};

use super::error::CommandError;

/// Whether there is someone left to write for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The line was taken.
    Present,
    /// The pipe is closed: a good ending, not an error.
    Gone,
}

/// Writes `text` and a newline to standard output, and flushes it.
pub(crate) fn line(text: &str) -> Result<Reader, CommandError> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(Reader::Present),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(CommandError::Output(error)),
    }
}

/// Tells how things are going. Nobody is told if standard error is closed.
pub(crate) fn status(text: &str) {
    let _ = writeln!(io::stderr().lock(), "pushgate: {text}");
}

/// `text` without characters that a terminal obeys.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
