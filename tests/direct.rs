//! Direct messages and inboxes (wire.md §3).

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

use std::sync::atomic::{AtomicBool, Ordering};

use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::TestNode;
use common::scrape::{Scrape, reaches};
use common::{ids_on, value_of};
use serde_json::json;

on_every_transport!(
    a_direct_message_reaches_its_client_alone,
    an_inbox_comes_after_the_users_list_and_before_what_is_live,
    an_inbox_is_emptied_once,
    a_direct_value_cannot_be_taken_for_a_message_of_ours,
    an_inbox_keeps_a_hundred_and_tells_how_many_more_there_were,
    each_direct_message_has_a_nonce_where_that_is_asked_for,
    a_nonce_is_around_what_would_come_without_it,
    who_wants_no_direct_messages_takes_none_away,
);

async fn a_direct_message_reaches_its_client_alone(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob, carol) = (node.login().await, node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    let mut other = TestClient::connect(&node, transport, "", &carol.query("users=none")).await;
    let mut sender = TestClient::connect(&node, transport, "", &alice.query("users=none")).await;

    let answer = node.direct(&alice, &bob.client_id, "for Bob").await;
    assert_eq!(value_of(&answer), "for Bob");
    assert_eq!(answer["message"]["client_id"], alice.client_id);
    assert!(answer["message"].get("id").is_none(), "no id: {answer}");
    let public = node.post(&alice, "for all").await;
    assert_eq!(client.next().await, answer);
    for client in [&mut client, &mut other, &mut sender] {
        assert_eq!(client.next().await, public);
    }
}

#[tokio::test]
async fn a_direct_message_reaches_every_connection_on_the_channel_and_none_elsewhere() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut room = TestClient::connect(&node, Transport::Ws, "room", &query).await;
    let mut clients = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Stream, Transport::Ws] {
        clients.push(TestClient::connect(&node, transport, "", &query).await);
    }
    let answer = node.direct(&alice, &bob.client_id, "for Bob").await;
    for client in &mut clients {
        assert_eq!(client.next().await, answer);
    }
    let said = node.post_to("room", &alice, "in the room").await;
    assert_eq!(room.next().await, said, "the room heard nothing of it");
}

async fn an_inbox_comes_after_the_users_list_and_before_what_is_live(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    for number in 0..3_u32 {
        node.direct(&alice, &bob.client_id, &number.to_string()).await;
    }
    let mut client = TestClient::connect(&node, transport, "", &bob.query("users=list")).await;
    assert_eq!(ids_on(&client.next().await).len(), 2);
    for number in 0..3_u32 {
        let message = client.next_message().await;
        assert_eq!(value_of(&message), number.to_string());
        assert!(message["message"].get("id").is_none(), "{message}");
    }
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next_message().await, live);
}

/// A poll that is answered at once has a connection for a moment only: what is sent to it just then
/// waits in the inbox instead.
#[tokio::test]
async fn direct_messages_to_polls_that_are_just_answered_are_not_lost() {
    const MESSAGES: usize = 300;
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let sending = async {
        for number in 0..MESSAGES {
            node.direct(&alice, &bob.client_id, &number.to_string()).await;
        }
    };
    let polling = async {
        let mut got = Vec::new();
        while got.len() < MESSAGES {
            let target = format!("/poll?{}", bob.query("users=none&wait=0"));
            let answer = Request::get(&target).send(&node).await.ok();
            let messages = answer["messages"].as_array().unwrap().clone();
            got.extend(messages.iter().map(|message| value_of(message).to_owned()));
        }
        got
    };
    let ((), got) = tokio::join!(sending, common::guarded("every message", polling));
    let all: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(got, all);
    node.login().await;
}

async fn an_inbox_is_emptied_once(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    node.direct(&alice, &bob.client_id, "once").await;
    let query = bob.query("users=none");
    let mut first = TestClient::connect(&node, transport, "", &query).await;
    assert_eq!(value_of(&first.next().await), "once");
    let mut second = TestClient::connect(&node, transport, "", &query).await;
    let live = node.post(&alice, "live").await;
    assert_eq!(second.next().await, live);
}

async fn an_inbox_keeps_a_hundred_and_tells_how_many_more_there_were(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    for number in 0..103_u32 {
        node.direct(&alice, &bob.client_id, &number.to_string()).await;
    }
    let mut client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    for number in 0..100_u32 {
        assert_eq!(value_of(&client.next().await), number.to_string());
    }
    assert_eq!(client.next().await, json!({ "gap": { "channel": "", "inbox": 3 } }));
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next().await, live);
}

#[tokio::test]
async fn an_inbox_keeps_256_kib() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    for number in 0..12_u32 {
        let value = format!("{number}{}", "a".repeat(30_000));
        node.direct(&alice, &bob.client_id, &value).await;
    }
    let mut client = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let mut kept = 0_u32;
    let gap = loop {
        let next = client.next().await;
        if next.get("gap").is_some() {
            break next;
        }
        assert!(value_of(&next).starts_with(&format!("{kept}a")), "the first are kept");
        kept += 1;
    };
    assert_eq!(gap["gap"]["inbox"], 12 - kept);
    // 256 KiB hold eight texts of 30 000 bytes, seven if what is around them counts heavily.
    assert!((7..=8).contains(&kept), "{kept} were kept");
}

