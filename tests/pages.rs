//! The pages: which addresses they have, what a browser may do with them, and which names they refuse.

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

use common::http::{Request, Response, encode};
use common::node::TestNode;

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

const PAGES: [&str; 9] = [
    "/widget",
    "/camera",
    "/camera/hall",
    "/camera/%E6%9D%B1%E4%BA%AC",
    "/chat",
    "/chat/lobby",
    "/chat/%EB%A1%9C%EB%B9%84",
    "/chat/login",
    "/board",
];

async fn get(node: &TestNode, path: &str) -> Response {
    Request::get(path).header("Accept", HTML).send(node).await
}

#[tokio::test]
async fn a_page_has_one_address_with_and_without_a_slash() {
    let node = TestNode::start().await;
    for path in PAGES {
        let page = get(&node, path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let slash = get(&node, &format!("{path}/")).await;
        assert_eq!((slash.status, slash.body), (200, page.body.clone()), "{path}/");

        for method in ["POST", "PUT", "DELETE"] {
            let refused = Request::new(method, path).send(&node).await;
            assert_eq!(refused.status, 405, "{method} {path}");
            assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
        if path == "/board" {
            // With its topics in it, it is another page each time.
            assert_eq!(page.header("cache-control"), Some("no-store"));
            continue;
        }
        assert_eq!(page.header("cache-control"), Some("no-cache"), "{path}");
        let etag = page.header("etag").unwrap();
        let again = Request::get(path).header("If-None-Match", etag).send(&node).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        let head = Request::new("HEAD", path).begin(&node).await.head().await.unwrap();
        assert_eq!((head.status, head.header("etag")), (200, Some(etag)), "{path}");
    }
}

#[tokio::test]
async fn everything_that_a_page_names_is_here() {
    let node = TestNode::start().await;
    let mut seen = BTreeSet::new();
    let mut next: Vec<String> = PAGES.iter().map(|path| (*path).to_owned()).collect();
    next.push("/".to_owned());
    while let Some(path) = next.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = get(&node, &path).await;
        assert_eq!(answer.status, 200, "{path}");
        let body = answer.text();
        if answer.header("content-type").unwrap().starts_with("text/javascript") {
            let folder = path.rsplit_once('/').unwrap().0;
            for line in body.lines().filter(|line| line.starts_with("import ")) {
                let name = line.split('"').nth(1).unwrap();
                next.push(
                    name.strip_prefix("./")
                        .map_or(name.to_owned(), |near| format!("{folder}/{near}")),
                );
            }
        } else if !path.starts_with("/pages/") {
            // What is shown as an example is no part of the page.
            let parts = body.split("<code>").map(|part| part.split("</code>").last().unwrap());
            for part in parts.flat_map(|part| part.split(['<', ' ', '>'])) {
                let value = part.strip_prefix("src=").or_else(|| part.strip_prefix("href="));
                next.extend(value.map(|value| value.trim_matches('"').to_owned()));
            }
        }
    }
    for path in
        ["/pages/camera.js", "/pages/rooms.js", "/pages/pages.css", "/pushgate.js", "/widget.js"]
    {
        assert!(seen.contains(path), "{path}: {seen:?}");
    }
}

#[tokio::test]
async fn a_name_that_none_can_have_is_refused_in_words() {
    let node = TestNode::start().await;
    let long = "a".repeat(65);
    let cases = [
        ("%2e%2e", "letters, digits"),
        (".", "letters, digits"),
        ("a%20b", "letters, digits"),
        ("a%2Fb", "letters, digits"),
        ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", "letters, digits"),
        ("a%00", "letters, digits"),
        ("%E2%80%AEx", "letters, digits"),
        ("%F0%9F%91%8B", "letters, digits"),
        ("%ff", "percent-encoded UTF-8"),
        ("%zz", "percent-encoded UTF-8"),
        (long.as_str(), "1 to 64 characters"),
        (&encode(&"𠮷".repeat(63)), "at most 255 bytes"),
    ];
    for page in ["chat", "camera"] {
        for (name, why) in cases {
            let path = format!("/{page}/{name}");
            let seen = get(&node, &path).await;
            assert_eq!(seen.status, 400, "{path}");
            assert_eq!(seen.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
            assert!(seen.header("content-security-policy").is_some(), "{path}");
            let words = seen.text();
            assert!(words.contains(why) && !words.contains("alert(1)"), "{path}: {words}");
            Request::get(&path).send(&node).await.problem(400, "bad-channel");
        }
    }
    for path in ["/chat/a/b", "/chat//a", "/camera/a/b", "/board/a", "/Chat"] {
        assert_eq!(get(&node, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_channel_that_is_off_has_no_page() {
    let off = "[channels.\"chat/*\"]\nkind = \"off\"\n[channels.camera]\nkind = \"off\"\n";
    let node = TestNode::with_config(off).await;
    for path in ["/chat/lobby", "/camera"] {
        get(&node, path).await.problem(404, "unknown-channel");
    }
    assert_eq!(get(&node, "/camera/hall").await.status, 200);
}
