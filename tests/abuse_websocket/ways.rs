//! Every violation on every way it can come: behind the upgrade, with it, byte by byte, over TLS.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::common::guarded;
use super::common::http::{Connection, find};
use super::common::ws::{RawSocket, upgrade};
use super::node::TlsNode;
use super::scene::Scene;
use super::violations::{self, Violation};

fn judge(violation: &Violation, way: &str, code: Option<u16>) {
    let Violation { what, codes, .. } = violation;
    assert!(code.is_some_and(|code| codes.contains(&code)), "{what}, {way}: {code:?}");
}

#[tokio::test]
async fn behind_the_upgrade() {
    let mut scene = Scene::new().await;
    for violation in violations::all() {
        let mut socket = scene.socket().await;
        socket.write(&violation.bytes).await;
        judge(&violation, "behind the upgrade", socket.closed_with().await);
    }
    scene.is_well("violations").await;
}

#[tokio::test]
async fn in_one_segment_with_the_upgrade() {
    let mut scene = Scene::new().await;
    let request = upgrade(&scene.target()).bytes(scene.node.address(), true);
    for violation in violations::all() {
        let mut connection = Connection::open(scene.node.address()).await;
        connection.write(&[&request[..], &violation.bytes].concat()).await;
        let mut socket = RawSocket::upgraded(connection).await;
        judge(&violation, "with the upgrade", socket.closed_with().await);
    }
    scene.is_well("violations with the upgrade").await;
}

#[tokio::test]
async fn byte_by_byte() {
    let mut scene = Scene::new().await;
    for violation in violations::all() {
        let mut socket = scene.socket().await;
        let end = violation.bytes.len();
        // What is long is long in its payload; a beginning in single bytes shows as much.
        let single = end.min(300);
        for byte in &violation.bytes[..single] {
            socket.write(&[*byte]).await;
            tokio::task::yield_now().await;
        }
        socket.write(&violation.bytes[single..]).await;
        judge(&violation, "byte by byte", socket.closed_with().await);
    }
    scene.is_well("violations byte by byte").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls() {
    let node = TlsNode::start().await;
    let alice = node.login().await;
    let target = format!("/ws?{}", alice.query("users=none"));
    let request = upgrade(&target).bytes(node.address, true);
    // A message may be larger on this node.
    let all =
        violations::all().into_iter().filter(|violation| !violation.what.contains("too much"));
    for violation in all.filter(|violation| !violation.what.starts_with("32769")) {
        let mut stream = node.stream().await;
        stream.write_all(&request).await.unwrap();
        let mut read = Vec::new();
        let mut head = None;
        while head.is_none() {
            assert!(stream.read_buf(&mut read).await.unwrap() > 0, "{}", violation.what);
            head = find(&read, b"\r\n\r\n");
        }
        assert!(read.starts_with(b"HTTP/1.1 101 "));
        read.drain(..head.unwrap() + 4);
        let _ = stream.write_all(&violation.bytes).await;
        // The one frame that comes is a close; behind it the stream ends, however it does.
        while matches!(guarded("a close", stream.read_buf(&mut read)).await, Ok(1..)) {}
        let close = read.iter().position(|byte| *byte == 0x88).map(|at| &read[at + 2..]);
        let code = close.map(|payload| u16::from_be_bytes([payload[0], payload[1]]));
        judge(&violation, "over TLS", code);
    }
    node.post(&alice, "well").await;
}
