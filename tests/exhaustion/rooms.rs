//! R6 and R7: very many channels, and very many messages on one.

use serde_json::json;

use crate::common::http::{Request, encode};
use crate::common::node::TestNode;
use crate::common::ws::upgrade;
use crate::common::{offset_of, value_of};

use super::crowd::{mib, send_all};

#[tokio::test]
async fn very_many_channels_cost_little_and_names_that_are_none_nothing() {
    const NAMES: usize = 20_000;
    /// 64 MiB for 100 000, robustness.md R6.
    const MOST: u64 = 64 * 1024 * 1024 / 100_000 * NAMES as u64;
    let node = TestNode::with_config(
        "[channels.\"**\"]\nkind = \"message\"\nhistory = { messages = 0 }\n",
    )
    .await;
    let alice = node.login().await;
    let post = |name: String| {
        Request::post(&format!("/post/{name}")).bearer(&alice.token).form(&[("value", "v")])
    };
    send_all(&node, 500, |number| post(format!("warm-{number}")), |_| {}).await;
    let before = node.resident();
    send_all(&node, NAMES, |number| post(format!("room-{number}")), |_| {}).await;
    let grown = node.resident().saturating_sub(before);
    eprintln!("R6: {:.1} MiB for {NAMES} channels", mib(grown));
    assert!(grown <= MOST, "{:.1} MiB for {NAMES} channels", mib(grown));

    let long = "a/".repeat(128);
    for name in [long.as_str(), "..", "a/../b", "a\u{0}b", "a\nb", "a\u{7f}", "a\u{202e}b"] {
        let name = encode(name).replace("%2F", "/");
        for verb in ["post", "history", "users", "ws", "stream"] {
            let request = Request::get(&format!("/{verb}/{name}")).bearer(&alice.token);
            let request = match verb {
                "post" => post(name.clone()),
                "ws" => upgrade(&format!("/ws/{name}?{}", alice.query(""))),
                _ => request,
            };
            let answer = request.send(&node).await;
            assert_eq!(answer.status, 400, "{verb} {name}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn very_many_messages_on_one_channel_keep_memory_flat() {
    const KEPT: u64 = 200;
    const POSTS: usize = 10_000;
    const MOST: u64 = 4 * 1024 * 1024;
    let config = format!("[channels.\"\"]\nhistory = {{ messages = {KEPT} }}");
    let node = TestNode::with_config(&config).await;
    let alice = node.login().await;
    let text = "x".repeat(1000);
    let post = |number: usize| {
        let value = format!("{number} {text}");
        Request::post("/post").bearer(&alice.token).json(&json!({ "value": value }))
    };
    // The history is full, and every buffer as large as it gets.
    send_all(&node, 1000, post, |_| {}).await;
    let before = node.resident();
    let mut last = None;
    send_all(&node, POSTS, post, |answer| last = Some(answer)).await;
    let grown = node.resident().saturating_sub(before);
    eprintln!("R7: {:.1} MiB for {POSTS} messages of 1 KB", mib(grown));
    assert!(grown <= MOST, "{:.1} MiB", mib(grown));

    let history = node.history(&alice, "since=0&limit=100000").await;
    let kept = history["messages"].as_array().unwrap();
    assert_eq!(kept.len() as u64, KEPT);
    assert_eq!(kept.last(), last.as_ref());
    let newest = offset_of(last.as_ref().unwrap()["message"]["id"].as_str().unwrap());
    assert_eq!(newest, POSTS as u64 + 1000);
    assert!(value_of(&kept[0]).starts_with(&format!("{} ", POSTS as u64 - KEPT)));
}
