//! What goes wrong, and what a scene makes of it.

use serde_json::json;

use super::program::Scene;
use super::scene::{position, present, scene, watcher};
use super::wire::Wire;
use crate::common::client::{TestClient, Transport};
use crate::common::http::Request;
use crate::common::node::{API_KEY, Login, TestNode, api_key_config};
use crate::common::{QUIET, is_on};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_is_survived_and_nothing_is_lost_or_comes_twice() {
    let node = TestNode::start().await;
    let wire = Wire::to(node.address()).await;
    let (_, mut watcher) = watcher(&node, "camera").await;
    let mut scene = Scene::start(&[&wire.origin(), "camera", "scene"]);
    let client_id = scene.says("open").await;
    scene.tell("move 7 7 7").await;
    scene.says("echo 7 7 7").await;
    let mut expected = Vec::new();
    for cut in 0..3 {
        for x in 1..=20 {
            let x = cut * 100 + x;
            watcher.send(&position(x)).await;
            expected.push(format!("{x} 0.5 -0.25"));
            if x % 100 == 10 {
                wire.cut();
                scene.says("failed unreachable 0 0 for now").await;
            }
        }
        assert_eq!(scene.says("open").await, client_id);
        // It says where it is, once more.
        scene.says("echo 7 7 7").await;
    }
    watcher.send(&position(999)).await;
    expected.push("999 0.5 -0.25".to_owned());
    scene.tell("disable").await;
    while scene.line().await.unwrap() != "closed by us" {}
    let got = scene.heard().iter().filter_map(|line| line.strip_prefix("got "));
    let got: Vec<_> = got.map(|told| told.split_once(' ').unwrap().1.to_owned()).collect();
    // The last one may be behind the close.
    assert!(expected.starts_with(&got) && got.len() + 1 >= expected.len(), "{got:?}");
    assert!(!scene.heard().iter().any(|line| line.starts_with("gap")), "{:?}", scene.heard());
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_survived_and_the_gap_is_told() {
    let mut node = TestNode::start().await;
    let mut scene = scene(&node, "camera");
    let client_id = scene.says("open").await;
    scene.tell("move 1 2 3").await;
    scene.says("echo 1 2 3").await;
    node.restart().await;
    scene.says("failed unreachable").await;
    assert_eq!(scene.says("open").await, client_id);
    scene.says("gap").await;
    scene.says("echo 1 2 3").await;
    let (_, mut watcher) = watcher(&node, "camera").await;
    watcher.send(&position(5)).await;
    assert!(scene.says("got").await.ends_with("5 0.5 -0.25"));

    // With a farewell.
    node.terminate().await;
    scene.says("failed closed 0 1001 for now").await;
    node.start_again().await;
    assert_eq!(scene.says("open").await, client_id);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_brings_a_new_login() {
    let mut node = TestNode::start().await;
    let mut scene = scene(&node, "camera");
    let client_id = scene.says("open").await;
    // With the data goes the key that tokens were signed with.
    std::fs::remove_dir_all(node.data_dir()).unwrap();
    node.restart().await;
    scene.says("failed token-invalid 401 0 for now").await;
    let other = scene.says("open").await;
    assert_ne!(other, client_id);
    let (_, mut watcher) = watcher(&node, "camera").await;
    watcher.send(&position(5)).await;
    assert!(scene.says("got").await.ends_with("5 0.5 -0.25"));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_kicked_stays_away_until_it_is_told_to_come_back() {
    let node = TestNode::with_config(&api_key_config()).await;
    let mut scene = scene(&node, "camera");
    let client_id = scene.says("open").await;
    let fields = [("client_id", client_id.as_str())];
    let answer = Request::post("/api/disconnect").bearer(API_KEY).form(&fields).send(&node).await;
    assert!(answer.status < 300, "{answer:?}");
    scene.says("closed closed 0 4003").await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(present(&node, "camera").await, [""; 0]);
    let alice = node.login().await;
    assert_eq!(node.users(&alice).await["count"], 1);
    scene.tell("reopen").await;
    let other = scene.says("open").await;
    assert_ne!(other, client_id);
    assert!(is_on(&node.users(&alice).await, &other));
    let opened = scene.heard().iter().filter(|line| line.starts_with("open "));
    assert_eq!(opened.count(), 2, "{:?}", scene.heard());
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_is_passed_over() {
    let config = "[channels.\"camera/junk\"]\nkind = \"json\"\n";
    let node = TestNode::with_config(config).await;
    let alice = node.login().await;
    let mut scene = scene(&node, "camera/junk");
    scene.says("open").await;
    let junk = [
        json!(null),
        json!("x"),
        json!(7),
        json!([1, 2, 3]),
        json!({}),
        json!({ "x": 1, "y": 2 }),
        json!({ "x": "1", "y": 2, "z": 3 }),
        json!({ "x": null, "y": 2, "z": 3 }),
        json!({ "gap": {}, "error": {}, "since": 1, "message": {} }),
    ];
    for value in junk {
        post(&node, &alice, &value.to_string()).await;
    }
    post(&node, &alice, r#"{"x":1e999,"y":2,"z":3}"#).await;
    post(&node, &alice, r#"{"w":[{}],"x":1,"y":2,"z":3}"#).await;
    assert_eq!(scene.says("got").await, format!("{} 1 2 3", alice.client_id));
    let heard = scene.heard();
    assert_eq!(heard.len(), 2, "{heard:?}");
    scene.ends().await;
}

async fn post(node: &TestNode, login: &Login, value: &str) {
    let fields = [("value", value)];
    let request = Request::post("/post/camera/junk").bearer(&login.token).form(&fields);
    let answer = request.send(node).await;
    assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_full_is_tried_again() {
    let config = "[limits]\nexempt = []\nconnections_per_address = 2\n";
    let node = TestNode::with_config(config).await;
    let anonymous = async || TestClient::connect(&node, Transport::Ws, "camera", "").await;
    let others = [anonymous().await, anonymous().await];
    let mut scene = scene(&node, "camera");
    scene.says("failed over-capacity 503 0 for now").await;
    drop(others);
    scene.says("open").await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_is_off_is_given_up_and_said_so() {
    let node = TestNode::with_config("[channels.\"camera/off\"]\nkind = \"off\"\n").await;
    let mut scene = scene(&node, "camera/off");
    scene.says("closed unknown-channel 404 0").await;
    let heard = scene.ends().await;
    assert!(!heard.iter().any(|line| line.starts_with("failed")), "{heard:?}");
}
