//! The data directory: one gateway at a time uses it (robustness.md, S4).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use common::node::{TestNode, command};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_gateway_is_refused_and_told_who_is_first() {
    let mut first = TestNode::start().await;
    let second = async || {
        let data = first.data_dir();
        let output = command().args(["--port", "0", "--data-dir"]).arg(data).output();
        output.await.unwrap()
    };
    let output = second().await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let process = format!("process {}", first.process_id());
    assert!(told.contains("in use") && told.contains(&process), "{told}");
    // The first has not noticed, and leaves nothing behind however it ends.
    let alice = first.login().await;
    first.post(&alice, "still here").await;
    first.signal("KILL").await;
    first.exit().await;
    first.start_again().await;
    first.login().await;
}
