//! The server half of the Channel API (wire.md §6): tokens that a backend makes, private lines, and
//! the texts that it sends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[macro_use]
mod common;

#[path = "channel_api/backend.rs"]
mod backend;
#[path = "channel_api/create.rs"]
mod create;
#[path = "channel_api/dev.rs"]
mod dev;
#[path = "channel_api/lines.rs"]
mod lines;
#[path = "channel_api/send.rs"]
mod send;
#[path = "channel_api/start.rs"]
mod start;
