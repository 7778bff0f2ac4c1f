//! SIGTERM: everyone is told, nothing acknowledged is lost, exit 0 (design.md, "What fails").

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

use common::client::{Event, TestClient, Transport};
use common::http::{Connection, Request};
use common::node::{Login, TestNode};
use common::process::raise_open_files;
use common::value_of;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

/// Clients, each with a WebSocket, an event stream, a line stream and a waiting poll.
const CLIENTS: usize = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_are_told_and_nothing_acknowledged_is_lost() {
    raise_open_files().await;
    let mut node = TestNode::with_config("[server]\ndrain = 2").await;
    let poster = node.login().await;
    let mut streams = Vec::new();
    let mut polls = Vec::new();
    for _ in 0..CLIENTS {
        let login = node.login().await;
        let query = login.query("users=none");
        for transport in [Transport::Ws, Transport::Sse, Transport::Stream] {
            streams.push((transport, TestClient::connect(&node, transport, "", &query).await));
        }
        polls.push(waiting_poll(&node, &login).await);
    }
    assert_eq!(streams.len() + polls.len(), 1000);

    let query = poster.query("users=none");
    let pace = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let (acknowledged, reading) = (
        tokio::spawn(post_until_refused(node.poster(&poster, "").await, pace)),
        join_all(streams.into_iter().map(|(transport, client)| {
            tokio::spawn(async move { (transport, read_to_the_end(client).await) })
        })),
    );
    // Some posts are on their way when the signal comes.
    let mut first = TestClient::connect(&node, Transport::Ws, "", &query).await;
    first.next().await;
    let start = Instant::now();
    node.signal("TERM").await;

    let polled = join_all(polls.into_iter().map(async |mut poll| poll.response().await)).await;
    for answer in polled {
        assert_eq!(answer.ok()["messages"], json!([]), "answered with what there is");
    }
    let acknowledged = acknowledged.await.unwrap();
    for read in reading.await {
        let (transport, (heard, end)) = read.unwrap();
        assert_eq!(end, Event::Closed(Some(1001)), "{transport:?} was told");
        let heard_all = heard.len() as u64 >= acknowledged;
        assert!(heard_all, "{transport:?} heard {} of {acknowledged}", heard.len());
        for (text, number) in heard.iter().zip(0_u64..) {
            assert_eq!(text, &number.to_string(), "{transport:?}");
        }
    }
    let status = node.exit().await;
    assert_eq!(status.code(), Some(0), "{status:?}: {}", node.output());
    assert!(start.elapsed() < Duration::from_secs(20), "drained in {:?}", start.elapsed());
}

