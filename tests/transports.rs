//! The contract of a transport, a clause a function, run for ws, sse, stream and poll
//! (wire.md §2, §3 and §4).

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
use common::node::{Setup, TestNode};
use common::{guarded, id_of, ids_on, is_on, jwt, value_of};
use serde_json::{Value, json};

/// The secret of nodes whose tokens a test signs itself.
const SECRET: &str = "a-secret-of-the-transport-tests-0123456789";

on_every_transport!(
    a_post_arrives_as_it_was_answered,
    posts_arrive_once_and_in_order,
    a_post_answered_after_the_head_is_not_missed,
    text_arrives_unchanged_and_safe_for_old_pages,
    the_users_list_comes_first,
    every_connection_of_a_client_receives,
    a_channel_hears_only_its_own,
    a_trailing_slash_is_the_same_address,
    without_a_token_it_is_refused,
    a_token_is_taken_from_the_header,
    a_logout_ends_it,
    a_newer_token_that_connects_ends_it,
    an_expired_token_ends_it,
    the_list_is_told_when_another_logs_out,
);

async fn a_post_arrives_as_it_was_answered(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    let answer = node.post(&alice, "hello").await;
    assert_eq!(client.next().await, answer);
    assert_eq!(answer["message"]["client_id"], alice.client_id);
    assert_eq!(client.since(), id_of(&answer));
}

async fn posts_arrive_once_and_in_order(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    let mut poster = node.poster(&alice, "").await;
    let posting = tokio::spawn(async move { poster.count(0..500).await });
    for number in 0..500_u32 {
        assert_eq!(value_of(&client.next().await), number.to_string());
    }
    posting.await.unwrap();
}

async fn a_post_answered_after_the_head_is_not_missed(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    for round in 0..50_u32 {
        let mut client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
        node.post(&alice, &round.to_string()).await;
        assert_eq!(value_of(&client.next().await), round.to_string());
    }
}

async fn text_arrives_unchanged_and_safe_for_old_pages(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let text = "\0 \u{2028} \u{2029} \r\n\n data: id: \" \\ </script> ' 로비 \u{1F980} \u{7f}";
    let mut client = TestClient::connect(&node, transport, "", &alice.query("users=none")).await;
    let answer = Request::post("/post")
        .bearer(&alice.token)
        .json(&json!({ "value": text }))
        .send(&node)
        .await
        .ok();
    assert_eq!(value_of(&answer), text);
    let raw = client.next_text().await;
    assert!(!raw.contains(['\u{2028}', '\u{2029}', '\0', '\n', '\r']), "{raw:?}");
    assert!(raw.contains("\\u2028") && raw.contains("\\u2029"), "{raw:?}");
    let message: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(value_of(&message), text);
    node.post(&alice, "after").await;
    assert_eq!(value_of(&client.next().await), "after");
}

async fn the_users_list_comes_first(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login_as("Alice").await;
    node.post(&alice, "before").await;
    let query = alice.query("since=0");
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    let list = client.next().await;
    assert_eq!(ids_on(&list), [alice.client_id.as_str()]);
    assert_eq!(list["count"], 1);
    assert_eq!(list["users"][0]["name"], "Alice");
    assert_eq!(list["users"][0]["ip"], "127.0.0.1");
    assert!(list["version"].is_u64(), "{list}");
    assert_eq!(value_of(&client.next().await), "before");
}

async fn every_connection_of_a_client_receives(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let mut beside = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    assert_eq!(node.users(&alice).await["count"], 1, "listed once");
    let answer = node.post(&alice, "to both").await;
    assert_eq!(client.next().await, answer);
    assert_eq!(beside.next().await, answer);
}

async fn a_channel_hears_only_its_own(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let mut client = TestClient::connect(&node, transport, "a/room", &query).await;
    for elsewhere in ["", "a", "a/other", "a/room/below", "A/room"] {
        node.post_to(elsewhere, &alice, "elsewhere").await;
    }
    let answer = node.post_to("a/room", &alice, "here").await;
    assert_eq!(client.next().await, answer);
}

