//! The table of wire.md §8: each case with its status, its code and its document.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use common::client::{Block, Lines, TestClient, Transport};
use common::guarded;
use common::http::{Connection, Request};
use common::node::TestNode;
use serde_json::json;

#[tokio::test]
async fn an_unknown_path_is_404() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for target in ["/nowhere", "/post2", "/loginn", "/login/more", "/logout/more", "/api"] {
        let request = Request::get(target).bearer(&alice.token);
        let problem = request.send(&node).await.any_problem(404);
        assert!(!problem.to_string().contains("nowhere"), "it reflects nothing: {problem}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_same_allow_whichever_it_is() {
    let node = TestNode::start().await;
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"];
    for (targets, allowed) in [
        (["/login", "/login/"].as_slice(), ["get", "post"].as_slice()),
        (&["/logout", "/logout/", "/post", "/post/", "/post/room", "/post/room/"], &["post"]),
        (&["/ws", "/sse/", "/stream/room", "/poll/room/"], &["get"]),
        (&["/users", "/users/room"], &["get", "head"]),
        (&["/history", "/history/room"], &["get", "head", "delete"]),
        (&["/", "/healthz", "/readyz/", "/problems"], &["get", "head"]),
    ] {
        for target in targets {
            for method in methods {
                if allowed.contains(&method.to_ascii_lowercase().as_str()) {
                    continue;
                }
                let mut connection = Request::new(method, target).begin(&node).await;
                let answer = if method == "HEAD" {
                    guarded("a head", connection.head()).await.unwrap()
                } else {
                    let answer = connection.response().await;
                    answer.problem(405, "method-not-allowed");
                    answer
                };
                assert_eq!(answer.status, 405, "{method} {target}");
                assert_eq!(answer.listed("allow"), allowed, "{method} {target}");
            }
        }
    }
}

#[tokio::test]
async fn a_channel_that_takes_no_posts_allows_no_method_at_its_address() {
    let node = TestNode::with_config("[channels.echo]\nkind = \"echo\"").await;
    let alice = node.login().await;
    let post = Request::post("/post/echo").bearer(&alice.token).form(&[("value", "hi")]);
    let answer = post.send(&node).await;
    answer.problem(405, "not-postable");
    assert_eq!(answer.header("allow"), Some(""));
}

#[tokio::test]
async fn identity_problems_have_their_codes() {
    let node = TestNode::start().await;
    for target in
        ["/ws", "/sse", "/stream", "/poll", "/users", "/history", "/sse/room", "/users/room"]
    {
        let request =
            if target == "/ws" { common::ws::upgrade(target) } else { Request::get(target) };
        request.send(&node).await.problem(401, "unauthorized");
        let bad = format!("{target}?token=garbage");
        let request = if target == "/ws" { common::ws::upgrade(&bad) } else { Request::get(&bad) };
        request.send(&node).await.problem(401, "unauthorized");
    }
    Request::post("/logout").send(&node).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn the_other_rows_have_their_codes() {
    let node = TestNode::with_config("[channels.off]\nkind = \"off\"").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let post = |fields: &[(&str, &str)]| Request::post("/post").bearer(&alice.token).form(fields);
    let direct = post(&[("value", "hi"), ("to", "nobody")]).send(&node).await;
    direct.problem(404, "unknown-client");
    let alone = Request::post("/post").header("Forwarded", "for=192.0.2.1");
    let alone = alone.form(&[("value", "hi"), ("client_id", &alice.client_id)]).send(&node).await;
    alone.problem(403, "token-required");
    post(&[]).send(&node).await.names_field("value");
    let long = "a".repeat(32_769);
    post(&[("value", &long)]).send(&node).await.problem(413, "too-large");
    let off = Request::post("/post/off").bearer(&alice.token).form(&[("value", "hi")]);
    off.send(&node).await.problem(404, "unknown-channel");
    let bad = Request::post("/post/a$b").bearer(&alice.token).form(&[("value", "hi")]);
    bad.send(&node).await.problem(400, "bad-channel");
    let other = post(&[("value", "hi"), ("client_id", &bob.client_id)]).send(&node).await;
    other.problem(403, "forbidden");
    post(&[("value", "one"), ("key", "k")]).send(&node).await.ok();
    post(&[("value", "two"), ("key", "k")]).send(&node).await.problem(409, "key-reused");
}

#[tokio::test]
async fn too_many_connections_of_a_client_are_over_capacity() {
    let node = TestNode::with_config("[limits]\nexempt = []\nconnections_per_client = 2").await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let first = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let _second = TestClient::connect(&node, Transport::Stream, "room", &query).await;
    for transport in [Transport::Ws, Transport::Stream] {
        let answer = TestClient::try_connect(&node, transport, "", &query).await;
        let Err(answer) = answer else { panic!("a third connection opened: {transport:?}") };
        answer.problem(503, "over-capacity");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!(wait >= 1, "{wait}");
    }
    first.close().await;
    let query = alice.query("users=none");
    common::until(
        "a place that is free again",
        || TestClient::try_connect_status(&node, Transport::Ws, &query),
        |status| *status == 101,
    )
    .await;
}

#[tokio::test]
async fn an_event_source_is_told_to_come_back_instead() {
    let node = TestNode::with_config("[limits]\nexempt = []\nconnections_per_client = 1").await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let _open = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let request = Transport::Sse.request("", &query);
    let mut connection = request.begin(&node).await;
    let head = guarded("a head", connection.head()).await.unwrap();
    assert_eq!(head.status, 200, "anything else ends an EventSource for good: {head:?}");
    assert!(head.header("content-type").unwrap().starts_with("text/event-stream"));
    let mut lines = Lines::new(connection, &head);
    let mut retry = None;
    while let Some(line) = guarded("a line or the end", lines.take_until(b"\n")).await {
        let field = Block::of(&line);
        assert!(field.data.is_none(), "no message: {line:?}");
        retry = retry.or(field.retry);
    }
    let retry: u64 = retry.expect("a retry").parse().unwrap();
    assert!(retry >= 1, "{retry}");
}

#[tokio::test]
async fn requests_that_are_no_http_are_refused_and_closed() {
    let node = TestNode::start().await;
    for request in [
        "GET /users HTTP/1.1\r\n\r\n",
        "GET /users HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /users HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n",
        "GET /users HTTP/1.1\r\nHost: a\r\nSpace : before\r\n\r\n",
        "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello",
        "\u{1}\u{2}\u{3} garbage\r\n\r\n",
    ] {
        let mut connection = Connection::open(node.address()).await;
        connection.write(request.as_bytes()).await;
        let answer = guarded("an answer or the end", connection.try_response()).await;
        if let Some(answer) = answer {
            assert!(matches!(answer.status, 400 | 505), "{request:?}: {answer:?}");
        }
        assert!(connection.ends().await);
    }
    node.login().await;
}

#[tokio::test]
async fn headers_and_targets_over_their_limits_are_refused() {
    let node = TestNode::start().await;
    let long = Request::get(&format!("/users?token={}", "a".repeat(9000)));
    assert_eq!(long.send(&node).await.status, 414);
    let mut large = Request::get("/users");
    for number in 0..20 {
        large = large.header(&format!("X-Large-{number}"), &"a".repeat(1000));
    }
    assert!(matches!(large.send(&node).await.status, 400 | 431));
    node.login().await;
}

#[tokio::test]
async fn a_body_of_an_unknown_type_is_a_problem_of_the_caller() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for kind in ["text/plain", "application/xml", "multipart/form-data"] {
        let request = Request::post("/post").bearer(&alice.token).body(kind, "value=hi");
        let answer = request.send(&node).await;
        assert!(matches!(answer.status, 400 | 415), "{kind}: {answer:?}");
        answer.any_problem(answer.status);
    }
}

#[tokio::test]
async fn health_is_told() {
    let node = TestNode::shipped().await;
    for target in ["/healthz", "/readyz"] {
        let answer = Request::get(target).send(&node).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
    }
}

#[tokio::test]
async fn a_problem_names_no_secret() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let token = format!("{}x", alice.token);
    let answer = Request::get(&format!("/users?token={token}")).send(&node).await;
    answer.any_problem(401);
    assert!(!answer.text().contains(&alice.token));
    let fields = json!({ "value": 5, "token": alice.token });
    let answer = Request::post("/post").json(&fields).send(&node).await;
    answer.names_field("value");
    assert!(!answer.text().contains(&alice.token));
}

