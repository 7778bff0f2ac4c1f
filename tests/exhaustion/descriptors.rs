//! R9: more connections than the node has descriptors.

use std::time::Duration;

use futures_util::TryFutureExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::common::client::{TestClient, Transport};
use crate::common::http::{Connection, Request};
use crate::common::node::TestNode;
use crate::common::{until, value_of};

const DESCRIPTORS: usize = 64;
const CROWD: usize = 200;

/// How long the use of the processor is watched.
const WATCHED: Duration = Duration::from_secs(2);

#[tokio::test]
async fn without_descriptors_the_node_neither_spins_nor_forgets_those_it_has() {
    let limits = "[limits]\nheader_seconds = 60\nkeep_alive_seconds = 60";
    let node = TestNode::with_config(limits).await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let mut socket = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let mut kept = Connection::open(node.address()).await;
    kept.write(&Request::get("/healthz").bytes(node.address(), true)).await;
    assert_eq!(kept.response().await.status, 200);

    node.limit("nofile", DESCRIPTORS as u64).await;
    // Those that the kernel has no place for either keep knocking.
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        crowd.spawn(TcpStream::connect(node.address()).and_then(hold));
    }
    until("no descriptor left", async || node.descriptors(), |open| *open >= DESCRIPTORS).await;
    let (start, before) = (Instant::now(), node.processor_time());
    tokio::time::sleep(WATCHED).await;
    let used =
        node.processor_time().saturating_sub(before).as_secs_f64() / start.elapsed().as_secs_f64();
    assert!(used < 0.3, "{:.0} % of a processor, doing nothing", used * 100.0);

    // Who is there already is served as ever.
    kept.write(&Request::get("/healthz").bytes(node.address(), true)).await;
    assert_eq!(kept.response().await.status, 200);
    let post = Request::post("/post").bearer(&alice.token).form(&[("value", "still here")]);
    kept.write(&post.bytes(node.address(), true)).await;
    kept.response().await.ok();
    assert_eq!(value_of(&socket.next().await), "still here");

    crowd.shutdown().await;
    let healthy = Request::get("/healthz").send(&node).await;
    assert_eq!(healthy.status, 200);
    let times = node.output().matches("no connection can be accepted").count();
    assert!((1..20).contains(&times), "told {times} times:\n{}", node.output());
}

/// Keeps a connection open and says nothing.
async fn hold(connection: TcpStream) -> std::io::Result<()> {
    std::future::pending::<()>().await;
    drop(connection);
    Ok(())
}
