//! Much of what is cheap to send: it is answered, or the connection is, and never kept.

use super::common::scrape::reaches;
use super::peer::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, GOAWAY, HEADERS,
    Outcome, PING, PRIORITY, Peer, RESET, SETTINGS, block, frame, get, integer, pseudo, reset,
    settings, window_update,
};
use super::scene::Scene;

/// The series of connections that were ended for it.
const FLOODS: &str = "pushgate_http2_floods_total";

/// What came back for a flood, with others served at the same time.
async fn flood(scene: &mut Scene, what: &str, bytes: &[u8]) -> Vec<Frame> {
    let mut peer = Peer::open(&scene.node).await;
    let served = scene.beside.are_served(what, 10);
    let (frames, ()) = tokio::join!(peer.flood(bytes), served);
    scene.is_well(what).await;
    frames
}

fn goaway(frames: &[Frame]) -> Option<u32> {
    frames.iter().find(|frame| frame.kind == GOAWAY).map(Frame::code)
}

/// Streams of a client, in order.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_reset_at_once_end_the_connection() {
    let mut scene = Scene::new().await;
    let query = scene.alice.query("users=none");
    for path in ["/healthz", &format!("/sse?{query}"), "/nowhere"] {
        let bytes: Vec<u8> = streams(10_000)
            .flat_map(|stream| [get(stream, path), reset(stream)].concat())
            .collect();
        let frames = flood(&mut scene, path, &bytes).await;
        assert_eq!(goaway(&frames), Some(ENHANCE_YOUR_CALM), "{path}");
    }
    reaches(&scene.node, FLOODS, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_reset_at_a_pace_leave_nothing_behind() {
    let mut scene = Scene::new().await;
    let path = format!("/sse?{}", scene.alice.query("users=none"));
    let mut peer = Peer::open(&scene.node).await;
    let mut ids = streams(1000);
    for _ in 0..100 {
        let some: Vec<u32> = ids.by_ref().take(10).collect();
        let opened: Vec<u8> = some.iter().flat_map(|stream| get(*stream, &path)).collect();
        peer.write(&opened).await;
        // Answered, so they have begun.
        for _ in &some {
            assert!(peer.next_of(HEADERS).await.is_some());
        }
        let frames = peer.flood(&some.iter().flat_map(|id| reset(*id)).collect::<Vec<u8>>()).await;
        assert_eq!(goaway(&frames), None);
    }
    scene.is_well("a thousand streams that were let go").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_block_that_does_not_end_is_not_collected() {
    let mut scene = Scene::new().await;
    let begun = frame(HEADERS, END_STREAM, 1, &block(&pseudo("GET", "/healthz")));
    let field = block(&[("x-more", &"a".repeat(1000))]);
    for (what, continuation, count) in [
        ("fields without end", frame(CONTINUATION, 0, 1, &field), 20_000),
        ("one byte a frame", frame(CONTINUATION, 0, 1, &[0]), 100_000),
        ("empty frames", frame(CONTINUATION, 0, 1, &[]), 100_000),
    ] {
        let bytes = [begun.clone(), continuation.repeat(count)].concat();
        let frames = flood(&mut scene, what, &bytes).await;
        assert_eq!(goaway(&frames), Some(ENHANCE_YOUR_CALM), "{what}");
    }
    reaches(&scene.node, FLOODS, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_settings_and_priorities_in_thousands_end_the_connection() {
    let mut scene = Scene::new().await;
    for (what, one, answers) in [
        ("pings", frame(PING, 0, 0, b"pingping"), PING),
        ("settings", settings(&[(4, 70_000)]), SETTINGS),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9]), PRIORITY),
        ("pongs", frame(PING, ACK, 0, b"pingping"), PING),
        ("frames of no kind", frame(0xfa, 0xff, 7, &[7; 100]), 0xfa),
    ] {
        let mut peer = Peer::open(&scene.node).await;
        let path = format!("/sse?{}", scene.alice.query("users=list"));
        peer.write(&get(1, &path)).await;
        assert_eq!(peer.outcome(1).await, Outcome::Answer(200), "a stream is open");
        let served = scene.beside.are_served(what, 10);
        let bytes = one.repeat(50_000);
        let (frames, ()) = tokio::join!(peer.flood(&bytes), served);
        assert_eq!(goaway(&frames), Some(ENHANCE_YOUR_CALM), "{what}");
        assert!(peer.ends().await, "{what}");
        let answered = frames.iter().filter(|frame| frame.kind == answers).count();
        assert!(answered < 50_000, "{what}: {answered} answers");
        scene.is_well(what).await;
    }
    reaches(&scene.node, FLOODS, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_opened_in_small_steps_and_a_few_pings_are_nothing() {
    let mut scene = Scene::new().await;
    let pings = frame(PING, 0, 0, b"pingping").repeat(500);
    let steps = window_update(0, 1).repeat(20_000);
    let frames = flood(&mut scene, "small steps", &[pings, steps].concat()).await;
    assert_eq!(goaway(&frames), None);
    assert_eq!(frames.iter().filter(|frame| frame.kind == PING).count(), 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_is_none_ends_the_connection() {
    let mut scene = Scene::new().await;
    let begun = frame(HEADERS, END_HEADERS, 1, &block(&pseudo("POST", "/login")));
    for (what, data) in [
        ("empty", frame(DATA, 0, 1, &[])),
        ("padding alone", frame(DATA, 0x8, 1, &[1, 0])),
        ("a byte a frame", frame(DATA, 0, 1, b"a")),
    ] {
        let bytes = [begun.clone(), data.repeat(50_000)].concat();
        let frames = flood(&mut scene, what, &bytes).await;
        let is_over = goaway(&frames).is_some() || frames.iter().any(|frame| frame.kind == RESET);
        assert!(is_over, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_beyond_the_limit_are_refused_and_those_within_it_answered() {
    let mut scene = Scene::new().await;
    let mut peer = Peer::open(&scene.node).await;
    let first = peer.next_of(SETTINGS).await.unwrap();
    let pairs: Vec<&[u8]> = first.payload.chunks(6).collect();
    assert!(pairs.contains(&&[0, 3, 0, 0, 0, 100][..]), "100 streams are told: {pairs:?}");
    let path = format!("/sse?{}", scene.alice.query("users=none"));
    let bytes: Vec<u8> = streams(300).flat_map(|stream| get(stream, &path)).collect();
    let frames = peer.flood(&bytes).await;
    let refused = frames.iter().filter(|frame| frame.kind == RESET).count();
    assert_eq!(refused, 200, "of 300");
    assert!(frames.iter().filter(|frame| frame.kind == RESET).all(|frame| frame.code() == 7));
    // What is open goes on, and makes room when it ends.
    let more = [reset(1), get(601, "/healthz")].concat();
    peer.write(&more).await;
    assert_eq!(peer.outcome(601).await, Outcome::Answer(200));
    scene.is_well("300 streams").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_header_than_allowed_is_431_however_it_is_packed() {
    let mut scene = Scene::new().await;
    let ordinary = block(&pseudo("GET", "/healthz"));
    let field = block(&[("x-more", &"a".repeat(2000))]);
    let mut one_long = ordinary.clone();
    one_long.push(0);
    for length in [1, 17_000] {
        integer(&mut one_long, 0x7f, length);
        one_long.extend(b"a".repeat(length));
    }
    // A field that enters the table, then is named by one byte, again and again.
    let mut bomb = ordinary.clone();
    bomb.extend([0x40, 1, b'x']);
    integer(&mut bomb, 0x7f, 4000);
    bomb.extend(b"a".repeat(4000));
    bomb.extend([0xbe; 12_000]);
    for (what, fields) in [
        ("ten fields of 2000", [ordinary.clone(), field.repeat(10)].concat()),
        ("one of 17,000", one_long),
        ("a thousand small ones", [ordinary, block(&[("x", "y")]).repeat(1000)].concat()),
        ("48 MB in 16 KB", bomb),
    ] {
        let parts: Vec<&[u8]> = fields.chunks(16_000).collect();
        let mut bytes = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let kind = if at == 0 { HEADERS } else { CONTINUATION };
            let ends_stream = if at == 0 { END_STREAM } else { 0 };
            let ends = if at + 1 == parts.len() { END_HEADERS } else { 0 };
            bytes.extend(frame(kind, ends_stream | ends, 1, part));
        }
        let outcome = scene.outcome(what, &bytes).await;
        assert!(
            matches!(outcome, Outcome::Answer(431) | Outcome::GoAway(ENHANCE_YOUR_CALM)),
            "{what}: {outcome:?}"
        );
    }
}
