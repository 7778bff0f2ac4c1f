//! Bodies that come a byte at a time: what they hold is what came.

use std::time::Duration;

use futures_util::future::join_all;

use super::common::http::Connection;
use super::scene::Scene;

/// What a node may have more in use at any time, whoever crumbles a body: a buffer kept for each
/// byte would be more by far.
const MORE: u64 = 8 * 1024 * 1024;

fn has_grown_little(scene: &Scene, before: u64, what: &str) {
    let grown = scene.node.most_resident() - before;
    assert!(grown < MORE, "{what}: {grown} bytes more");
}

#[tokio::test]
async fn a_body_in_chunks_of_one_byte_takes_no_more_than_it_has() {
    const CHUNKS: usize = 200_000;
    let mut scene = Scene::new().await;
    let before = scene.node.most_resident();
    let mut connection = Connection::open(scene.node.address()).await;
    connection.write(&scene.post("Transfer-Encoding: chunked\r\n", b"")).await;
    for _ in 0..CHUNKS {
        connection.write(b"1\r\n&\r\n").await;
        tokio::task::yield_now().await;
    }
    connection.write(b"a\r\nvalue=once\r\n0\r\n\r\n").await;
    connection.response().await.ok();
    assert_eq!(scene.hears().await, "once", "it is a body as any other");
    has_grown_little(&scene, before, "chunks of one byte");
    scene.is_undisturbed("chunks of one byte").await;
}

#[tokio::test]
async fn a_body_in_segments_of_one_byte_takes_no_more_than_it_has() {
    const CONNECTIONS: usize = 50;
    const SEGMENTS: usize = 600;
    let mut scene = Scene::new().await;
    let before = scene.node.most_resident();
    let head = scene.post(&format!("Content-Length: {}\r\n", SEGMENTS + 10), b"");
    let opened = (0..CONNECTIONS).map(|_| Connection::open(scene.node.address()));
    let mut connections = join_all(opened).await;
    join_all(connections.iter_mut().map(|connection| connection.write(&head))).await;
    for _ in 0..SEGMENTS {
        join_all(connections.iter_mut().map(|connection| connection.write(b"&"))).await;
        // So that most are read one by one.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for connection in &mut connections {
        connection.write(b"value=once").await;
        connection.response().await.ok();
        assert_eq!(scene.hears().await, "once");
    }
    has_grown_little(&scene, before, "segments of one byte");
    scene.is_undisturbed("segments of one byte").await;
}
