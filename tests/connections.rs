//! What becomes of a connection between, beside and behind its requests (wire.md §4 and §8;
//! robustness.md R1, R4): who is idle, who is slow, who goes on behind a poll, who is too many.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::{Connection, Incoming, Request};
use common::node::{Login, TestNode};
use common::{guarded, value_of};
use serde_json::Value;
use tokio::time::Instant;

/// Other addresses of this machine.
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 9));

async fn node(limits: &str) -> TestNode {
    TestNode::with_config(&format!("[limits]\n{limits}")).await
}

/// The bytes of a GET on a connection that stays.
fn get(node: &TestNode, target: &str) -> Vec<u8> {
    Request::get(target).bytes(node.address(), true)
}

fn poll(login: &Login, since: &str) -> String {
    format!("/poll?{}", login.query(&format!("users=none&wait=20&since={since}")))
}

/// Polls until it waits: the position it waits from.
async fn position(node: &TestNode, login: &Login) -> String {
    let target = format!("/poll?{}", login.query("users=none&wait=0"));
    let answer = Request::get(&target).send(node).await.ok();
    answer["since"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
    let node = node("header_seconds = 0.3\nkeep_alive_seconds = 30").await;
    let mut connection = Connection::open(node.address()).await;
    for _ in 0..2 {
        connection.write(&get(&node, "/healthz")).await;
        assert_eq!(connection.response().await.status, 200);
        // Time is what this is about: three times what a head may take.
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    connection.write(&get(&node, "/healthz")).await;
    assert_eq!(connection.response().await.status, 200);
}

#[tokio::test]
async fn a_connection_that_is_idle_for_too_long_is_closed() {
    let node = node("header_seconds = 60\nkeep_alive_seconds = 0.3").await;
    let mut connection = Connection::open(node.address()).await;
    connection.write(&get(&node, "/healthz")).await;
    assert_eq!(connection.response().await.status, 200);
    assert!(connection.ends().await);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let node = node("header_seconds = 0.3\nkeep_alive_seconds = 60").await;
    let mut silent = Connection::open(node.address()).await;
    assert!(silent.ends().await);
    let mut half_a_preface = Connection::open(node.address()).await;
    half_a_preface.write(b"PRI * HTTP/2.0\r\n").await;
    assert!(half_a_preface.ends().await);
    let mut preface_alone = Connection::open(node.address()).await;
    preface_alone.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(preface_alone.ends().await);
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_told_so() {
    let node = node("header_seconds = 0.5\nkeep_alive_seconds = 60").await;
    let mut first = Connection::open(node.address()).await;
    first.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    first.response().await.problem(408, "timeout");
    assert!(first.ends().await);

    let mut second = Connection::open(node.address()).await;
    second.write(&get(&node, "/healthz")).await;
    assert_eq!(second.response().await.status, 200);
    let start = Instant::now();
    let dribble = async {
        loop {
            second.write(b"G").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            if start.elapsed() > Duration::from_secs(2) {
                break;
            }
        }
    };
    dribble.await;
    second.response().await.problem(408, "timeout");
}

#[tokio::test]
async fn a_connection_goes_on_behind_its_polls() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut connection = Connection::open(node.address()).await;
    let mut since = position(&node, &alice).await;
    for number in 0..20 {
        connection.write(&get(&node, &poll(&alice, &since))).await;
        node.post(&alice, &number.to_string()).await;
        let answer = connection.response().await.ok();
        assert_eq!(value_of(&answer["messages"][0]), number.to_string());
        since = answer["since"].as_str().unwrap().to_owned();
    }
    connection.write(&get(&node, "/healthz")).await;
    assert_eq!(connection.response().await.status, 200);
}

#[tokio::test]
async fn requests_behind_a_poll_are_answered_after_it() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let since = position(&node, &alice).await;
    let mut connection = Connection::open(node.address()).await;
    let together = [get(&node, &poll(&alice, &since)), get(&node, "/healthz")].concat();
    connection.write(&together).await;
    // One more that comes while the poll waits.
    connection.write(&get(&node, "/readyz")).await;
    node.post(&alice, "now").await;
    let answer = connection.response().await.ok();
    assert_eq!(value_of(&answer["messages"][0]), "now");
    assert_eq!(connection.response().await.status, 200);
    assert_eq!(connection.response().await.status, 200);
}

#[tokio::test]
async fn answers_before_a_stream_come_before_it() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut connection = Connection::open(node.address()).await;
    let stream = format!("/stream?{}", alice.query("users=none"));
    let together = [get(&node, "/healthz"), get(&node, "/readyz"), get(&node, &stream)].concat();
    connection.write(&together).await;
    assert_eq!(connection.response().await.status, 200);
    assert_eq!(connection.response().await.status, 200);
    let head = connection.head().await.unwrap();
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    let mut body = Incoming::new(connection, &head);
    node.post(&alice, "here").await;
    let mut text = Vec::new();
    while !text.ends_with(b"\n") {
        assert!(guarded("a line", body.more(&mut text)).await);
    }
    assert_eq!(value_of(&serde_json::from_slice::<Value>(&text).unwrap()), "here");
}

