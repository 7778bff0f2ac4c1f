//! `GET /_ah/channel/dev`: the development protocol.

use serde_json::json;

use super::backend::{
    command, create, expired, line, node, node_with, node_with_secret, obeyed, send,
};
use super::common::client::{TestClient, Transport};
use super::common::http::{Request, Response, encode};
use super::common::node::{Login, TestNode};
use super::common::scrape::Scrape;
use super::common::{ids_on, is_on, jwt, until};

#[track_caller]
fn uncached(answer: &Response) {
    assert_eq!(answer.header("cache-control"), Some("no-cache"), "{answer:?}");
}

async fn poll(node: &TestNode, login: &Login) -> String {
    obeyed(node, "poll", &login.token).await
}

#[tokio::test]
async fn connect_is_answered_1_and_polls_bring_one_message_each() {
    let node = node().await;
    for who in [line(&node, "ann").await, node.login().await] {
        let answer = command(&node, "connect", &who.token).await;
        assert_eq!((answer.status, answer.text()), (200, "1"));
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
        uncached(&answer);
        assert_eq!(poll(&node, &who).await, "");
        for text in ["one", "two\r\nlines \0 \u{2028}", "{\"users\":[]}"] {
            assert_eq!(send(&node, &who.client_id, text).await, "inbox");
        }
        let bob = node.login().await;
        let direct = node.direct(&bob, &who.client_id, "three").await;
        assert_eq!(poll(&node, &who).await, "one");
        assert_eq!(poll(&node, &who).await, "two\r\nlines \0 \u{2028}");
        assert_eq!(poll(&node, &who).await, "{\"users\":[]}");
        let told: serde_json::Value = serde_json::from_str(&poll(&node, &who).await).unwrap();
        assert_eq!(told, direct);
        assert_eq!(poll(&node, &who).await, "");
        let other = node.direct(&bob, &bob.client_id, "not theirs").await;
        node.post_to("room", &bob, "nor this").await;
        assert_eq!(poll(&node, &who).await, "", "{other}");
        assert_eq!(obeyed(&node, "disconnect", &who.token).await, "");
    }
}

#[tokio::test]
async fn a_login_that_connects_is_on_the_list_until_it_disconnects() {
    let node = node().await;
    let (ann, bob) = (node.login().await, node.login().await);
    obeyed(&node, "connect", &ann.token).await;
    assert!(is_on(&node.users(&bob).await, &ann.client_id));
    obeyed(&node, "disconnect", &ann.token).await;
    assert!(!is_on(&node.users(&bob).await, &ann.client_id));
    assert_eq!(send(&node, &ann.client_id, "gone").await, "nobody");
    obeyed(&node, "connect", &ann.token).await;
    assert!(is_on(&node.users(&bob).await, &ann.client_id), "its token is as good as before");
    assert_eq!(poll(&node, &ann).await, "");
}

#[tokio::test]
async fn a_line_that_connects_is_on_no_list_and_disconnects_from_its_inbox() {
    let node = node().await;
    let (ann, bob) = (line(&node, "ann").await, node.login().await);
    obeyed(&node, "connect", &ann.token).await;
    assert_eq!(ids_on(&node.users(&bob).await), [bob.client_id.as_str()]);
    assert_eq!(send(&node, "ann", "waits").await, "inbox");
    obeyed(&node, "disconnect", &ann.token).await;
    assert_eq!(send(&node, "ann", "gone").await, "nobody");
    obeyed(&node, "disconnect", &ann.token).await;
    obeyed(&node, "connect", &ann.token).await;
    assert_eq!(poll(&node, &ann).await, "");
    assert_eq!(Scrape::of(&node).await.sum("pushgate_presence_changes_total"), 1);
}

#[tokio::test]
async fn each_poll_keeps_a_client_for_presence_timeout() {
    let node = node_with("[presence]\ntimeout = 2").await;
    let (ann, bob) = (line(&node, "ann").await, node.login().await);
    let mut watching =
        TestClient::connect(&node, Transport::Ws, "", &bob.query("users=list")).await;
    watching.next().await;
    let carol = node.login().await;
    obeyed(&node, "connect", &ann.token).await;
    obeyed(&node, "connect", &carol.token).await;
    // Longer than it lasts without polls: sleeping is what this protocol does between two of them.
    for _ in 0..6 {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(poll(&node, &ann).await + &poll(&node, &carol).await, "");
    }
    assert_eq!(send(&node, "ann", "kept").await, "inbox");
    assert!(is_on(&node.users(&bob).await, &carol.client_id));
    let list = || async { node.users(&bob).await };
    until("it left the list", list, |list| !is_on(list, &carol.client_id)).await;
    let at = || async { send(&node, "ann", "over").await };
    until("its inbox is over", at, |reached| reached == "nobody").await;
}

#[tokio::test]
async fn a_connection_holds_a_client_that_disconnects() {
    let node = node().await;
    let (ann, bob) = (node.login().await, node.login().await);
    let mut page = TestClient::connect(&node, Transport::Ws, "", &ann.query("users=none")).await;
    obeyed(&node, "disconnect", &ann.token).await;
    assert!(is_on(&node.users(&bob).await, &ann.client_id));
    send(&node, &ann.client_id, "here").await;
    assert_eq!(page.next_text().await, "here");
    assert_eq!(poll(&node, &ann).await, "", "what a connection got is not queued");
}

