//! Too much of everything that is allowed (robustness.md R4 to R7, R9, C5): connections, clients,
//! channels, messages, descriptors, memory. What is refused, what is bounded, what comes back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "exhaustion/clients.rs"]
mod clients;
#[path = "exhaustion/connections.rs"]
mod connections;
#[path = "exhaustion/crowd.rs"]
mod crowd;
#[path = "exhaustion/descriptors.rs"]
mod descriptors;
#[path = "exhaustion/memory.rs"]
mod memory;
#[path = "exhaustion/rooms.rs"]
mod rooms;
