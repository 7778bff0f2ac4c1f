//! WebSocket that means harm: each violation on each way it can come, floods of what is cheap to
//! send, handshakes that are none. What is ordinary is in `websocket.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "tls/certificate.rs"]
#[allow(dead_code, reason = "shared with tls.rs, which uses all of it")]
mod certificate;
#[path = "abuse_websocket/floods.rs"]
mod floods;
#[path = "abuse_websocket/handshake.rs"]
mod handshake;
#[path = "tls/node.rs"]
#[allow(dead_code, reason = "shared with tls.rs, which uses all of it")]
mod node;
#[path = "abuse_websocket/scene.rs"]
mod scene;
#[path = "abuse_websocket/violations.rs"]
mod violations;
#[path = "abuse_websocket/ways.rs"]
mod ways;
