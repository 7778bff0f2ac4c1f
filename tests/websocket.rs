//! WebSocket frame by frame: what is legal works, what is not gets its close code on the wire, and
//! another subscriber's stream goes on undisturbed (wire.md §3, §4, §8).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::{Connection, Request};
use common::node::{Login, TestNode};
use common::ws::{
    BINARY, CLOSE, CONTINUATION, PING, PONG, RawSocket, TEXT, frame, header, masked, upgrade,
};
use common::{guarded, value_of};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

/// The first byte of a frame: FIN and no RSV bit.
const FIN: u8 = 0x80;

/// A node, a client that misbehaves, and another one whose stream must go on.
struct Scene {
    node: TestNode,
    alice: Login,
    socket: RawSocket,
    beside: TestClient,
    posts: u32,
}

impl Scene {
    async fn new() -> Self {
        Self::with_config("").await
    }

    async fn with_config(config: &str) -> Self {
        let node = TestNode::with_config(config).await;
        let (alice, bob) = (node.login().await, node.login().await);
        let target = format!("/ws?{}", alice.query("users=none"));
        let socket = RawSocket::open(&node, &target).await;
        let query = bob.query("users=none");
        let beside = TestClient::connect(&node, Transport::Ws, "", &query).await;
        Self { node, alice, socket, beside, posts: 0 }
    }

    /// The bytes must be answered with this close code, and nobody else may notice.
    async fn closes_with(bytes: &[u8], codes: &[u16]) {
        let mut scene = Self::new().await;
        scene.socket.write(bytes).await;
        let code = scene.socket.closed_with().await;
        assert!(code.is_some_and(|code| codes.contains(&code)), "{code:?}, not one of {codes:?}");
        scene.others_are_undisturbed().await;
    }

    async fn others_are_undisturbed(&mut self) {
        for _ in 0..3 {
            self.posts += 1;
            let text = format!("undisturbed {}", self.posts);
            self.node.post(&self.alice, &text).await;
            assert_eq!(value_of(&self.beside.next().await), text);
        }
    }

    /// The next text, as JSON.
    async fn next(&mut self) -> Value {
        let frame = self.socket.next().await.expect("a frame");
        assert!(frame.fin, "messages come whole");
        serde_json::from_str(frame.text()).unwrap()
    }
}

#[tokio::test]
async fn what_a_socket_says_reaches_everyone() {
    let mut scene = Scene::new().await;
    scene.socket.write(&frame(TEXT, b"{\"value\":\"hi \\u2028 \\u0000\"}")).await;
    let own = scene.next().await;
    assert_eq!(value_of(&own), "hi \u{2028} \0");
    assert_eq!(own["message"]["client_id"], scene.alice.client_id);
    assert_eq!(own["message"]["ip"], "127.0.0.1");
    assert_eq!(scene.beside.next().await, own);
    let history = scene.node.history(&scene.alice, "since=0").await;
    assert_eq!(history["messages"], json!([own]));
}

#[tokio::test]
async fn a_frame_sent_along_with_the_upgrade_is_heard() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let target = format!("/ws?{}", alice.query("users=none"));
    let mut bytes = upgrade(&target).bytes(node.address(), true);
    bytes.extend(frame(TEXT, b"{\"value\":\"early\"}"));
    let whole = bytes.len();
    // Once in one piece, once with the frame cut in its header.
    for cut in [whole, whole - 15] {
        let mut connection = Connection::open(node.address()).await;
        connection.write(&bytes[..cut]).await;
        let mut socket = RawSocket::upgraded(connection).await;
        socket.write(&bytes[cut..]).await;
        assert!(socket.next().await.unwrap().text().contains("\"early\""));
    }
}

#[tokio::test]
async fn a_frame_of_one_gib_by_its_header_is_refused_at_once() {
    let mut announced = header(FIN | TEXT, 1 << 30, true);
    announced.extend([1, 2, 3, 4]);
    Scene::closes_with(&announced, &[1009, 1002]).await;
    Scene::closes_with(&announced[..10], &[1009, 1002]).await;
}

