//! Rates (wire.md §8, `rate-limited` and 4009; §10, `limits.exempt`): what is refused, what is told,
//! when it passes again, and whom it leaves alone.
//!
//! Buckets fill while a test runs. So nothing here counts on being fast: requests are made until one
//! is refused, and what passed is compared with the time that it took.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::client::{Block, TestClient, Transport};
use common::http::{Request, Response};
use common::node::{API_KEY, Login, TestNode, address, api_key_config};
use common::ws::{CLOSE, RawSocket, TEXT, frame};
use common::{HERE, guarded, value_of};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Another address of this machine.
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

/// A channel for everyone, beside the shipped ones.
const OPEN: &str = "[channels.open]\nkind = \"message\"\nanonymous = true\n";

/// A node that counts everyone, with more of `[limits]`.
async fn node(limits: &str) -> TestNode {
    TestNode::with_config(&format!("[limits]\nexempt = []\n{limits}\n{OPEN}")).await
}

/// Sends requests until one is refused: how many were not, and the refusal.
async fn until_refused(node: &TestNode, request: impl Fn(usize) -> Request) -> (usize, Response) {
    for number in 0..200 {
        let answer = request(number).send(node).await;
        if answer.status == 429 {
            return (number, answer);
        }
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }
    panic!("nothing was refused");
}

/// The seconds that a refusal asks to wait; the limit must be named.
fn retry_after(refused: &Response, limit: &str) -> u64 {
    let problem = refused.problem(429, "rate-limited");
    assert!(problem["detail"].as_str().unwrap().contains(limit), "{problem}");
    refused.header("retry-after").unwrap().parse().unwrap()
}

fn seconds_since(start: Instant) -> usize {
    start.elapsed().as_secs().try_into().unwrap()
}

fn post(login: &Login, value: &str) -> Request {
    Request::post("/post").bearer(&login.token).form(&[("value", value)])
}

fn is_refusal(message: &Value) -> bool {
    message["error"]["code"] == "rate-limited"
}

/// A subscription over a WebSocket that hears nothing of users.
async fn socket(node: &TestNode, login: &Login) -> TestClient {
    TestClient::connect(node, Transport::Ws, "", &login.query("users=none")).await
}

/// Says things until one is refused; how many were published and came back.
async fn speak_until_refused(socket: &mut TestClient) -> usize {
    for number in 0..200 {
        socket.send(&json!({ "value": number.to_string() }).to_string()).await;
        let answer = socket.next().await;
        if is_refusal(&answer) {
            return number;
        }
        assert_eq!(value_of(&answer), number.to_string());
    }
    panic!("nothing was refused");
}

#[tokio::test]
async fn logins_of_an_address_are_refused_after_the_burst_and_taken_again_when_told() {
    let node = node("logins_per_second = 1\nlogin_burst = 5").await;
    let start = Instant::now();
    let methods = ["GET", "POST"];
    let (passed, refused) =
        until_refused(&node, |number| Request::new(methods[number % 2], "/login")).await;
    let most = 5 + seconds_since(start) + 1;
    assert!((5..=most).contains(&passed), "{passed} passed, {most} may");
    let seconds = retry_after(&refused, "limits.logins_per_second");
    assert!((1..=3).contains(&seconds), "{seconds}");
    Request::get("/login").from(THERE).send(&node).await.ok();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    node.login().await;
}

