//! The Android client (`clients/android`) on the JVM, behind a thin stand-in for Android: its own checks
//! against a gateway that does what they want, and the client against the real one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "clients/android/harness.rs"]
mod harness;
#[path = "clients/android/wire.rs"]
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::{API_KEY, TestNode, api_key_config};
use common::{QUIET, ids_on, until};
use harness::{checks, java_files, library};
use serde_json::{Value, json};
use wire::Wire;

/// How long a whole test may take on a machine that runs every other test at once.
const LONGEST: Duration = Duration::from_mins(2);

#[test]
fn the_client_keeps_its_promises() {
    let output = checks().output().expect("java runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{printed}\n{complained}", output.status);
    println!("checks: {}", printed.lines().last().unwrap());
}

#[test]
fn the_core_knows_nothing_of_android() {
    let knowing = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        text.contains("android.").then(|| file.file_stem().unwrap().to_str().unwrap().to_owned())
    };
    let found: Vec<_> = java_files(&library()).iter().filter_map(knowing).collect();
    assert_eq!(found, ["CameraView", "MainThread", "NetworkWatch", "PushgateClient"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_sees_where_another_goes() {
    const COUNT: u32 = 30;
    bounded(async {
        let node = TestNode::start().await;
        let count = COUNT.to_string();
        let mut receiver = harness::start(&[&node.origin(), "camera/one", "receive", &count]);
        receiver.says("ready").await;
        let mut sender = harness::start(&[&node.origin(), "camera/one", "send", &count]);
        let mut senders = Vec::new();
        for number in 1..=COUNT {
            let (x, y) = (f64::from(number), f64::from(number) / 8.0);
            let place = format!("{x} {y} {}", -x / 4.0);
            assert_eq!(sender.says("sent").await, place);
            let got = receiver.says("got").await;
            let (client, got) = got.split_once(' ').unwrap();
            assert_eq!(got, place);
            senders.push(client.to_owned());
        }
        senders.dedup();
        assert_eq!(senders.len(), 1);
        for mut harness in [sender, receiver] {
            let (status, rest) = harness.ends().await;
            assert!(status.success() && rest == ["done"], "{status}: {rest:?}");
        }
        // Both have logged out: whoever asks finds only himself.
        let alice = node.login().await;
        assert_eq!(ids_on(&node.users(&alice).await), [alice.client_id.as_str()]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_sees_all_who_stand_there() {
    bounded(async {
        let node = TestNode::start().await;
        let mut standing = Vec::new();
        for number in 1..=5 {
            let mut sender = Sender::connect(&node, "camera").await;
            sender.moves(number).await;
            while sender.client.next().await["x"] != number {}
            standing.push((sender.seen(number), sender));
        }
        let mut watcher = harness::start(&[&node.origin(), "camera", "watch"]);
        watcher.says("open").await;
        for (seen, _) in &standing {
            assert_eq!(&watcher.line().await.unwrap(), seen);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_while_cut_off_arrives_once_and_in_order() {
    const COUNT: u32 = 50;
    bounded(async {
        let node = TestNode::with_config("[presence]\nlinger = 0.2").await;
        let wire = Wire::to(node.address()).await;
        let url = format!("http://{}", wire.address);
        let mut watcher = harness::start(&[&url, "camera", "watch"]);
        let client_id = watcher.says("open").await;

        let mut sender = Sender::connect(&node, "camera").await;
        for number in 1..=COUNT {
            sender.moves(number).await;
            assert_eq!(watcher.line().await.unwrap(), sender.seen(number));
        }
        wire.cut();
        for number in COUNT + 1..=2 * COUNT {
            sender.moves(number).await;
        }
        watcher.says("trouble unreachable").await;
        assert_eq!(watcher.says("open").await, client_id);
        for number in COUNT + 1..=2 * COUNT {
            assert_eq!(watcher.line().await.unwrap(), sender.seen(number));
        }

        // The same while it rests.
        watcher.tell("pause").await;
        until(
            "the watcher to be gone",
            async || Request::get("/users/camera").send(&node).await.ok(),
            |users| users["count"] == 1,
        )
        .await;
        for number in 2 * COUNT + 1..=3 * COUNT {
            sender.moves(number).await;
        }
        watcher.tell("resume").await;
        assert_eq!(watcher.says("open").await, client_id);
        for number in 2 * COUNT + 1..=3 * COUNT {
            assert_eq!(watcher.line().await.unwrap(), sender.seen(number));
        }
        let (status, rest) = watcher.ends().await;
        assert!(status.success() && rest == ["closed 0"], "{status}: {rest:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_told_as_a_gap_and_survived() {
    bounded(async {
        let mut node = TestNode::start().await;
        let mut watcher = harness::start(&[&node.origin(), "camera", "watch"]);
        let client_id = watcher.says("open").await;
        watcher.tell("move 1.5 0 0").await;
        assert_eq!(watcher.says("echo").await, "1.5 0 0");

        node.restart().await;
        // The key that signs tokens outlives the process: it is the same client still.
        watcher.says("trouble").await;
        assert_eq!(watcher.until("open").await, client_id);
        let gap: Value = serde_json::from_str(&watcher.says("gap").await).unwrap();
        assert_eq!(gap["channel"], "camera", "{gap}");
        // Whoever comes now is to see it, though it rests.
        assert_eq!(watcher.says("echo").await, "1.5 0 0");

        // Another key: nobody knows its token any more.
        assert!(node.terminate().await.success());
        std::fs::remove_dir_all(node.data_dir()).unwrap();
        node.start_again().await;
        let told = watcher.until("trouble token-invalid").await;
        assert_eq!(told, "401 0");
        let other = watcher.says("open").await;
        assert_ne!(other, client_id);
        watcher.says("gap").await;
        assert_eq!(watcher.says("echo").await, "1.5 0 0");
        let mut sender = Sender::connect(&node, "camera").await;
        sender.moves(7).await;
        assert_eq!(watcher.line().await.unwrap(), sender.seen(7));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_kicked_comes_back_only_when_asked() {
    bounded(async {
        let node = TestNode::with_config(&api_key_config()).await;
        let mut watcher = harness::start(&[&node.origin(), "camera", "watch"]);
        let client_id = watcher.says("open").await;
        let kick = Request::post("/api/disconnect").bearer(API_KEY);
        let there = Request::get("/users/camera").send(&node).await.ok();
        assert_eq!(there["users"][0]["name"], "harness", "{there}");
        let answer = kick.form(&[("client_id", client_id.as_str())]).send(&node).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(watcher.says("closed").await, "4003");
        // A second is what it would wait at most.
        assert!(watcher.is_quiet(QUIET + Duration::from_secs(1)).await);
        let users = Request::get("/users/camera").send(&node).await.ok();
        assert_eq!(users["count"], 0, "{users}");
        watcher.tell("open").await;
        assert_ne!(watcher.says("open").await, client_id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_falls_silent_is_left_and_a_quiet_one_is_not() {
    bounded(async {
        let node = TestNode::with_config("[heartbeat]\ninterval = 0.3\ntimeout = 5").await;
        let mut watcher = harness::start(&[&node.origin(), "camera", "watch"]);
        let client_id = watcher.says("open").await;
        // Longer than it waits for a sign of life, which is 3.3 seconds.
        assert!(watcher.is_quiet(Duration::from_secs(4)).await);
        node.signal("STOP").await;
        assert_eq!(watcher.says("trouble").await, "unreachable 0 0");
        node.signal("CONT").await;
        assert_eq!(watcher.until("open").await, client_id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_room_is_a_channel_like_any_other() {
    bounded(async {
        let node = TestNode::start().await;
        let mut alice = harness::start(&[&node.origin(), "chat/로비", "chat"]);
        let mut bob = harness::start(&[&node.origin(), "chat/로비", "chat"]);
        let id = alice.says("open").await;
        bob.says("open").await;
        let text = "\"안녕\"\\\u{1F980}\u{2028}";
        alice.tell(&format!("say {text}")).await;
        for harness in [&mut alice, &mut bob] {
            let message = harness.says("message").await;
            let [_, sender, json]: [&str; 3] =
                message.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
            let said: Value = serde_json::from_str(json).unwrap();
            assert_eq!((sender, said["message"].as_str().unwrap()), (id.as_str(), text));
        }
    })
    .await;
}

/// Fails a test that takes too long; what it started is killed with it.
async fn bounded(test: impl Future<Output = ()>) {
    assert!(tokio::time::timeout(LONGEST, test).await.is_ok(), "not done within {LONGEST:?}");
}

/// Another camera, which goes where it is told without ever waiting for anybody.
struct Sender {
    client: TestClient,
    client_id: String,
}

impl Sender {
    async fn connect(node: &TestNode, channel: &str) -> Self {
        let login = node.login().await;
        let query = login.query("");
        let client = TestClient::connect(node, Transport::Ws, channel, &query).await;
        Self { client, client_id: login.client_id }
    }

    async fn moves(&mut self, number: u32) {
        self.client.send(&json!({ "x": number, "y": 0.5, "z": -1e-7 }).to_string()).await;
    }

    /// What a watcher prints of that.
    fn seen(&self, number: u32) -> String {
        format!("got {} {number} 0.5 -1E-7", self.client_id)
    }
}
