//! Answers that are asked for and not taken: a window that stays shut.

use super::common::node::TestNode;
use super::peer::{
    CANCEL, DATA, END_HEADERS, HEADERS, INITIAL_WINDOW_SIZE, Outcome, PING, Peer, RESET, block,
    frame, get, pseudo, window_update,
};
use super::scene::Scene;

/// Messages that make a page of history large.
const LARGE: usize = 30_000;

async fn with_history(config: &str) -> Scene {
    let scene = Scene::with_config(config).await;
    let mut poster = scene.node.poster(&scene.alice, "large").await;
    for _ in 0..30 {
        poster.post(&"a".repeat(LARGE)).await;
    }
    scene
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_is_given_up_and_its_neighbour_is_not() {
    let mut scene = Scene::with_config("[limits]\nwrite_seconds = 1").await;
    let mut peer = Peer::with_settings(&scene.node, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    let query = scene.alice.query("users=list");
    let sse = |stream| get(stream, &format!("/sse?{query}"));
    // The neighbour is on the same connection, and takes what it is sent.
    peer.write(&[sse(1), sse(3), window_update(3, 1_000_000)].concat()).await;
    let given_up = peer.next_of(RESET).await.unwrap();
    assert_eq!((given_up.stream, given_up.code()), (1, CANCEL));
    scene.beside.are_served("behind a shut window", 1).await;
    let heard = peer.next_of(DATA).await.unwrap();
    assert_eq!(heard.stream, 3);
    scene.is_well("a shut window").await;
}

#[tokio::test]
async fn a_reader_that_takes_its_time_gets_everything() {
    let scene = with_history("[limits]\nwrite_seconds = 1").await;
    let mut peer = Peer::with_settings(&scene.node, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    let path = format!("/history/large?since=0&limit=3&{}", scene.alice.query(""));
    peer.write(&get(1, &path)).await;
    let mut got = 0;
    // In all more than twice the deadline, but never so long without taking anything.
    for step in 1..=12 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let more = if step == 12 { 1_000_000 } else { 8000 };
        peer.write(&[window_update(1, more), window_update(0, more)].concat()).await;
    }
    loop {
        let frame = peer.next().await.unwrap();
        assert_ne!(frame.kind, RESET, "after {got} bytes");
        if frame.kind == DATA {
            got += frame.payload.len();
            if frame.flags & 1 != 0 {
                break;
            }
        }
    }
    assert!(got > 3 * LARGE, "{got}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_taken_a_byte_at_a_time_are_let_go() {
    let mut scene = with_history("[limits]\nwrite_seconds = 1").await;
    let path = format!("/history/large?since=0&limit=10&{}", scene.alice.query(""));
    let mut peer = Peer::with_settings(&scene.node, &[(INITIAL_WINDOW_SIZE, 1)]).await;
    let ids: Vec<u32> = (0..20).map(|number| 2 * number + 1).collect();
    peer.write(&ids.iter().flat_map(|id| get(*id, &path)).collect::<Vec<u8>>()).await;
    let (mut bytes, mut reset) = (0, 0);
    while reset < ids.len() {
        let frame = peer.next().await.unwrap();
        match frame.kind {
            RESET => reset += 1,
            DATA => bytes += frame.payload.len(),
            PING => panic!("the heartbeat came before the deadline"),
            _ => {}
        }
    }
    assert_eq!(bytes, ids.len(), "one byte of each");
    peer.write(&get(101, "/healthz")).await;
    assert_eq!(peer.outcome(101).await, Outcome::Answer(200), "the connection goes on");
    scene.beside.are_served("answers that nobody takes", 1).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let mut scene = Scene::with_config("[limits]\nbody_seconds = 1").await;
    let mut peer = Peer::open(&scene.node).await;
    let fields = [&pseudo("POST", "/login")[..], &[("content-length", "10")]].concat();
    let begun = frame(HEADERS, END_HEADERS, 1, &block(&fields));
    peer.write(&[begun, frame(DATA, 0, 1, b"name")].concat()).await;
    assert_eq!(peer.outcome(1).await, Outcome::Answer(408));
    scene.is_well("half a body").await;
}

#[tokio::test]
async fn who_asks_for_nothing_is_told_to_go() {
    let config = "[limits]\nheader_seconds = 0.5\nkeep_alive_seconds = 0.5";
    let node = TestNode::with_config(config).await;
    let mut silent = Peer::open(&node).await;
    assert_eq!(silent.outcome(1).await, Outcome::GoAway(0));
    assert!(silent.ends().await);
    // Pings are no requests.
    let mut busy = Peer::open(&node).await;
    loop {
        busy.write(&frame(PING, 0, 0, b"pingping")).await;
        if let Outcome::GoAway(code) = tokio::select! {
            outcome = busy.outcome(1) => outcome,
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => Outcome::Answer(0),
        } {
            assert_eq!(code, 0);
            break;
        }
    }
    assert!(busy.ends().await);
}
