//! TLS by the gateway itself (`[tls]` in config.toml): curl, and `WebSockets` by rustls. The
//! certificates are made by the `openssl` command for each test.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

#[path = "tls/certificate.rs"]
mod certificate;
#[path = "tls/node.rs"]
mod node;

use std::time::Duration;

use certificate::{Certificate, table};
use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::{Home, TestNode};
use common::scrape::scraped;
use common::ws::{BINARY, frame, upgrade};
use common::{guarded, until, value_of};
use futures_util::{SinkExt, StreamExt};
use node::{TlsNode, WebSocket, bearer, refusal};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tungstenite::{Bytes, Message};

const MEBIBYTE: usize = 1024 * 1024;

#[tokio::test]
async fn a_receiver_of_hooks_needs_the_certificate_of_an_authority() {
    let receiver = TlsNode::start().await;
    let port = receiver.address.port();
    let hooks =
        format!("[hooks]\nurl = \"https://localhost:{port}\"\nsecret = \"9f2c4e8a1b7d3056c2e1\"\n");
    let node = TestNode::with_config(&hooks).await;
    let alice = node.login().await;
    TestClient::connect(&node, Transport::Ws, "", &alice.query("")).await.close().await;
    let series = "pushgate_hook_failed_attempts_total{reason=\"unreachable\"}";
    let scrape = scraped(&node, "failures", |scrape| scrape.count(series) > 0).await;
    assert_eq!(scrape.sum("pushgate_hook_events_total"), 0, "its own is none");
    assert!(node.output().contains("TLS failed"), "{}", node.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_agrees_on_http2_and_posts() {
    let node = TlsNode::start().await;
    let alice = node.login().await;
    let bearer = bearer(&alice);
    for (arguments, version) in [
        (&["--http1.1"][..], "1.1"),
        (&["--http2"][..], "2"),
        (&[][..], "2"),
        (&["--tls-max", "1.2"][..], "2"),
        (&["--tlsv1.3"][..], "2"),
    ] {
        let post = ["--header", &bearer, "--data", "value=hi"];
        let (body, line) = node.curl("/post", &[arguments, &post].concat()).await;
        assert_eq!(line, format!("200 {version}"), "{arguments:?}: {body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value_of(&answer), "hi");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_flow_over_both_versions_of_http() {
    let node = TlsNode::start().await;
    let alice = node.login().await;
    for version in ["--http1.1", "--http2"] {
        for verb in ["stream", "sse"] {
            let path = format!("/{verb}?{}", alice.query("users=list"));
            let mut child = node.curl_command(&path).arg(version).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut next = async || loop {
                let line = guarded("a line", lines.next_line()).await.unwrap();
                let line = line.expect("the stream goes on");
                let data = line.strip_prefix("data: ").unwrap_or(&line);
                if data.starts_with('{') {
                    return serde_json::from_str::<Value>(data).unwrap();
                }
            };
            assert!(next().await["users"].is_array(), "{verb} {version}");
            for number in 0..5 {
                let answer = node.post(&alice, &format!("{verb} {number}")).await;
                assert_eq!(next().await, answer, "{verb} {version}");
            }
            child.kill().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_receives_posts_of_every_size_in_order() {
    let node = TlsNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut receiver = node.websocket(&format!("/ws?{}", bob.query("users=none"))).await;
    let posted = node.post(&alice, "by curl").await;
    assert_eq!(next(&mut receiver).await, posted);

    let mut sender = node.websocket(&format!("/ws?{}", alice.query("users=none"))).await;
    // At a stroke, then one by one: past a record of TLS, past what rustls holds back, past what a
    // socket takes at once. No burst is more than an outbox holds.
    let small: Vec<usize> = (0..300).map(|number| 1 + number * 7).collect();
    let bursts = [small, vec![40_000; 5], around(16_384).to_vec(), around(32_768).to_vec()];
    for lengths in bursts.into_iter().chain([MEBIBYTE, 1, MEBIBYTE].map(|length| vec![length])) {
        for length in &lengths {
            let value = json!({ "value": "x".repeat(*length) }).to_string();
            guarded("sending", sender.send(Message::text(value))).await.unwrap();
        }
        for length in lengths {
            for socket in [&mut sender, &mut receiver] {
                assert_eq!(value_of(&next(socket).await).len(), length);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mebibyte_comes_back_intact() {
    let node = TlsNode::start().await;
    let alice = node.login().await;
    let mut socket = node.websocket(&format!("/ws/echo?{}", alice.query(""))).await;
    for length in around(16_384).into_iter().chain([MEBIBYTE, 2 * MEBIBYTE, 0]) {
        let bytes = pattern(length);
        guarded("sending", socket.send(Message::Binary(bytes.clone()))).await.unwrap();
        let back = guarded("an echo", socket.next()).await.unwrap().unwrap();
        assert!(back == Message::Binary(bytes), "{length} bytes came back changed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_sent_along_with_the_upgrade_are_not_lost() {
    let node = TlsNode::start().await;
    let alice = node.login().await;
    let mut stream = node.stream().await;
    let request = upgrade(&format!("/ws/echo?{}", alice.query("")));
    let payloads = [pattern(10), pattern(20_000), pattern(70_000), pattern(1)];
    let mut bytes = request.bytes(node.address, true);
    for payload in &payloads {
        bytes.extend(frame(BINARY, payload));
    }
    let mut expected = Vec::new();
    for payload in &payloads {
        expected.extend(common::ws::header(0x80 | BINARY, payload.len() as u64, false));
        expected.extend_from_slice(payload);
    }
    guarded("writing", stream.write_all(&bytes)).await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        got.push(guarded("a head", stream.read_u8()).await.unwrap());
    }
    assert!(got.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&got));
    let mut frames = vec![0; expected.len()];
    guarded("echoes", stream.read_exact(&mut frames)).await.unwrap();
    assert!(frames == expected, "the echoes came back changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_is_told_with_4002_and_the_stream_ends_well() {
    let node = TlsNode::start().await;
    let alice = node.login().await;
    let mut socket = node.websocket(&format!("/ws?{}", alice.query("users=none"))).await;
    let (_, line) = node.curl("/logout", &["--header", &bearer(&alice), "--data", ""]).await;
    assert_eq!(line, "204 2");
    ends_with(&mut socket, 4002).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_is_told_with_1001() {
    let node = TlsNode::start().await;
    let alice = node.login().await;
    let mut socket = node.websocket(&format!("/ws?{}", alice.query("users=none"))).await;
    let ending = tokio::spawn(node.terminate());
    ends_with(&mut socket, 1001).await;
    assert!(guarded("the end", ending).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_of_the_client_is_answered() {
    let node = TlsNode::start().await;
    let alice = node.login().await;
    let mut socket = node.websocket(&format!("/ws?{}", alice.query("users=none"))).await;
    socket.close(None).await.unwrap();
    let echo = guarded("an echo", socket.next()).await.unwrap().unwrap();
    assert_eq!(echo, Message::Close(None));
    assert!(guarded("the end", socket.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_tls_is_ended_and_others_are_served() {
    let node = TlsNode::start().await;
    let plain = Request::get("/healthz").bytes(node.address, true);
    // HTTP, half of a handshake, nothing at all: the last two for as long as heads may take.
    for bytes in [&plain[..], b"\x16\x03\x01\x02\x00\x01", b""] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good an end as a FIN.
        let _ = guarded("an end", stream.read_to_end(&mut answer)).await;
        assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
        let (_, line) = node.curl("/healthz", &[]).await;
        assert_eq!(line, "200 2");
    }
    let late = "pushgate_limit_rejections_total{limit=\"header_seconds\"} 2\n";
    let page = async || node.curl("/metrics", &[]).await.0;
    until("who was late is counted", page, |page| page.contains(late)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_hang_hold_nobody_up() {
    let node = TlsNode::start().await;
    let mut hanging = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(b"\x16\x03\x01").await.unwrap();
        hanging.push(stream);
    }
    let asked = tokio::time::timeout(Duration::from_secs(2), node.curl("/healthz", &[])).await;
    assert_eq!(asked.expect("an answer beside them").1, "200 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_no_certificate_and_key_refuse_the_start_by_name() {
    let home = Home::fresh();
    let good = Certificate::make(home.path(), "good").await;
    let other = Certificate::make(home.path(), "other").await;
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let garbage = file("garbage.pem", "no certificate\n");
    let empty = file("empty.pem", "");
    let text = std::fs::read_to_string(&good.cert).unwrap();
    let cut = file("cut.pem", &text[..text.len() / 2]);
    let hollow =
        file("hollow.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let mut wrong = Vec::new();
    for (cert, key, named) in [
        (&garbage, &good.key, &garbage),
        (&empty, &good.key, &empty),
        (&cut, &good.key, &cut),
        (&hollow, &good.key, &hollow),
        (&good.key, &good.key, &good.key),
        (&good.cert, &garbage, &garbage),
        (&good.cert, &empty, &empty),
        (&good.cert, &good.cert, &good.cert),
        (&good.cert, &other.key, &other.key),
    ] {
        let told = refusal(home.path(), &table(cert, key)).await;
        let name = named.file_name().unwrap().to_str().unwrap();
        if !told.contains(name) || told.contains("panicked") {
            wrong.push(format!("cert {} key {}: {told:?}", cert.display(), key.display()));
        }
    }
    assert!(wrong.is_empty(), "the file is not named:\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_not_there_refuse_the_start_by_key_and_line() {
    let home = Home::fresh();
    let good = Certificate::make(home.path(), "good").await;
    let missing = home.path().join("missing.pem");
    for (cert, key, told_as) in [
        (&missing, &good.key, "config.toml:2: tls.cert cannot be read"),
        (&good.cert, &missing, "config.toml:3: tls.key cannot be read"),
    ] {
        let told = refusal(home.path(), &table(cert, key)).await;
        assert!(told.contains(told_as), "{told:?}");
    }
}

/// The next message, as JSON.
async fn next(socket: &mut WebSocket) -> Value {
    let message = guarded("a message", socket.next()).await.unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

/// A close frame with this code comes, and then the end: with TLS's own goodbye, or reading would
/// fail for a stream that may have been cut by anyone.
async fn ends_with(socket: &mut WebSocket, code: u16) {
    let message = guarded("a close", socket.next()).await.unwrap().unwrap();
    let Message::Close(Some(frame)) = message else {
        panic!("{message}");
    };
    assert_eq!(u16::from(frame.code), code);
    let end = guarded("the end", socket.next()).await;
    assert!(end.is_none(), "{end:?}");
}

/// A length, one less and one more.
const fn around(length: usize) -> [usize; 3] {
    [length - 1, length, length + 1]
}

/// Bytes that show where something is missing or doubled.
fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}
