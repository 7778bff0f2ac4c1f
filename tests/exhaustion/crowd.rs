//! Many requests, fast: a window of them at a time is on its way on one connection.

use serde_json::Value;

use crate::common::http::{Connection, Request};
use crate::common::node::TestNode;

/// How many requests wait for their answers at once.
const WINDOW: usize = 64;

/// Sends `count` requests and gives the answers that are 200 to `heard`; any other fails the test.
pub async fn send_all(
    node: &TestNode,
    count: usize,
    request: impl Fn(usize) -> Request,
    mut heard: impl FnMut(Value),
) {
    let mut connection = Connection::open(node.address()).await;
    let (mut sent, mut answered) = (0, 0);
    while answered < count {
        let mut bytes = Vec::new();
        while sent < count && sent < answered + WINDOW {
            bytes.extend(request(sent).bytes(node.address(), true));
            sent += 1;
        }
        connection.write(&bytes).await;
        while answered < sent {
            heard(connection.response().await.ok());
            answered += 1;
        }
    }
}

/// Bytes as MiB, for what is told of memory.
pub fn mib(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let bytes = bytes as f64;
    bytes / 1024.0 / 1024.0
}
