//! Those who ask, and never read.

use super::beside::{Beside, SHORT, anonymous_bytes};
use super::common::client::Transport;
use super::common::http::{Connection, Request};
use super::common::node::TestNode;
use super::common::ws::upgrade;

/// How many there are at once.
const CROWD: usize = 8;
/// The length of a text that is posted meanwhile.
const LONG: usize = 20_000;
/// The memory that each of them may cost (robustness.md R2), and what a process moves by anyway.
const EACH: usize = 1_310_720;
const MARGIN: usize = 16 << 20;

/// A crowd that sends what `request` gives and never reads a byte is given up; nobody else notices.
async fn is_given_up(request: impl Fn(&TestNode, &str) -> Vec<u8>) {
    let node = TestNode::with_config(SHORT).await;
    let beside = Beside::start_on_all(&node, LONG).await;
    let before = anonymous_bytes(&node);
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let query = node.login().await.query("users=none");
        let mut connection = Connection::open_narrow(node.address()).await;
        connection.write(&request(&node, &query)).await;
        crowd.push(connection);
    }
    beside.are_alone(&node).await;
    let grown = anonymous_bytes(&node).saturating_sub(before);
    assert!(grown <= CROWD * EACH + MARGIN, "{grown} bytes for {CROWD}");
    drop(crowd);
    beside.have_lost_nothing(&node).await;
}

/// The same request so often that the answers fill every buffer.
fn again_and_again(node: &TestNode, target: &str) -> Vec<u8> {
    Request::get(target).bytes(node.address(), true).repeat(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_that_are_not_read_are_given_up() {
    is_given_up(|node, query| upgrade(&format!("/ws?{query}")).bytes(node.address(), true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_streams_that_are_not_read_are_given_up() {
    let target = |query: &str| format!("/sse?{query}&since=0");
    is_given_up(|node, query| Request::get(&target(query)).bytes(node.address(), true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_not_read_are_given_up() {
    let target = |query: &str| format!("/stream?{query}&since=0");
    is_given_up(|node, query| Request::get(&target(query)).bytes(node.address(), true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_history_that_are_not_read_are_given_up() {
    is_given_up(|node, query| {
        again_and_again(node, &format!("/history?{query}&since=0&limit=1000"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_polls_that_are_not_read_are_given_up() {
    is_given_up(|node, query| again_and_again(node, &format!("/poll?{query}&since=0&wait=20")))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_polls_that_waited_and_are_not_read_are_given_up() {
    // Each begins where nothing is to be had yet; what is posted then ends all of them.
    let node = TestNode::with_config(SHORT).await;
    let bob = node.login().await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let alice = node.login().await;
        let now = Request::get(&format!("/poll/quiet?{}", alice.query("wait=0")));
        let since = now.send(&node).await.ok()["since"].as_str().unwrap().to_owned();
        let query = alice.query(&format!("users=none&wait=20&since={since}"));
        let mut connection = Connection::open_narrow(node.address()).await;
        connection.write(&again_and_again(&node, &format!("/poll/quiet?{query}"))).await;
        crowd.push(connection);
    }
    let beside = Beside::start(&node, &[Transport::Ws], 100);
    let posts = async {
        let mut poster = node.poster(&bob, "quiet").await;
        for _ in 0..50 {
            poster.post(&"a".repeat(LONG)).await;
        }
    };
    let (beside, ()) = tokio::join!(beside, posts);
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_reaches_everybody_else() {
    let node = TestNode::with_config(SHORT).await;
    let all = [Transport::Ws, Transport::Sse, Transport::Stream];
    let transports: Vec<_> = all.into_iter().cycle().take(60).collect();
    let beside = Beside::start(&node, &transports, 5_000).await;
    let mut slow = Vec::new();
    for _ in 0..CROWD {
        let query = node.login().await.query("users=none");
        let mut connection = Connection::open_narrow(node.address()).await;
        connection.write(&upgrade(&format!("/ws?{query}")).bytes(node.address(), true)).await;
        slow.push(connection);
    }
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}
