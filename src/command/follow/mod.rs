//! A subscription that stays: whatever ends a connection, the next one goes on where it was.
//!
//! [`Follower`] is the one loop. A connection runs on a thread of its own (`connection`) and reads
//! one of four transports (`ws`, `sse`, `stream`, `poll`), which differ in framing and in nothing
//! else; its events come through one bounded queue, Ctrl-C among them. `message` knows the objects,
//! `progress` the position, and `ending` what each ending of a connection asks for.

mod connection;
mod ending;
mod follower;
mod lines;
mod message;
mod poll;
mod progress;
mod sse;
mod stream;
pub(crate) mod ws;

use super::address::Channel;

pub(crate) use connection::Plan;
pub(crate) use ending::Ending;
pub(crate) use follower::Follower;
pub(crate) use message::{Message, one_line};

/// How messages are brought.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket
    Ws,
    /// Server-Sent Events
    Sse,
    /// Newline-delimited JSON
    Stream,
    /// Long poll
    Poll,
}

/// What a follower is to bring.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// From where.
    pub(crate) channel: Channel,
    /// The `users=` of each connection.
    pub(crate) users: &'static str,
    /// Where to begin.
    pub(crate) start: Start,
    /// What to try, the best first; the next one where something in between refuses one.
    pub(crate) transports: &'static [Transport],
}

/// Where a subscription begins.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    /// With what is published from now on.
    Now,
    /// After a position.
    Since(String),
    /// With the newest so many that are kept.
    Newest(u16),
}

/// Takes what a follower brings.
pub(crate) trait Sink {
    /// Takes one message, `text` being all of it as it came.
    fn take(&mut self, text: &str, message: &Message<'_>) -> Result<Flow, super::CommandError>;
}

/// Whether a sink wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It does.
    More,
    /// It has all it was asked for, or nobody reads it any longer.
    Done,
}

impl Transport {
    /// Its verb on the wire, and its name for people.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Sse => "sse",
            Self::Stream => "stream",
            Self::Poll => "poll",
        }
    }
}
