//! The clients that people copy, with each other: a Unity scene sends its camera, an Android phone draws
//! it. `make test` installs what both need.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking; what only the tests of one client use is not used here"
)]
mod common;

#[path = "clients/android/harness.rs"]
mod harness;
#[path = "unity/package.rs"]
mod package;
#[path = "unity/program.rs"]
mod program;

use common::node::TestNode;
use program::Scene;

/// How many positions are sent.
const COUNT: usize = 50;

/// The arguments of either harness.
fn arguments<'a>(origin: &'a str, way: &'a str, count: &'a str) -> [&'a str; 4] {
    [origin, "camera/phone", way, count]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_sees_where_a_unity_scene_looks_from() {
    let node = TestNode::start().await;
    let (origin, count) = (node.origin(), COUNT.to_string());
    let mut phone = harness::start(&arguments(&origin, "receive", &count));
    phone.says("ready").await;
    let mut scene = Scene::start(&arguments(&origin, "send", &count));
    let mut senders = Vec::new();
    for number in 1..=COUNT {
        let sent = scene.says("sent").await;
        assert_eq!(sent.split(' ').next(), Some(number.to_string().as_str()));
        let got = phone.says("got").await;
        let (sender, place) = got.split_once(' ').unwrap();
        assert_eq!(place, sent, "position {number}");
        senders.push(sender.to_owned());
    }
    senders.dedup();
    assert_eq!(senders.len(), 1);
    phone.says("done").await;
    scene.says("done").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unity_scene_sees_where_a_phone_is() {
    let node = TestNode::start().await;
    let (origin, count) = (node.origin(), COUNT.to_string());
    let mut scene = Scene::start(&arguments(&origin, "receive", &count));
    scene.says("ready").await;
    let mut phone = harness::start(&arguments(&origin, "send", &count));
    for number in 1..=COUNT {
        let sent = phone.says("sent").await;
        let got = scene.says("got").await;
        let (_, place) = got.split_once(' ').unwrap();
        assert_eq!(place, sent, "position {number}");
    }
    phone.says("done").await;
    scene.says("done").await;
}
