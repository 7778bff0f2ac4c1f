//! The Unity package, compiled by mono behind a thin stand-in for Unity and run against the binary; and
//! the half of it that is JavaScript, in Node. `make test` installs what these need.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "unity/files.rs"]
mod files;
#[path = "unity/package.rs"]
mod package;
#[path = "unity/program.rs"]
mod program;
#[path = "unity/room.rs"]
mod room;
#[path = "unity/scene.rs"]
mod scene;
#[path = "unity/trouble.rs"]
mod trouble;
#[path = "unity/wire.rs"]
mod wire;
