//! The process is stopped for longer than any of its deadlines, and goes on (robustness.md C3): who is
//! well stays, nothing comes twice, and nobody is told of a departure that was none.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::{Login, TestNode};
use common::ws::{PING, PONG, RawSocket, TEXT, frame};
use common::{id_of, value_of};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// Stops the process, does something meanwhile, and lets the process go on after `time`.
async fn stopped<T>(node: &TestNode, time: Duration, meanwhile: impl Future<Output = T>) -> T {
    node.signal("STOP").await;
    let ((), done) = tokio::join!(tokio::time::sleep(time), meanwhile);
    node.signal("CONT").await;
    done
}

fn post(login: &Login, value: &str) -> Request {
    Request::post("/post").bearer(&login.token).form(&[("value", value)])
}

/// The values that come until `last` has; pings are answered.
async fn hears_until(mut socket: RawSocket, last: &str) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|value| value != last) {
        let next = socket.next().await.expect("it is well, and stays");
        match next.opcode {
            PING => socket.write(&frame(PONG, &next.payload)).await,
            TEXT => {
                let message: Value = serde_json::from_str(next.text()).unwrap();
                heard.push(value_of(&message).to_owned());
            }
            _ => panic!("{next:?}"),
        }
    }
    heard
}

#[tokio::test]
async fn who_answered_its_ping_meanwhile_stays_and_hears_everything_once() {
    const SOCKETS: usize = 50;
    let config = "[heartbeat]\ninterval = 1\ntimeout = 3\nstream = 1\n[limits]\nwrite_seconds = 2\n\
                  [server]\nworkers = 1";
    let node = TestNode::with_config(config).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let before = node.post(&alice, "before").await;
    let target = format!("/ws?{query}");
    let mut sockets = join_all((0..SOCKETS).map(|_| RawSocket::open(&node, &target))).await;
    let mut stream = TestClient::connect(&node, Transport::Sse, "", &query).await;
    let poll = format!("/poll?{query}&since={}&wait=30", id_of(&before));
    let mut poll = Request::get(&poll).begin(&node).await;
    let pings = join_all(sockets.iter_mut().map(RawSocket::next)).await;
    assert!(pings.iter().flatten().all(|ping| ping.opcode == PING));

    // Each has a ping out, and answers it while nobody reads; one posts while nobody accepts.
    let mut posted = stopped(&node, Duration::from_millis(5_500), async {
        for (socket, ping) in sockets.iter_mut().zip(pings.into_iter().flatten()) {
            socket.write(&frame(PONG, &ping.payload)).await;
        }
        post(&alice, "meanwhile").begin(&node).await
    })
    .await;
    let meanwhile = posted.response().await.ok();
    assert_eq!(poll.response().await.ok()["messages"], json!([meanwhile]));
    let after = node.post(&alice, "after").await;
    assert_eq!((stream.next().await, stream.next().await), (meanwhile, after));
    let heard = join_all(sockets.into_iter().map(|socket| hears_until(socket, "after"))).await;
    assert!(heard.iter().all(|heard| *heard == ["meanwhile", "after"]), "{heard:?}");
    // Also once more, when the next pings have come and gone.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let last = node.post(&alice, "last").await;
    assert_eq!(stream.next().await, last);
}

#[tokio::test]
async fn who_was_reading_is_not_given_up_for_what_waited_meanwhile() {
    const MESSAGES: usize = 250;
    // Posting takes a part of that, on a machine that is busy too.
    let config = "[limits]\nwrite_seconds = 8\noutbox_bytes = 33554432\n\
                  [heartbeat]\ninterval = 60";
    let node = TestNode::with_config(config).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let target = format!("/ws?{}", bob.query("users=none"));
    let mut socket = RawSocket::open_narrow(&node, &target).await;
    let text = "x".repeat(30_000);
    // More than the kernel takes: the rest waits with the node.
    let mut poster = node.poster(&alice, "").await;
    for number in 0..MESSAGES {
        poster.post(&format!("{number} {text}")).await;
    }
    stopped(&node, Duration::from_millis(9_500), async {}).await;
    for number in 0..MESSAGES {
        let next = socket.next().await.expect("it reads, and stays");
        let message: Value = serde_json::from_str(next.text()).unwrap();
        assert!(value_of(&message).starts_with(&format!("{number} ")), "{number}");
    }
}

#[tokio::test]
async fn who_waits_at_the_door_has_not_left() {
    let config = "[presence]\ntimeout = 2\nlinger = 2\ncoalesce = 0";
    let node = TestNode::with_config(config).await;
    let watcher = node.login().await;
    let mut watching = TestClient::connect(&node, Transport::Ws, "", &watcher.query("")).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let connection = TestClient::connect(&node, Transport::Stream, "", &query).await;
    while watching.next().await["count"] != 3 {}

    // Alice has no connection and posts within her time; Bob loses his and comes back within his.
    connection.cut();
    let (mut posted, mut stream) = stopped(&node, Duration::from_millis(3_500), async {
        let stream = Request::get(&format!("/stream?{query}")).begin(&node).await;
        (post(&alice, "here").begin(&node).await, stream)
    })
    .await;
    let told = posted.response().await.ok();
    assert_eq!(stream.head().await.unwrap().status, 200);
    assert_eq!(watching.next().await, told, "and nothing of anybody's leaving");
    let told = node.post(&alice, "and on").await;
    assert_eq!(watching.next().await, told);
    // Whoever does not come back is gone in the end.
    drop(stream);
    while watching.next().await["count"] != 1 {}
}
