//! HTTP/2 that means harm, frame by frame: what comes back, that its cost is bounded, and that
//! those who speak HTTP/2 and WebSocket beside it do not notice.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "abuse_http2/crowds.rs"]
mod crowds;
#[path = "abuse_http2/floods.rs"]
mod floods;
#[path = "abuse_http2/logs.rs"]
mod logs;
#[path = "abuse_http2/peer.rs"]
mod peer;
#[path = "abuse_http2/rules.rs"]
mod rules;
#[path = "abuse_http2/scene.rs"]
mod scene;
#[path = "abuse_http2/windows.rs"]
mod windows;