async fn a_trailing_slash_is_the_same_address(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for channel in ["", "room"] {
        let query = alice.query("users=none");
        let with_slash = format!("{channel}/");
        let mut client = TestClient::connect(&node, transport, &with_slash, &query).await;
        node.post_to(channel, &alice, "same").await;
        assert_eq!(value_of(&client.next_message().await), "same");
    }
}

async fn without_a_token_it_is_refused(transport: Transport) {
    let node = TestNode::start().await;
    let Err(answer) = TestClient::try_connect(&node, transport, "", "users=none").await else {
        panic!("{transport:?} opened without a token");
    };
    answer.problem(401, "unauthorized");
}

async fn a_token_is_taken_from_the_header(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let request = transport.request("", "users=none").bearer(&alice.token);
    let asked = ("", alice.query("users=none"));
    let mut client =
        TestClient::of_request(&node, transport, &request, (asked.0, &asked.1)).await.ok().unwrap();
    node.post(&alice, "hello").await;
    assert_eq!(value_of(&client.next().await), "hello");
}

async fn a_logout_ends_it(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, transport, "", &alice.query("users=none")).await;
    alice.logout(&node).await;
    ended_with(&mut client, transport, 4002).await;
    let query = alice.query("users=none");
    let Err(answer) = TestClient::try_connect(&node, transport, "", &query).await else {
        panic!("{transport:?} opened with a token that is over");
    };
    answer.problem(401, "token-invalid");
}

async fn a_newer_token_that_connects_ends_it(transport: Transport) {
    let node = TestNode::start().await;
    let older = node.login().await;
    let mut client = TestClient::connect(&node, transport, "", &older.query("users=none")).await;
    let newer = older.renewed(&node).await;
    let mut after = TestClient::connect(&node, transport, "", &newer.query("users=none")).await;
    ended_with(&mut client, transport, 4002).await;
    let Err(answer) = TestClient::try_connect(&node, transport, "", &older.query("")).await else {
        panic!("{transport:?} opened with a token that was replaced");
    };
    answer.problem(401, "token-invalid");
    node.post(&newer, "still here").await;
    assert_eq!(value_of(&after.next().await), "still here");
    assert!(is_on(&node.users(&newer).await, &newer.client_id));
}

async fn an_expired_token_ends_it(transport: Transport) {
    let node = Setup::default().config("").env("PUSHGATE_SECRET", SECRET).start().await;
    let alice = node.login().await;
    let (_, claims) = jwt::read(&alice.token);
    let soon = claims["iat"].as_u64().unwrap() + 2;
    let token = jwt::resign(&alice.token, SECRET, &json!({ "exp": soon }));
    let query = format!("token={token}&users=none");
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    ended_with(&mut client, transport, 4001).await;
    let Err(answer) = TestClient::try_connect(&node, transport, "", &query).await else {
        panic!("{transport:?} opened with a token that is past its end");
    };
    answer.problem(401, "token-expired");
}

async fn the_list_is_told_when_another_logs_out(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, transport, "", &alice.query("users=list")).await;
    assert!(is_on(&client.next().await, &bob.client_id));
    bob.logout(&node).await;
    let list = guarded("a list without Bob", async {
        loop {
            let list = client.next().await;
            if !is_on(&list, &bob.client_id) {
                return list;
            }
        }
    })
    .await;
    assert_eq!(ids_on(&list), [alice.client_id.as_str()]);
}

/// The end of a subscription is told with its code; a poll, which has no words for it, is over
/// with the answer to the next one at the latest.
async fn ended_with(client: &mut TestClient, transport: Transport, code: u16) {
    let end = client.end().await;
    if transport == Transport::Poll {
        assert_eq!(end, Event::Refused(401));
    } else {
        assert_eq!(end, Event::Closed(Some(code)));
    }
}
