//! What the log says, and what it never says, with everything turned on.

use super::common::client::{TestClient, Transport};
use super::common::http::{Connection, Request};
use super::common::node::{API_KEY, Setup, TestNode, api_key_config};
use super::common::ws::{RawSocket, upgrade};
use super::common::{jwt, value_of};
use serde_json::json;

/// Every library at its most talkative, by module and by span, so that no shorter rule of ours
/// quietens it.
const EVERYTHING: &str = "trace,pushgate=trace,hyper::proto=trace,hyper::proto::h1::role=trace,\
                          h2::server=trace,h2::codec=trace,h2::codec::framed_read=trace,\
                          h2::codec::framed_write=trace,h2::proto::connection=trace,\
                          h2::proto::streams::recv=trace,h2::hpack=trace,h2::hpack::decoder=trace,\
                          hyper_util::server=trace,rustls::server=trace,axum=trace,tower=trace,\
                          tungstenite::protocol=trace,tokio_tungstenite=trace,mio=trace,\
                          [server_handshake]=trace,[Connection]=trace,[FramedRead::next]=trace";

const TEXT: &str = "a-text-nobody-else-may-read";

async fn talkative(format: &str) -> TestNode {
    Setup::default()
        .config(&api_key_config())
        .env("PUSHGATE_LOG__LEVEL", EVERYTHING)
        .env("PUSHGATE_LOG__FORMAT", format)
        .start()
        .await
}

#[tokio::test]
async fn no_token_key_or_text_is_logged_wherever_it_stands_in_a_request() {
    for format in ["text", "json"] {
        let mut node = talkative(format).await;
        let (alice, bob) = (node.login().await, node.login().await);
        let mut client =
            TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
        client.send(&json!({ "value": TEXT }).to_string()).await;
        assert_eq!(value_of(&client.next().await), TEXT);
        client.send(&format!("{TEXT} is no JSON")).await;
        assert!(client.next().await["error"].is_object());
        node.direct(&alice, &bob.client_id, TEXT).await;
        assert_eq!(value_of(&client.next().await), TEXT);
        let form = [("value", TEXT), ("token", &alice.token), ("key", TEXT)];
        for request in [
            Request::post("/post").form(&form),
            Request::post("/post").multipart(&form),
            Request::post("/post").json(&json!({ "value": TEXT, "token": alice.token })),
            Request::post("/post").bearer(API_KEY).form(&[("value", TEXT)]),
            Request::post("/post").header("X-Api-Key", API_KEY).form(&[("token", API_KEY)]),
            Request::post(&format!("/post?token={API_KEY}&value={TEXT}")),
            Request::post("/post").bearer(&alice.token).body("text/plain", TEXT),
            Request::post("/post").bearer(&alice.token).body("application/json", TEXT),
            Request::get(&format!("/nowhere?{}", alice.query(""))),
            Request::get(&format!("/history?{}&since=0", alice.query(""))),
            Request::get(&format!("http://other.test/?{}", alice.query(""))),
            Request::new("BREW", &format!("/login?{}", alice.query(""))),
            Request::get(&format!("/users?{}&x={}", alice.query(""), "a".repeat(9000))),
            Request::get("/").header("Referer", &format!("/?{}", alice.query(""))),
            Request::get("/").header("User-Agent", TEXT).header("Cookie", &alice.token),
            Request::get("/").header("Origin", &alice.token).header("Host", "a b"),
            Request::get("/users").header("Authorization", &format!("Basic {}", alice.token)),
        ] {
            let _ = request.send(&node).await;
        }
        let offer = format!("pushgate.v1, bearer.{}", alice.token);
        let socket = upgrade("/ws").header("Sec-WebSocket-Protocol", &offer);
        let _ = RawSocket::upgraded(socket.begin(&node).await).await;
        let mut broken = Connection::open(node.address()).await;
        let head = format!("GET /users?{} HTTP/1.1\r\nno colon {TEXT}\r\n\r\n", bob.query(""));
        broken.write(head.as_bytes()).await;
        assert!(broken.ends().await);
        alice.logout(&node).await;
        node.terminate().await;

        let log = node.output();
        assert!(log.contains("/nowhere"), "requests are logged: {log}");
        for secret in [TEXT, API_KEY, &alice.token, &bob.token] {
            assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        }
        for token in [&alice.token, &bob.token] {
            let (body, signature) = token.rsplit_once('.').unwrap();
            let claims = body.split_once('.').unwrap().1;
            for part in [signature, claims] {
                assert!(!log.contains(part), "part of a token is in the log:\n{log}");
            }
        }
        let (_, claims) = jwt::read(&alice.token);
        assert!(!log.contains(claims["jti"].as_str().unwrap()), "{log}");
    }
}

#[tokio::test]
async fn what_is_logged_of_a_request_cannot_write_a_line_of_its_own() {
    for format in ["text", "json"] {
        let mut node = talkative(format).await;
        for target in [
            "/nowhere/%0a2026-01-01T00:00:00Z%20ERROR%20forged",
            "/nowhere/%1b[31m",
            "/nowhere/\u{9b}31m",
            "/nowhere/\u{85}forged",
            "/nowhere/\u{2028}forged",
            "/nowhere/\u{202e}desrever",
            "/nowhere/\u{1F980}\u{feff}",
            "/nowhere/\"quoted\\",
        ] {
            let answer = Request::get(target).send(&node).await;
            assert!(matches!(answer.status, 400 | 404), "{target:?}: {answer:?}");
        }
        node.terminate().await;
        let log = node.output();
        let logged: Vec<&str> = log.lines().filter(|line| line.contains("/nowhere/")).collect();
        assert!(logged.len() >= 3, "{log}");
        for line in log.lines() {
            let controls = |letter: char| {
                letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202e}')
            };
            assert!(!line.contains(controls), "{line:?}");
            assert!(!line.starts_with("2026-01-01"), "{line:?}");
        }
    }
}

#[tokio::test]
async fn what_is_long_is_cut_in_the_log() {
    for format in ["text", "json"] {
        let mut node = talkative(format).await;
        for target in [format!("/nowhere/{}", "a".repeat(8000)), format!("/{}", "b".repeat(60_000))]
        {
            Request::get(&target).send(&node).await;
        }
        Request::new(&"BREW".repeat(5000), "/login").send(&node).await;
        node.terminate().await;
        let log = node.output();
        assert!(log.contains("/nowhere/aaaa") && log.contains("BREWBREW"), "{log:.2000}");
        for line in log.lines() {
            assert!(line.len() < 1000, "{} bytes: {line:.300}", line.len());
        }
    }
}