#[tokio::test]
async fn a_renewal_is_a_login_and_a_backend_is_not_counted() {
    let limits = "[limits]\nexempt = []\nlogins_per_second = 1\nlogin_burst = 3\n";
    let node = TestNode::with_config(&format!("{limits}{}", api_key_config())).await;
    for _ in 0..20 {
        Request::post("/login").bearer(API_KEY).send(&node).await.ok();
    }
    let alice = node.login().await;
    let renewal = |_| Request::post("/login").bearer(&alice.token);
    let (_, refused) = until_refused(&node, renewal).await;
    retry_after(&refused, "limits.logins_per_second");
    Request::post("/login").bearer(API_KEY).send(&node).await.ok();
    let garbage = Request::post("/login").bearer("no-key-at-all-0123456789");
    garbage.send(&node).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn posts_of_a_client_are_refused_after_the_burst_and_nobody_else_is() {
    let node = node("messages_per_second = 1\nmessage_burst = 5").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let start = Instant::now();
    let (passed, refused) = until_refused(&node, |number| post(&alice, &number.to_string())).await;
    let most = 5 + seconds_since(start) + 1;
    assert!((5..=most).contains(&passed), "{passed} passed, {most} may");
    let seconds = retry_after(&refused, "limits.messages_per_second");
    node.post(&bob, "bob").await;
    let history = node.history(&bob, "since=0").await;
    assert_eq!(history["messages"].as_array().unwrap().len(), passed + 1, "{history}");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    node.post(&alice, "again").await;
}

#[tokio::test]
async fn old_clients_are_not_told_in_words_that_they_do_not_know() {
    let node = node("messages_per_second = 1\nmessage_burst = 5").await;
    let said = [("camera", r#"{"x":1,"y":2,"z":3}"#), ("chat/lobby", r#"{"message":"a"}"#)];
    for (channel, said) in said {
        for (query, is_told) in [("", false), ("errors=1", true)] {
            let target = format!("/ws/{channel}?{query}");
            let mut socket = RawSocket::open(&node, &target).await;
            for _ in 0..8 {
                socket.write(&frame(TEXT, said.as_bytes())).await;
            }
            // What is answered to them comes before the answer to this.
            socket.write(&frame(CLOSE, &1000_u16.to_be_bytes())).await;
            let mut came: Vec<Value> = Vec::new();
            while let Some(frame) = socket.next().await.filter(|frame| frame.opcode == TEXT) {
                came.push(serde_json::from_str(frame.text()).unwrap());
            }
            let refused = came.iter().filter(|message| is_refusal(message)).count();
            assert_eq!(refused > 0, is_told, "{channel}?{query}: {came:?}");
        }
    }
}

#[tokio::test]
async fn one_bucket_holds_for_a_client_whatever_way_its_messages_come() {
    let node = node("messages_per_second = 1\nmessage_burst = 5").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut first = socket(&node, &alice).await;
    speak_until_refused(&mut first).await;
    let start = Instant::now();
    let mut second = socket(&node, &alice).await;
    let mut passed = speak_until_refused(&mut second).await;
    let by_id = |_| Request::post("/post").form(&[("value", "v"), ("client_id", &alice.client_id)]);
    passed += until_refused(&node, by_id).await.0;
    let direct = |_| {
        let fields = [("value", "v"), ("to", bob.client_id.as_str())];
        Request::post("/post").bearer(&alice.token).form(&fields)
    };
    passed += until_refused(&node, direct).await.0;
    let other_channel =
        |_| Request::post(&address("post", "open")).bearer(&alice.token).form(&[("value", "v")]);
    passed += until_refused(&node, other_channel).await.0;
    let most = seconds_since(start) + 1;
    assert!(passed <= most, "{passed} passed, {most} may");
    node.direct(&bob, &alice.client_id, "bob has his own").await;
}

#[tokio::test]
async fn in_the_long_run_a_client_has_its_rate() {
    let node = node("messages_per_second = 20\nmessage_burst = 2").await;
    let alice = node.login().await;
    let mut poster = node.poster(&alice, "").await;
    let (start, mut passed) = (Instant::now(), 0);
    while passed < 22 {
        if poster.try_post("v").await.is_some() {
            passed += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(990), "22 messages in {elapsed:?}");
}

#[tokio::test]
async fn a_retry_under_an_idempotency_key_counts_as_well() {
    let node = node("messages_per_second = 1\nmessage_burst = 5").await;
    let alice = node.login().await;
    let request = |_| post(&alice, "once").header("Idempotency-Key", "key");
    let (passed, refused) = until_refused(&node, request).await;
    assert!(passed >= 5);
    retry_after(&refused, "limits.messages_per_second");
    let history = node.history(&alice, "since=0").await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn posts_of_a_backend_are_not_counted() {
    let limits = "[limits]\nexempt = []\nmessages_per_second = 1\nmessage_burst = 1\n\
                  rooms_per_minute = 1\n";
    let node = TestNode::with_config(&format!("{limits}{}", api_key_config())).await;
    for number in 0..20 {
        let request = Request::post(&format!("/post/room-{number}")).bearer(API_KEY);
        request.form(&[("value", "v"), ("client_id", "backend")]).send(&node).await.ok();
    }
}

#[tokio::test]
async fn posts_of_nobody_in_particular_are_counted_by_address() {
    let node = node("messages_per_second = 1\nmessage_burst = 5").await;
    let nobody = || Request::post("/post/open").form(&[("value", "v")]);
    let (passed, refused) = until_refused(&node, |_| nobody()).await;
    assert!(passed >= 5);
    retry_after(&refused, "limits.messages_per_second");
    nobody().from(THERE).send(&node).await.ok();
    let alice = node.login().await;
    node.post_to("open", &alice, "clients have their own").await;
}

#[tokio::test]
async fn a_message_over_a_websocket_that_comes_too_soon_is_told_and_not_published() {
    let node = node("messages_per_second = 1\nmessage_burst = 5").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut listener =
        TestClient::connect(&node, Transport::Stream, "", &bob.query("users=none")).await;
    let mut speaker = socket(&node, &alice).await;
    for number in 0..9 {
        speaker.send(&json!({ "value": number.to_string() }).to_string()).await;
    }
    let mut published = Vec::new();
    for _ in 0..9 {
        let answer = speaker.next().await;
        if is_refusal(&answer) {
            let detail = answer["error"]["detail"].as_str().unwrap();
            assert!(detail.contains("limits.messages_per_second"), "{answer}");
        } else {
            published.push(answer);
        }
    }
    assert!(published.len() >= 5, "{published:?}");
    let end = node.post(&bob, "end").await;
    for message in &published {
        assert_eq!(listener.next().await, *message);
    }
    assert_eq!(listener.next().await, end, "what was refused reached nobody");
    // Once it has waited it is heard again.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(speaker.next().await, end);
    speaker.send(r#"{"value":"again"}"#).await;
    assert_eq!(value_of(&speaker.next().await), "again");
}

#[tokio::test]
async fn a_websocket_that_does_not_slow_down_is_closed_with_4009_and_no_other_is() {
    const FLOOD: usize = 200;
    let node = node("messages_per_second = 5\nmessage_burst = 5").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut other = socket(&node, &bob).await;
    let target = format!("/ws?{}", alice.query("users=none"));
    let mut flood = RawSocket::open(&node, &target).await;
    let frames = (0..FLOOD).flat_map(|number| {
        frame(TEXT, json!({ "value": number.to_string() }).to_string().as_bytes())
    });
    // In one write: it is all on its way before there is an end of it.
    flood.write(&frames.collect::<Vec<_>>()).await;
    let mut told = 0;
    let end = loop {
        let next = flood.next().await.expect("a close frame before the end");
        if next.opcode == CLOSE {
            break next;
        }
        told += usize::from(is_refusal(&serde_json::from_str(next.text()).unwrap()));
    };
    assert_eq!(end.code(), Some(4009));
    let last = node.post(&bob, "last").await;
    let mut published = 0;
    while other.next().await != last {
        published += 1;
    }
    assert!(published >= 5 && told >= 5, "{published} published, {told} refused");
    assert!(published + told < FLOOD, "{published} published, {told} refused");
    other.send(r#"{"value":"still here"}"#).await;
    assert_eq!(value_of(&other.next().await), "still here");
}

#[tokio::test]
async fn what_is_no_message_of_the_kind_counts_too() {
    let node = node("messages_per_second = 1\nmessage_burst = 5").await;
    let alice = node.login().await;
    let mut speaker = socket(&node, &alice).await;
    let mut told = 0;
    for _ in 0..200 {
        speaker.send("no JSON").await;
        let answer = speaker.next().await;
        if is_refusal(&answer) {
            break;
        }
        assert_eq!(answer["error"]["code"], "bad-request");
        told += 1;
    }
    assert!((5..200).contains(&told), "{told}");
}

#[tokio::test]
async fn each_connection_without_a_token_has_a_bucket_of_its_own() {
    let node = node("messages_per_second = 1\nmessage_burst = 5").await;
    for _ in 0..3 {
        let mut nobody = TestClient::connect(&node, Transport::Ws, "open", "users=none").await;
        assert!(speak_until_refused(&mut nobody).await >= 5);
        nobody.cut();
    }
}

/// The request that subscribes on a channel, answered by a problem where it is refused.
fn subscribe(transport: Transport, channel: &str, login: &Login) -> Request {
    if transport == Transport::Sse {
        // Without `Accept`: an EventSource would get 200, see below.
        return Request::get(&format!("/sse/{channel}?{}", login.query("")));
    }
    transport.request(channel, &login.query(""))
}

async fn channels_made_by_one_address_are_refused_beyond_the_rate(transport: Transport) {
    let node = node("rooms_per_minute = 6\nconnections_per_client = 200").await;
    let alice = node.login().await;
    let start = Instant::now();
    let mut kept = Vec::new();
    let mut made = 0;
    let refused = loop {
        let request = subscribe(transport, &format!("room-{made}"), &alice);
        let mut connection = request.begin(&node).await;
        let head = guarded("a head", connection.head()).await.unwrap();
        if head.status == 429 {
            break request.send(&node).await;
        }
        assert!(matches!(head.status, 101 | 200), "{head:?}");
        kept.push(connection);
        made += 1;
    };
    let most = 6 + seconds_since(start) / 10 + 1;
    assert!((6..=most).contains(&made), "{made} were made, {most} may be");
    let seconds = retry_after(&refused, "limits.rooms_per_minute");
    // The bucket was empty, and gives one every ten seconds.
    let least = Duration::from_secs(10).saturating_sub(start.elapsed());
    let asked = Duration::from_secs(seconds);
    assert!(asked >= least && seconds <= 12, "{asked:?}, not {least:?} at the least");
    // What is there is there for everyone, and what the configuration names always is.
    for channel in ["room-0", "open", ""] {
        let mut connection = subscribe(transport, channel, &alice).begin(&node).await;
        let head = guarded("a head", connection.head()).await.unwrap();
        assert!(matches!(head.status, 101 | 200), "{channel:?}: {head:?}");
        node.post_to(channel, &alice, "hi").await;
    }
    let elsewhere = subscribe(transport, "elsewhere", &alice).from(THERE);
    let head = elsewhere.begin(&node).await.head().await.unwrap();
    assert!(matches!(head.status, 101 | 200), "{head:?}");
}

on_every_transport!(channels_made_by_one_address_are_refused_beyond_the_rate);

#[tokio::test]
async fn a_post_makes_a_channel_and_a_look_at_its_history_does_not() {
    let node = node("rooms_per_minute = 6").await;
    let alice = node.login().await;
    for number in 0..50 {
        for query in ["", "?since=0", "?since=zzzz-5"] {
            let target = format!("/history/room-{number}{query}");
            Request::get(&target).bearer(&alice.token).send(&node).await.ok();
        }
        let request = Request::get(&format!("/users/room-{number}")).bearer(&alice.token);
        request.send(&node).await.ok();
        // Refused, or to one client alone: no channel is made.
        let target = format!("/stream/room-{number}?{}", alice.query("since=garbage!"));
        Request::get(&target).send(&node).await.problem(400, "bad-request");
        Request::get(&format!("/stream/room-{number}"))
            .send(&node)
            .await
            .problem(401, "unauthorized");
        let direct = [("value", "v"), ("to", alice.client_id.as_str())];
        let target = format!("/post/room-{number}");
        Request::post(&target).bearer(&alice.token).form(&direct).send(&node).await.ok();
    }
    let request = |number| {
        let target = format!("/post/room-{number}");
        Request::post(&target).bearer(&alice.token).form(&[("value", "v")])
    };
    let (made, refused) = until_refused(&node, request).await;
    assert!(made >= 6, "{made}");
    retry_after(&refused, "limits.rooms_per_minute");
    let history = Request::get(&format!("/history/room-{made}?since=0")).bearer(&alice.token);
    assert_eq!(history.send(&node).await.ok()["messages"], json!([]));
}

#[tokio::test]
async fn an_event_source_is_asked_to_come_back_no_sooner_than_it_may() {
    let node = node("rooms_per_minute = 3").await;
    let alice = node.login().await;
    let start = Instant::now();
    let mut kept = Vec::new();
    let block = loop {
        assert!(kept.len() < 100);
        let channel = format!("room-{}", kept.len());
        let request = Transport::Sse.request(&channel, &alice.query("users=none"));
        let mut connection = request.begin(&node).await;
        let head = guarded("a head", connection.head()).await.unwrap();
        assert_eq!(head.status, 200);
        if head.header("content-length").is_some() {
            break Block::of(request.send(&node).await.text());
        }
        kept.push(connection);
    };
    assert!(kept.len() >= 3);
    let retry = Duration::from_millis(block.retry.unwrap().parse().unwrap());
    let least = Duration::from_secs(20).saturating_sub(start.elapsed());
    assert!(retry >= least && retry.as_secs() <= 23, "{retry:?}, not {least:?} at the least");
}

#[tokio::test]
async fn an_exempt_network_is_counted_by_no_limit() {
    let limits = "[limits]\nexempt = [\"127.0.0.2\"]\nlogins_per_second = 1\nlogin_burst = 2\n\
                  messages_per_second = 1\nmessage_burst = 2\nrooms_per_minute = 2\n\
                  connections_per_client = 2\n";
    let node = TestNode::with_config(&format!("{limits}{OPEN}")).await;
    let mut alice = None;
    for number in 0..10 {
        let login = Login::of(&Request::post("/login").from(THERE).send(&node).await.ok());
        let fields = [("value", "v")];
        let target = format!("/post/room-{number}");
        Request::post(&target)
            .from(THERE)
            .bearer(&login.token)
            .form(&fields)
            .send(&node)
            .await
            .ok();
        Request::post("/post/open").from(THERE).form(&fields).send(&node).await.ok();
        alice = Some(login);
    }
    let alice = alice.unwrap();
    let query = alice.query("users=none");
    let request = Transport::Ws.request("", &query).from(THERE);
    let opened = TestClient::of_request(&node, Transport::Ws, &request, ("", &query)).await;
    let Ok(mut exempt) = opened else { panic!("no upgrade") };
    for number in 0..50 {
        exempt.send(&json!({ "value": number.to_string() }).to_string()).await;
        assert_eq!(value_of(&exempt.next().await), number.to_string());
    }
    // Nor by how many connections it has; and from elsewhere the two of these count alone.
    let mut open = Vec::new();
    for from in [THERE, THERE, THERE, HERE, HERE] {
        let mut connection = Transport::Ws.request("", &query).from(from).begin(&node).await;
        assert_eq!(guarded("a head", connection.head()).await.unwrap().status, 101);
        open.push(connection);
    }
    let answer = Transport::Ws.request("", &query).send(&node).await;
    answer.problem(503, "over-capacity");
    until_refused(&node, |_| Request::post("/login")).await;
    until_refused(&node, |_| post(&alice, "from here she is counted")).await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_counted_and_an_ipv6_network_of_64_is_one() {
    let node = TestNode::with_config(
        "trusted_proxies = [\"127.0.0.1\"]\n[limits]\nexempt = [\"2001:db8:ffff::/48\"]\n\
         logins_per_second = 1\nlogin_burst = 3",
    )
    .await;
    let from = |client: &str| Request::post("/login").header("X-Forwarded-For", client);
    let (passed, refused) =
        until_refused(&node, |number| from(&format!("2001:db8:1:2::{number:x}"))).await;
    assert!(passed >= 3);
    retry_after(&refused, "limits.logins_per_second");
    from("2001:db8:1:3::1").send(&node).await.ok();
    let (passed, _) = until_refused(&node, |number| {
        from(if number % 2 == 0 { "192.0.2.1" } else { "::ffff:192.0.2.1" })
    })
    .await;
    assert!(passed >= 3);
    from("192.0.2.2").send(&node).await.ok();
    for _ in 0..20 {
        from("2001:db8:ffff::1").send(&node).await.ok();
    }
    let forged = |number| from(&format!("198.51.100.{number}, 192.0.2.3"));
    until_refused(&node, forged).await;
}

#[tokio::test]
async fn a_forged_header_gets_no_fresh_bucket() {
    let node = node("logins_per_second = 1\nlogin_burst = 3").await;
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        let forged = |number| {
            let client = format!("198.51.100.{number}");
            let value = if header == "Forwarded" { format!("for={client}") } else { client };
            Request::post("/login").header(header, &value)
        };
        let (_, refused) = until_refused(&node, forged).await;
        retry_after(&refused, "limits.logins_per_second");
    }
}
