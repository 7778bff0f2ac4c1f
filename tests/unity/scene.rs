//! A scene: positions as they go and come, and the life of the component.

use serde_json::Value;

use super::program::Scene;
use crate::common::client::{TestClient, Transport};
use crate::common::node::{Login, TestNode};
use crate::common::{QUIET, http::Request, ids_on, is_on, until};

/// Who breaks off stays on the lists for longer than any test: only a close in good order ends it.
pub const LINGER: &str = "[presence]\nlinger = 60\n";

pub fn scene(node: &TestNode, channel: &str) -> Scene {
    Scene::start(&[&node.origin(), channel, "scene"])
}

/// Somebody else in the scene, who does not hear of what was before.
pub async fn watcher(node: &TestNode, channel: &str) -> (Login, TestClient) {
    let login = node.login().await;
    let query = login.query("ids=1&start=1");
    let mut client = TestClient::connect(node, Transport::Ws, channel, &query).await;
    assert!(client.next().await["since"].is_string());
    (login, client)
}

pub fn position(x: u32) -> String {
    format!(r#"{{"x":{x},"y":0.5,"z":-0.25}}"#)
}

/// Who subscribes to a channel.
pub async fn present(node: &TestNode, channel: &str) -> Vec<String> {
    ids_on(&Request::get(&format!("/users/{channel}")).send(node).await.ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sends_and_others_receive_the_same_in_order() {
    const COUNT: u8 = 12;
    let node = TestNode::start().await;
    let count = COUNT.to_string();
    let mut receivers = [
        Scene::start(&[&node.origin(), "camera/hall", "receive", &count]),
        Scene::start(&[&node.origin().replace("http:", "ws:"), "camera/hall", "receive", &count]),
    ];
    for receiver in &mut receivers {
        receiver.says("ready").await;
    }
    let (_, mut watcher) = watcher(&node, "camera/hall").await;
    let (_, mut elsewhere) = self::watcher(&node, "camera").await;
    let sent = Scene::start(&[&node.origin(), "camera/hall", "send", &count]).ends().await;

    let expected: Vec<String> = (1..=COUNT)
        .map(|number| format!("{number} {} {}", f32::from(number) / 8.0, f32::from(number) / -4.0))
        .collect();
    let lines = |start: &str| {
        let lines = expected.iter().map(|text| format!("{start} {text}"));
        lines.chain(["done".to_owned()]).collect::<Vec<_>>()
    };
    assert_eq!(sent, lines("sent"));
    let first = watcher.next().await;
    let sender = first["client_id"].as_str().unwrap();
    for receiver in receivers {
        assert_eq!(receiver.ends().await, lines(&format!("got {sender}")));
    }
    elsewhere.is_quiet_for(QUIET).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_anew_sees_all_who_stand_there() {
    let node = TestNode::start().await;
    let mut standing = Vec::new();
    for x in 1..=5 {
        let (login, mut client) = watcher(&node, "camera/hall").await;
        // The one who came before, and what this one says.
        client.send(&position(x)).await;
        while client.next().await["data"]["x"] != x {}
        standing.push((client, format!("{} {x} 0.5 -0.25", login.client_id)));
    }
    let mut newcomer = scene(&node, "camera/hall");
    for (_, place) in &standing {
        assert_eq!(&newcomer.says("got ").await, place);
    }
    newcomer.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digits_are_those_of_single_precision_whatever_the_locale() {
    let node = TestNode::start().await;
    let (_, mut watcher) = watcher(&node, "camera").await;
    let mut scene = scene(&node, "camera");
    scene.says("open").await;
    scene.tell("move 0.1 -16777216 1e-7").await;
    scene.says("echo").await;
    let text = watcher.next_text().await;
    assert!(text.ends_with(r#""data":{"x":0.1,"y":-16777216,"z":1E-07}}"#), "{text}");
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_still_sends_nothing_and_who_moves_keeps_the_rate() {
    let node = TestNode::start().await;
    let (_, mut watcher) = watcher(&node, "camera").await;
    let mut scene = scene(&node, "camera");
    scene.says("open").await;
    scene.tell("move 1 2 3").await;
    scene.says("echo 1 2 3").await;
    assert_eq!(watcher.next().await["data"]["x"], 1);
    watcher.is_quiet_for(QUIET).await;

    scene.tell("rate 10").await;
    scene.tell("dance 200").await;
    let milliseconds: f64 = scene.says("danced").await.parse().unwrap();
    scene.tell("move 0 0 0").await;
    scene.says("echo 0 0 0").await;
    let mut count = 0.0;
    while watcher.next().await["data"]["x"].as_f64() != Some(0.0) {
        count += 1.0;
    }
    assert!(count >= 1.0 && count <= milliseconds / 100.0 + 2.0, "{count} in {milliseconds} ms");
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_throws_stops_nothing() {
    let node = TestNode::start().await;
    let (_, mut watcher) = watcher(&node, "camera").await;
    let mut scene = scene(&node, "camera");
    scene.says("open").await;
    scene.tell("throw").await;
    scene.says("did throw").await;
    for x in 1..=3 {
        watcher.send(&position(x)).await;
        scene.says("got").await;
        scene.says("console exception thrown in code").await;
        scene.says(&format!("behind it {x} 0.5 -0.25")).await;
        scene.says("console exception thrown in the inspector").await;
    }
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_it_is_gone_at_once_and_enabled_it_is_the_same_client() {
    let node = TestNode::with_config(LINGER).await;
    let mut scene = scene(&node, "camera");
    let client_id = scene.says("open").await;
    assert_eq!(present(&node, "camera").await, std::slice::from_ref(&client_id));
    scene.tell("disable").await;
    scene.says("closed by us").await;
    let ask = || present(&node, "camera");
    until("nobody", ask, Vec::is_empty).await;
    scene.tell("enable").await;
    assert_eq!(scene.says("open").await, client_id);

    scene.tell("destroy").await;
    scene.says("did destroy").await;
    let alice = node.login().await;
    let ask = || node.users(&alice);
    until("a logout", ask, |users: &Value| !is_on(users, &client_id)).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_it_stays_present_and_resumed_it_hears_what_it_missed() {
    let node = TestNode::with_config(LINGER).await;
    let (_, mut watcher) = watcher(&node, "camera").await;
    let mut scene = scene(&node, "camera");
    let client_id = scene.says("open").await;
    watcher.send(&position(1)).await;
    scene.says("got").await;
    scene.tell("pause").await;
    scene.says("did pause").await;
    for x in 2..=6 {
        watcher.send(&position(x)).await;
    }
    for x in 1..=6 {
        assert_eq!(watcher.next().await["data"]["x"], x);
    }
    assert!(present(&node, "camera").await.contains(&client_id));
    scene.tell("resume").await;
    scene.says("open").await;
    for x in 2..=6 {
        assert!(scene.says("got").await.ends_with(&format!(" {x} 0.5 -0.25")));
    }
    assert!(!scene.heard().iter().any(|line| line.starts_with("gap")), "{:?}", scene.heard());
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scene_that_falls_behind_gets_the_newest() {
    const COUNT: u32 = 3000;
    let node = TestNode::start().await;
    let (_, mut watcher) = watcher(&node, "camera").await;
    let mut scene = scene(&node, "camera");
    scene.says("open").await;
    scene.tell("stall").await;
    scene.says("stalls").await;
    for x in 1..=COUNT {
        watcher.send(&position(x)).await;
    }
    while watcher.next().await["data"]["x"] != COUNT {}
    // Nothing tells when the scene's own thread has read as much.
    tokio::time::sleep(QUIET).await;
    scene.tell("go on").await;
    let mut got = Vec::new();
    while got.last() != Some(&COUNT) {
        let told = scene.says("got").await;
        got.push(told.split(' ').nth(1).unwrap().parse().unwrap());
    }
    assert!(got.is_sorted() && got.len() < COUNT as usize, "{} came: {got:?}", got.len());
    let heard = scene.heard();
    let is_calm = |line: &String| !line.starts_with("failed") && !line.starts_with("gap");
    assert!(heard.iter().all(is_calm), "{heard:?}");
    scene.ends().await;
}
