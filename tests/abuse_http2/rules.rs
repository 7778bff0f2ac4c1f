//! Frames and heads that the standard forbids: RFC 9113.

use super::peer::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, Outcome, PING, PREFACE, PRIORITY,
    PUSH_PROMISE, Peer, RESET, SETTINGS, block, frame, get, pseudo, settings, window_update,
};
use super::scene::Scene;

#[tokio::test]
async fn heads_that_are_none_are_refused() {
    let mut scene = Scene::new().await;
    let with =
        |more: &[(&'static str, &'static str)]| [&pseudo("GET", "/healthz")[..], more].concat();
    let without = |name: &str| {
        let mut fields = pseudo("GET", "/healthz");
        fields.retain(|(known, _)| *known != name);
        fields
    };
    let mut late = with(&[]);
    late.insert(0, ("x", "y"));
    for (what, fields) in [
        ("a name in capitals", with(&[("X-Odd", "a")])),
        ("connection", with(&[("connection", "close")])),
        ("keep-alive", with(&[("keep-alive", "5")])),
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("upgrade", with(&[("upgrade", "websocket")])),
        ("te", with(&[("te", "gzip")])),
        ("no method", without(":method")),
        ("no scheme", without(":scheme")),
        ("no path", without(":path")),
        ("two paths", with(&[(":path", "/login")])),
        ("two methods", with(&[(":method", "POST")])),
        ("an empty path", [&without(":path")[..], &[(":path", "")]].concat()),
        ("an answer's pseudo field", with(&[(":status", "200")])),
        ("a pseudo field of no kind", with(&[(":odd", "a")])),
        ("a pseudo field behind others", late),
        ("an empty name", with(&[("", "a")])),
        ("a space in a name", with(&[("x y", "a")])),
        ("CR and LF in a value", with(&[("x", "a\r\ny: b")])),
        ("NUL in a value", with(&[("x", "a\0b")])),
        ("a length that is none", with(&[("content-length", "five")])),
        ("two lengths", with(&[("content-length", "0"), ("content-length", "5")])),
        ("a length twice", with(&[("content-length", "0"), ("content-length", "0")])),
        ("no host", without(":authority")),
        ("a host and a user", [&without(":authority")[..], &[(":authority", "a@b")]].concat()),
        ("another host beside it", with(&[("host", "elsewhere")])),
        ("the host beside it, twice", with(&[("host", "localhost"), ("host", "localhost")])),
        (
            "two hosts and no authority",
            [&without(":authority")[..], &[("host", "a"), ("host", "b")]].concat(),
        ),
    ] {
        let bytes = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields));
        let outcome = scene.outcome(what, &bytes).await;
        assert!(outcome.is_refusal(), "{what}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_host_may_be_named_in_either_way_and_in_both() {
    let mut scene = Scene::new().await;
    let both = [&pseudo("GET", "/healthz")[..], &[("host", "LOCALHOST")]].concat();
    let mut host_alone = both.clone();
    host_alone.retain(|(name, _)| *name != ":authority");
    for fields in [both, host_alone] {
        let bytes = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields));
        assert_eq!(scene.outcome("a host", &bytes).await, Outcome::Answer(200), "{fields:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_announced_is_refused() {
    let mut scene = Scene::new().await;
    for (what, body, length) in [("shorter", "value=a", "20"), ("longer", "value=abcdef", "7")] {
        let mut fields = pseudo("POST", "/login");
        fields.push(("content-length", length));
        let bytes = [
            frame(HEADERS, END_HEADERS, 1, &block(&fields)),
            frame(DATA, END_STREAM, 1, body.as_bytes()),
        ];
        let outcome = scene.outcome(what, &bytes.concat()).await;
        assert!(outcome.is_refusal(), "{what}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_speaks_to_a_proxy_is_refused() {
    let mut scene = Scene::new().await;
    let connect = [(":method", "CONNECT"), (":authority", "localhost:1")];
    let extended = [&pseudo("CONNECT", "/ws")[..], &[(":protocol", "websocket")]].concat();
    let absolute = pseudo("GET", "http://localhost:1/healthz");
    for (what, fields) in [
        ("CONNECT", connect.to_vec()),
        ("CONNECT as RFC 8441 has it", extended),
        ("a path that is a URL", absolute),
        ("a path without a slash", pseudo("GET", "healthz")),
    ] {
        let bytes = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields));
        let outcome = scene.outcome(what, &bytes).await;
        assert!(outcome.is_refusal(), "{what}: {outcome:?}");
    }
}