#[tokio::test]
async fn what_an_inbox_dropped_is_told_behind_what_it_kept() {
    let node = node().await;
    let ann = line(&node, "ann").await;
    for number in 0..103 {
        send(&node, "ann", &number.to_string()).await;
    }
    for number in 0..100 {
        assert_eq!(poll(&node, &ann).await, number.to_string());
    }
    assert_eq!(poll(&node, &ann).await, r#"{"gap":{"channel":"","inbox":3}}"#);
    assert_eq!(poll(&node, &ann).await, "");
}

#[tokio::test]
async fn a_token_that_is_bad_or_over_is_said_in_the_status_line() {
    let node = node_with_secret().await;
    let ann = line(&node, "ann").await;
    let ended = node.login().await;
    ended.logout(&node).await;
    let bad = [
        "x".to_owned(),
        "a.b.c".to_owned(),
        jwt::tamper(&ann.token, &json!({ "sub": "eve" })),
        jwt::unsecured(&ann.token),
        "x".repeat(5000),
        ended.token.clone(),
        super::common::node::API_KEY.to_owned(),
    ];
    for name in ["connect", "poll", "disconnect"] {
        for token in &bad {
            let answer = command(&node, name, token).await;
            assert_eq!((answer.status, answer.reason.as_str()), (401, "Invalid+token."), "{token}");
            uncached(&answer);
            assert!(!answer.text().contains(token.as_str()) || token == "x");
        }
        let answer = command(&node, name, &expired(&ann.token)).await;
        assert_eq!((answer.status, answer.reason.as_str()), (401, "Token+timed+out."));
        answer.problem(401, "token-expired");
        uncached(&answer);
    }
}

#[tokio::test]
async fn whatever_is_missing_or_unknown_is_400() {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let token = encode(&ann.token);
    for query in [
        String::new(),
        "command=connect".to_owned(),
        "command=connect&channel=".to_owned(),
        format!("channel={token}"),
        format!("command=&channel={token}"),
        format!("command=Connect&channel={token}"),
        format!("command=send&channel={token}"),
        format!("command=poll&command=poll&channel={token}"),
        format!("command=poll&channel={token}&channel={token}"),
        format!("command=connect&token={token}"),
        "command=nothing&channel=x".to_owned(),
    ] {
        let answer = Request::get(&format!("/_ah/channel/dev?{query}")).send(&node).await;
        answer.problem(400, "bad-request");
        uncached(&answer);
    }
    let ok = format!("/_ah/channel/dev/?command=poll&channel={token}&client=7&name=x");
    assert_eq!(Request::get(&ok).send(&node).await.status, 200, "what else there is, is nothing");
    for method in ["POST", "HEAD", "DELETE"] {
        // Whatever body it has: that of a HEAD is only announced.
        let answer = Request::new(method, &ok).begin(&node).await.head().await.unwrap();
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET"));
        uncached(&answer);
    }
    Request::get("/_ah/channel/nothing").send(&node).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_token_for_other_channels_is_refused() {
    let node = node().await;
    let grants = json!([{ "channel": "room", "may": "rw" }]);
    let ann = create(&node, &json!({ "client_id": "ann", "channels": grants })).await;
    for name in ["connect", "poll"] {
        let answer = command(&node, name, &ann.token).await;
        answer.problem(403, "forbidden");
        uncached(&answer);
    }
}

#[tokio::test]
async fn connecting_with_a_newer_token_ends_the_earlier_ones() {
    let node = node().await;
    let (old, new) = (line(&node, "ann").await, line(&node, "ann").await);
    let mut page = TestClient::connect(&node, Transport::Ws, "", &old.query("")).await;
    obeyed(&node, "connect", &new.token).await;
    assert_eq!(page.end().await, super::common::client::Event::Closed(Some(4002)));
    let answer = command(&node, "poll", &old.token).await;
    assert_eq!((answer.status, answer.reason.as_str()), (401, "Invalid+token."));
}

#[tokio::test]
async fn a_kick_ends_what_connected_here() {
    let node = node().await;
    let ann = line(&node, "ann").await;
    obeyed(&node, "connect", &ann.token).await;
    let kick = super::backend::api("disconnect").form(&[("client_id", "ann")]);
    assert_eq!(kick.send(&node).await.status, 204);
    assert_eq!(command(&node, "poll", &ann.token).await.status, 401);
    assert_eq!(send(&node, "ann", "gone").await, "nobody");
}

/// A page that goes says so, and its connection breaks: in whichever order, it is not waited for.
#[tokio::test]
async fn who_disconnects_while_its_stream_breaks_is_gone_at_once() {
    let node = node_with("[presence]\nlinger = 3600").await;
    let bob = node.login().await;
    for transport in [Transport::Sse, Transport::Stream, Transport::Ws] {
        for says_first in [true, false] {
            let ann = node.login().await;
            let client = TestClient::connect(&node, transport, "", &ann.query("users=none")).await;
            if says_first {
                obeyed(&node, "disconnect", &ann.token).await;
                assert!(is_on(&node.users(&bob).await, &ann.client_id), "it is connected");
                client.cut();
            } else {
                client.cut();
                obeyed(&node, "disconnect", &ann.token).await;
            }
            let list = async || node.users(&bob).await;
            until("it is gone", list, |list| !is_on(list, &ann.client_id)).await;
        }
    }
}