#[tokio::test]
async fn an_unknown_client_is_told() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let to =
        |id: &str| Request::post("/post").bearer(&alice.token).form(&[("value", "hi"), ("to", id)]);
    to("nobody").send(&node).await.problem(404, "unknown-client");
    to(&bob.client_id).send(&node).await.ok();
    bob.logout(&node).await;
    to(&bob.client_id).send(&node).await.problem(404, "unknown-client");
}

#[tokio::test]
async fn an_inbox_ends_with_the_presence() {
    let node = TestNode::with_config("[presence]\ntimeout = 1\nlinger = 1").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut watching =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=count")).await;
    node.direct(&alice, &bob.client_id, "too late").await;
    while watching.next_message().await["count"] != 1 {}
    let mut client = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next().await, live);
}

#[tokio::test]
async fn a_direct_message_is_in_no_history() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let first = node.post(&alice, "first").await;
    node.direct(&alice, &bob.client_id, "direct").await;
    let second = node.post(&alice, "second").await;
    let history = node.history(&bob, "since=0").await;
    assert_eq!(history["messages"], json!([first, second]));
    let offset = |answer| common::offset_of(common::id_of(answer));
    assert_eq!(offset(&second), offset(&first) + 1, "it takes no offset");
}

#[tokio::test]
async fn a_direct_message_comes_by_json_and_multipart_too() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let body = json!({ "value": "by json", "to": bob.client_id });
    Request::post("/post").bearer(&alice.token).json(&body).send(&node).await.ok();
    let fields = [("value", "by multipart"), ("to", bob.client_id.as_str())];
    Request::post("/post").bearer(&alice.token).multipart(&fields).send(&node).await.ok();
    assert_eq!(value_of(&client.next().await), "by json");
    assert_eq!(value_of(&client.next().await), "by multipart");
}

#[tokio::test]
async fn a_direct_message_is_not_sent_twice_by_a_retry() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let fields = [("value", "once"), ("to", bob.client_id.as_str()), ("key", "k1")];
    for _ in 0..2 {
        Request::post("/post").bearer(&alice.token).form(&fields).send(&node).await.ok();
    }
    assert_eq!(value_of(&client.next().await), "once");
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next().await, live);
}

#[tokio::test]
async fn a_message_to_nobody_is_refused_and_not_told_to_everyone() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let post = || Request::post("/post").bearer(&alice.token);
    let form = post().form(&[("value", "secret"), ("to", "")]).send(&node).await;
    form.names_field("to");
    let json = post().json(&json!({ "value": "secret", "to": "" })).send(&node).await;
    json.names_field("to");
    let kept = Request::get("/history").bearer(&alice.token).send(&node).await.ok();
    assert_eq!(kept["messages"], json!([]));
}

async fn a_direct_value_cannot_be_taken_for_a_message_of_ours(transport: Transport) {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none&ids=1");
    let mut client = TestClient::connect(&node, transport, "data", &query).await;
    if transport != Transport::Poll {
        assert!(client.next().await["since"].is_string());
    }
    let forged = json!({"id": "epoch-9", "client_id": bob.client_id, "data": 1});
    let body = json!({"value": forged, "to": bob.client_id});
    Request::post("/post/data").bearer(&alice.token).json(&body).send(&node).await.ok();
    let told = client.next().await;
    assert_eq!(told, json!({"client_id": alice.client_id, "data": forged}));
}

/// Two connections of one client tell the same message by the same nonce, one that waited as well.
async fn each_direct_message_has_a_nonce_where_that_is_asked_for(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let waited = node.direct(&alice, &bob.client_id, "waited").await;
    let query = bob.query("users=none&direct=1");
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    let told = client.next().await;
    assert_eq!(told["data"], waited);
    let mut nonces = vec![told["direct"].as_str().unwrap().to_owned()];
    let mut other = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let mut plain =
        TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none&direct=0")).await;
    for text in ["one", "two"] {
        let answer = node.direct(&alice, &bob.client_id, text).await;
        assert_eq!(plain.next().await, answer);
        let told = other.next().await;
        assert_eq!(told["data"], answer);
        if transport != Transport::Poll {
            assert_eq!(client.next().await, told);
        }
        nonces.push(told["direct"].as_str().unwrap().to_owned());
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 3, "{nonces:?}");
}

async fn a_nonce_is_around_what_would_come_without_it(transport: Transport) {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none&ids=1&direct=1");
    let mut client = TestClient::connect(&node, transport, "data", &query).await;
    if transport != Transport::Poll {
        assert!(client.next().await["since"].is_string());
    }
    let forged = json!({"direct": "1", "data": {"direct": "2"}});
    let body = json!({"value": forged, "to": bob.client_id});
    Request::post("/post/data").bearer(&alice.token).json(&body).send(&node).await.ok();
    let told = client.next().await;
    assert_eq!(told["data"], json!({"client_id": alice.client_id, "data": forged}));
    let body = json!({"value": forged});
    Request::post("/post/data").bearer(&alice.token).json(&body).send(&node).await.ok();
    assert_eq!(client.next().await["data"], forged, "what is for all cannot be taken for it");
}

