//! HTTP/2 in cleartext by prior knowledge, spoken by curl (wire.md, introduction).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::process::Stdio;

use common::guarded;
use common::node::{Login, TestNode};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn every_verb_but_ws_is_served() {
    let node = TestNode::start().await;
    let answer = ask(&node, "/login", &["--data", "name=Alice"]).await;
    let alice = Login::of(&serde_json::from_str(&answer).unwrap());
    let bearer = format!("Authorization: Bearer {}", alice.token);
    let with_token = ["--header", bearer.as_str()];

    let posted = ask(&node, "/post", &[&with_token[..], &["--data", "value=hi"]].concat()).await;
    let posted: Value = serde_json::from_str(&posted).unwrap();
    assert_eq!(posted["message"]["value"], "hi");
    let users: Value = serde_json::from_str(&ask(&node, "/users", &with_token).await).unwrap();
    assert_eq!(users["users"][0]["name"], "Alice");
    let history = ask(&node, "/history?since=0", &with_token).await;
    let history: Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history["messages"][0], posted);
    let polled = ask(&node, "/poll?users=none&since=0", &with_token).await;
    let polled: Value = serde_json::from_str(&polled).unwrap();
    assert_eq!(polled["messages"][0], posted);
}

#[tokio::test]
async fn streams_flow() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for verb in ["stream", "sse"] {
        let url = format!("{}/{verb}?{}", node.origin(), alice.query("users=none&since=0"));
        let mut child = curl().arg("--no-buffer").arg(&url).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // What was missed shows that it is open, what is live that it flows.
        for text in [format!("before {verb}"), format!("live {verb}")] {
            node.post(&alice, &text).await;
            loop {
                let line = guarded("a line", lines.next_line()).await.unwrap();
                let line = line.expect("the stream goes on");
                if line.contains(&text) {
                    let json = line.strip_prefix("data: ").unwrap_or(&line);
                    let message: Value = serde_json::from_str(json).unwrap();
                    assert_eq!(message["message"]["value"], text);
                    break;
                }
            }
        }
        child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn problems_are_the_same() {
    let node = TestNode::start().await;
    let answer = ask(&node, "/users", &["--write-out", "%{http_version} %{http_code}"]).await;
    assert!(answer.contains("\"unauthorized\""), "{answer}");
    assert!(answer.ends_with("2 401"), "{answer}");
}

fn curl() -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--http2-prior-knowledge"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// What curl prints of one request.
async fn ask(node: &TestNode, target: &str, arguments: &[&str]) -> String {
    let url = format!("{}{target}", node.origin());
    let output = guarded("curl", curl().args(arguments).arg(url).output()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