#[tokio::test]
async fn a_connection_that_does_not_say_which_http_it_speaks_is_closed() {
    let node = TestNode::with_config("[limits]\nheader_seconds = 1").await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for said in [&b""[..], &preface[..1], &preface[..10], &preface[..23], b"GET / HT"] {
        let mut connection = Connection::open(node.address()).await;
        connection.write(said).await;
        assert!(connection.ends().await);
    }
}

#[tokio::test]
async fn head_does_nothing_where_get_does_something() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    node.direct(&alice, &bob.client_id, "kept").await;
    for verb in ["ws", "sse", "stream", "poll", "login"] {
        let target = format!("/{verb}?{}", bob.query("users=none"));
        let mut connection = Request::new("HEAD", &target).begin(&node).await;
        let refused = connection.head().await.unwrap();
        assert_eq!(refused.status, 405, "{verb}");
    }
    let target = format!("/poll?{}", bob.query("users=none"));
    let answer = Request::get(&target).send(&node).await.ok();
    assert_eq!(answer["messages"][0]["message"]["value"], "kept");
}

#[tokio::test]
async fn a_client_id_that_is_not_the_tokens_is_refused_on_every_verb() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    for verb in ["sse", "stream", "poll", "users", "history", "login"] {
        let query = alice.query(&format!("client_id={}", bob.client_id));
        let answer = Request::get(&format!("/{verb}?{query}")).send(&node).await;
        answer.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn pages_for_people_load_nothing_and_sit_in_no_frame() {
    let node = TestNode::start().await;
    for target in ["/", "/problems"] {
        let answer = Request::get(target).header("Host", "evil\"><script>").send(&node).await;
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        assert!(!answer.text().contains("script"), "{answer:?}");
        let answer = Request::get(target).send(&node).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    }
}
