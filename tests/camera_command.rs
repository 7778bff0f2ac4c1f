//! `pushgate camera`: cameras without Unity, as a process of their own against a real gateway, and
//! against one that plays whatever a test needs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod common;

#[path = "camera_command/flight.rs"]
mod flight;
#[path = "camera_command/stage.rs"]
mod stage;

use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::{API_KEY, Setup, TestNode, api_key_config};
use common::until;
use flight::Flight;
use serde_json::Value;
use stage::{Scene, Stage};

/// Nobody who breaks off is gone within a test; who says goodbye is gone at once.
const LINGER: &str = "[presence]\nlinger = 600\n";

async fn viewer(node: &TestNode, channel: &str) -> TestClient {
    let mut viewer = TestClient::connect(node, Transport::Ws, channel, "ids=1").await;
    assert!(viewer.next().await["since"].is_string());
    viewer
}

async fn present(node: &TestNode, channel: &str) -> Vec<Value> {
    let list = Request::get(&format!("/users{channel}?limit=1000")).send(node).await.ok();
    list["users"].as_array().unwrap().clone()
}

fn number(place: &Value, name: &str) -> f64 {
    let number = &place[name];
    let decimals = number.to_string();
    let decimals = decimals.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    assert!(decimals <= 3, "{place}");
    number.as_f64().unwrap()
}

