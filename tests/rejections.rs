//! What `/metrics` counts of what goes wrong: rejections, endings, full outboxes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use common::client::{Event, TestClient, Transport};
use common::http::{Connection, Request};
use common::node::{Login, TestNode};
use common::scrape::{Scrape, connections, ended, reaches, scraped, series};
use common::until;
use common::ws::{BINARY, PING, RawSocket, TEXT, frame, upgrade};
use tungstenite::Message;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejections_are_counted_by_problem_and_by_limit() {
    let node = TestNode::with_config(
        "[limits]\nexempt = []\nconnections_per_client = 1\n[channels.off]\nkind = \"off\"",
    )
    .await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let _open = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let post = |target: &str| Request::post(target).bearer(&alice.token);
    let mut huge = Request::get("/users");
    for number in 0..20 {
        huge = huge.header(&format!("X-Large-{number}"), &"a".repeat(1000));
    }
    let (long, nobody) = ("a".repeat(32_769), [("value", "hi"), ("to", "nobody")]);
    let requests = [
        (401, Request::get("/users")),
        (401, Request::get("/users?token=garbage")),
        (404, Request::get("/nowhere")),
        (404, post("/post/off").form(&[("value", "hi")])),
        (405, Request::new("PUT", "/login")),
        (400, post("/post").form(&[])),
        (400, post("/post/a$b").form(&[("value", "hi")])),
        (404, post("/post").form(&nobody)),
        (413, post("/post").form(&[("value", &long)])),
        (413, post("/post").header("Content-Length", "2000000")),
        (415, post("/post").body("text/plain", "value=hi")),
        (200, post("/post").form(&[("value", "one"), ("key", "k")])),
        (200, post("/post").form(&[("value", "one"), ("key", "k")])),
        (409, post("/post").form(&[("value", "two"), ("key", "k")])),
        (414, Request::get(&format!("/users?token={}", "a".repeat(9000)))),
        (431, huge),
        (426, Request::get(&format!("/ws?{query}"))),
        (503, upgrade(&format!("/ws?{query}"))),
        // An EventSource would give up on 503.
        (200, Transport::Sse.request("", &query)),
    ];
    for (status, request) in requests {
        assert_eq!(request.send(&node).await.status, status);
    }
    let scrape = Scrape::of(&node).await;
    let problems = [
        ("bad-channel", 1),
        ("bad-request", 1),
        ("headers-too-large", 1),
        ("key-reused", 1),
        ("method-not-allowed", 1),
        ("not-found", 1),
        ("over-capacity", 2),
        ("target-too-long", 1),
        ("too-large", 2),
        ("unauthorized", 2),
        ("unknown-channel", 1),
        ("unknown-client", 1),
        ("unsupported-media-type", 1),
        ("upgrade-required", 1),
    ];
    let name = |code| format!("pushgate_rejections_total{{way=\"http\",code=\"{code}\"}}");
    let expected = problems.map(|(code, number)| (name(code), number)).into();
    assert_eq!(scrape.since(&Scrape::default(), "pushgate_rejections_total"), expected);
    let limits = [
        ("body_bytes", 1),
        ("connections_per_client", 2),
        ("header_bytes", 1),
        ("message_bytes", 1),
        ("target_bytes", 1),
    ];
    let name = |limit| format!("pushgate_limit_rejections_total{{limit=\"{limit}\"}}");
    let expected = limits.map(|(limit, number)| (name(limit), number)).into();
    assert_eq!(scrape.since(&Scrape::default(), "pushgate_limit_rejections_total"), expected);
    assert_eq!(scrape.count("pushgate_repeated_posts_total{way=\"http\"}"), 1);
    assert_eq!(scrape.sum("pushgate_publications_total"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_and_deadlines_are_limits_that_are_counted() {
    let config = "[limits]\nexempt = [\"127.0.0.1\"]\nlogins_per_second = 1\nlogin_burst = 1\n\
                  messages_per_second = 1\nmessage_burst = 1\nheader_seconds = 1";
    let node = TestNode::with_config(config).await;
    let there = "127.0.0.2".parse().unwrap();
    let login = Request::post("/login").from(there).send(&node).await;
    let login = Login::of(&login.ok());
    Request::post("/login").from(there).send(&node).await.problem(429, "rate-limited");
    let target = format!("/ws?{}", login.query("users=none"));
    let mut socket = RawSocket::upgraded(upgrade(&target).from(there).begin(&node).await).await;
    for _ in 0..2 {
        socket.write(&frame(TEXT, b"{\"value\":\"hi\"}")).await;
    }
    while !socket.next().await.unwrap().text().contains("rate-limited") {}
    let mut late = Connection::open(node.address()).await;
    late.write(b"GET / HT").await;
    assert!(late.ends().await);
    let scrape = Scrape::of(&node).await;
    let name = |limit| format!("pushgate_limit_rejections_total{{limit=\"{limit}\"}}");
    let limits = ["header_seconds", "logins_per_second", "messages_per_second"];
    let expected = limits.map(|limit| (name(limit), 1)).into();
    assert_eq!(scrape.since(&Scrape::default(), "pushgate_limit_rejections_total"), expected);
    let expected = series(&[
        ("pushgate_rejections_total{way=\"http\",code=\"rate-limited\"}", 1),
        ("pushgate_rejections_total{way=\"http\",code=\"timeout\"}", 1),
        ("pushgate_rejections_total{way=\"ws\",code=\"rate-limited\"}", 1),
    ]);
    assert_eq!(scrape.since(&Scrape::default(), "pushgate_rejections_total"), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_told_of_a_limit_is_counted_too() {
    let node = TestNode::with_config("[limits]\nheader_seconds = 1\nwrite_seconds = 1").await;
    // Nothing at all, and HTTP/2 without a request.
    for begun in [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut silent = Connection::open(node.address()).await;
        silent.write(begun).await;
        assert!(silent.ends().await);
    }
    reaches(&node, "pushgate_limit_rejections_total{limit=\"header_seconds\"}", 2).await;

    let alice = node.login().await;
    for _ in 0..20 {
        node.post(&alice, &"a".repeat(30_000)).await;
    }
    let history = Request::get(&format!("/history?{}", alice.query("since=0&limit=1000")));
    let mut deaf = Connection::open_narrow(node.address()).await;
    deaf.write(&history.bytes(node.address(), true).repeat(20)).await;
    reaches(&node, "pushgate_limit_rejections_total{limit=\"write_seconds\"}", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_frames_beyond_their_limit_are_counted() {
    let node = TestNode::with_config("[limits]\nexempt = []\nmessages_per_second = 1").await;
    let alice = node.login().await;
    let mut socket = RawSocket::open(&node, &format!("/ws?{}", alice.query("users=none"))).await;
    socket.write(&frame(PING, b"").repeat(1000)).await;
    assert_eq!(socket.closed_with().await, Some(4009));
    reaches(&node, "pushgate_limit_rejections_total{limit=\"messages_per_second\"}", 1).await;
}

#[tokio::test]
async fn who_finds_no_place_among_its_address_is_counted() {
    let config = "[limits]\nexempt = [\"127.0.0.1\"]\nconnections_per_address = 1";
    let node = TestNode::with_config(config).await;
    let there = "127.0.0.2".parse().unwrap();
    let _open = Connection::open_from(node.address(), Some(there)).await;
    let refused = Request::get("/healthz").from(there).send(&node).await;
    refused.problem(503, "over-capacity");
    let scrape = Scrape::of(&node).await;
    let limit = "pushgate_limit_rejections_total{limit=\"connections_per_address\"}";
    assert_eq!(scrape.count(limit), 1);
    assert_eq!(scrape.count("pushgate_rejections_total{way=\"http\",code=\"over-capacity\"}"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endings_are_counted_by_their_reason() {
    let node = TestNode::with_config("").await;
    let expect = async |login: &Login, reason: &str, act: &dyn Fn() -> Message| {
        let query = login.query("users=none");
        let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
        client.send_message(act()).await;
        assert!(matches!(client.end().await, Event::Closed(_)));
        reaches(&node, &ended(Transport::Ws, reason), 1).await;
    };
    let alice = node.login().await;
    expect(&alice, "1003", &|| Message::binary(vec![1])).await;
    expect(&alice, "1009", &|| Message::text("a".repeat(40_000))).await;
    expect(&alice, "client", &|| Message::Close(None)).await;

    let mut socket = RawSocket::open(&node, &format!("/ws?{}", alice.query("users=none"))).await;
    socket.write(&frame(BINARY | 0x40, b"reserved bits")).await;
    assert_eq!(socket.closed_with().await, Some(1002));
    reaches(&node, &ended(Transport::Ws, "1002"), 1).await;

    let query = alice.query("users=none");
    let cut = TestClient::connect(&node, Transport::Ws, "", &query).await;
    cut.cut();
    reaches(&node, &ended(Transport::Ws, "gone"), 1).await;

    let mut open = TestClient::connect(&node, Transport::Stream, "", &query).await;
    alice.logout(&node).await;
    assert_eq!(open.end().await, Event::Closed(Some(4002)));
    let scrape = reaches(&node, &ended(Transport::Stream, "4002"), 1).await;
    assert_eq!(scrape.sum("pushgate_connections_ended_total"), 6);
    assert_eq!(scrape.sum("pushgate_connections{"), 0);
    assert_eq!(scrape.count("pushgate_slow_consumers_total"), 0);
}

/// Posts text until the page pleases.
async fn post_until(
    node: &TestNode,
    (login, channel): (&Login, &str),
    pleases: impl Fn(&Scrape) -> bool,
) -> Scrape {
    let text = "a".repeat(30_000);
    let post = || async {
        // Less than an outbox at a time, or what lies between empty and full would be missed.
        for _ in 0..4 {
            node.post_to(channel, login, &text).await;
        }
        Scrape::of(node).await
    };
    until("the effect of many posts", post, pleases).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_consumer_is_counted_and_its_outbox_too() {
    let node = TestNode::with_config("[limits]\noutbox_bytes = 262144\nwrite_seconds = 60").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let target = format!("/ws?{}", bob.query("users=none"));
    let stalled = RawSocket::open_narrow(&node, &target).await;
    let full = |scrape: &Scrape| scrape.count("pushgate_outbox_bytes") > 0;
    let scrape = post_until(&node, (&alice, ""), full).await;
    assert!(scrape.count("pushgate_outbox_bytes") <= 262_144, "{scrape:?}");
    assert_eq!(scrape.count("pushgate_slow_consumers_total"), 0);
    let closed = |scrape: &Scrape| scrape.count("pushgate_slow_consumers_total") == 1;
    let scrape = post_until(&node, (&alice, ""), closed).await;
    assert_eq!(scrape.count(&ended(Transport::Ws, "4008")), 1);
    assert_eq!(scrape.sum("pushgate_connections{"), 0);
    drop(stalled);
    reaches_zero(&node).await;
}

/// The outboxes of connections that are gone are, too.
async fn reaches_zero(node: &TestNode) {
    let empty = |scrape: &Scrape| scrape.count("pushgate_outbox_bytes") == 0;
    scraped(node, "empty outboxes", empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_newer_messages_replace_is_counted() {
    let config = "[channels.position]\nkind = \"message\"\ndelivery = \"latest\"";
    let node = TestNode::with_config(config).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let target = format!("/ws/position?{}", bob.query("users=none"));
    let stalled = RawSocket::open_narrow(&node, &target).await;
    let replaced = |scrape: &Scrape| scrape.count("pushgate_latest_replaced_total") > 0;
    let scrape = post_until(&node, (&alice, "position"), replaced).await;
    assert_eq!(scrape.count(&connections("", Transport::Ws)), 1);
    assert_eq!(scrape.count("pushgate_slow_consumers_total"), 0);
    drop(stalled);
    reaches_zero(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_nothing_for_too_long_is_unresponsive() {
    let node = TestNode::with_config("[limits]\nwrite_seconds = 1").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let target = format!("/ws?{}", bob.query("users=none"));
    let _stalled = RawSocket::open_narrow(&node, &target).await;
    let full = |scrape: &Scrape| scrape.count("pushgate_outbox_bytes") > 0;
    post_until(&node, (&alice, ""), full).await;
    let scrape = reaches(&node, &ended(Transport::Ws, "unresponsive"), 1).await;
    assert_eq!(scrape.count("pushgate_limit_rejections_total{limit=\"write_seconds\"}"), 1);
    reaches_zero(&node).await;
}