#[tokio::test]
async fn a_stream_over_http_1_0_has_no_chunks() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut connection = Connection::open(node.address()).await;
    let target = format!("/stream?{}", alice.query("users=none"));
    connection.write(format!("GET {target} HTTP/1.0\r\nHost: a\r\n\r\n").as_bytes()).await;
    let head = connection.head().await.unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
    let mut body = Incoming::new(connection, &head);
    node.post(&alice, "here").await;
    let mut text = Vec::new();
    while !text.ends_with(b"\n") {
        assert!(guarded("a line", body.more(&mut text)).await);
    }
    assert_eq!(value_of(&serde_json::from_slice::<Value>(&text).unwrap()), "here");
}

#[tokio::test]
async fn who_leaves_a_poll_that_waits_is_gone() {
    let node = TestNode::with_config("[presence]\nlinger = 0").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut watcher =
        TestClient::connect(&node, Transport::Ws, "", &bob.query("users=count")).await;
    let since = position(&node, &alice).await;
    let mut connection = Connection::open(node.address()).await;
    connection.write(&get(&node, &poll(&alice, &since))).await;
    // However long it would have waited.
    drop(connection);
    while watcher.next().await["count"] != 1 {}
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_another_its_own() {
    let node = node("exempt = []\nconnections_per_address = 3").await;
    let mut first = Connection::open(node.address()).await;
    first.write(&get(&node, "/login")).await;
    let answer = first.response().await.ok();
    let token = answer["token"].as_str().unwrap().to_owned();
    let mut open = vec![first];
    for verb in ["sse", "poll"] {
        let mut connection = Connection::open(node.address()).await;
        let since = if verb == "poll" { "&since=0&wait=20" } else { "" };
        let target = format!("/{verb}?users=none&token={token}{since}");
        connection.write(&get(&node, &target)).await;
        if verb == "sse" {
            assert_eq!(connection.head().await.unwrap().status, 200);
        }
        open.push(connection);
    }
    let refused = Request::get("/healthz").send(&node).await;
    let problem = refused.problem(503, "over-capacity");
    assert!(problem["detail"].as_str().unwrap().contains("limits.connections_per_address"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    let events = Request::get("/sse").header("Accept", "text/event-stream");
    let answer = events.header("Origin", "https://a.test").send(&node).await;
    // An EventSource would give up on anything else, and a page must be let see it.
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("retry: "), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(Request::get("/healthz").from(THERE).send(&node).await.status, 200);
    while let Some(connection) = open.pop() {
        drop(connection);
        // The place is free as soon as the end of the connection was noticed.
        guarded("a place", async {
            while Request::get("/healthz").send(&node).await.status != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_its_clients_are_counted_and_it_is_not() {
    let config = "trusted_proxies = [\"127.0.0.0/8\"]\n[limits]\nexempt = []\n\
                  connections_per_address = 1\n";
    let node = TestNode::with_config(config).await;
    let stream = |address: &str| {
        let request = Request::get("/login").header("X-Forwarded-For", address);
        let node = &node;
        let address = address.to_owned();
        async move {
            let token = request.send(node).await.ok()["token"].as_str().unwrap().to_owned();
            let target = format!("/stream?users=none&token={token}");
            let request = Request::get(&target).header("X-Forwarded-For", &address);
            let mut connection = Connection::open(node.address()).await;
            connection.write(&request.bytes(node.address(), true)).await;
            let head = connection.head().await.unwrap();
            (head.status, connection)
        }
    };
    let (status, first) = stream("192.0.2.1").await;
    assert_eq!(status, 200);
    assert_eq!(stream("192.0.2.1").await.0, 503);
    assert_eq!(stream("192.0.2.2").await.0, 200);
    drop(first);
    guarded("a place", async { while stream("192.0.2.1").await.0 != 200 {} }).await;
}

#[tokio::test]
async fn a_poll_that_is_the_last_request_ends_its_connection() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let since = position(&node, &alice).await;
    let mut connection = Connection::open(node.address()).await;
    let request = Request::get(&poll(&alice, &since)).header("Connection", "close");
    connection.write(&request.bytes(node.address(), true)).await;
    node.post(&alice, "last").await;
    let answer = connection.response().await;
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(value_of(&answer.ok()["messages"][0]), "last");
    assert!(connection.ends().await);
}

#[tokio::test]
async fn who_sends_a_body_that_is_refused_still_reads_why() {
    let node = TestNode::start().await;
    let mut connection = Connection::open(node.address()).await;
    let request = Request::post("/post").form(&[("value", &"x".repeat(3_000_000))]);
    // All of it is written before a byte is read.
    connection.write(&request.bytes(node.address(), true)).await;
    connection.response().await.problem(413, "too-large");
}
