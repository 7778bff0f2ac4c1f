//! Those who are asked whether they are there, and do not say.

use std::time::Duration;

use tokio::time::Instant;

use super::beside::{Beside, SHORT};
use super::common::http::Connection;
use super::common::node::TestNode;
use super::common::ws::{RawSocket, upgrade};

/// What begins HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_answers_a_ping_is_ended_whether_it_reads_or_not() {
    let node = TestNode::with_config(SHORT).await;
    let beside = Beside::start_on_all(&node, 1_000).await;
    let mut silent = Vec::new();
    let mut readers = Vec::new();
    for number in 0..12 {
        let alice = node.login().await;
        // Some hear nothing but pings, others everything that is posted.
        let channel = if number % 2 == 0 { "/quiet" } else { "" };
        let target = format!("/ws{channel}?{}", alice.query("users=none"));
        if number % 3 == 0 {
            let mut connection = Connection::open(node.address()).await;
            connection.write(&upgrade(&target).bytes(node.address(), true)).await;
            silent.push(connection);
        } else {
            let mut socket = RawSocket::open(&node, &target).await;
            readers.push(tokio::spawn(async move { while socket.next().await.is_some() {} }));
        }
    }
    for reader in readers {
        reader.await.unwrap();
    }
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http2_peer_that_never_answers_a_ping_is_ended() {
    let node = TestNode::with_config(SHORT).await;
    let beside = Beside::start_on_all(&node, 100).await;
    let alice = node.login().await;
    let mut connection = Connection::open(node.address()).await;
    connection.write(&opening(&format!("/sse/quiet?{}", alice.query("users=none")))).await;
    // It reads, acknowledges nothing and says nothing.
    assert!(connection.ends().await);
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

/// Asking nothing is no way to stay for longer than a head may take; a second is for the farewell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http2_peer_that_never_asks_is_ended_as_one_whose_head_is_late() {
    const HEADER: Duration = Duration::from_secs(3);
    let node = TestNode::with_config("[limits]\nheader_seconds = 3").await;
    let whole = opening("/healthz");
    let settings = PREFACE.len() + 9;
    let mut unended = whole.clone();
    // HEADERS without END_HEADERS.
    unended[settings + 4] = 1;
    let silent = [&whole[..PREFACE.len()], &whole[..settings], &unended, &whole[..whole.len() - 1]];
    let start = Instant::now();
    let ends = silent.map(|begun| {
        let address = node.address();
        async move {
            let mut connection = Connection::open(address).await;
            connection.write(begun).await;
            connection.ends().await;
        }
    });
    futures_util::future::join_all(ends).await;
    assert!(start.elapsed() < HEADER * 2, "{:?}", start.elapsed());
}

/// A preface, empty settings, and the headers of one GET, none of them from HPACK's tables.
fn opening(target: &str) -> Vec<u8> {
    let mut block = Vec::new();
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", target)];
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // An integer with a prefix of 7 bits, RFC 7541 section 5.1.
            match text.len() {
                short @ 0..127 => block.push(u8::try_from(short).unwrap()),
                long => {
                    let mut rest = long - 127;
                    block.push(127);
                    while rest >= 128 {
                        block.push(u8::try_from(rest % 128 + 128).unwrap());
                        rest /= 128;
                    }
                    block.push(u8::try_from(rest).unwrap());
                }
            }
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut bytes = PREFACE.to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let length = u32::try_from(block.len()).unwrap().to_be_bytes();
    bytes.extend_from_slice(&length[1..]);
    // HEADERS with END_STREAM and END_HEADERS, on stream 1.
    bytes.extend([1, 5, 0, 0, 0, 1]);
    bytes.extend(block);
    bytes
}
