//! Rooms: channels of kind `chat` (wire.md §4).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::collections::BTreeSet;

use common::client::{TestClient, Transport};
use common::http::{Request, encode};
use common::node::TestNode;
use common::scrape::reaches;
use common::{is_on, offset_of};
use serde_json::{Value, json};

/// The text of what a room delivered, which has the members of the contract and no more.
fn text_of(said: &Value) -> &str {
    let members: BTreeSet<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["message", "client_id", "datetime", "id"]), "{said}");
    said["message"].as_str().unwrap()
}

async fn a_room_hears_sockets_and_posts_in_one_order(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let room = format!("chat/{}", encode("로비"));
    let mut listener = TestClient::connect(&node, transport, &room, "").await;
    let mut speaker = TestClient::connect(&node, Transport::Ws, &room, &alice.query("")).await;
    for number in 1..=5 {
        let text = format!("{number} <b>\u{2028} 東京");
        speaker.send(&json!({ "message": text, "more": true }).to_string()).await;
        // The sender is included.
        let own = speaker.next().await;
        assert_eq!(text_of(&own), text);
        assert_eq!(own["client_id"], alice.client_id.as_str());
        assert_eq!(listener.next().await, own);
        let answer = node.post_to(&room, &alice, &format!("post {number}")).await;
        assert_eq!(answer["message"]["value"], format!("post {number}"));
        let posted = listener.next().await;
        assert_eq!(text_of(&posted), format!("post {number}"));
        assert_eq!(posted["id"], answer["message"]["id"]);
        assert_eq!(speaker.next().await, posted);
        assert_eq!(offset_of(posted["id"].as_str().unwrap()), number * 2);
    }
}

async fn rooms_do_not_hear_each_other(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for (room, text) in [("chat/one", "1"), ("chat/two", "2"), ("chat", "alone")] {
        let mut listener = TestClient::connect(&node, transport, room, "").await;
        for other in ["chat/other", "chat", "chat/one", "chat/two"] {
            if other != room {
                node.post_to(other, &alice, "elsewhere").await;
            }
        }
        node.post_to(room, &alice, text).await;
        assert_eq!(text_of(&listener.next().await), text, "{room}");
    }
}

async fn a_newcomer_hears_what_it_asks_for(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for number in 0..10 {
        node.post_to("chat/lobby", &alice, &number.to_string()).await;
    }
    let mut newcomer = TestClient::connect(&node, transport, "chat/lobby", "history=3").await;
    for number in 7..10 {
        assert_eq!(text_of(&newcomer.next().await), number.to_string());
    }
}

on_every_transport!(
    a_room_hears_sockets_and_posts_in_one_order,
    rooms_do_not_hear_each_other,
    a_newcomer_hears_what_it_asks_for,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_socket_says_in_another_shape_is_ignored_and_counted() {
    let node = TestNode::start().await;
    let mut old = TestClient::connect(&node, Transport::Ws, "chat/lobby", "").await;
    let mut new = TestClient::connect(&node, Transport::Ws, "chat/lobby", "errors=1").await;
    let wrong = ["", "hello", "{}", "[]", "null", r#"{"message":7}"#, r#"{"message":""}"#];
    for said in wrong {
        old.send(said).await;
        new.send(said).await;
    }
    // Told once to who asked for it; the connections live, and nobody heard of anything else.
    let told = new.next().await;
    assert_eq!(told["error"]["code"], "bad-request", "{told}");
    for client in [&mut old, &mut new] {
        client.send(r#"{"message":"at last"}"#).await;
    }
    for client in [&mut old, &mut new] {
        for _ in 0..2 {
            assert_eq!(text_of(&client.next().await), "at last");
        }
    }
    let ignored = 2 * wrong.len() as u64;
    reaches(&node, "pushgate_ignored_messages_total", ignored).await;
}

/// A small generator that repeats itself under its seed. Source: Vigna, "xorshift".
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most).unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_rooms_never_mix() {
    const ROOMS: usize = 50;
    const TEXTS: usize = 2000;
    let seed = u64::from(std::process::id()) + 1;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let node = TestNode::start().await;
    let alice = node.login().await;
    let name = |room: usize| if room == 0 { "chat".to_owned() } else { format!("chat/{room}") };
    let (mut speakers, mut listeners) = (Vec::new(), Vec::new());
    for room in 0..ROOMS {
        speakers.push(TestClient::connect(&node, Transport::Ws, &name(room), "").await);
        let transport = [Transport::Sse, Transport::Stream, Transport::Ws][room % 3];
        listeners.push(TestClient::connect(&node, transport, &name(room), "").await);
    }
    let mut said = vec![Vec::new(); ROOMS];
    for number in 0..TEXTS {
        let room = dice.below(ROOMS);
        let text = format!("{number} in {room}");
        if dice.below(4) == 0 {
            node.post_to(&name(room), &alice, &text).await;
        } else {
            speakers[room].send(&json!({ "message": text }).to_string()).await;
            // Its own comes back when it has its place: so each room has one order.
            while text_of(&speakers[room].next().await) != text {}
        }
        said[room].push(text);
    }
    for (listener, texts) in listeners.iter_mut().zip(said) {
        for text in texts {
            assert_eq!(text_of(&listener.next().await), text, "seed {seed}");
        }
    }
    for listener in &mut listeners {
        listener.is_quiet_for(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_stands_before_each_text() {
    let node = TestNode::with_config("[channels.\"chat/*\"]\nprefix = \"[room] \"").await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, Transport::Ws, "chat/lobby", "").await;
    client.send(r#"{"message":"spoken"}"#).await;
    assert_eq!(text_of(&client.next().await), "[room] spoken");
    node.post_to("chat/lobby", &alice, "posted").await;
    assert_eq!(text_of(&client.next().await), "[room] posted");
    node.post_to("chat", &alice, "bare").await;
    let kept = Request::get("/history/chat").send(&node).await.ok();
    assert_eq!(text_of(&kept["messages"][0]), "bare");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_a_room_is_told_to_those_who_ask() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = alice.query("users=diff");
    let mut asks = TestClient::connect(&node, Transport::Ws, "chat/lobby", &query).await;
    assert!(is_on(&asks.next().await, &alice.client_id));
    let mut silent = TestClient::connect(&node, Transport::Ws, "chat/lobby", "").await;
    let bobs = TestClient::connect(&node, Transport::Ws, "chat/lobby", &bob.query("")).await;
    // Whoever listens without a token is there, too, under an id of its own.
    let mut joined = BTreeSet::new();
    while !joined.contains(&bob.client_id) {
        let told = asks.next().await;
        let ids = told["joined"].as_array().unwrap().iter();
        joined.extend(ids.map(|user| user["client_id"].as_str().unwrap().to_owned()));
    }
    let list = Request::get("/users/chat/lobby").send(&node).await.ok();
    assert!(is_on(&list, &alice.client_id) && is_on(&list, &bob.client_id), "{list}");
    bobs.close().await;
    assert_eq!(asks.next().await["left"][0], bob.client_id.as_str());
    // The historic page is sent nothing that it does not know.
    node.post_to("chat/lobby", &alice, "first").await;
    assert_eq!(text_of(&silent.next().await), "first");
}

#[tokio::test]
async fn a_post_without_a_text_is_refused_by_its_field() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for body in [json!({}), json!({"value": ""}), json!({"value": 7})] {
        let request = Request::post("/post/chat/lobby").bearer(&alice.token).json(&body);
        request.send(&node).await.names_field("value");
    }
}