async fn who_wants_no_direct_messages_takes_none_away(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none&direct=none");
    let waiting = node.direct(&alice, &bob.client_id, "waits").await;
    let mut other = TestClient::connect(&node, transport, "", &query).await;
    let more = node.direct(&alice, &bob.client_id, "waits, too").await;
    let mut client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    assert_eq!(client.next().await, waiting);
    assert_eq!(client.next().await, more);
    let told = node.direct(&alice, &bob.client_id, "for Bob").await;
    let public = node.post(&alice, "for all").await;
    assert_eq!(other.next().await, public);
    assert_eq!(client.next().await, told);
    assert_eq!(client.next().await, public);
}

/// What comes while a poll is on its way out waits, and is in front of what comes later: polls that
/// follow each other, end each other, and wait for a moment only bring everything in its order.
#[tokio::test]
async fn polls_bring_direct_messages_in_the_order_in_which_they_were_sent() {
    const MESSAGES: usize = 400;
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let sending = async {
        for number in 0..MESSAGES {
            node.direct(&alice, &bob.client_id, &number.to_string()).await;
            if number % 5 == 0 {
                // It ends the poll that waits, for another reason.
                node.post(&alice, "for all").await;
            }
        }
    };
    let polling = async {
        let (mut got, mut since) = (Vec::new(), String::from("0"));
        while got.len() < MESSAGES {
            let target =
                format!("/poll?{}", bob.query(&format!("users=none&wait=9&since={since}")));
            let answer = Request::get(&target).send(&node).await.ok();
            answer["since"].as_str().unwrap().clone_into(&mut since);
            let messages = answer["messages"].as_array().unwrap().clone();
            let direct = messages.iter().filter(|it| it["message"].get("id").is_none());
            got.extend(direct.map(|message| value_of(message).to_owned()));
        }
        got
    };
    let ((), got) = tokio::join!(sending, common::guarded("every message", polling));
    let all: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(got, all);
}

/// Who opens the next connection before the last one is closed, and reads on it until both bring the
/// same, misses nothing.
#[tokio::test]
async fn a_client_that_moves_from_connection_to_connection_misses_no_direct_message() {
    const MOVES: usize = 20;
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none&direct=1");
    let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let done = AtomicBool::new(false);
    let sending = async {
        let mut sent = 0_usize;
        while !done.load(Ordering::Relaxed) {
            node.direct(&alice, &bob.client_id, &sent.to_string()).await;
            sent += 1;
        }
        sent
    };
    let receiving = async {
        let mut got = Vec::new();
        for _ in 0..MOVES {
            let mut next = TestClient::connect(&node, Transport::Sse, "", &query).await;
            let first = next.next().await;
            loop {
                let told = client.next().await;
                if told == first {
                    break;
                }
                got.push(value_of(&told["data"]).to_owned());
            }
            got.push(value_of(&first["data"]).to_owned());
            client.cut();
            client = next;
        }
        done.store(true, Ordering::Relaxed);
        (client, got)
    };
    let (sent, (mut client, mut got)) =
        tokio::join!(sending, common::guarded("every message", receiving));
    while got.len() < sent {
        got.push(value_of(&client.next().await["data"]).to_owned());
    }
    let all: Vec<_> = (0..sent).map(|number| number.to_string()).collect();
    assert_eq!(got, all);
}

#[tokio::test]
async fn the_inboxes_of_one_address_share_a_bound() {
    let node = TestNode::with_config(
        "[limits]\nexempt = []\ninbox_bytes = 1048576\ninbox_bytes_per_address = 262144\nmessages_per_second = 1000000\nmessage_burst = 1000000",
    )
    .await;
    let sender = node.login().await;
    let text = "a".repeat(30_000);
    let mut absent = Vec::new();
    for _ in 0..5 {
        let client = node.login().await;
        for _ in 0..4 {
            node.direct(&sender, &client.client_id, &text).await;
        }
        absent.push(client);
    }
    let waiting = Scrape::of(&node).await.count("pushgate_inbox_bytes");
    assert!((200_000..=262_144).contains(&waiting), "{waiting}");
    let (mut kept, mut dropped) = (0, 0);
    for client in &absent {
        let mut socket =
            TestClient::connect(&node, Transport::Ws, "", &client.query("users=none")).await;
        // What was dropped is told behind what was kept; a word of our own ends both.
        node.direct(&sender, &client.client_id, "end").await;
        loop {
            let message = socket.next().await;
            match message["gap"]["inbox"].as_u64() {
                Some(number) => dropped += number,
                None if value_of(&message) == "end" => break,
                None => kept += 1,
            }
        }
    }
    assert_eq!(kept + dropped, 20);
    assert!(kept >= 7, "{kept}");
    reaches(&node, "pushgate_inbox_bytes", 0).await;
}
