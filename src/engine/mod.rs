//! Engines: who gives a channel its order. `memory` is the one of a single node.
//!
//! The hub holds a channel's own lock while it asks, so that order, recent history and hand-over
//! to the workers are one step. An engine must be quick there and never wait.

mod memory;

pub use memory::Memory;

use std::fmt;

use crate::channel::{ChannelName, Position};

/// Orders publications.
///
/// Promises: positions of a channel rise by exactly one within an epoch; an epoch is never used
/// for two orders.
pub trait Engine: fmt::Debug + Send + Sync {
    /// The position that a channel begins at when this node opens it: offset 0 in memory.
    fn open(&self, channel: &ChannelName) -> Position;

    /// The position of the publication that follows `last`. Called with the channel locked.
    fn order(&self, channel: &ChannelName, last: Position) -> Position;
}
