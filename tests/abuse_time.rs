//! Those who take their time (robustness.md R1, R2, R3, R8, R11): idle, slow, deaf and flooding
//! peers, beside clients that must lose nothing by them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "abuse_time/beside.rs"]
mod beside;
#[path = "abuse_time/deaf.rs"]
mod deaf;
#[path = "abuse_time/http2.rs"]
mod http2;
#[path = "abuse_time/loud.rs"]
mod loud;
#[path = "abuse_time/silent.rs"]
mod silent;
#[path = "abuse_time/slow.rs"]
mod slow;
