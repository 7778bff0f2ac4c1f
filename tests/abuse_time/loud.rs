//! One who never stops talking.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::beside::{Beside, SHORT, anonymous_bytes, cpu_seconds};
use super::common::client::{TestClient, Transport};
use super::common::node::TestNode;
use super::common::ws::{PING, RawSocket, TEXT, frame};
use super::common::{GUARD, guarded};

/// How many speak into a queue that is full, and how much each of them says.
const SPEAKERS: usize = 8;
const SAID: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_at_full_speed_is_ended_with_4009_and_nobody_else_loses() {
    let limits = "[limits]\nexempt = []\nmessages_per_second = 1000\nmessage_burst = 1000\n";
    let node = TestNode::with_config(limits).await;
    let beside = Beside::start_on_all(&node, 100).await;
    let alice = node.login().await;
    // The limit is of a client, not of a channel; so it may be loud where nobody is bothered.
    let target = format!("/ws/loud?{}", alice.query("users=none"));
    let mut loud = RawSocket::open(&node, &target).await;
    let flood = frame(TEXT, b"{\"value\":\"loud\"}").repeat(1000);
    let start = tokio::time::Instant::now();
    let mut code = None;
    while code.is_none() && start.elapsed() < GUARD {
        loud.write(&flood).await;
        // It reads what there is to read, or it would be given up for that.
        while let Ok(frame) = tokio::time::timeout(Duration::ZERO, loud.next()).await {
            match frame {
                Some(frame) if frame.opcode == super::common::ws::CLOSE => {
                    code = frame.code();
                    break;
                }
                Some(_) => {}
                None => panic!("it ended without a word"),
            }
        }
    }
    assert_eq!(code, Some(4009));
    drop(loud);
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pings_and_never_reads_the_pongs_is_given_up() {
    let node = TestNode::with_config(SHORT).await;
    let beside = Beside::start_on_all(&node, 100).await;
    let alice = node.login().await;
    let target = format!("/ws/quiet?{}", alice.query("users=none"));
    let socket = RawSocket::open_narrow(&node, &target).await;
    let (mut stream, _) = socket.connection.into_parts();
    let flood = frame(PING, &[7; 100]).repeat(1000);
    // Its own writes wait once its pongs do: it is not read any further.
    guarded("the end", async { while stream.write_all(&flood).await.is_ok() {} }).await;
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_reads_its_pongs_costs_no_cpu_while_it_waits() {
    let node = TestNode::with_config("[limits]\nwrite_seconds = 60").await;
    let alice = node.login().await;
    let target = format!("/ws/quiet?{}", alice.query("users=none"));
    let socket = RawSocket::open_narrow(&node, &target).await;
    let (mut stream, _) = socket.connection.into_parts();
    let flood = frame(PING, &[7; 100]).repeat(1000);
    let mut at = 0;
    let stuck = async {
        // Full at both ends once nothing more is taken for a while.
        let a_while = Duration::from_millis(500);
        while let Ok(count) = tokio::time::timeout(a_while, stream.write(&flood[at..])).await {
            at = (at + count.unwrap()) % flood.len();
        }
    };
    guarded("a socket that is full", stuck).await;
    let before = cpu_seconds(&node);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = cpu_seconds(&node) - before;
    assert!(used < 0.5, "{used} s of CPU in a second, for nothing");
    // It goes on where it was left once its pongs are read.
    let reads = async {
        let mut scratch = vec![0; 1 << 20];
        let mut read = 0;
        while read < 8 << 20 {
            let (mut reader, mut writer) = stream.split();
            tokio::select! {
                count = reader.read(&mut scratch) => read += count.unwrap(),
                count = writer.write(&flood[at..]) => at = (at + count.unwrap()) % flood.len(),
            }
        }
    };
    guarded("8 MiB of pongs", reads).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_holds_the_loud_back_and_loses_nothing() {
    let config = "[limits]\nworker_queue = 16\n[server]\nworkers = 2";
    let node = TestNode::with_config(config).await;
    let before = anonymous_bytes(&node);
    let mut listeners = Vec::new();
    for _ in 0..40 {
        let query = node.login().await.query("users=none");
        let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
        listeners.push(tokio::spawn(async move {
            for _ in 0..SPEAKERS * SAID {
                client.next().await;
            }
        }));
    }
    let mut speakers = Vec::new();
    for _ in 0..SPEAKERS {
        let target = format!("/ws?{}", node.login().await.query("users=none"));
        let mut socket = RawSocket::open(&node, &target).await;
        socket.write(&frame(TEXT, b"{\"value\":\"loud\"}").repeat(SAID)).await;
        speakers.push(tokio::spawn(async move { while socket.connection.fill().await {} }));
    }
    for listener in listeners {
        listener.await.unwrap();
    }
    let grown = anonymous_bytes(&node).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    for speaker in speakers {
        speaker.abort();
    }
}
