//! Chat rooms, by the part of the package that knows nothing of Unity.

use super::program::Scene;
use crate::common::client::{TestClient, Transport};
use crate::common::node::TestNode;

fn room(node: &TestNode, channel: &str) -> Scene {
    Scene::start(&[&node.origin(), channel, "room"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_hears_what_was_said_and_what_is_said_there_alone() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut page =
        TestClient::connect(&node, Transport::Ws, "chat/%EB%A1%9C%EB%B9%84", &alice.query(""))
            .await;
    page.send(r#"{"message":"earlier"}"#).await;
    page.next().await;
    let mut lobby = room(&node, "chat/로비");
    let mut other = room(&node, "chat/other");
    let client_id = lobby.says("open").await;
    other.says("open").await;
    assert_eq!(lobby.says("said").await, format!("{} earlier", alice.client_id));
    lobby.tell("\"größer\" \\ \u{1F980}").await;
    lobby.says("did say").await;
    let said = page.next().await;
    assert_eq!(said["message"], "\"größer\" \\ \u{1F980}");
    assert_eq!(said["client_id"], client_id);
    assert_eq!(lobby.says("said").await, format!("{client_id} \"größer\" \\ \u{1F980}"));
    // Nothing but its own end.
    assert_eq!(other.ends().await, ["closed "]);
    lobby.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_renewed_and_taken_to_the_next_connection() {
    let node = TestNode::with_config("[tokens]\nseconds = 60\n").await;
    let mut lobby = room(&node, "chat/lobby");
    lobby.says("token 1").await;
    let client_id = lobby.says("open").await;
    // Its clock is ahead from now on.
    lobby.tell("/later 49").await;
    lobby.says("token 2").await;
    lobby.tell("/rest").await;
    lobby.tell("/wake").await;
    assert_eq!(lobby.says("open").await, client_id);
    lobby.tell("hello").await;
    assert_eq!(lobby.says("said").await, format!("{client_id} hello"));
    lobby.tell("/later 61").await;
    lobby.says("token 3").await;
    let heard = lobby.heard();
    assert!(!heard.iter().any(|line| line.starts_with("closed")), "{heard:?}");
    lobby.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_refused_for_now_is_left_alone_for_as_long_as_the_gateway_asks() {
    let node = TestNode::with_config("[limits]\nexempt = []\nrooms_per_minute = 1\n").await;
    let _first = TestClient::connect(&node, Transport::Ws, "chat/first", "").await;
    let mut second = room(&node, "chat/second");
    let told = second.says("failed rate-limited 429 ").await;
    // Longer than it would ever wait by itself.
    let seconds: u32 = told.parse().unwrap();
    assert!((31..=62).contains(&seconds), "{seconds}");
    let heard = second.ends().await;
    assert!(!heard.iter().any(|line| line.starts_with("failed")), "{heard:?}");
}
