//! Cameras: channels of kind `camera` (wire.md §4).

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

use std::time::Duration;

use common::client::{Event, TestClient, Transport};
use common::http::{Request, encode};
use common::node::TestNode;
use common::offset_of;
use common::scrape::reaches;
use common::ws::{CLOSE, PING, RawSocket, TEXT};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

fn place(x: u32, y: u32, z: u32) -> String {
    format!(r#"{{"x":{x},"y":{y},"z":{z}}}"#)
}

async fn camera(node: &TestNode, channel: &str) -> TestClient {
    TestClient::connect(node, Transport::Ws, channel, "").await
}

async fn everyone_sees_each_position_once_and_in_order(transport: Transport) {
    let node = TestNode::start().await;
    let mut sender = camera(&node, "camera").await;
    let mut viewer = TestClient::connect(&node, transport, "camera", "").await;
    for number in 1..=50 {
        let said = place(number, 0, 1);
        sender.send(&said).await;
        // The sender's own comes back exactly once, or the next one would not be next.
        assert_eq!(sender.next_text().await, said);
        assert_eq!(viewer.next().await, json!({ "x": number, "y": 0, "z": 1 }));
    }
}

async fn a_newcomer_gets_the_last_position_at_once(transport: Transport) {
    let node = TestNode::start().await;
    let mut sender = camera(&node, "camera").await;
    for number in 1..=3 {
        sender.send(&place(number, number, number)).await;
        sender.next().await;
    }
    let mut newcomer = TestClient::connect(&node, transport, "camera", "").await;
    assert_eq!(newcomer.next().await, json!({ "x": 3, "y": 3, "z": 3 }));
    sender.send(&place(4, 4, 4)).await;
    assert_eq!(newcomer.next().await["x"], 4);
    // Who comes back to where it was has no need of it.
    let answer = Request::get("/poll/camera?wait=0").send(&node).await.ok();
    let again = format!("/poll/camera?wait=0&since={}", answer["since"].as_str().unwrap());
    assert_eq!(answer["messages"], json!([{ "x": 4, "y": 4, "z": 4 }]));
    assert_eq!(Request::get(&again).send(&node).await.ok()["messages"], json!([]));
}

async fn with_ids_it_is_told_who_looks_from_where(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut sender = TestClient::connect(&node, Transport::Ws, "camera", &alice.query("")).await;
    sender.send(&place(1, 2, 3)).await;
    sender.next().await;
    let mut viewer = TestClient::connect(&node, transport, "camera", "ids=1").await;
    if transport != Transport::Poll {
        assert_eq!(offset_of(viewer.next().await["since"].as_str().unwrap()), 0);
    }
    let told = viewer.next().await;
    assert_eq!(told["client_id"], alice.client_id.as_str());
    assert_eq!(told["data"], json!({ "x": 1, "y": 2, "z": 3 }));
    assert_eq!(offset_of(told["id"].as_str().unwrap()), 1);
}

on_every_transport!(
    everyone_sees_each_position_once_and_in_order,
    a_newcomer_gets_the_last_position_at_once,
    with_ids_it_is_told_who_looks_from_where,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digits_are_kept_and_further_members_dropped() {
    let node = TestNode::start().await;
    let mut sender = camera(&node, "camera").await;
    sender.send(r#"{"name":"é","z":1E-7, "x":-0.10,"q":[{}],"y":12345678901234567890.5000}"#).await;
    let expected = r#"{"x":-0.10,"y":12345678901234567890.5000,"z":1E-7}"#;
    assert_eq!(sender.next_text().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_is_ignored_and_counted_and_the_connection_lives() {
    let node = TestNode::start().await;
    let mut old = camera(&node, "camera").await;
    let mut new = TestClient::connect(&node, Transport::Ws, "camera", "errors=1").await;
    let wrong = [
        "",
        "   ",
        "hello",
        "null",
        "7",
        "[]",
        "[1,2,3]",
        "{}",
        r#"{"x":1,"y":2}"#,
        r#"{"x":"1","y":2,"z":3}"#,
        r#"{"x":NaN,"y":2,"z":3}"#,
        r#"{"x":Infinity,"y":2,"z":3}"#,
        r#"{"x":1e999,"y":2,"z":3}"#,
        r#"{"x":[1],"y":2,"z":3}"#,
        r#"{"x":null,"y":2,"z":3}"#,
        r#"{"x":1,"y":2,"z":3"#,
    ];
    for said in wrong {
        old.send(said).await;
        new.send(said).await;
    }
    // Told once to who asked for it, and nobody heard of anything else.
    let told = new.next().await;
    assert_eq!(told["error"]["code"], "bad-request", "{told}");
    old.send(&place(1, 2, 3)).await;
    for client in [&mut old, &mut new] {
        assert_eq!(client.next().await, json!({ "x": 1, "y": 2, "z": 3 }));
    }
    reaches(&node, "pushgate_ignored_messages_total", 2 * wrong.len() as u64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_position_ends_its_own_connection_alone() {
    let node = TestNode::start().await;
    let mut viewer = camera(&node, "camera").await;
    let mut binary = camera(&node, "camera").await;
    binary.send_message(Message::binary(br#"{"x":1,"y":2,"z":3}"#.to_vec())).await;
    assert!(matches!(binary.end().await, Event::Closed(Some(1003))));
    let mut large = camera(&node, "camera").await;
    large.send(&format!(r#"{{"x":1,"y":2,"z":3,"more":"{}"}}"#, "m".repeat(1 << 20))).await;
    assert!(matches!(large.end().await, Event::Closed(Some(1009))));
    let mut sender = camera(&node, "camera").await;
    sender.send(&place(1, 2, 3)).await;
    assert_eq!(viewer.next().await["x"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_can_be_posted() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut viewer = camera(&node, "camera").await;
    let post = || Request::post("/post/camera").bearer(&alice.token);
    let form = post().form(&[("value", r#"{"x": 1.50, "y": 2, "z": 3, "w": 4}"#)]);
    let answer = form.send(&node).await;
    assert!(answer.text().contains(r#""value":{"x":1.50,"y":2,"z":3}"#), "{}", answer.text());
    assert_eq!(answer.ok()["message"]["client_id"], alice.client_id.as_str());
    assert_eq!(viewer.next_text().await, r#"{"x":1.50,"y":2,"z":3}"#);
    post().json(&json!({ "value": { "x": 4, "y": 5, "z": 6 } })).send(&node).await.ok();
    assert_eq!(viewer.next().await["x"], 4);
    let wrong = [json!({ "x": 1 }), json!("here"), json!([1, 2, 3]), json!(7), json!(null)];
    for value in wrong {
        post().json(&json!({ "value": value })).send(&node).await.names_field("value");
    }
    for value in ["", "here", r#"{"x":1e999,"y":2,"z":3}"#] {
        post().form(&[("value", value)]).send(&node).await.names_field("value");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenes_do_not_see_each_other() {
    let node = TestNode::start().await;
    let scenes =
        ["camera".to_owned(), "camera/one".to_owned(), format!("camera/{}", encode("로비"))];
    let mut cameras = Vec::new();
    for scene in &scenes {
        cameras.push((camera(&node, scene).await, camera(&node, scene).await));
    }
    for (number, (sender, _)) in (1..).zip(&mut cameras) {
        sender.send(&place(number, 0, 0)).await;
    }
    for (number, (sender, viewer)) in (1..).zip(&mut cameras) {
        assert_eq!(sender.next().await["x"], number);
        assert_eq!(viewer.next().await["x"], number);
    }
    for (number, scene) in (1..).zip(&scenes) {
        let mut newcomer = camera(&node, scene).await;
        assert_eq!(newcomer.next().await["x"], number, "{scene}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_position_outlives_the_history() {
    let short = "history = { messages = 1000, seconds = 1, bytes = 1048576 }";
    let node = TestNode::with_config(&format!("[channels.camera]\n{short}")).await;
    let mut sender = camera(&node, "camera").await;
    sender.send(&place(7, 8, 9)).await;
    sender.next().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(camera(&node, "camera").await.next().await["x"], 7);
}

/// How many each of two cameras sends in ten seconds.
const POSITIONS: u32 = 100;

/// The number of a sender, and that of its position.
fn who_and_where(told: &Value) -> (usize, u32) {
    let number = |name: &str| u32::try_from(told[name].as_u64().unwrap()).unwrap();
    (number("z").try_into().unwrap(), number("x"))
}

/// What a viewer heard is the positions of both senders, each in its order, none missing.
struct Seen([u32; 2]);

impl Seen {
    fn hear(&mut self, told: &Value) {
        let (sender, number) = who_and_where(told);
        assert_eq!(number, self.0[sender] + 1, "of sender {sender}");
        self.0[sender] = number;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cameras_are_seen_by_two_hundred_and_by_one_who_sleeps() {
    // So long that a socket which is not read fills up.
    const DIGITS: usize = 3000;
    let node = TestNode::start().await;
    let sleeper = RawSocket::open_narrow(&node, "/ws/camera").await;
    let slept = tokio::spawn(sleep_and_wake(sleeper));
    let mut viewers = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let mut viewer = camera(&node, "camera").await;
        viewers.spawn(async move {
            let mut seen = Seen([0, 0]);
            while seen.0 != [POSITIONS, POSITIONS] {
                seen.hear(&viewer.next().await);
            }
        });
    }
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..2 {
        let mut sender = camera(&node, "camera").await;
        senders.spawn(async move {
            let mut seen = Seen([0, 0]);
            // The other one may have begun: what it said last is what a newcomer is told.
            for x in 1..=POSITIONS {
                let digits = "0".repeat(DIGITS);
                sender.send(&format!(r#"{{"x":{x},"y":1.{digits},"z":{number}}}"#)).await;
                loop {
                    let told = sender.next().await;
                    if told["z"] == number {
                        seen.hear(&told);
                        break;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    while let Some(saw) = viewers.join_next().await {
        saw.unwrap();
    }
    let slept = slept.await.unwrap();
    assert!(slept < 2 * POSITIONS, "a backlog of {slept}");
}

/// Sleeps, wakes, and reads until it has the newest of both; how many positions it saw.
async fn sleep_and_wake(mut sleeper: RawSocket) -> u32 {
    // Less than the write deadline, at which whoever takes nothing is given up.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (mut newest, mut count) = ([0, 0], 0);
    while newest != [POSITIONS, POSITIONS] {
        let frame = sleeper.next().await.expect("the connection lives");
        match frame.opcode {
            TEXT => {
                let told: Value = serde_json::from_str(frame.text()).unwrap();
                let (sender, number) = who_and_where(&told);
                assert!(number > newest[sender], "{number} after {}", newest[sender]);
                newest[sender] = number;
                count += 1;
            }
            PING => {}
            CLOSE => panic!("closed with {:?}", frame.code()),
            other => panic!("opcode {other}"),
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_may_ask_for_few_positions() {
    let node = TestNode::start().await;
    let mut sender = camera(&node, "camera").await;
    let mut calm = TestClient::connect(&node, Transport::Ws, "camera", "max_rate=2").await;
    for x in 1..=300 {
        sender.send(&place(x, 0, 0)).await;
        sender.next().await;
    }
    let mut heard = 0;
    while calm.next().await["x"] != 300 {
        heard += 1;
    }
    assert!(heard < 100, "{heard} positions");
}
