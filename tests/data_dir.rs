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

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;

use common::node::{TestNode, command};
use common::until;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_removed_is_made_anew_and_told() {
    let node = TestNode::start().await;
    let path = node.data_dir().join("lock");
    fs::remove_file(&path).unwrap();
    let output = async || node.output();
    until("an error", output, |output| output.contains("it is made anew")).await;
    let holder = fs::read_to_string(&path).unwrap();
    assert_eq!(holder.trim(), node.process_id().to_string());
    assert!(File::open(&path).unwrap().try_lock().is_err());
    node.login().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_another_on_its_data_ends_at_once() {
    let mut node = TestNode::start().await;
    let path = node.data_dir().join("lock");
    // What another process holds by now.
    let new = path.with_extension("new");
    let other = File::create(&new).unwrap();
    other.lock().unwrap();
    fs::write(&new, "4711\n").unwrap();
    fs::rename(&new, &path).unwrap();
    assert_eq!(node.exit().await.signal(), Some(libc::SIGABRT), "{}", node.output());
    let output = node.output();
    assert!(output.contains("process 4711") && output.contains("has begun"), "{output}");
    drop(other);
}
