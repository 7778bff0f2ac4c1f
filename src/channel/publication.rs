//! The accepted, ordered, immutable result of publishing; and the report of what is missing.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Position, Since};

/// One thing that was said on a channel, in its place for good.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Its place in the channel's order.
    pub position: Position,
    /// The client id of who published it; empty for a backend.
    pub sender: Arc<str>,
    /// When it got its place.
    pub at: Instant,
    /// The object that subscribers of the plain dialect get, as JSON.
    pub plain: Bytes,
}

/// A publication as it outlives the process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Its place in the channel's order.
    pub position: Position,
    /// The client id of who published it; empty for a backend.
    pub sender: String,
    /// When it was accepted: milliseconds since 1970 by the clock of the node.
    pub at: u64,
    /// The object that subscribers of the plain dialect get, as JSON.
    pub plain: Bytes,
    /// What a retry is recognised by, where it came with a key.
    pub retry: Option<Retry>,
}

/// What a retry of a post is recognised by, and what its answer is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Retry {
    /// The idempotency key.
    pub key: String,
    /// The digest of the post.
    pub body: [u8; 32],
    /// The time in the answer.
    pub datetime: String,
    /// The address in the answer.
    pub ip: String,
}

/// Publications that a subscriber asked for and that are not kept any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gap {
    /// What the subscriber had.
    pub since: Since,
    /// The first position that it gets instead.
    pub next: Position,
}
