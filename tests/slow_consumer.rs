//! A reader that stops, beside one that does not (wire.md §8, 4008; design.md, "Full queues").

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::sync::Arc;

use common::client::{Event, TestClient, Transport};
use common::http::{Connection, Request};
use common::node::{Login, TestNode};
use common::value_of;
use common::ws::{CLOSE, PING, RawSocket, TEXT};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const SMALL: &str = "[limits]\nwrite_seconds = 1";

/// More than the buffers of both kernels will take for a reader that stalls, and an outbox.
const POSTS: u32 = 700;

/// The text of a post: its number, and much after it.
fn text(number: u32) -> String {
    format!("{number:05}{}", "a".repeat(30_000))
}

/// How many posts may be ahead of the fast reader: half of an outbox, however slow the machine.
const AHEAD: usize = 17;

/// Posts everything while the fast reader reads it; fails if that one misses any.
async fn post_beside(node: &TestNode, poster: &Login, fast: &mut TestClient) {
    let mut posts = node.poster(poster, "").await;
    let ahead = Arc::new(Semaphore::new(AHEAD));
    let room = Arc::clone(&ahead);
    let posting = tokio::spawn(async move {
        for number in 0..POSTS {
            room.acquire().await.unwrap().forget();
            posts.post(&text(number)).await;
        }
    });
    for number in 0..POSTS {
        assert_eq!(value_of(&fast.next().await), text(number), "post {number}");
        ahead.add_permits(1);
    }
    posting.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_websocket_is_closed_with_4008_and_the_fast_one_gets_all() {
    let node = TestNode::with_config(SMALL).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let target = format!("/ws?{}", bob.query("users=none"));
    let mut stalled = RawSocket::open_narrow(&node, &target).await;
    let mut fast = TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    post_beside(&node, &alice, &mut fast).await;

    // It wakes: what it gets is the beginning, in order, and then the end.
    let mut expected = 0;
    let code = loop {
        match stalled.next().await {
            Some(frame) if frame.opcode == TEXT => {
                let message: Value = serde_json::from_str(frame.text()).unwrap();
                assert_eq!(value_of(&message), text(expected));
                expected += 1;
            }
            Some(frame) if frame.opcode == PING => {}
            Some(frame) if frame.opcode == CLOSE => break frame.code(),
            Some(frame) => panic!("{frame:?}"),
            None => break None,
        }
    };
    assert!(code.is_none_or(|code| code == 4008), "closed with {code:?}");
    assert!(expected < POSTS, "it was served to the last");
    let after = node.post(&alice, "after").await;
    assert_eq!(fast.next().await, after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_websocket_resumes_from_history_where_it_was() {
    let config = format!(
        "{SMALL}\n[channels.\"\"]\nhistory = {{ messages = 1000, seconds = 600, bytes = 67108864 }}"
    );
    let node = TestNode::with_config(&config).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let target = format!("/ws?{}", bob.query("users=none"));
    let mut stalled = RawSocket::open_narrow(&node, &target).await;
    let mut fast = TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    post_beside(&node, &alice, &mut fast).await;
    let (mut heard, mut since) = (0, "0".to_owned());
    while let Some(frame) = stalled.next().await {
        if frame.opcode == TEXT {
            let message: Value = serde_json::from_str(frame.text()).unwrap();
            common::id_of(&message).clone_into(&mut since);
            heard += 1;
        }
    }
    let query = bob.query(&format!("users=none&since={since}"));
    let mut resumed = TestClient::connect(&node, Transport::Ws, "", &query).await;
    for number in heard..POSTS {
        assert_eq!(value_of(&resumed.next().await), text(number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_stream_is_ended_and_the_fast_one_gets_all() {
    for transport in [Transport::Sse, Transport::Stream] {
        let node = TestNode::with_config(SMALL).await;
        let (alice, bob) = (node.login().await, node.login().await);
        let request = transport.request("", &bob.query("users=none"));
        let mut stalled = Connection::open_narrow(node.address()).await;
        stalled.write(&request.bytes(node.address(), false)).await;
        let head = common::guarded("a head", stalled.head()).await.unwrap();
        assert_eq!(head.status, 200);
        let query = alice.query("users=none");
        let mut fast = TestClient::connect(&node, transport, "", &query).await;
        post_beside(&node, &alice, &mut fast).await;
        let mut stalled = TestClient::of_stream(transport, stalled, &head);
        let mut expected = 0;
        let end = loop {
            match stalled.event().await {
                Event::Text(json) => {
                    let message: Value = serde_json::from_str(&json).unwrap();
                    assert_eq!(value_of(&message), text(expected));
                    expected += 1;
                }
                end @ (Event::Closed(_) | Event::Ended) => break end,
                other @ (Event::Binary(_) | Event::Refused(_)) => panic!("{other:?}"),
            }
        };
        assert!(matches!(end, Event::Closed(Some(4008)) | Event::Ended), "{transport:?}: {end:?}");
        assert!(expected < POSTS, "{transport:?} was served to the last");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_reader_of_a_latest_channel_wakes_to_the_newest() {
    let node = TestNode::with_config(
        "[limits]\noutbox_bytes = 65536\nwrite_seconds = 60\n[channels.position]\nkind = \"json\"\ndelivery = \"latest\"",
    )
    .await;
    let (alice, bob) = (node.login().await, node.login().await);
    let target = format!("/ws/position?{}", bob.query(""));
    let mut stalled = RawSocket::open_narrow(&node, &target).await;
    let mut fast = TestClient::connect(&node, Transport::Ws, "position", &alice.query("")).await;
    let last = 2000_u32;
    let padding = "a".repeat(3000);
    for number in 1..=last {
        fast.send(&json!([number, padding]).to_string()).await;
        let mut heard = 0;
        while heard != number {
            // A fast one is thinned only where it is not fast.
            heard = serde_json::from_value(fast.next().await[0].clone()).unwrap();
        }
    }
    let (mut heard, mut newest) = (0, 0);
    while newest != last {
        let frame = stalled.next().await.expect("it stays open");
        if frame.opcode != TEXT {
            assert_eq!(frame.opcode, PING, "{frame:?}");
            continue;
        }
        let value: Value = serde_json::from_str(frame.text()).unwrap();
        let number: u32 = serde_json::from_value(value[0].clone()).unwrap();
        assert!(number > newest, "{number} after {newest}");
        newest = number;
        heard += 1;
    }
    assert!(heard < last / 2, "{heard} of {last}: a backlog, not the newest");
    let request = Request::post("/post/position").bearer(&alice.token);
    request.json(&json!({ "value": ["live"] })).send(&node).await.ok();
    assert_eq!(stalled.next().await.unwrap().text(), "[\"live\"]");
}
