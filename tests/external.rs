//! Clients that others wrote: the Python package `websockets`, curl, the npm package `eventsource`;
//! and our own command line, as a process of its own (wire.md §4).
//!
//! `make test` installs the packages; `PUSHGATE_TEST_PYTHON` names the Python that has `websockets`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "external/client.rs"]
mod client;
#[path = "external/relay.rs"]
mod relay;

use std::process::Stdio;
use std::time::Duration;

use client::{Client, Form};
use common::node::{TestNode, command};
use common::{id_of, ids_on, is_on, offset_of, until, value_of};
use relay::Relay;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

/// Enough history for everything that a test here posts.
const HISTORY: &str = "[channels.\"\"]\nhistory = { messages = 5000, bytes = 16777216 }\n";

/// How long a whole test may take on a machine that runs every other test at once.
const LONGEST: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_messages_reach_websockets_curl_and_eventsource_in_order() {
    const COUNT: usize = 1000;
    bounded(async {
        let node = TestNode::with_config(HISTORY).await;
        let alice = node.login().await;
        let mut clients = [
            Client::websockets(&address(&node, "ws", &node.login().await.query(""))).await,
            Client::curl(Form::Lines, &address(&node, "stream", &lists(&node).await)),
            Client::curl(Form::Blocks, &address(&node, "sse", &lists(&node).await)),
            Client::eventsource(&address(&node, "sse", &lists(&node).await), COUNT + 1),
        ];
        for client in &mut clients {
            client.is_connected().await;
        }

        let mut expected = Vec::new();
        let mut poster = node.poster(&alice, "").await;
        let texts = (0..COUNT).map(|number| {
            format!("{number} \0\r\n\n data: id: 1 \u{2028} \"\\ </script> 로비 \u{1F980}")
        });
        for text in texts.chain(["end".to_owned()]) {
            let answer = poster.post(&text).await;
            assert_eq!(value_of(&answer), text);
            expected.push((id_of(&answer).to_owned(), text));
        }
        let first = offset_of(&expected[0].0);
        for (offset, (id, _)) in (first..).zip(&expected) {
            assert_eq!(offset_of(id), offset);
        }

        for client in &mut clients {
            assert_eq!(client.published().await, expected);
        }
        let [websockets, _, _, eventsource] = clients;
        let (status, rest) = websockets.ends().await;
        assert!(status.success(), "{status}: {rest:?}");
        let (status, rest) = eventsource.ends().await;
        // The list changes once more when the others leave; no message may follow the last one.
        let only_lists = rest.iter().all(|line| line.contains("users"));
        assert!(status.success() && only_lists, "{status}: {rest:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eventsource_resumes_by_itself_after_a_cut() {
    const COUNT: u32 = 400;
    bounded(async {
        let node = TestNode::with_config(HISTORY).await;
        let (alice, bob) = (node.login().await, node.login().await);
        // A message takes more than 200 bytes of the stream: the cut comes within the first 200.
        let relay = Relay::start(node.address(), 40_000).await;
        let url = format!("http://{}/sse?{}", relay.address, bob.query(""));
        let mut client = Client::eventsource(&url, COUNT as usize);
        client.is_connected().await;

        let mut poster = node.poster(&alice, "").await;
        let mut expected = Vec::new();
        for number in 0..300 {
            expected.push(poster.post(&number.to_string()).await);
        }
        let heads = async || relay.heads();
        until("a second connection", heads, |heads| heads.len() == 2).await;
        for number in 300..COUNT {
            expected.push(poster.post(&number.to_string()).await);
        }

        let (mut got, mut last_id, mut cut_at) = (Vec::new(), String::new(), None);
        while got.len() < expected.len() {
            let told = client.json().await;
            if told.get("error").is_some() {
                assert_eq!(cut_at.replace((last_id.clone(), got.len())), None, "{told}");
            } else if let Some(data) = told["data"].as_str() {
                told["lastEventId"].as_str().unwrap().clone_into(&mut last_id);
                let object: Value = serde_json::from_str(data).unwrap();
                if object.get("users").is_none() {
                    assert_eq!(id_of(&object), last_id);
                    got.push(object);
                }
            }
        }
        assert_eq!(got, expected);
        let (last_id, before) = cut_at.expect("the connection was cut");
        assert!((1..300).contains(&before), "{before} came before the cut");
        let heads = relay.heads();
        assert_eq!(heads.len(), 2, "{heads:?}");
        assert!(!heads[0].contains("last-event-id"), "{}", heads[0]);
        assert!(heads[1].contains(&format!("last-event-id: {last_id}\r\n")), "{}", heads[1]);
        let (status, rest) = client.ends().await;
        assert!(status.success() && rest.is_empty(), "{status}: {rest:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_answers_pings_and_closes_in_good_order() {
    bounded(async {
        let config = format!("{HISTORY}[heartbeat]\ninterval = 1\ntimeout = 1\n");
        let node = TestNode::with_config(&config).await;
        let (alice, bob) = (node.login().await, node.login().await);
        let mut client = Client::websockets(&address(&node, "ws", &bob.query(""))).await;
        client.is_connected().await;
        let mut pings = 0;
        while pings < 3 {
            let told = client.json().await;
            if let Some(count) = told["pings"].as_u64() {
                assert_eq!((count, told["pongs"].as_u64()), (pings + 1, Some(count)), "{told}");
                pings = count;
            }
        }
        let answer = node.post(&alice, "still here").await;
        assert_eq!(skip_heartbeats(&mut client).await, answer);
        node.post(&alice, "end").await;
        let (status, rest) = client.ends().await;
        assert!(status.success(), "{status}: {rest:?}");
        assert_eq!(rest.last().map(String::as_str), Some(r#"{"closed": 1000}"#), "{rest:?}");
        // Its own close frame ends its presence at once, without the linger of a broken one.
        assert_eq!(ids_on(&node.users(&alice).await), [alice.client_id.as_str()]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_publishes_and_subscribes() {
    const COUNT: usize = 100;
    bounded(async {
        let node = TestNode::start().await;
        let count = COUNT.to_string();
        let sub = pushgate(&node, &["sub", "-c", "room", "--count", &count, "--name", "Ada"]);
        sub.says("connected (ws)").await;
        let listed = succeeds(&node, &["users", "-c", "room"], "").await;
        assert!(listed.len() == 2 && listed[1].ends_with("  127.0.0.1  Ada"), "{listed:?}");

        let lines: Vec<String> = (0..COUNT).map(|number| format!("line {number} 로비")).collect();
        let published = succeeds(&node, &["pub", "-c", "room"], &lines.join("\n")).await;
        let (status, got) = sub.ends().await;
        assert!(status.success(), "{status}: {got:?}");
        let got: Vec<Value> = got.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(got.iter().map(value_of).collect::<Vec<_>>(), lines);
        assert_eq!(got.iter().map(id_of).collect::<Vec<_>>(), published);

        // Both have logged out: whoever asks finds only himself.
        let listed = succeeds(&node, &["users", "--json"], "").await;
        let listed: Value = serde_json::from_str(&listed.concat()).unwrap();
        assert_eq!(listed["count"], 1, "{listed}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_survives_a_restart_and_tells_the_gap() {
    bounded(async {
        let mut node = TestNode::start().await;
        let mut sub = pushgate(&node, &["sub", "-c", "room", "--name", "Ada"]);
        sub.says("connected (ws)").await;
        let before = succeeds(&node, &["pub", "-c", "room"], "one\ntwo\n").await;
        for (id, value) in before.iter().zip(["one", "two"]) {
            let message = sub.json().await;
            assert_eq!((id_of(&message), value_of(&message)), (id.as_str(), value));
        }

        node.restart().await;
        let after = succeeds(&node, &["pub", "-c", "room"], "three\nfour\n").await;
        let gap = sub.json().await;
        assert_eq!(gap["gap"]["channel"], "room", "{gap}");
        assert_eq!(gap["gap"]["since"], before[1], "{gap}");
        for (id, value) in after.iter().zip(["three", "four"]) {
            let message = sub.json().await;
            assert_eq!((id_of(&message), value_of(&message)), (id.as_str(), value));
        }
        // The same client as before: the key that signs tokens outlives the process.
        let listed = succeeds(&node, &["users", "-c", "room"], "").await;
        assert!(listed.len() == 2 && listed[1].ends_with("  127.0.0.1  Ada"), "{listed:?}");

        sub.signal("INT").await;
        let (status, rest) = sub.ends().await;
        assert!(status.success() && rest.is_empty(), "{status}: {rest:?}");
        let alice = node.login().await;
        assert!(is_on(&node.users(&alice).await, &alice.client_id));
        assert_eq!(node.users(&alice).await["count"], 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_says_goodbye_at_either_signal() {
    bounded(async {
        let node = TestNode::with_config("[presence]\nlinger = 600\n").await;
        let alice = node.login().await;
        for signal in ["INT", "TERM"] {
            let sub = pushgate(&node, &["sub", "-c", "room", "--name", "Ada"]);
            sub.says("connected (ws)").await;
            assert_eq!(node.users(&alice).await["count"], 2);
            sub.signal(signal).await;
            let (status, rest) = sub.ends().await;
            assert!(status.success() && rest.is_empty(), "{signal}: {status}: {rest:?}");
            assert_eq!(node.users(&alice).await["count"], 1, "{signal}");
        }
    })
    .await;
}

/// Fails a test that takes too long; what it started is killed with it.
async fn bounded(test: impl Future<Output = ()>) {
    assert!(tokio::time::timeout(LONGEST, test).await.is_ok(), "not done within {LONGEST:?}");
}

/// The query of a client that has just logged in and wants whole lists.
async fn lists(node: &TestNode) -> String {
    node.login().await.query("users=list")
}

/// The address of a verb on the root channel.
fn address(node: &TestNode, verb: &str, query: &str) -> String {
    let scheme = if verb == "ws" { "ws" } else { "http" };
    format!("{scheme}://{}/{verb}?{query}", node.address())
}

/// The next message beside lists and what is told of heartbeats.
async fn skip_heartbeats(client: &mut Client) -> Value {
    loop {
        let told = client.json().await;
        if told.get("message").is_some() {
            return told;
        }
    }
}

/// One of our own commands against a node.
fn pushgate(node: &TestNode, arguments: &[&str]) -> Client {
    let mut command = command();
    command.args(arguments).env("PUSHGATE_URL", node.origin());
    Client::start("pushgate", Form::Lines, command)
}

/// What a command that must succeed prints when it is given this input.
async fn succeeds(node: &TestNode, arguments: &[&str], input: &str) -> Vec<String> {
    let mut command = command();
    command.args(arguments).env("PUSHGATE_URL", node.origin()).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
    let output = child.wait_with_output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {}: {errors}", output.status);
    let _ = writing.await.unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
