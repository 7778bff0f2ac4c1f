//! Much of what is cheap to send: bounded in work and memory, or 4009.

use tokio::io::AsyncWriteExt;

use super::common::QUIET;
use super::common::ws::{CLOSE, CONTINUATION, PING, PONG, RawSocket, TEXT, frame, masked};
use super::scene::{COUNTED, Scene};

/// A message of the client's own, which comes back to it.
fn last() -> Vec<u8> {
    frame(TEXT, b"{\"value\":\"last\"}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_frames_in_bulk_are_4009() {
    let mut scene = Scene::with_config(COUNTED).await;
    for (what, one) in [
        ("pings", frame(PING, b"")),
        ("large pings", frame(PING, &[7; 125])),
        ("pongs that nobody asked for", frame(PONG, b"")),
        ("pings within a message", [masked(TEXT, b""), frame(PING, b"")].concat()),
    ] {
        let (first, one) =
            if what.ends_with("message") { one.split_at(6) } else { (&[][..], &one[..]) };
        let bytes = [first, &one.repeat(5000)].concat();
        let answers = scene.flood(what, &bytes, &[]).await;
        assert_eq!(answers.close, Some(4009), "{what}: {answers:?}");
        assert!(answers.pongs < 5000, "{what}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_control_frames_are_nothing() {
    let mut scene = Scene::with_config(COUNTED).await;
    let bytes = [frame(PING, b"a").repeat(150), frame(PONG, b"b").repeat(50)].concat();
    let answers = scene.flood("a few", &bytes, &last()).await;
    assert_eq!((answers.pongs, answers.close), (150, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_exempt_may_send_as_many_as_it_likes() {
    let mut scene = Scene::new().await;
    for (what, one, pongs) in
        [("pings", frame(PING, b"ping"), 20_000), ("pongs", frame(PONG, b""), 0)]
    {
        let answers = scene.flood(what, &one.repeat(20_000), &last()).await;
        assert_eq!((answers.pongs, answers.close), (pongs, None), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pongs_that_nobody_reads_are_not_collected() {
    let mut scene = Scene::new().await;
    let (mut stream, _) =
        RawSocket::open_narrow(&scene.node, &scene.target()).await.connection.into_parts();
    let pings = frame(PING, &[7; 125]).repeat(1000);
    // Whoever does not read is not read from: the writing stalls.
    let mut sent = 0;
    while tokio::time::timeout(QUIET, stream.write_all(&pings)).await.is_ok_and(|sent| sent.is_ok())
    {
        sent += pings.len();
        assert!(sent < 200 << 20, "it is read without end");
    }
    scene.is_well("unread pongs").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_that_bring_nothing_are_1002() {
    let mut scene = Scene::new().await;
    let begun = [masked(TEXT, b""), masked(CONTINUATION, b"").repeat(200_000)].concat();
    let answers = scene.flood("200,000 empty fragments", &begun, &[]).await;
    assert_eq!(answers.close, Some(1002), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_say_nothing_are_told_and_then_4009() {
    let mut scene = Scene::with_config(COUNTED).await;
    for (what, one) in [
        ("empty texts", frame(TEXT, b"")),
        ("empty texts in two", [masked(TEXT, b""), masked(0x80, b"")].concat()),
        ("objects of nothing", frame(TEXT, b"{}")),
    ] {
        let answers = scene.flood(what, &one.repeat(100_000), &[]).await;
        assert_eq!(answers.close, Some(4009), "{what}: {answers:?}");
        assert!(answers.texts < 100_000, "{what}: {answers:?}");
        // The budget is the client's, not the connection's: the next case begins afresh.
        scene.alice = scene.node.login().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_none_are_told_so_each_time() {
    let mut scene = Scene::new().await;
    let deep = "[".repeat(20_000);
    let unknown = format!("{{\"value\":\"a\",{}\"b\":1}}", "\"x\":{\"y\":[]},".repeat(1000));
    for (what, text, count) in [
        ("empty", "", 5000),
        ("not JSON", "{\"value\":", 5000),
        ("deep", &deep, 50),
        ("a command of no kind", "{\"subscribe\":\"a\"}", 5000),
        ("members of no kind", &unknown, 50),
    ] {
        let answers = scene.flood(what, &frame(TEXT, text.as_bytes()).repeat(count), &last()).await;
        assert_eq!((answers.texts, answers.close), (count, None), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_open_and_close_leave_nothing_behind() {
    let mut scene = Scene::new().await;
    for _ in 0..200 {
        let mut socket = scene.socket().await;
        socket.write(&frame(CLOSE, &1000_u16.to_be_bytes())).await;
        assert_eq!(socket.closed_with().await, Some(1000));
    }
    for _ in 0..200 {
        // Gone without a word, in the middle of a frame.
        scene.socket().await.write(&frame(TEXT, b"{\"value\":\"cut\"}")[..9]).await;
    }
    scene.is_well("400 connections").await;
}
