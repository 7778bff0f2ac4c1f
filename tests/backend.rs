//! What a backend may do to clients (wire.md §6 and §8): kick them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[macro_use]
mod common;

use common::client::{Event, TestClient, Transport};
use common::http::Request;
use common::ids_on;
use common::node::{API_KEY, TestNode, api_key_config};
use serde_json::json;

on_every_transport!(a_kick_is_told_with_4003_and_ends_the_token);

fn kick(client: &str) -> Request {
    Request::post("/api/disconnect").bearer(API_KEY).form(&[("client_id", client)])
}

async fn a_kick_is_told_with_4003_and_ends_the_token(transport: Transport) {
    let node = TestNode::with_config(&api_key_config()).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut kicked = TestClient::connect(&node, transport, "", &alice.query("users=none")).await;
    let mut other = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    assert_eq!(kick(&alice.client_id).send(&node).await.status, 204);
    let end = kicked.end().await;
    if transport == Transport::Poll {
        // A poll has no words for it; its next request is refused.
        assert!(matches!(end, Event::Refused(_) | Event::Ended), "{end:?}");
    } else {
        assert_eq!(end, Event::Closed(Some(4003)));
    }
    let users = Request::get("/users").bearer(&alice.token).send(&node).await;
    users.problem(401, "token-invalid");
    assert_eq!(ids_on(&node.users(&bob).await), [bob.client_id.as_str()]);
    let answer = node.post(&bob, "still here").await;
    assert_eq!(other.next().await, answer);
}

#[tokio::test]
async fn a_client_that_is_not_there_is_kicked_for_good() {
    let node = TestNode::with_config(&api_key_config()).await;
    let alice = node.login().await;
    let logout = Request::post("/logout").bearer(&alice.token).send(&node).await;
    assert_eq!(logout.status, 204);
    assert_eq!(kick(&alice.client_id).send(&node).await.status, 204);
    assert_eq!(kick("nobody-ever").send(&node).await.status, 204);
    let json = json!({ "client_id": alice.client_id });
    let request = Request::post("/api/disconnect").bearer(API_KEY).json(&json);
    assert_eq!(request.send(&node).await.status, 204);
}

#[tokio::test]
async fn only_a_backend_kicks_and_it_names_whom() {
    let node = TestNode::with_config(&api_key_config()).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let form = [("client_id", alice.client_id.as_str())];
    let bare = Request::post("/api/disconnect");
    bare.clone().form(&form).send(&node).await.problem(401, "unauthorized");
    for wrong in [bob.token.as_str(), "not-the-api-key-of-this-node"] {
        bare.clone().bearer(wrong).form(&form).send(&node).await.problem(401, "unauthorized");
    }
    let in_query = Request::post(&format!("/api/disconnect?token={API_KEY}"));
    in_query.form(&form).send(&node).await.problem(401, "unauthorized");
    for client in ["", "a\u{1}b", &"x".repeat(300)] {
        kick(client).send(&node).await.names_field("client_id");
    }
    bare.bearer(API_KEY).form(&[]).send(&node).await.names_field("client_id");
    let answer = Request::get("/api/disconnect").bearer(API_KEY).send(&node).await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    assert_eq!(node.users(&bob).await["count"], 2);
}

#[tokio::test]
async fn without_keys_there_is_no_backend() {
    let node = TestNode::start().await;
    kick("anyone").send(&node).await.problem(401, "unauthorized");
}
