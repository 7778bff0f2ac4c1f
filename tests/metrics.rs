//! What `/metrics` counts, after traffic whose amount is known to the message and to the byte.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use common::client::{TestClient, Transport};
use common::http::{Connection, Request};
use common::node::{API_KEY, TestNode, api_key_config};
use common::scrape::{Scrape, connections, delivered, ended, reaches, series};
use common::ws::{RawSocket, TEXT, frame, header};
use common::{GUARD, id_of, value_of};
use serde_json::json;

on_every_transport!(publications_and_their_deliveries_are_counted, gaps_that_are_told_are_counted);

async fn publications_and_their_deliveries_are_counted(transport: Transport) {
    let node = TestNode::with_config("[server]\nworkers = 2").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    for number in 0..5 {
        let text = number.to_string();
        node.post(&alice, &text).await;
        assert_eq!(value_of(&client.next().await), text);
    }
    let scrape = reaches(&node, &delivered(transport, "publication"), 5).await;
    let of = "pushgate_publications_total";
    assert_eq!(scrape.count(&format!("{of}{{way=\"http\",kind=\"message\"}}")), 5);
    assert_eq!(scrape.sum(of), 5);
    assert_eq!(scrape.sum("pushgate_deliveries_total"), 5);
    assert_eq!(scrape.sum("pushgate_rejections_total"), 0);
    assert_eq!(scrape.count("pushgate_clients"), 2);
    assert_eq!(scrape.count("pushgate_channels"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_the_time_to_them_are_counted() {
    let node = TestNode::with_config("[server]\nworkers = 2").await;
    let (alice, bob) = (node.login().await, node.login().await);
    for (transport, all) in [Transport::Ws, Transport::Sse, Transport::Stream].into_iter().zip(1..)
    {
        let mut client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
        for number in 0..5 {
            node.post(&alice, &number.to_string()).await;
            client.next().await;
        }
        // One batch for each post at the one worker with a subscriber: the reader waited for each.
        let scrape = reaches(&node, "pushgate_publish_to_write_seconds_count", 5 * all).await;
        assert_eq!(scrape.count(&connections("", transport)), 1);
        assert_eq!(scrape.count(&connections("_opened_total", transport)), 1);
        assert_eq!(scrape.sum("pushgate_connections_opened_total"), all);
        client.close().await;
        let reason = if transport == Transport::Ws { "client" } else { "gone" };
        reaches(&node, &ended(transport, reason), 1).await;
        // Two counts, and a page may be made between them.
        let scrape = reaches(&node, &connections("", transport), 0).await;
        assert_eq!(scrape.sum("pushgate_connections_ended_total"), all);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_is_a_connection_while_it_waits() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let first = format!("/poll?{}", bob.query("users=none"));
    let since = Request::get(&first).send(&node).await.ok()["since"].as_str().unwrap().to_owned();
    assert_eq!(Scrape::of(&node).await.sum("pushgate_connections_opened_total"), 0);
    let target = format!("/poll?{}", bob.query(&format!("users=none&since={since}&wait=25")));
    let mut waiting = Request::get(&target).begin(&node).await;
    reaches(&node, &connections("", Transport::Poll), 1).await;
    node.post(&alice, "now").await;
    assert_eq!(value_of(&waiting.response().await.ok()["messages"][0]), "now");
    reaches(&node, &ended(Transport::Poll, "answered"), 1).await;
    let scrape = reaches(&node, &connections("", Transport::Poll), 0).await;
    assert_eq!(scrape.count(&delivered(Transport::Poll, "publication")), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_websocket_says_and_hears_is_counted_to_the_byte() {
    let config = "[channels.data]\nkind = \"json\"";
    let node = TestNode::with_config(config).await;
    let bob = node.login().await;
    let mut socket = RawSocket::open(&node, &format!("/ws/data?{}", bob.query(""))).await;
    // Its worker writes the answer to the handshake, too.
    let (mut sent, mut received) = (socket.answer.head_bytes, 0);
    for length in [1_usize, 125, 126, 5000] {
        let text = format!("\"{}\"", "a".repeat(length));
        let said = frame(TEXT, text.as_bytes());
        socket.write(&said).await;
        assert_eq!(socket.next().await.unwrap().text(), text);
        received += said.len();
        sent += header(0x81, text.len() as u64, false).len() + text.len();
    }
    let junk = frame(TEXT, b"{");
    socket.write(&junk).await;
    let told = socket.next().await.unwrap();
    assert!(told.text().contains("bad-request"), "{told:?}");
    received += junk.len();
    sent += header(0x81, told.payload.len() as u64, false).len() + told.payload.len();
    let scrape = reaches(&node, "pushgate_sent_bytes_total{by=\"worker\"}", sent as u64).await;
    assert_eq!(scrape.count("pushgate_received_bytes_total{by=\"worker\"}"), received as u64);
    assert_eq!(scrape.count("pushgate_publications_total{way=\"ws\",kind=\"json\"}"), 4);
    assert_eq!(scrape.count("pushgate_rejections_total{way=\"ws\",code=\"bad-request\"}"), 1);
    assert_eq!(scrape.sum("pushgate_rejections_total"), 1);
    assert_eq!(scrape.count(&delivered(Transport::Ws, "publication")), 4);
}

#[tokio::test]
async fn posts_that_are_on_disk_are_counted_and_the_commits_that_they_shared() {
    const POSTS: u64 = 20;
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"\ndurable = true").await;
    let bob = node.login().await;
    let counts = async || {
        let scrape = Scrape::of(&node).await;
        let of = |name: &str| scrape.count(&format!("pushgate_durable_{name}_total"));
        (of("posts"), of("commits"))
    };
    assert_eq!(counts().await, (0, 0));
    let mut socket = RawSocket::open(&node, &format!("/ws/data?{}", bob.query(""))).await;
    socket.write(&frame(TEXT, b"\"alone\"")).await;
    assert_eq!(socket.next().await.unwrap().text(), "\"alone\"");
    assert_eq!(counts().await, (1, 1));
    // Another program holds the file until all wait for it: what is said behind them was read.
    let other = rusqlite::Connection::open(node.data_dir().join("pushgate.db")).unwrap();
    other.busy_timeout(GUARD).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 0..POSTS {
        socket.write(&frame(TEXT, number.to_string().as_bytes())).await;
    }
    socket.write(&frame(TEXT, b"{")).await;
    assert!(socket.next().await.unwrap().text().contains("bad-request"));
    other.execute_batch("COMMIT").unwrap();
    for number in 0..POSTS {
        assert_eq!(socket.next().await.unwrap().text(), number.to_string());
    }
    // Those that came first were tried by themselves.
    let (posts, commits) = counts().await;
    assert_eq!(posts, 1 + POSTS);
    assert!((2..=3).contains(&commits), "{commits} commits");
    node.post(&bob, "kept in memory").await;
    assert_eq!(counts().await, (posts, commits));
}

#[tokio::test]
async fn requests_are_counted_to_the_byte_by_route_and_status() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let scrape = Request::get("/metrics");
    let before = Scrape::read(&scrape.send(&node).await);
    let requests = [
        ("/post/room", "2xx", Request::post("/post/room").bearer(&alice.token)),
        ("/post/", "2xx", Request::post("/post/").bearer(&alice.token)),
        ("/post/a$b", "4xx", Request::post("/post/a$b").bearer(&alice.token)),
        ("/login/login", "4xx", Request::post("/login/login").bearer(&alice.token)),
        ("/wp-admin.php", "4xx", Request::post("/wp-admin.php")),
    ];
    let mut bytes = scrape.bytes(node.address(), false).len();
    for (target, class, request) in requests {
        let request = request.form(&[("value", "hi")]);
        bytes += request.bytes(node.address(), false).len();
        let answer = request.send(&node).await;
        assert_eq!(format!("{}xx", answer.status / 100), class, "{target}");
    }
    let after = Scrape::read(&scrape.send(&node).await);
    let expected = series(&[
        ("pushgate_http_requests_total{route=\"/metrics\",status=\"2xx\"}", 1),
        ("pushgate_http_requests_total{route=\"/post\",status=\"2xx\"}", 2),
        ("pushgate_http_requests_total{route=\"/post\",status=\"4xx\"}", 1),
        ("pushgate_http_requests_total{route=\"/login\",status=\"4xx\"}", 1),
        ("pushgate_http_requests_total{route=\"other\",status=\"4xx\"}", 1),
    ]);
    assert_eq!(after.since(&before, "pushgate_http_requests_total"), expected);
    let received = after.since(&before, "pushgate_received_bytes_total");
    let by = "pushgate_received_bytes_total{by=\"http\"}";
    assert_eq!(received, series(&[(by, bytes as u64)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_is_1xx() {
    let node = TestNode::start().await;
    let bob = node.login().await;
    let _socket = RawSocket::open(&node, &format!("/ws?{}", bob.query("users=none"))).await;
    reaches(&node, "pushgate_http_requests_total{route=\"/ws\",status=\"1xx\"}", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_messages_are_counted_and_so_are_those_that_waited() {
    let node = TestNode::start().await;
    let (alice, bob, carol) = (node.login().await, node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut open = TestClient::connect(&node, Transport::Ws, "", &query).await;
    node.direct(&alice, &bob.client_id, "now").await;
    assert_eq!(value_of(&open.next().await), "now");
    open.send(&json!({ "value": "later", "to": carol.client_id }).to_string()).await;
    let by = |way| format!("pushgate_direct_messages_total{{way=\"{way}\"}}");
    let scrape = reaches(&node, &by("ws"), 1).await;
    assert_eq!(scrape.count(&by("http")), 1);
    for number in 0..100 {
        node.direct(&alice, &carol.client_id, &number.to_string()).await;
    }
    let query = carol.query("users=none");
    let mut late = TestClient::connect(&node, Transport::Stream, "", &query).await;
    assert_eq!(value_of(&late.next().await), "later");
    let scrape = reaches(&node, &delivered(Transport::Stream, "direct"), 100).await;
    assert_eq!(scrape.count(&delivered(Transport::Ws, "direct")), 1);
    assert_eq!(scrape.count("pushgate_gaps_total{what=\"inbox\"}"), 1, "the 101st was dropped");
    assert_eq!(scrape.sum("pushgate_publications_total"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_is_counted_and_so_are_the_pushes() {
    let node = TestNode::with_config("[presence]\ncoalesce = 0").await;
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=list")).await;
    assert_eq!(client.next().await["count"], 1);
    let bob = node.login().await;
    assert_eq!(client.next().await["count"], 2);
    bob.logout(&node).await;
    assert_eq!(client.next().await["count"], 1);
    let scrape = reaches(&node, &delivered(Transport::Ws, "users"), 3).await;
    assert_eq!(scrape.count("pushgate_users_pushes_total"), 2);
    assert_eq!(scrape.count("pushgate_presence_changes_total{change=\"joined\"}"), 2);
    assert_eq!(scrape.count("pushgate_presence_changes_total{change=\"left\"}"), 1);
    assert_eq!(scrape.count("pushgate_clients"), 1);
}

async fn gaps_that_are_told_are_counted(transport: Transport) {
    let config = "[channels.\"\"]\nhistory = { messages = 2, seconds = 600, bytes = 1000000 }";
    let node = TestNode::with_config(config).await;
    let alice = node.login().await;
    let mut posts = Vec::new();
    for number in 0..5 {
        posts.push(node.post(&alice, &number.to_string()).await);
    }
    let since = id_of(&posts[0]);
    let query = alice.query(&format!("users=none&since={since}"));
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    assert_eq!(client.next().await["gap"]["next"], id_of(&posts[3]));
    for post in &posts[3..] {
        assert_eq!(client.next().await, *post);
    }
    let scrape = reaches(&node, &delivered(transport, "publication"), 2).await;
    assert_eq!(scrape.count("pushgate_gaps_total{what=\"history\"}"), 1);
    assert!(node.history(&alice, &format!("since={since}")).await["gap"].is_object());
    let scrape = Scrape::of(&node).await;
    assert_eq!(scrape.count("pushgate_gaps_total{what=\"history\"}"), 2);
    assert_eq!(scrape.count("pushgate_gaps_total{what=\"inbox\"}"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_holds_nothing_that_clients_chose() {
    let node = TestNode::with_config(&api_key_config()).await;
    let (alice, bob) = (node.login_as("Alice-by-name").await, node.login().await);
    let before = Scrape::of(&node).await;
    let mut clients = Vec::new();
    for transport in Transport::ALL {
        let query = bob.query("users=list&errors=1");
        clients.push(TestClient::connect(&node, transport, "secret-room/inner", &query).await);
    }
    node.post_to("secret-room/inner", &alice, "spoken-text").await;
    node.direct(&alice, &bob.client_id, "whispered-text").await;
    Request::get("/secret-path?token=secret-token").send(&node).await.any_problem(404);
    let elsewhere = Request::get("/secret-room").header("User-Agent", "secret-agent");
    elsewhere.bearer(API_KEY).send(&node).await.any_problem(404);
    let keyed = Request::post("/post").bearer(&alice.token).header("Idempotency-Key", "secret-key");
    keyed.form(&[("value", "spoken-text")]).send(&node).await.ok();
    let scrape = Scrape::of(&node).await;
    for secret in [
        alice.token.as_str(),
        &alice.client_id,
        &bob.token,
        &bob.client_id,
        API_KEY,
        "Alice-by-name",
        "secret",
        "inner",
        "text",
        "127.0.0.1",
    ] {
        assert!(!scrape.text.contains(secret), "{secret} is told");
    }
    // However many channels, clients and paths there are: no series was added.
    let names = |scrape: &Scrape| -> Vec<String> {
        let samples = scrape.text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    assert_eq!(names(&scrape), names(&before));
}

#[tokio::test]
async fn the_process_tells_of_itself() {
    let node = TestNode::with_config("[server]\nworkers = 3\n[limits]\nworker_queue = 77").await;
    let first = Scrape::of(&node).await;
    for worker in 0..3 {
        assert_eq!(first.count(&format!("pushgate_worker_queue_length{{worker=\"{worker}\"}}")), 0);
        let capacity = format!("pushgate_worker_queue_capacity{{worker=\"{worker}\"}}");
        assert_eq!(first.count(&capacity), 77);
    }
    assert_eq!(first.count("pushgate_draining"), 0);
    assert_eq!(first.count("pushgate_panics_total"), 0);
    let version = format!("pushgate_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(first.count(&version), 1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = now.as_secs_f64() - first.get("process_start_time_seconds");
    assert!((0.0..600.0).contains(&age), "{age}");
    assert!(first.get("process_resident_memory_bytes") > 1e6);
    assert!(first.get("process_cpu_seconds_total") < 600.0);
    let before = first.count("process_open_fds");
    assert!(before < first.count("process_max_fds"));
    let mut open = Vec::new();
    for _ in 0..10 {
        let mut connection = Connection::open(node.address()).await;
        connection.write(&Request::get("/healthz").bytes(node.address(), true)).await;
        assert_eq!(connection.response().await.status, 200);
        open.push(connection);
    }
    let after = Scrape::of(&node).await.count("process_open_fds");
    assert!(after >= before + 9, "{before}, then {after}");
}