#[tokio::test]
async fn while_draining_new_requests_are_refused() {
    let mut node = TestNode::with_config("[server]\ndrain = 2").await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
    // A request on a connection that was open before must get its answer too.
    let mut kept = Connection::open(node.address()).await;
    kept.write(&Request::get("/healthz").bytes(node.address(), true)).await;
    assert_eq!(kept.response().await.status, 200);
    node.signal("TERM").await;
    let mut refused = 0;
    loop {
        let Ok(mut connection) = Connection::try_open(node.address(), None).await else {
            break;
        };
        let request = Request::post("/post").bearer(&alice.token).form(&[("value", "late")]);
        connection.write(&request.bytes(node.address(), false)).await;
        match common::guarded("an answer or the end", connection.try_response()).await {
            // The signal may not have arrived yet.
            Some(answer) if answer.status == 200 => {}
            Some(answer) => {
                answer.problem(503, "draining");
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
            None => refused += 1,
        }
        if refused > 5 {
            break;
        }
    }
    let request = Request::post("/post").bearer(&alice.token).form(&[("value", "late")]);
    kept.write(&request.bytes(node.address(), true)).await;
    if let Some(answer) = common::guarded("an answer or the end", kept.try_response()).await {
        answer.problem(503, "draining");
    }
    assert_eq!(client.end().await, Event::Closed(Some(1001)));
    assert_eq!(node.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_request_whose_body_is_still_coming_is_told() {
    let mut node = TestNode::with_config("").await;
    let alice = node.login().await;
    let mut coming = Vec::new();
    for verb in ["/post", "/login"] {
        for length in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
            let head = format!(
                "POST {verb} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{length}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n",
                alice.token
            );
            let mut connection = Connection::open(node.address()).await;
            connection.write(head.as_bytes()).await;
            let head = common::guarded("a head", connection.head()).await.unwrap();
            assert_eq!(head.status, 100, "the body is waited for");
            connection.write(b"6\r\nvalue=\r\n").await;
            coming.push((verb, connection));
        }
    }
    node.signal("TERM").await;
    for (verb, mut connection) in coming {
        let answer = connection.response().await;
        let problem = answer.problem(503, "draining");
        assert!(answer.header("retry-after").is_some(), "{verb}: {problem}");
    }
    assert_eq!(node.exit().await.code(), Some(0), "{}", node.output());
}

#[tokio::test]
async fn an_idle_node_ends_at_once_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let mut node = TestNode::shipped().await;
        let start = Instant::now();
        node.signal(signal).await;
        assert_eq!(node.exit().await.code(), Some(0), "{}", node.output());
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "with nobody there: {:?}",
            start.elapsed()
        );
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    // A hundred a second are told: this drain takes five seconds at the least.
    const SOCKETS: usize = 500;
    raise_open_files().await;
    let mut node = TestNode::with_config("[server]\ndrain = 300").await;
    let query = node.login().await.query("users=none");
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(TestClient::connect(&node, Transport::Ws, "", &query).await);
    }
    node.signal("TERM").await;
    // The first one is known to have arrived when nothing new is taken any more.
    common::until(
        "the drain",
        async || match Connection::try_open(node.address(), None).await {
            Err(_) => 503,
            Ok(mut connection) => {
                connection.write(&Request::get("/readyz").bytes(node.address(), false)).await;
                connection.try_response().await.map_or(503, |answer| answer.status)
            }
        },
        |status| *status == 503,
    )
    .await;
    node.signal("TERM").await;
    let status = node.exit().await;
    assert_eq!(status.code(), Some(1), "{status:?}: {}", node.output());
    let ends = join_all(sockets.iter_mut().map(TestClient::end)).await;
    let untold = ends.iter().filter(|end| **end == Event::Ended).count();
    assert!(untold > 0, "all were told: that was the whole drain");
}

/// A poll that has nothing to answer until the node drains.
async fn waiting_poll(node: &TestNode, login: &Login) -> Connection {
    let query = login.query("users=none");
    let first = TestClient::connect(node, Transport::Poll, "quiet", &query).await;
    let since = common::http::encode(first.poll_since());
    let target = format!("/poll/quiet?{query}&wait=55&since={since}");
    Request::get(&target).begin(node).await
}

/// Posts numbers until one is not acknowledged; gives how many were. The next one waits until
/// `pace` has heard the last, so that a thousand connections are not flooded.
async fn post_until_refused(mut poster: common::node::Poster, mut pace: TestClient) -> u64 {
    let (mut acknowledged, mut is_paced) = (0_u64, true);
    while poster.try_post(&acknowledged.to_string()).await.is_some() {
        acknowledged += 1;
        is_paced = is_paced && matches!(pace.event().await, Event::Text(_));
    }
    acknowledged
}

/// What a subscription brings until it ends, and how it ends.
async fn read_to_the_end(mut client: TestClient) -> (Vec<String>, Event) {
    let mut heard = Vec::new();
    loop {
        match client.event().await {
            Event::Text(text) => {
                let message = serde_json::from_str(&text).unwrap();
                heard.push(value_of(&message).to_owned());
            }
            end @ (Event::Closed(_) | Event::Ended | Event::Refused(_) | Event::Binary(_)) => {
                return (heard, end);
            }
        }
    }
}
