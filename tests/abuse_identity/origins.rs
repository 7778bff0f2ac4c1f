//! Pages of other sites, and what they can make a browser do.

use super::common::client::Transport;
use super::common::guarded;
use super::common::http::{Request, Response};
use super::common::node::TestNode;
use super::common::ws::upgrade;

const GOOD: &str = "https://good.test";
const EVIL: &str = "https://evil.test";

#[tokio::test]
async fn a_cookie_alone_opens_nothing() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let cookies = [
        format!("token={}", alice.token),
        format!("client_id={}; session={}", alice.client_id, alice.token),
        format!("Authorization=Bearer {}", alice.token),
        format!("bearer.{}", alice.token),
    ];
    for cookie in &cookies {
        for transport in Transport::ALL {
            for channel in ["", "room"] {
                let request = transport.request(channel, "users=list").header("Cookie", cookie);
                let request = request.header("Origin", EVIL);
                request.send(&node).await.problem(401, "unauthorized");
            }
        }
        let post = Request::post("/post").header("Cookie", cookie).header("Origin", EVIL);
        post.form(&[("value", "hi")]).send(&node).await.problem(401, "unauthorized");
        for target in ["/users", "/history"] {
            let request = Request::get(target).header("Cookie", cookie);
            request.send(&node).await.problem(401, "unauthorized");
        }
    }
}

/// One request of each sort, with what its answer must be.
fn requests(token: &str) -> Vec<(Request, u16)> {
    let asked = format!("token={token}&users=none");
    let mut requests = vec![
        (Request::get("/"), 200),
        (Request::get("/login"), 200),
        (Request::post("/login").form(&[("name", "Ann")]), 200),
        (Request::get("/healthz"), 200),
        (Request::get("/problems"), 200),
        (Request::get("/nowhere"), 404),
        (Request::new("PUT", "/login"), 405),
        (Request::get("/users"), 401),
        (Request::get("/users").bearer(token), 200),
        (Request::get("/history").bearer(token), 200),
        (Request::post("/post").bearer(token).form(&[("value", "hi")]), 200),
        (Request::post("/post").bearer(token).form(&[]), 400),
        (Request::post("/post").bearer(token).body("text/plain", "hi"), 415),
        (Request::post("/post/a$b").bearer(token), 400),
        (Transport::Ws.request("", &asked), 101),
        (Transport::Sse.request("", &asked), 200),
        (Transport::Stream.request("", &asked), 200),
        (Transport::Poll.request("", &asked), 200),
    ];
    let preflight =
        Request::new("OPTIONS", "/post").header("Access-Control-Request-Method", "POST");
    requests.push((preflight, 204));
    requests
}

async fn head(node: &TestNode, request: &Request) -> Response {
    let mut connection = request.begin(node).await;
    guarded("a head", connection.head()).await.unwrap()
}

#[tokio::test]
async fn no_answer_sets_a_cookie_or_allows_credentials() {
    for config in ["", "[cors]\norigins = [\"https://good.test\"]"] {
        let node = TestNode::with_config(config).await;
        let alice = node.login().await;
        for origin in [GOOD, "null"] {
            for (request, status) in requests(&alice.token) {
                let is_listed = config.is_empty() || origin == GOOD;
                let answer = head(&node, &request.header("Origin", origin)).await;
                if status != 101 || is_listed {
                    assert_eq!(answer.status, status, "{answer:?}");
                }
                assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
                assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_depends_on_the_origin_says_so() {
    let node = TestNode::with_config("[cors]\norigins = [\"https://good.test\"]").await;
    let alice = node.login().await;
    for origin in [Some(GOOD), Some(EVIL), Some("null"), None] {
        for (request, _) in requests(&alice.token) {
            let request = match origin {
                Some(origin) => request.header("Origin", origin),
                None => request,
            };
            let answer = head(&node, &request).await;
            let varies = answer.listed("vary").iter().any(|name| name == "origin");
            assert!(varies, "{origin:?}: {answer:?}");
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, origin.filter(|origin| *origin == GOOD), "{answer:?}");
        }
    }
    let shipped = TestNode::start().await;
    let answer = Request::get("/healthz").header("Origin", EVIL).send(&shipped).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "never echoed");
}

#[tokio::test]
async fn with_a_list_a_socket_of_another_origin_is_forbidden_whatever_it_brings() {
    let node = TestNode::with_config("[cors]\norigins = [\"https://good.test\"]").await;
    let alice = node.login().await;
    for origin in [EVIL, "null", "", "https://good.test.evil.test", "https://good.test:444", "é"] {
        for target in [format!("/ws?{}", alice.query("")), "/ws".to_owned()] {
            let request = upgrade(&target).header("Origin", origin);
            let request = request.header("Cookie", &format!("token={}", alice.token));
            request.send(&node).await.problem(403, "forbidden");
        }
    }
    // The page may be ours, but only where it says so itself.
    let own = upgrade(&format!("/ws?{}", alice.query(""))).header("Origin", &node.origin());
    assert_eq!(head(&node, &own).await.status, 101);
    let other = own.header("Host", "evil.test");
    other.send(&node).await.problem(403, "forbidden");
}
