//! Who may read `/metrics`, and the listener of `[admin]` (wire.md §9 and §10).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::net::{IpAddr, SocketAddr};

use common::client::{TestClient, Transport};
use common::http::{Connection, Request};
use common::node::{API_KEY, Home, Setup, TestNode, api_key_config, command};
use common::scrape::Scrape;
use common::{guarded, until};

const ADMIN: &str = "[admin]\nbind = \"127.0.0.1:0\"";

const FORM: &str = "application/x-www-form-urlencoded";

fn metrics() -> Request {
    Request::get("/metrics")
}

#[tokio::test]
async fn this_machine_reads_without_a_key() {
    let node = TestNode::start().await;
    Scrape::of(&node).await;
    let other: IpAddr = "127.0.0.9".parse().unwrap();
    Scrape::read(&metrics().from(other).send(&node).await);
    Scrape::read(&Request::get("/metrics/").send(&node).await);
}

#[tokio::test]
async fn what_was_passed_on_is_not_from_this_machine() {
    let node = TestNode::with_config(&api_key_config()).await;
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-For", "198.51.100.7"),
        ("Forwarded", "for=127.0.0.1"),
        ("Forwarded", ""),
        // A page of any site can have a browser here ask, and would read the answer.
        ("Origin", "https://page.test"),
        ("Origin", "null"),
    ] {
        let request = metrics().header(name, value);
        let answer = request.send(&node).await;
        answer.problem(403, "forbidden");
        assert!(!answer.text().contains("pushgate_"), "{name}: {value}");
        Scrape::read(&request.bearer(API_KEY).send(&node).await);
    }
}

