//! Idle, or a byte now and then.

use std::time::Duration;

use super::beside::{Beside, SHORT};
use super::common::client::{TestClient, Transport};
use super::common::guarded;
use super::common::http::{Connection, Request};
use super::common::node::TestNode;
use super::common::value_of;
use super::common::ws::{CONTINUATION, PING, PONG, RawSocket, TEXT, frame, header, masked};

/// How many of each kind there are at once.
const CROWD: usize = 10;
/// Between two bytes of somebody who is slow.
const DRIP: Duration = Duration::from_millis(100);

/// Opens a connection, sends `begun` and then a byte at a time for as long as it may; the status
/// of the answer, if there is one.
async fn drip(node: &TestNode, begun: Vec<u8>) -> Option<u16> {
    let mut connection = Connection::open(node.address()).await;
    connection.write(&begun).await;
    let answer = async {
        loop {
            tokio::select! {
                answer = connection.try_response() => break answer,
                () = tokio::time::sleep(DRIP) => {}
            }
            if !begun.is_empty() {
                connection.write(b"a").await;
            }
        }
    };
    let answer = guarded("an end", answer).await?;
    assert!(connection.ends().await);
    Some(answer.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_idle_or_slow_with_head_or_body_is_ended_in_time() {
    let node = TestNode::with_config(SHORT).await;
    let beside = Beside::start_on_all(&node, 100).await;
    let alice = node.login().await;
    let bearer = format!("Authorization: Bearer {}\r\n", alice.token);
    let post = |length: &str| {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        format!("POST /post HTTP/1.1\r\nHost: a\r\n{bearer}{form}{length}\r\n\r\nvalue=")
    };
    let kinds = [
        (String::new(), None),
        ("G".to_owned(), Some(408)),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ".to_owned(), Some(408)),
        (post("Content-Length: 1000"), Some(408)),
        (post("Transfer-Encoding: chunked") + "1", None),
    ];
    let mut crowd = Vec::new();
    for (begun, expected) in &kinds {
        for _ in 0..CROWD {
            crowd.push(async { (drip(&node, begun.clone().into_bytes()).await, *expected) });
        }
    }
    for (status, expected) in futures_util::future::join_all(crowd).await {
        // What is dripped into a chunk's size is no chunk in the end: 400 is right as well.
        assert!(status == expected || expected.is_none(), "{status:?}, not {expected:?}");
    }
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_never_ends_goes_with_the_pong_that_cannot_come() {
    let node = TestNode::with_config(SHORT).await;
    let beside = Beside::start_on_all(&node, 100).await;
    let mut long = header(0x80 | TEXT, 30_000, true);
    long.extend([1, 2, 3, 4]);
    // One stops in the header of the frame, the other in its payload.
    for begun in [&long[..3], &long[..]] {
        let alice = node.login().await;
        let target = format!("/ws/quiet?{}", alice.query("users=none"));
        let mut socket = RawSocket::open(&node, &target).await;
        socket.write(begun).await;
        let end = async {
            loop {
                tokio::select! {
                    more = socket.connection.fill() => if !more { break },
                    () = tokio::time::sleep(DRIP), if begun.len() > 3 => {
                        socket.write(b"a").await;
                    }
                }
            }
        };
        guarded("the end of a socket", end).await;
    }
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

#[tokio::test]
async fn half_a_message_may_wait_for_as_long_as_pings_are_answered() {
    let node = TestNode::with_config(SHORT).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let target = format!("/ws/quiet?{}", alice.query("users=none"));
    let mut socket = RawSocket::open(&node, &target).await;
    let query = bob.query("users=none");
    let mut beside = TestClient::connect(&node, Transport::Stream, "quiet", &query).await;
    socket.write(&masked(TEXT, b"{\"value\":\"long ")).await;
    // Each of these is as long as an interval.
    for _ in 0..3 {
        let ping = socket.next().await.unwrap();
        assert_eq!(ping.opcode, PING);
        socket.write(&frame(PONG, &ping.payload)).await;
    }
    socket.write(&masked(0x80 | CONTINUATION, b"waited\"}")).await;
    assert_eq!(value_of(&beside.next().await), "long waited");
}

#[tokio::test]
async fn who_drips_an_upgrade_or_goes_idle_behind_an_answer_is_ended() {
    let node = TestNode::with_config("[limits]\nheader_seconds = 1\nkeep_alive_seconds = 1").await;
    let alice = node.login().await;
    let target = format!("/ws?{}", alice.query("users=none"));
    let upgrade = super::common::ws::upgrade(&target).bytes(node.address(), true);
    let half = upgrade[..upgrade.len() - 2].to_vec();
    assert_eq!(drip(&node, half).await, Some(408));
    let mut idle = Connection::open(node.address()).await;
    idle.write(&Request::get("/healthz").bytes(node.address(), true)).await;
    assert_eq!(idle.response().await.status, 200);
    assert!(idle.ends().await);
}