/// The place in time of a position on a circle of 10 seconds, in tenths of a second.
fn tick(place: &Value) -> f64 {
    let (x, z) = (number(place, "x"), number(place, "z"));
    assert!((x.hypot(z) - 20.0).abs() < 0.002, "{place}");
    assert_eq!(place["y"], 3, "{place}");
    z.atan2(x).rem_euclid(TAU) / TAU * 100.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_sees_a_circle_at_an_even_pace_and_every_position() {
    let node = TestNode::start().await;
    let mut viewer = viewer(&node, "camera").await;
    let options = ["--rate", "10", "--radius", "20", "--height", "3", "--period", "10"];
    let camera = Flight::start(&node.origin(), &options);
    let mut seen = vec![viewer.next().await];
    for until in [12, 25] {
        while seen.len() < until {
            seen.push(viewer.next().await);
        }
        // What it was not there to say is not said all at once when it comes back.
        camera.signal("STOP").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        camera.signal("CONT").await;
    }
    while seen.len() < 30 {
        seen.push(viewer.next().await);
    }
    camera.signal("INT").await;
    let told = camera.ends(0).await;
    let sent = told.count("sent");
    while seen.len() < sent {
        seen.push(viewer.next().await);
    }
    assert!((sent - 1..=sent).contains(&told.count("echoed")), "{}", told.errors);
    assert_eq!(told.count("others"), 0, "{}", told.errors);

    // Where a camera is tells when it spoke: at whole tenths of a second, at none of them twice,
    // and at all of them but those that it says it was too late for, some before the first perhaps.
    let ticks: Vec<f64> = seen.iter().map(|message| tick(&message["data"])).collect();
    let mut passed = 0.0;
    for two in ticks.windows(2) {
        let step = (two[1] - two[0]).rem_euclid(100.0);
        assert!((step - step.round()).abs() < 0.01 && step > 0.5, "{ticks:?}");
        passed += step.round();
    }
    assert!(told.count("skipped") >= 6, "{}", told.errors);
    let most = u32::try_from(sent - 1 + told.count("skipped")).unwrap();
    assert!(passed <= f64::from(most), "{passed} of {most}: {}", told.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_cameras_is_a_client_of_its_own_and_says_goodbye() {
    let node = TestNode::with_config(LINGER).await;
    let mut viewer = viewer(&node, "camera/hall").await;
    let before = present(&node, "/camera/hall").await.len();
    let options =
        ["camera/hall", "--count", "40", "--rate", "4", "--path", "walk", "--name", "Ada"];
    let cameras = Flight::start(&node.origin(), &options);
    let mut ids = BTreeSet::new();
    while ids.len() < 40 {
        ids.insert(viewer.next().await["client_id"].as_str().unwrap().to_owned());
    }
    let names: BTreeSet<String> = present(&node, "/camera/hall")
        .await
        .iter()
        .filter_map(|user| Some(user["name"].as_str()?.to_owned()))
        .collect();
    assert_eq!(names, (1..=40).map(|number| format!("Ada {number}")).collect());

    cameras.signal("TERM").await;
    let told = cameras.ends(0).await;
    assert!(told.count("echoed") + 40 >= told.count("sent"), "{}", told.errors);
    let left = async || present(&node, "/camera/hall").await.len();
    until("the viewer alone", left, |left| *left == before).await;
    let asking = node.login().await;
    // The viewer is anonymous and on no other list.
    let left = async || node.users(&asking).await["count"].clone();
    until("who asks alone", left, |left| *left == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_see_each_other() {
    let node = TestNode::start().await;
    let options = ["--count", "2", "--rate", "20", "--path", "still", "--verbose"];
    let cameras = Flight::start(&node.origin(), &options);
    cameras.says("2 of 2 connected, sent").await;
    let mut viewer = viewer(&node, "camera").await;
    let mut places = BTreeSet::new();
    let mut ids = BTreeSet::new();
    while places.len() < 2 || ids.len() < 2 {
        let message = viewer.next().await;
        places.insert(message["data"].to_string());
        ids.insert(message["client_id"].to_string());
    }
    let expected = [r#"{"x":-5,"y":1.6,"z":0}"#, r#"{"x":5,"y":1.6,"z":0}"#];
    assert_eq!(places, expected.map(str::to_owned).into());
    assert_eq!(ids.len(), 2);
    cameras.signal("INT").await;
    let told = cameras.ends(0).await;
    assert!(told.count("others") > 0, "{}", told.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_by_itself_after_its_duration() {
    let node = TestNode::start().await;
    let told = Flight::start(&node.origin(), &["--duration", "2", "--rate", "50"]).ends(0).await;
    assert!(told.count("sent") > 0, "{}", told.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_survives_a_restart_of_the_gateway() {
    let mut node = TestNode::start().await;
    let camera = Flight::start(&node.origin(), &["--rate", "20", "--name", "Ada"]);
    camera.says("pushgate: connected").await;
    node.restart().await;
    camera.says("; again in ").await;
    let is_back = |said: &str| said.matches("pushgate: connected").count() == 2;
    camera.says_what("another connection", is_back).await;
    let mut viewer = viewer(&node, "camera").await;
    let id = viewer.next().await["client_id"].clone();
    // The same client as before: the key that signs tokens outlives the process.
    let users = present(&node, "/camera").await;
    assert!(users.iter().any(|user| user["client_id"] == id && user["name"] == "Ada"), "{users:?}");
    camera.signal("INT").await;
    assert_eq!(camera.ends(0).await.count("reconnected"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kick_ends_it_and_the_others_go_on() {
    let node = TestNode::with_config(&api_key_config()).await;
    let mut viewer = viewer(&node, "camera").await;
    // With a key it has a client id that its backend knows.
    let options = ["--count", "2", "--rate", "20", "--key", API_KEY];
    let cameras = Flight::start(&node.origin(), &options);
    let id = viewer.next().await["client_id"].as_str().unwrap().to_owned();
    let kick = Request::post("/api/disconnect").bearer(API_KEY).form(&[("client_id", id.as_str())]);
    assert_eq!(kick.send(&node).await.status / 100, 2);
    cameras.says("does not come back: kicked by a backend (4003)").await;
    while viewer.next().await["client_id"] == id.as_str() {}
    cameras.signal("INT").await;
    let told = cameras.ends(1).await;
    assert!(told.errors.ends_with("pushgate: kicked by a backend (4003)\n"), "{}", told.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_nobody_is_told_where_nobody_may_be() {
    let node = TestNode::start().await;
    let camera = Flight::start(&node.origin(), &["--anonymous", "--rate", "20"]);
    let mut viewer = viewer(&node, "camera").await;
    viewer.next().await;
    let asking = node.login().await;
    assert_eq!(node.users(&asking).await["count"], 1);
    camera.signal("INT").await;
    camera.ends(0).await;

    let told = Flight::start(&node.origin(), &["-c", "room", "--anonymous"]).ends(1).await;
    assert!(told.errors.contains("(unauthorized)"), "{}", told.errors);
    let gone = Flight::start("http://127.0.0.1:1", &[]).ends(3).await;
    assert!(gone.errors.contains("cannot reach the gateway"), "{}", gone.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_takes_no_positions_says_so_once() {
    let node = TestNode::start().await;
    let options = ["chat/lobby", "--rate", "50", "--verbose"];
    let camera = Flight::start(&node.origin(), &options);
    camera.says("expected {\\\"message\\\": string}").await;
    camera.says("pushgate: sent ").await;
    camera.signal("INT").await;
    let told = camera.ends(0).await;
    assert_eq!(told.errors.matches("expected {").count(), 1, "{}", told.errors);
    assert_eq!((told.count("refused"), told.count("echoed")), (1, 0), "{}", told.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_for_an_address_wait_until_there_is_room() {
    let toml = "[limits]\nexempt = []\nconnections_per_address = 4\n";
    let node = Setup::default().config(toml).start().await;
    let cameras = Flight::start(&node.origin(), &["--count", "5", "--rate", "20", "-v"]);
    cameras.says("(over-capacity)").await;
    let has_room = |said: &str| {
        let mut lines = said.lines().filter(|line| line.contains(" of 5 connected"));
        lines.any(|line| !line.contains(" 0 of 5 ") && !line.contains("echoed 0"))
    };
    cameras.says_what("room for some", has_room).await;
    cameras.signal("INT").await;
    assert!(cameras.ends(0).await.count("echoed") > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_options_are_named() {
    let bad = [
        ("--rate", "0"),
        ("--rate", "-1"),
        ("--rate", "101"),
        ("--rate", "NaN"),
        ("--rate", "1,5"),
        ("--rate", ""),
        ("--path", "square"),
        ("--radius", "-1"),
        ("--radius", "inf"),
        ("--height", "1e9"),
        ("--period", "0"),
        ("--count", "0"),
        ("--count", "1001"),
        ("--count", "1.5"),
        ("--duration", "0"),
        ("--duration", "-3"),
        ("--url", "localhost"),
    ];
    for (name, value) in bad {
        // The last of two addresses is the one that counts.
        let told = Flight::start("http://127.0.0.1:1", &[name, value]).ends(2).await;
        assert!(told.errors.contains(name), "{name} {value:?}: {}", told.errors);
    }
    for options in [["camera", "--channel=camera"], ["--anonymous", "--name=Ada"], ["a//b", "-v"]] {
        Flight::start("http://127.0.0.1:1", &options).ends(2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_renewed_and_a_replaced_one_is_not() {
    let stage = Stage::open(vec![
        Scene::Closes(4001),
        Scene::Closes(1001),
        Scene::Closes(4008),
        Scene::Breaks,
        Scene::Closes(4002),
    ])
    .await;
    let camera = Flight::start(&stage.origin(), &["--rate", "50"]);
    let told = camera.ends(1).await;
    let words = "logged out elsewhere, or the token was replaced by a newer one (4002)\n";
    assert!(told.errors.ends_with(words), "{}", told.errors);
    assert_eq!((told.count("reconnected"), told.count("echoed")), (4, 5), "{}", told.errors);
    // The second login is the one after 4001; all later connections have its token.
    let tokens = stage.tokens();
    assert_eq!(tokens, ["token-1", "token-2", "token-2", "token-2", "token-2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_given_is_its_owners_to_renew() {
    let stage = Stage::open(vec![Scene::Closes(4001)]).await;
    let told = Flight::start(&stage.origin(), &["--rate", "50", "--token", "mine"]).ends(1).await;
    let words = "the token has expired (4001): log in again\n";
    assert!(told.errors.ends_with(words), "{}", told.errors);
    assert_eq!(stage.tokens(), ["mine"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_asks_to_wait_is_waited() {
    let stage = Stage::open(vec![Scene::Refuses(2), Scene::Closes(4003)]).await;
    let camera = Flight::start(&stage.origin(), &["--rate", "50"]);
    let told = camera.ends(1).await;
    assert!(told.errors.contains("Over capacity: later (over-capacity); again in "));
    assert!(stage.pause() >= Duration::from_secs(2), "{:?}", stage.pause());

    // Who has no more time than that is told why nothing came of it.
    let stage = Stage::open(vec![Scene::Refuses(60)]).await;
    let camera = Flight::start(&stage.origin(), &["--duration", "2"]);
    let told = camera.ends(1).await;
    assert!(told.errors.ends_with("pushgate: Over capacity: later (over-capacity)\n"));
}