#[tokio::test]
async fn a_trusted_proxy_here_speaks_for_whoever_it_names() {
    let node = TestNode::with_config("trusted_proxies = [\"127.0.0.0/8\"]").await;
    for (value, status) in [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("198.51.100.7", 403),
        ("127.0.0.1, 198.51.100.7", 403),
        ("198.51.100.7, 127.0.0.1", 403),
    ] {
        let answer = metrics().header("X-Forwarded-For", value).send(&node).await;
        assert_eq!(answer.status, status, "{value}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_401_from_anywhere() {
    let node = TestNode::with_config(&api_key_config()).await;
    let alice = node.login().await;
    for key in ["wrong", "", &API_KEY[1..], &alice.token] {
        metrics().bearer(key).send(&node).await.problem(401, "unauthorized");
    }
    for value in [API_KEY, "Basic YTpi", "Bearer"] {
        let answer = metrics().header("Authorization", value).send(&node).await;
        answer.problem(401, "unauthorized");
    }
    Scrape::read(
        &metrics().header("Authorization", &format!("bearer {API_KEY}")).send(&node).await,
    );
    // In an address a key counts for nothing.
    let passed_on = Request::get(&format!("/metrics?token={API_KEY}"));
    let passed_on = passed_on.header("X-Forwarded-For", "198.51.100.7").send(&node).await;
    passed_on.problem(403, "forbidden");
    let without = TestNode::start().await;
    metrics().bearer(API_KEY).send(&without).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn head_and_other_methods_are_as_elsewhere() {
    let node = TestNode::with_config(ADMIN).await;
    let admin = node.admin_address().await;
    let plain = TestNode::start().await;
    for address in [admin, plain.address()] {
        let mut connection = Connection::open(address).await;
        connection.write(&Request::new("HEAD", "/metrics").bytes(address, false)).await;
        let head = guarded("a head", connection.head()).await.unwrap();
        assert_eq!((head.status, head.header("cache-control")), (200, Some("no-store")));
        let answer = Request::post("/metrics").send_to(address).await;
        answer.problem(405, "method-not-allowed");
        let mut allow = answer.listed("allow");
        allow.sort();
        assert_eq!(allow, ["get", "head"]);
    }
}

#[tokio::test]
async fn the_admin_listener_serves_three_things_and_the_public_one_no_metrics() {
    let node = TestNode::with_config(&format!("{ADMIN}\n{}", api_key_config())).await;
    let admin = node.admin_address().await;
    for request in [metrics(), metrics().bearer(API_KEY), Request::post("/metrics")] {
        request.send(&node).await.problem(404, "not-found");
    }
    Scrape::at(admin).await;
    Scrape::read(&Request::get("/metrics/").send_to(admin).await);
    for target in ["/healthz", "/readyz"] {
        assert_eq!(Request::get(target).send_to(admin).await.status, 200, "{target}");
        assert_eq!(Request::get(target).send(&node).await.status, 200, "{target}");
    }
    for target in ["/", "/login", "/users", "/stream", "/problems", "/metrics/more"] {
        Request::get(target).send_to(admin).await.problem(404, "not-found");
    }
    Request::post("/post").form(&[("value", "hi")]).send_to(admin).await.problem(404, "not-found");
    // A page may not read it: nothing allows its origin.
    let asked = metrics().header("Origin", "https://page.test").send_to(admin).await;
    assert_eq!(asked.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn the_admin_listener_has_the_deadlines_and_limits_of_the_public_one() {
    let config = format!("{ADMIN}\n[limits]\nheader_seconds = 1");
    let node = TestNode::with_config(&config).await;
    let admin = node.admin_address().await;
    for said in [&b""[..], b"GET /metrics HT"] {
        let mut connection = Connection::open(admin).await;
        connection.write(said).await;
        assert!(connection.ends().await);
    }
    let long = Request::get(&format!("/metrics?{}", "a".repeat(9000))).send_to(admin).await;
    long.problem(414, "target-too-long");
    Scrape::at(admin).await;
}

#[tokio::test]
async fn an_admin_address_that_is_taken_stops_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut command = command();
    command.args(["serve", "--bind", "127.0.0.1", "--port", "0"]);
    command.env("PUSHGATE_ADMIN__BIND", address.to_string());
    let home = Home::fresh();
    command.env("PUSHGATE_DATA_DIR", home.path().join("data"));
    let output = guarded("the end of the start", command.output()).await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("admin.bind") && told.contains(&address.to_string()), "{told}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("listening"), "{output:?}");
}

#[tokio::test]
async fn an_admin_listener_is_no_reason_for_a_warning() {
    let node = Setup::default().env("PUSHGATE_ADMIN__BIND", "127.0.0.1:0").start().await;
    Scrape::at(node.admin_address().await).await;
    assert!(!node.output().contains("WARN"), "{}", node.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_listener_stays_while_the_node_drains() {
    let mut node = TestNode::with_config(&format!("{ADMIN}\n[server]\ndrain = 1")).await;
    let admin = node.admin_address().await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
    // A request that is not whole holds the drain open.
    let mut underway = Connection::open(node.address()).await;
    let post = Request::post("/post").bearer(&alice.token).body(FORM, "");
    let post = post.header("Content-Length", "9");
    underway.write(&post.bytes(node.address(), false)).await;
    let mut kept = Connection::open(admin).await;
    assert_eq!(ready(&mut kept, admin).await, 200);
    node.signal("TERM").await;
    client.end().await;
    assert_eq!(ready(&mut kept, admin).await, 503);
    Request::get("/readyz").send_to(admin).await.problem(503, "draining");
    assert_eq!(Request::get("/healthz").send_to(admin).await.status, 200);
    let scrape = Scrape::at(admin).await;
    assert_eq!(scrape.count("pushgate_draining"), 1);
    let told = "pushgate_connections_ended_total{transport=\"ws\",reason=\"1001\"}";
    assert_eq!(scrape.count(told), 1);
    underway.write(b"value=end").await;
    underway.response().await.problem(503, "draining");
    let status = node.exit().await;
    assert_eq!(status.code(), Some(0), "{}", node.output());
    let refused = || async { Connection::try_open(admin, None).await.is_err() };
    until("the end of the admin listener", refused, |refused| *refused).await;
}

/// The status of `/readyz` over a connection that stays open.
async fn ready(connection: &mut Connection, address: SocketAddr) -> u16 {
    connection.write(&Request::get("/readyz").bytes(address, true)).await;
    connection.response().await.status
}
