//! Those who never open the window of a stream, over HTTP/2: the socket flows on, and pings are
//! answered.

use futures_util::future::select_all;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use tokio::net::TcpStream;

use super::beside::{Beside, SHORT, anonymous_bytes};
use super::common::guarded;
use super::common::node::{Login, TestNode};
use super::common::scrape::reaches;

/// A connection whose streams have a window of so many bytes. It is driven until all its streams
/// are done, or it ends.
async fn connect(node: &TestNode, window: u32) -> SendRequest<bytes::Bytes> {
    let stream = TcpStream::connect(node.address()).await.unwrap();
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window);
    let (sender, connection) = builder.handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(sender: &SendRequest<bytes::Bytes>, target: &str) -> ResponseFuture {
    let mut sender = guarded("a free stream", sender.clone().ready()).await.unwrap();
    let request = Request::get(format!("http://a{target}")).body(()).unwrap();
    sender.send_request(request, true).unwrap().0
}

/// The reset that the answer must end with; what comes before is kept, unacknowledged.
async fn reset(answer: ResponseFuture) -> Option<Reason> {
    let mut body = guarded("a head", answer).await.unwrap().into_body();
    loop {
        match guarded("a reset", body.data()).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return error.reason(),
            None => panic!("the answer is whole"),
        }
    }
}

/// Fills the history of the root channel.
async fn fill(node: &TestNode, login: &Login) {
    let mut poster = node.poster(login, "quiet").await;
    for _ in 0..40 {
        poster.post(&"a".repeat(30_000)).await;
    }
}

fn history(login: &Login) -> String {
    format!("/history/quiet?{}", login.query("since=0&limit=1000"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_window_stays_shut_is_reset_and_the_others_go_on() {
    let node = TestNode::with_config(SHORT).await;
    let beside = Beside::start_on_all(&node, 5_000).await;
    let alice = node.login().await;
    fill(&node, &alice).await;
    for window in [0, 20_000] {
        let sender = connect(&node, window).await;
        let mut shut = Vec::new();
        for verb in ["sse", "stream"] {
            let target = format!("/{verb}?{}", alice.query("users=none"));
            shut.push(get(&sender, &target).await);
        }
        shut.push(get(&sender, &history(&alice)).await);
        for answer in shut {
            assert_eq!(reset(answer).await, Some(Reason::CANCEL), "window {window}");
        }
        // It has no body, so it needs no window.
        let target = format!("/logout?{}", node.login().await.query(""));
        let request = Request::post(format!("http://a{target}")).body(()).unwrap();
        let mut sender = guarded("a free stream", sender.ready()).await.unwrap();
        let (answer, _) = sender.send_request(request, true).unwrap();
        assert_eq!(guarded("an answer", answer).await.unwrap().status(), 204);
    }
    reaches(&node, "pushgate_limit_rejections_total{limit=\"write_seconds\"}", 6).await;
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_wait_on_one_connection_are_bounded_together() {
    let node = TestNode::with_config(SHORT).await;
    let beside = Beside::start_on_all(&node, 100).await;
    let alice = node.login().await;
    fill(&node, &alice).await;
    let before = anonymous_bytes(&node);
    let sender = connect(&node, 0).await;
    let mut answers = Vec::new();
    for _ in 0..90 {
        answers.push(get(&sender, &history(&alice)).await);
    }
    // As soon as one was given up the next was looked at, so all are in line, whichever was the first.
    let (first, _, others) = select_all(answers.into_iter().map(|a| Box::pin(reset(a)))).await;
    assert_eq!(first, Some(Reason::CANCEL));
    let grown = anonymous_bytes(&node).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes for {} answers", others.len());
    drop(others);
    drop(sender);
    beside.are_alone(&node).await;
    beside.have_lost_nothing(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_with_a_small_window_gets_all_of_a_large_answer() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    fill(&node, &alice).await;
    let whole = node_history(&node, &alice).await;
    let sender = connect(&node, 5_000).await;
    let answers: Vec<_> = futures_util::future::join_all((0..5).map(|_| async {
        let answer = get(&sender, &history(&alice)).await;
        let mut body = guarded("a head", answer).await.unwrap().into_body();
        let mut text = Vec::new();
        while let Some(piece) = guarded("a piece", body.data()).await {
            let piece = piece.unwrap();
            text.extend_from_slice(&piece);
            body.flow_control().release_capacity(piece.len()).unwrap();
        }
        text
    }))
    .await;
    for text in answers {
        assert!(text == whole, "{} bytes, not {}", text.len(), whole.len());
    }
}

async fn node_history(node: &TestNode, login: &Login) -> Vec<u8> {
    super::common::http::Request::get(&history(login)).send(node).await.body
}
