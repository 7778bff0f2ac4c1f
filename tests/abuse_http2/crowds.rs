//! Many subscriptions on few connections: for its address each of them counts.

use std::net::{IpAddr, Ipv4Addr};

use super::common::guarded;
use super::common::http::Request;
use super::common::node::{Login, TestNode};
use super::peer::{Outcome, Peer, get, reset};

const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

#[tokio::test]
async fn subscriptions_of_one_connection_are_counted_for_its_address() {
    let node = TestNode::with_config("[limits]\nexempt = []\nconnections_per_address = 5").await;
    // From elsewhere, so that no connection of this address is still on its way out.
    let alice = Login::of(&Request::get("/login").from(THERE).send(&node).await.ok());
    let query = alice.query("users=none");
    let mut peer = Peer::open(&node).await;
    for (stream, path) in [(1, "sse"), (3, "stream"), (5, "poll"), (7, "sse"), (9, "sse")] {
        peer.write(&get(stream, &format!("/{path}?{query}"))).await;
        assert_eq!(peer.outcome(stream).await, Outcome::Answer(200), "{path}");
    }
    // A poll that was answered is over; with the connection itself that makes five.
    for (stream, path) in [(11, "sse"), (13, "stream"), (15, "poll")] {
        peer.write(&get(stream, &format!("/{path}?{query}"))).await;
        assert_eq!(peer.outcome(stream).await, Outcome::Answer(503), "{path}");
    }
    peer.write(&get(17, "/healthz")).await;
    assert_eq!(
        peer.outcome(17).await,
        Outcome::Answer(200),
        "what is no subscription has no place"
    );
    let refused = Request::get("/healthz").send(&node).await.problem(503, "over-capacity");
    assert!(refused["detail"].as_str().unwrap().contains("limits.connections_per_address"));
    assert_eq!(Request::get("/healthz").from(THERE).send(&node).await.status, 200);
    // A place is free as soon as it was noticed that nobody is there.
    peer.write(&reset(1)).await;
    guarded("a place", async {
        for stream in (19..).step_by(2) {
            peer.write(&get(stream, &format!("/sse?{query}"))).await;
            if peer.outcome(stream).await == Outcome::Answer(200) {
                break;
            }
        }
    })
    .await;
}
