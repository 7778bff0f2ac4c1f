//! What every answer says of itself, and what none says of us.

use super::common::client::Transport;
use super::common::guarded;
use super::common::http::{Request, Response};
use super::common::node::TestNode;

#[tokio::test]
async fn a_token_is_stored_nowhere_on_its_way() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for request in [
        Request::get("/login"),
        Request::get("/login?users=none"),
        Request::post("/login"),
        Request::post("/login").form(&[("name", "Ann")]),
        Request::get("/login").header("Accept", "text/plain"),
        Request::post("/login").bearer(&alice.token),
    ] {
        let answer = request.send(&node).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    }
    for transport in [Transport::Sse, Transport::Stream, Transport::Poll] {
        let answer = head(&node, &transport.request("", &alice.query("users=none"))).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    }
}

#[tokio::test]
async fn every_answer_is_what_it_says_and_none_says_who_made_it() {
    let node = TestNode::with_config("[limits]\nheader_seconds = 1").await;
    let alice = node.login().await;
    let token = &alice.token;
    let asked = alice.query("users=none");
    let mut requests = vec![
        Request::get("/"),
        Request::get("/login"),
        Request::get("/healthz"),
        Request::get("/readyz"),
        Request::get("/problems"),
        Request::get("/nowhere"),
        Request::get("/users").bearer(token),
        Request::get("/users"),
        Request::get("/history").bearer(token),
        Request::post("/post").bearer(token).form(&[("value", "<script>")]),
        Request::post("/post").bearer(token).form(&[]),
        Request::post("/post").bearer(token).header("Content-Length", "99999999"),
        Request::post("/post").bearer(token).header("Transfer-Encoding", "gzip, chunked"),
        Request::post("/post/a$b").bearer(token),
        Request::new("PUT", "/login"),
        Request::new("HEAD", "/users").bearer(token),
        Request::new("HEAD", "/ws"),
        Request::new("OPTIONS", "/post").header("Access-Control-Request-Method", "POST"),
        Request::get("http://a/"),
        Request::get("/").header("Host", "a b"),
        Request::get(&format!("/{}", "a".repeat(9000))),
        Request::get("/").header("X", &"a".repeat(17_000)),
        Request::post("/logout").bearer(&node.login().await.token),
    ];
    requests.extend(Transport::ALL.map(|transport| transport.request("", &asked)));
    for request in requests {
        let answer = head(&node, &request).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        is_silent_about_us(&answer);
    }
    // Where the head cannot be read, or never comes, there is nothing to sniff, or a document.
    for said in ["GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "GET / HT"] {
        let mut connection = super::common::http::Connection::open(node.address()).await;
        connection.write(said.as_bytes()).await;
        let answer = connection.response().await;
        let is_sure = answer.header("x-content-type-options") == Some("nosniff");
        assert!(is_sure || answer.body.is_empty(), "{said:?}: {answer:?}");
        is_silent_about_us(&answer);
    }
}

#[track_caller]
fn is_silent_about_us(answer: &Response) {
    for name in ["server", "x-powered-by", "via", "x-version", "x-runtime"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
    }
    let said = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
    for word in [env!("CARGO_PKG_VERSION"), "hyper", "axum", "rust"] {
        assert!(!said.to_ascii_lowercase().contains(word), "{word}: {said}");
    }
}

#[tokio::test]
async fn what_is_not_found_reflects_nothing_of_the_request() {
    const MARK: &str = "markmark";
    let node = TestNode::start().await;
    let alice = node.login().await;
    for target in [
        "/markmark",
        "/markmark/%3Cscript%3E",
        "/login/markmark",
        "/nowhere?markmark=markmark",
        "/users/$markmark",
        "/users?limit=markmark",
        "/users?users=markmark&after=%00markmark",
        "/history?since=markmark",
        "/history?before=markmark",
        "/sse?since=markmark",
        "/poll?users=markmark",
        "/poll?wait=markmark",
    ] {
        let request = Request::get(target).bearer(&alice.token);
        let request = request.header("X-Markmark", MARK).header("Referer", "http://markmark.test/");
        let answer = request.header("Origin", "http://markmark.test").send(&node).await;
        if answer.status == 200 {
            assert!(target.contains("users=markmark&after"), "{target}: {answer:?}");
            continue;
        }
        assert!(matches!(answer.status, 400 | 404), "{target}: {answer:?}");
        let said = format!("{answer:?} {}", answer.text());
        assert!(!said.to_ascii_lowercase().contains(MARK), "{target}: {said}");
        answer.any_problem(answer.status);
    }
    let page = Request::get("/").header("Host", "markmark.test\"<script>").send(&node).await;
    page.any_problem(400);
    let unknown = [("value", "hi"), ("to", MARK)];
    let post = Request::post("/post").bearer(&alice.token).form(&unknown).send(&node).await;
    post.problem(404, "unknown-client");
    assert!(!post.text().contains(MARK), "{}", post.text());
}

async fn head(node: &TestNode, request: &Request) -> Response {
    let mut connection = request.begin(node).await;
    guarded("a head", connection.head()).await.unwrap()
}
