//! How a connection ends.

use std::time::Duration;

use crate::command::error::CommandError;

/// Why a connection is no more.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The gateway ended it with a close code.
    Closed(u16),
    /// It broke, or fell silent.
    Lost(String),
    /// The gateway asks to come back after a while, and said nothing else.
    Later(Duration),
    /// It could not be opened, and another transport could not either.
    Failed(CommandError),
    /// It could not be opened, since something in between does not let this transport through.
    Blocked(CommandError),
    /// We ended it.
    Stopped,
}

/// What a connection function returns: it reads until something ends it.
pub(crate) type Read = Result<std::convert::Infallible, Ending>;