#[tokio::test]
async fn frames_that_break_the_rules_end_the_connection() {
    let mut scene = Scene::new().await;
    let head = block(&pseudo("POST", "/login"));
    let open = frame(HEADERS, END_HEADERS, 1, &head);
    let on_itself = [0, 0, 0, 1, 9];
    let mut depending = on_itself.to_vec();
    depending.extend_from_slice(&head);
    for (what, bytes) in [
        ("DATA on stream 0", frame(DATA, 0, 0, b"a")),
        ("HEADERS on stream 0", frame(HEADERS, END_HEADERS, 0, &head)),
        ("HEADERS on a stream of ours", frame(HEADERS, END_HEADERS, 2, &head)),
        ("RST_STREAM on stream 0", frame(RESET, 0, 0, &[0; 4])),
        ("RST_STREAM on a stream that is not", frame(RESET, 0, 1, &[0; 4])),
        ("RST_STREAM of three bytes", [open.clone(), frame(RESET, 0, 1, &[0; 3])].concat()),
        ("DATA on a stream that is not", frame(DATA, 0, 1, b"a")),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, &head)),
        (
            "something between HEADERS and CONTINUATION",
            [frame(HEADERS, 0, 1, &head), frame(PING, 0, 0, &[0; 8])].concat(),
        ),
        (
            "a frame of 16,385 bytes",
            [open.clone(), frame(DATA, 0, 1, &b"a".repeat(16_385))].concat(),
        ),
        ("a frame of 16 MiB, announced", [open.clone(), vec![0xff, 0xff, 0xff, DATA, 0]].concat()),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8])),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[])),
        ("a window setting above 2^31-1", settings(&[(4, 1 << 31)])),
        ("a frame size below 16 KiB", settings(&[(5, 100)])),
        ("PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])),
        ("more padding than frame", [open.clone(), frame(DATA, 8, 1, &[200, 0])].concat()),
        ("no HPACK", frame(HEADERS, END_HEADERS, 1, &[0xff; 20])),
        ("window of the connection by 0", window_update(0, 0)),
        ("window of a stream by 0", [open.clone(), window_update(1, 0)].concat()),
        ("window of the connection over 2^31-1", window_update(0, 0x7fff_ffff)),
        ("window of a stream over 2^31-1", [open, window_update(1, 0x7fff_ffff)].concat()),
        ("PRIORITY on itself", frame(PRIORITY, 0, 1, &on_itself)),
        ("HEADERS on itself", frame(HEADERS, END_HEADERS | 0x20, 1, &depending)),
    ] {
        let mut peer = Peer::open(&scene.node).await;
        let length = if what.contains("announced") { &[0, 0, 0, 1][..] } else { &[] };
        peer.write(&[&bytes, length].concat()).await;
        let outcome = peer.outcome(1).await;
        assert!(outcome.is_refusal() || outcome == Outcome::Ended, "{what}: {outcome:?}");
        scene.is_well(what).await;
    }
}

#[tokio::test]
async fn a_stream_id_is_used_once() {
    let mut scene = Scene::new().await;
    for second in [5, 3] {
        let mut peer = Peer::open(&scene.node).await;
        peer.write(&get(5, "/healthz")).await;
        assert_eq!(peer.outcome(5).await, Outcome::Answer(200));
        peer.write(&get(second, "/healthz")).await;
        let outcome = peer.outcome(second).await;
        assert!(outcome.is_refusal(), "{second} behind 5: {outcome:?}");
    }
    scene.is_well("streams twice").await;
}

#[tokio::test]
async fn a_preface_byte_by_byte_is_a_preface_and_a_broken_one_is_none() {
    let mut scene = Scene::new().await;
    let mut whole = [PREFACE, &settings(&[(1, 0)])].concat();
    whole.extend(get(1, "/healthz"));
    let mut connection = super::common::http::Connection::open(scene.node.address()).await;
    for byte in whole {
        connection.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    let settings = connection.take(9).await.unwrap();
    assert_eq!(settings[3], SETTINGS);
    for broken in
        [&b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / "]
    {
        let mut connection = super::common::http::Connection::open(scene.node.address()).await;
        connection.write(&[broken, &b"a".repeat(100)].concat()).await;
        assert!(connection.ends().await);
    }
    scene.is_well("prefaces").await;
}
