//! Who one is, and what others may learn of it: tokens, logs, origins, addresses, hostile texts.

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

#[path = "abuse_identity/answers.rs"]
mod answers;
#[path = "abuse_identity/forwarded.rs"]
mod forwarded;
#[path = "abuse_identity/logs.rs"]
mod logs;
#[path = "abuse_identity/origins.rs"]
mod origins;
#[path = "abuse_identity/randomness.rs"]
mod randomness;
#[path = "abuse_identity/texts.rs"]
mod texts;
#[path = "abuse_identity/tokens.rs"]
mod tokens;
