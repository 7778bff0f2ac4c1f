//! HTTP that means harm, through raw sockets: what comes back, and that nobody else notices.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "abuse_http/chunks.rs"]
mod chunks;
#[path = "abuse_http/crumbs.rs"]
mod crumbs;
#[path = "abuse_http/fields.rs"]
mod fields;
#[path = "abuse_http/head.rs"]
mod head;
#[path = "abuse_http/length.rs"]
mod length;
#[path = "abuse_http/pipeline.rs"]
mod pipeline;
#[path = "abuse_http/scene.rs"]
mod scene;
#[path = "abuse_http/target.rs"]
mod target;
