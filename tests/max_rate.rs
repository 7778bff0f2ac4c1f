//! `?max_rate=` (wire.md §4): a `latest` channel thinned to the newest value, a subscriber at a time.

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

use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::TestNode;
use serde_json::{Value, json};
use tokio::time::Instant;

const POSITION: &str = "[channels.position]\nkind = \"json\"\ndelivery = \"latest\"";

/// The number in a value that was posted.
fn number(message: &Value) -> u32 {
    serde_json::from_value(message["n"].clone()).unwrap()
}

async fn thinned(transport: Transport) {
    let node = TestNode::with_config(POSITION).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("max_rate=10");
    let mut slow = TestClient::connect(&node, transport, "position", &query).await;
    let mut fast = TestClient::connect(&node, Transport::Ws, "position", &alice.query("")).await;
    let start = Instant::now();
    let last = 600;
    for n in 1..=last {
        fast.send(&json!({ "n": n }).to_string()).await;
        // Who did not ask gets everything.
        assert_eq!(number(&fast.next().await), n);
    }
    let (mut heard, mut newest) = (0, 0);
    while newest != last {
        let n = number(&slow.next().await);
        assert!(n > newest, "{n} after {newest}");
        newest = n;
        heard += 1;
    }
    let most = start.elapsed().as_secs_f64() * 10.0 + 2.0;
    assert!(f64::from(heard) <= most, "{heard} values, {most} may come");
    // The rate is one of updates, not a delay: the next one after a pause comes at once.
    fast.send(r#"{"n":1000}"#).await;
    assert_eq!(number(&slow.next().await), 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_is_thinned_to_the_newest() {
    thinned(Transport::Ws).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_stream_is_thinned_to_the_newest() {
    thinned(Transport::Sse).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_stream_is_thinned_to_the_newest() {
    thinned(Transport::Stream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poller_is_answered_with_the_newest_at_its_rate() {
    let node = TestNode::with_config(POSITION).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut fast = TestClient::connect(&node, Transport::Ws, "position", &alice.query("")).await;
    let poll = async |since: &str| {
        let query = bob.query(&format!("max_rate=10&wait=1&since={since}"));
        Request::get(&format!("/poll/position?{query}")).send(&node).await.ok()
    };
    let target = format!("/poll/position?{}", bob.query("wait=0"));
    let mut since = Request::get(&target).send(&node).await.ok()["since"].clone();
    let start = Instant::now();
    let (mut answers, mut heard, mut newest) = (0, 0, 0);
    for round in 0..10 {
        for n in 1..=50 {
            fast.send(&json!({ "n": round * 50 + n }).to_string()).await;
            fast.next().await;
        }
        let answer = poll(since.as_str().unwrap()).await;
        since = answer["since"].clone();
        answers += 1;
        for message in answer["messages"].as_array().unwrap() {
            assert!(number(message) > newest);
            (newest, heard) = (number(message), heard + 1);
        }
    }
    assert_eq!((newest, heard <= answers), (500, true), "{heard} values in {answers} answers");
    assert!(start.elapsed() >= std::time::Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_newest_of_each_sender_is_kept() {
    let node = TestNode::with_config(POSITION).await;
    let (alice, bob, eve) = (node.login().await, node.login().await, node.login().await);
    let query = eve.query("ids=1&max_rate=0.5");
    let mut slow = TestClient::connect(&node, Transport::Ws, "position", &query).await;
    assert!(slow.next().await["since"].is_string());
    for n in 1..=20 {
        for login in [&alice, &bob] {
            let request = Request::post("/post/position").bearer(&login.token);
            request.json(&json!({ "value": { "n": n } })).send(&node).await.ok();
        }
    }
    let first = slow.next().await;
    assert_eq!((number(&first["data"]), &first["client_id"]), (1, &json!(alice.client_id)));
    let rest = [slow.next().await, slow.next().await];
    let newest: Vec<_> = rest.iter().map(|message| number(&message["data"])).collect();
    let senders: Vec<_> = rest.iter().map(|message| message["client_id"].clone()).collect();
    assert_eq!(newest, [20, 20]);
    assert_eq!(senders, [json!(alice.client_id), json!(bob.client_id)]);
}

#[tokio::test]
async fn a_rate_must_be_a_number_on_a_channel_that_may_be_thinned() {
    let node = TestNode::with_config(POSITION).await;
    let alice = node.login().await;
    for (channel, rate) in [("position", "fast"), ("position", "NaN"), ("room", "10")] {
        let target = format!("/stream/{channel}?{}", alice.query(&format!("max_rate={rate}")));
        Request::get(&target).send(&node).await.names_field("max_rate");
    }
    for rate in ["0.000001", "1e9", "-3"] {
        let query = alice.query(&format!("max_rate={rate}"));
        TestClient::connect(&node, Transport::Stream, "position", &query).await;
    }
}
