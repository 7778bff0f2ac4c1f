//! Pages of other origins (wire.md §8, "CORS").

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use common::client::Transport;
use common::http::{Connection, Request, Response};
use common::node::TestNode;
use common::ws::upgrade;

const GOOD: &str = "https://good.test";
const EVIL: &str = "https://evil.test";

#[tokio::test]
async fn as_shipped_every_origin_may_read_and_none_with_credentials() {
    let node = TestNode::shipped().await;
    let alice = node.login().await;
    let users = Request::get("/users").bearer(&alice.token);
    let post = Request::post("/post").bearer(&alice.token).form(&[("value", "hi")]);
    let refused = Request::post("/post").form(&[("value", "hi")]);
    let nowhere = Request::get("/nowhere");
    let login = Request::post("/login");
    for origin in [GOOD, "null"] {
        for request in [&users, &post, &refused, &nowhere, &login] {
            let answer = request.clone().header("Origin", origin).send(&node).await;
            allows(&answer, &["*", origin]);
        }
    }
}

#[tokio::test]
async fn streams_may_be_read_from_other_origins_too() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for transport in [Transport::Sse, Transport::Stream, Transport::Poll] {
        let request = transport.request("", &alice.query("users=none")).header("Origin", GOOD);
        let mut connection = request.begin(&node).await;
        let head = common::guarded("a head", connection.head()).await.unwrap();
        assert_eq!(head.status, 200);
        allows(&head, &["*", GOOD]);
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_a_day() {
    let node = TestNode::shipped().await;
    for target in ["/login", "/logout", "/post", "/post/room", "/sse", "/users/room", "/history"] {
        for origin in [GOOD, "null"] {
            let answer = preflight(&node, target, origin).await;
            assert_eq!(answer.status, 204, "{target}: {answer:?}");
            allows(&answer, &["*", origin]);
            let headers = answer.listed("access-control-allow-headers");
            for name in ["authorization", "idempotency-key", "content-type"] {
                assert!(headers.iter().any(|known| known == name), "{target}: {headers:?}");
            }
            let methods = answer.listed("access-control-allow-methods");
            assert!(methods.iter().any(|method| method == "post"), "{target}: {methods:?}");
            assert_eq!(answer.header("access-control-max-age"), Some("86400"));
            assert!(answer.body.is_empty());
        }
    }
}

#[tokio::test]
async fn retry_after_is_exposed() {
    let node = TestNode::start().await;
    let answer = Request::get("/users").header("Origin", GOOD).send(&node).await;
    let exposed = answer.listed("access-control-expose-headers");
    assert!(exposed.iter().any(|name| name == "retry-after"), "{exposed:?}");
}

#[tokio::test]
async fn with_a_list_only_the_listed_may_read() {
    let node = TestNode::with_config(&listed(GOOD)).await;
    let answer = Request::post("/login").header("Origin", GOOD).send(&node).await;
    assert_eq!(answer.status, 200);
    allows(&answer, &[GOOD]);
    assert!(answer.listed("vary").iter().any(|name| name == "origin"), "{answer:?}");
    allows(&preflight(&node, "/post", GOOD).await, &[GOOD]);
    for origin in [EVIL, "null", "https://good.test.evil.test", "http://good.test"] {
        let answer = Request::get("/users").header("Origin", origin).send(&node).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        let answer = preflight(&node, "/post", origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn null_may_be_listed() {
    let node = TestNode::with_config(&listed("null")).await;
    let answer = Request::post("/login").header("Origin", "null").send(&node).await;
    allows(&answer, &["null"]);
    let answer = Request::post("/login").header("Origin", GOOD).send(&node).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn with_a_list_a_websocket_of_another_origin_is_forbidden() {
    let node = TestNode::with_config(&listed(GOOD)).await;
    let alice = node.login().await;
    let target = format!("/ws?{}", alice.query(""));
    let status = async |origin: Option<&str>| {
        let request = upgrade(&target);
        let request = match origin {
            Some(origin) => request.header("Origin", origin),
            None => request,
        };
        let mut connection = request.begin(&node).await;
        common::guarded("a head", connection.head()).await.unwrap().status
    };
    assert_eq!(status(Some(GOOD)).await, 101);
    assert_eq!(status(None).await, 101, "no browser");
    assert_eq!(status(Some(EVIL)).await, 403);
    assert_eq!(status(Some("null")).await, 403);
    let answer = upgrade(&target).header("Origin", EVIL).send(&node).await;
    answer.problem(403, "forbidden");
}

#[tokio::test]
async fn as_shipped_a_websocket_of_any_origin_works_by_its_token() {
    let node = TestNode::shipped().await;
    let alice = node.login().await;
    for origin in [EVIL, "null"] {
        let request = upgrade(&format!("/ws?{}", alice.query(""))).header("Origin", origin);
        let mut connection = request.begin(&node).await;
        let head = common::guarded("a head", connection.head()).await.unwrap();
        assert_eq!(head.status, 101);
        let cookie = upgrade("/ws").header("Origin", origin).header("Cookie", "token=any");
        cookie.send(&node).await.problem(401, "unauthorized");
    }
}

/// What is refused before it is looked into, each by another part of the gateway: the status, and the
/// request of a page of `origin`.
fn refused_early(origin: &str) -> Vec<(u16, &'static str, Vec<u8>)> {
    let lead = |target: &str| format!("GET {target} HTTP/1.1\r\nOrigin: {origin}\r\nHost: a\r\n");
    let post = format!("POST /post HTTP/1.1\r\nOrigin: {origin}\r\nHost: a\r\n");
    let form = format!("{post}Content-Type: application/x-www-form-urlencoded\r\n");
    let long = "a".repeat(9000);
    let chunk = format!("{:x}\r\n{}\r\n", 1_100_000, "a".repeat(1_100_000));
    let requests = [
        (413, "a length beyond the limit", format!("{form}Content-Length: 1100000\r\n\r\n")),
        (413, "more than the limit", format!("{form}Transfer-Encoding: chunked\r\n\r\n{chunk}")),
        (414, "a long target", format!("{}\r\n", lead(&format!("/sse?token={long}")))),
        (431, "long fields", format!("{}X: {long}{long}\r\n\r\n", lead("/users"))),
        (400, "two hosts", format!("{}Host: b\r\n\r\n", lead("/users"))),
        (400, "a proxy's target", format!("{}\r\n", lead("http://a/users"))),
        (400, "a length twice", format!("{form}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab")),
        (400, "another coding", format!("{form}Transfer-Encoding: gzip, chunked\r\n\r\n")),
    ];
    requests.into_iter().map(|(status, what, text)| (status, what, text.into_bytes())).collect()
}

/// Heads that nobody can read to their end, or that do not come to one.
fn unreadable() -> Vec<(u16, &'static str, Vec<u8>)> {
    let long = "a".repeat(70_000);
    let lead = format!("GET /users HTTP/1.1\r\nHost: a\r\nOrigin: {GOOD}\r\n");
    let requests = [
        (400, "no fields", format!("{lead}no colon\r\n\r\n")),
        (
            414,
            "a target beyond all limits",
            format!("GET /sse?token={long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        ),
        (431, "fields beyond all limits", format!("{lead}X: {long}\r\n\r\n")),
        (408, "half a head", lead.clone()),
    ];
    requests.into_iter().map(|(status, what, text)| (status, what, text.into_bytes())).collect()
}

async fn answer(node: &TestNode, bytes: &[u8]) -> Response {
    let mut connection = Connection::open(node.address()).await;
    connection.write(bytes).await;
    common::guarded("an answer", connection.try_response()).await.unwrap()
}

#[tokio::test]
async fn what_is_refused_early_may_be_read_too() {
    let node = TestNode::with_config("[limits]\nheader_seconds = 0.5").await;
    for (status, what, bytes) in [refused_early(GOOD), unreadable()].concat() {
        let answer = answer(&node, &bytes).await;
        assert!(
            answer.status == status || (status == 414 && answer.status == 431),
            "{what}: {answer:?}"
        );
        answer.any_problem(answer.status);
        allows(&answer, &["*", GOOD]);
    }
    node.login().await;
}

#[tokio::test]
async fn what_is_refused_early_follows_the_list() {
    let config = format!("{}\n[limits]\nheader_seconds = 0.5", listed(GOOD));
    let node = TestNode::with_config(&config).await;
    for (status, what, bytes) in refused_early(GOOD) {
        let answer = answer(&node, &bytes).await;
        assert_eq!(answer.status, status, "{what}");
        allows(&answer, &[GOOD]);
    }
    for (_, what, bytes) in [refused_early(EVIL), unreadable()].concat() {
        let answer = answer(&node, &bytes).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{what}");
        assert!(answer.listed("vary").iter().any(|name| name == "origin"), "{what}: {answer:?}");
    }
}

fn listed(origin: &str) -> String {
    format!("[cors]\norigins = [\"{origin}\"]")
}

async fn preflight(node: &TestNode, target: &str, origin: &str) -> Response {
    Request::new("OPTIONS", target)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization, idempotency-key, content-type")
        .send(node)
        .await
}

/// The answer may be read by one of these origins, without credentials.
#[track_caller]
fn allows(answer: &Response, origins: &[&str]) {
    let allowed = answer.header("access-control-allow-origin");
    assert!(
        allowed.is_some_and(|allowed| origins.contains(&allowed)),
        "{allowed:?} of {origins:?}"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("set-cookie"), None);
}