#[tokio::test]
async fn a_frame_of_any_monstrous_length_is_refused_at_once() {
    for length in [1 << 62, 1 << 63, u64::MAX, 32_769] {
        let mut announced = header(FIN | TEXT, length, true);
        announced.extend([1, 2, 3, 4]);
        Scene::closes_with(&announced, &[1009, 1002]).await;
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_is_1007() {
    for payload in [
        b"\xff".as_slice(),
        b"{\"value\":\"\xc3\x28\"}",
        b"cut at the end \xe2\x82",
        b"overlong \xc0\xaf",
        b"surrogate \xed\xa0\x80",
        b"beyond \xf4\x90\x80\x80",
    ] {
        Scene::closes_with(&frame(TEXT, payload), &[1007]).await;
    }
}

#[tokio::test]
async fn bad_utf8_across_fragments_is_1007() {
    let mut bytes = masked(TEXT, b"\xe2\x82");
    bytes.extend(masked(FIN | CONTINUATION, b"\x28"));
    Scene::closes_with(&bytes, &[1007]).await;
}

#[tokio::test]
async fn utf8_split_across_fragments_is_text() {
    let mut scene = Scene::new().await;
    let text = "{\"value\":\"로비\"}".as_bytes();
    let middle = 12;
    assert!(std::str::from_utf8(&text[..middle]).is_err(), "cut within a character");
    scene.socket.write(&masked(TEXT, &text[..middle])).await;
    scene.socket.write(&masked(FIN | CONTINUATION, &text[middle..])).await;
    assert_eq!(value_of(&scene.next().await), "로비");
}

#[tokio::test]
async fn an_unmasked_frame_is_1002() {
    let mut bytes = header(FIN | TEXT, 2, false);
    bytes.extend(b"hi");
    Scene::closes_with(&bytes, &[1002]).await;
}

#[tokio::test]
async fn frames_that_break_the_rules_are_1002() {
    let hello = masked(TEXT, b"{}");
    for bytes in [
        masked(FIN | 0x40 | TEXT, b"{}"),
        masked(FIN | 0x20 | TEXT, b"{}"),
        masked(FIN | 0x10 | TEXT, b"{}"),
        masked(FIN | 0x3, b""),
        masked(FIN | 0x7, b""),
        masked(FIN | 0xb, b""),
        masked(FIN | 0xf, b""),
        masked(PING, b"in pieces"),
        masked(FIN | PING, &[7; 126]),
        masked(FIN | CONTINUATION, b"of nothing"),
        [hello.clone(), hello].concat(),
    ] {
        Scene::closes_with(&bytes, &[1002]).await;
    }
}

#[tokio::test]
async fn close_codes_that_none_may_send_are_1002() {
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535] {
        Scene::closes_with(&frame(CLOSE, &code.to_be_bytes()), &[1002]).await;
    }
    Scene::closes_with(&frame(CLOSE, &[3]), &[1002]).await;
}

#[tokio::test]
async fn binary_on_a_text_channel_is_1003() {
    Scene::closes_with(&frame(BINARY, b"{\"value\":\"hi\"}"), &[1003]).await;
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_is_taken_and_one_byte_more_is_1009() {
    let message = |length: usize| {
        let around = "{\"value\":\"\"}".len();
        format!("{{\"value\":\"{}\"}}", "a".repeat(length - around)).into_bytes()
    };
    let mut scene = Scene::with_config("[limits]\nmessage_bytes = 2048").await;
    scene.socket.write(&frame(TEXT, &message(2048))).await;
    let text = value_of(&scene.next().await).to_owned();
    assert_eq!(value_of(&scene.beside.next().await), text);
    scene.socket.write(&frame(TEXT, &message(2049))).await;
    assert_eq!(scene.socket.closed_with().await, Some(1009));
    scene.others_are_undisturbed().await;
}

#[tokio::test]
async fn fragments_together_over_the_limit_are_1009() {
    let mut scene = Scene::with_config("[limits]\nmessage_bytes = 2048").await;
    scene.socket.write(&masked(TEXT, &[b'a'; 1500])).await;
    scene.socket.write(&masked(CONTINUATION, &[b'a'; 1500])).await;
    assert_eq!(scene.socket.closed_with().await, Some(1009));
    scene.others_are_undisturbed().await;
}

#[tokio::test]
async fn fragments_far_apart_are_assembled() {
    let mut scene = Scene::new().await;
    for (fragment, payload) in [(TEXT, "{\"value\":"), (CONTINUATION, "\"slow"), (CONTINUATION, "")]
    {
        scene.socket.write(&masked(fragment, payload.as_bytes())).await;
        // The pong shows that the fragment was taken, and that nothing came of it yet.
        scene.socket.write(&frame(PING, b"between")).await;
        let pong = scene.socket.next().await.unwrap();
        assert_eq!((pong.opcode, pong.payload.as_slice()), (PONG, b"between".as_slice()));
        scene.others_are_undisturbed().await;
        for _ in 0..3 {
            let _ = scene.next().await;
        }
    }
    scene.socket.write(&masked(FIN | CONTINUATION, b"ly\"}")).await;
    assert_eq!(value_of(&scene.next().await), "slowly");
}

#[tokio::test]
async fn a_frame_byte_by_byte_is_a_frame() {
    let mut scene = Scene::new().await;
    for byte in frame(TEXT, b"{\"value\":\"drop by drop\"}") {
        scene.socket.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(value_of(&scene.next().await), "drop by drop");
}

#[tokio::test]
async fn many_frames_in_one_piece_are_all_heard_in_order() {
    let mut scene = Scene::new().await;
    let mut bytes = Vec::new();
    for number in 0..200_u32 {
        bytes.extend(frame(TEXT, format!("{{\"value\":\"{number}\"}}").as_bytes()));
    }
    scene.socket.write(&bytes).await;
    for number in 0..200_u32 {
        assert_eq!(value_of(&scene.next().await), number.to_string());
    }
}

#[tokio::test]
async fn a_ping_is_answered_with_its_own_payload() {
    let mut scene = Scene::new().await;
    for payload in [b"".as_slice(), b"are you there", &[0xff; 125]] {
        scene.socket.write(&frame(PING, payload)).await;
        let pong = scene.socket.next().await.unwrap();
        assert_eq!((pong.fin, pong.opcode, pong.payload.as_slice()), (true, PONG, payload));
    }
    scene.socket.write(&frame(PONG, b"unasked")).await;
    scene.others_are_undisturbed().await;
    let _ = scene.next().await;
}

#[tokio::test]
async fn a_close_is_echoed() {
    for (payload, code) in [
        ([1000_u16.to_be_bytes().as_slice(), b"bye"].concat(), Some(1000)),
        (1001_u16.to_be_bytes().to_vec(), Some(1001)),
        (3000_u16.to_be_bytes().to_vec(), Some(3000)),
        (4999_u16.to_be_bytes().to_vec(), Some(4999)),
    ] {
        let mut scene = Scene::new().await;
        scene.socket.write(&frame(CLOSE, &payload)).await;
        assert_eq!(scene.socket.closed_with().await, code);
    }
    let mut scene = Scene::new().await;
    scene.socket.write(&frame(CLOSE, b"")).await;
    assert!(matches!(scene.socket.closed_with().await, None | Some(1000)));
    scene.others_are_undisturbed().await;
}

#[tokio::test]
async fn who_goes_on_behind_its_close_is_not_reset() {
    let mut scene = Scene::new().await;
    let close = frame(CLOSE, &1000_u16.to_be_bytes());
    scene.socket.write(&[close, frame(TEXT, &b"a".repeat(30_000))].concat()).await;
    let echo = scene.socket.next().await.unwrap();
    assert_eq!((echo.opcode, echo.code()), (CLOSE, Some(1000)));
    let (mut stream, read) = scene.socket.connection.into_parts();
    assert!(read.is_empty());
    let end = guarded("the end", stream.read(&mut [0; 16])).await;
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn errors_are_told_to_their_sender_each_time() {
    let mut scene = Scene::new().await;
    let deep = "[".repeat(10_000);
    for bad in [
        "",
        "not json",
        "5",
        "[]",
        "{}",
        "{\"value\":5}",
        "{\"value\":\"\"}",
        "{\"value\":\"\\ud800\"}",
        &deep,
    ] {
        for _ in 0..2 {
            scene.socket.write(&frame(TEXT, bad.as_bytes())).await;
            let error = scene.next().await;
            assert!(error["error"].is_object(), "{bad:?} brought {error}");
        }
    }
    scene.socket.write(&frame(TEXT, b"{\"value\":\"still open\"}")).await;
    assert_eq!(value_of(&scene.next().await), "still open");
    assert_eq!(value_of(&scene.beside.next().await), "still open", "others heard of no error");
}

#[tokio::test]
async fn another_version_is_426() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for version in ["8", "14", "0", "thirteen"] {
        let request = Request::get(&format!("/ws?{}", alice.query("")))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", version)
            .header("Sec-WebSocket-Key", common::ws::KEY);
        let answer = request.send(&node).await;
        assert_eq!(answer.status, 426, "version {version}: {answer:?}");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    }
}

#[tokio::test]
async fn a_missing_or_bad_key_is_400() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let request = || {
        Request::get(&format!("/ws?{}", alice.query("")))
            .header("Connection", "keep-alive, Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
    };
    request().send(&node).await.problem(400, "bad-request");
    for key in ["", "short", "not base64 !!!!!!!!!!!!!!"] {
        let answer = request().header("Sec-WebSocket-Key", key).send(&node).await;
        answer.problem(400, "bad-request");
    }
}

#[tokio::test]
async fn a_plain_request_is_told_what_the_address_is_for() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let target = format!("/ws?{}", alice.query(""));
    let answer = Request::get(&target).send(&node).await;
    assert!(matches!(answer.status, 400 | 426), "{answer:?}");
    answer.any_problem(answer.status);
    Request::post(&target).send(&node).await.any_problem(405);
}

#[tokio::test]
async fn a_plain_request_is_told_what_an_upgrade_would_be_refused_for() {
    let node = TestNode::with_config("[channels.off]\nkind = \"off\"").await;
    let alice = node.login().await;
    let to_her = [("value", "for her"), ("to", alice.client_id.as_str())];
    Request::post("/post").bearer(&alice.token).form(&to_her).send(&node).await.ok();
    for (target, status, code) in [
        (format!("/ws?{}", alice.query("why=1&since=junk")), 400, "bad-request"),
        (format!("/ws?{}", alice.query("why=1&history=-1")), 400, "bad-request"),
        (format!("/ws?{}", alice.query("why=1&users=junk")), 400, "bad-request"),
        (format!("/ws?{}", alice.query("why=1&max_rate=5")), 400, "bad-request"),
        ("/ws?why=1".to_owned(), 401, "unauthorized"),
        ("/ws?why=1&token=none".to_owned(), 401, "unauthorized"),
        (format!("/ws/off?{}", alice.query("why=1")), 404, "unknown-channel"),
        (format!("/ws/a/b/c/d/e?{}", alice.query("why=1")), 400, "bad-channel"),
        (format!("/ws?{}", alice.query("why=1")), 426, "upgrade-required"),
        ("/ws".to_owned(), 426, "upgrade-required"),
        (format!("/ws?{}", alice.query("since=junk")), 426, "upgrade-required"),
    ] {
        Request::get(&target).send(&node).await.problem(status, code);
    }
    let query = alice.query("users=none");
    let mut opened = TestClient::connect(&node, Transport::Ws, "", &query).await;
    assert_eq!(value_of(&opened.next().await), "for her", "it takes nothing out of an inbox");
}

#[tokio::test]
async fn odd_but_legal_upgrades_are_taken() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let request = Request::get(&format!("/ws/?{}", alice.query("users=none")))
        .header("connection", "keep-alive, UPGRADE")
        .header("upgrade", "WebSocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", common::ws::KEY)
        .header("sec-websocket-extensions", "permessage-deflate; client_max_window_bits, x-odd")
        .header("sec-websocket-protocol", "something.else");
    let mut socket = RawSocket::upgraded(request.begin(&node).await).await;
    assert_eq!(socket.answer.header("sec-websocket-extensions"), None, "none is offered yet");
    node.post(&alice, "hi").await;
    assert!(socket.next().await.unwrap().text().contains("\"hi\""));
}

#[tokio::test]
async fn a_peer_that_never_answers_pings_is_ended_and_one_that_does_stays() {
    let node = TestNode::with_config("[heartbeat]\ninterval = 0.3\ntimeout = 0.5").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut answering = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let target = format!("/ws?{}", alice.query("users=none"));
    let mut silent = RawSocket::open(&node, &target).await;
    let mut pings = 0;
    // A client of ours answers pings while it is waited on.
    let (ended, ()) = tokio::join!(
        async {
            while let Some(frame) = silent.next().await {
                pings += u32::from(frame.opcode == PING);
            }
            node.post(&bob, "ended").await
        },
        async {
            assert_eq!(value_of(&answering.next().await), "ended");
        }
    );
    assert_eq!(value_of(&ended), "ended");
    assert!(pings >= 1, "it was asked");
    let after = node.post(&bob, "after").await;
    assert_eq!(answering.next().await, after);
}

#[tokio::test]
async fn a_heartbeat_is_a_message_where_that_was_asked_for() {
    let node = TestNode::with_config("[heartbeat]\ninterval = 0.3\ntimeout = 5").await;
    let alice = node.login().await;
    let query = alice.query("users=none&start=1&beat=1");
    let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
    assert!(client.next().await["since"].is_string());
    // At once, so that one knows what to expect, and then each time that there is nothing else.
    for _ in 0..3 {
        assert_eq!(client.next().await, json!({ "heartbeat": 0.3 }));
    }
    let answer = node.post(&alice, "between").await;
    while client.next().await != answer {}
    let mut other = TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    other.is_quiet_for(Duration::from_millis(700)).await;
}
