//! R4: more streams than the node may have.

use serde_json::json;

use crate::common::client::{Block, TestClient, Transport};
use crate::common::http::{Request, Response};
use crate::common::node::{Login, TestNode, address};
use crate::common::{guarded, until};

/// The answer to a subscription that must be refused.
async fn refused(node: &TestNode, transport: Transport, login: &Login) -> Response {
    let target = format!("{}?{}", address(transport.verb(), ""), login.query("users=none"));
    let request = match transport {
        Transport::Ws => transport.request("", &login.query("users=none")),
        // Without `Accept`: an EventSource gets 200, below.
        Transport::Sse | Transport::Stream => Request::get(&target),
        // With `since`: it would wait.
        Transport::Poll => Request::get(&format!("{target}&since=0&wait=20")),
    };
    request.send(node).await
}

#[tokio::test]
async fn beyond_the_connections_of_a_node_streams_are_refused_and_the_rest_goes_on() {
    let node = TestNode::with_config("[limits]\nconnections = 3").await;
    let alice = node.login().await;
    let query = alice.query("users=none");
    let mut open = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Stream] {
        open.push(TestClient::connect(&node, transport, "", &query).await);
    }
    for transport in Transport::ALL {
        let answer = refused(&node, transport, &alice).await;
        let problem = answer.problem(503, "over-capacity");
        assert!(problem["detail"].as_str().unwrap().contains("limits.connections "), "{problem}");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
    }
    let events = Transport::Sse.request("", &query).send(&node).await;
    assert_eq!(events.status, 200);
    assert!(Block::of(events.text()).retry.is_some(), "{events:?}");

    // Everything but streams is there, and those that are open hear it.
    for path in ["/healthz", "/readyz"] {
        assert_eq!(Request::get(path).send(&node).await.status, 200, "{path}");
    }
    let bob = node.login().await;
    let told = node.post(&bob, "still here").await;
    assert_eq!(node.history(&bob, "since=0").await["messages"], json!([told]));
    assert_eq!(node.users(&bob).await["count"], 2);
    for client in &mut open {
        assert_eq!(client.next().await, told);
    }

    drop(open.pop());
    guarded("a place", async {
        while TestClient::try_connect(&node, Transport::Ws, "", &query).await.is_err() {}
    })
    .await;
}

#[tokio::test]
async fn a_token_has_sixteen_connections_which_all_hear_and_one_place_on_the_list() {
    const MOST: usize = 16;
    let node = TestNode::shipped().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = alice.query("users=none");
    let mut open = Vec::new();
    for number in 0..MOST {
        let transport = [Transport::Ws, Transport::Sse, Transport::Stream][number % 3];
        open.push(TestClient::connect(&node, transport, "", &query).await);
    }
    for transport in Transport::ALL {
        let answer = refused(&node, transport, &alice).await;
        let problem = answer.problem(503, "over-capacity");
        assert!(
            problem["detail"].as_str().unwrap().contains("connections_per_client"),
            "{problem}"
        );
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(node.users(&bob).await["count"], 2, "each is listed once");
    for number in 0..3 {
        let told = node.post(&bob, &number.to_string()).await;
        for client in &mut open {
            assert_eq!(client.next().await, told);
        }
    }
    // Another client has its own.
    let mut other = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let told = node.post(&alice, "from the same").await;
    assert_eq!(other.next().await, told);

    open.pop().unwrap().cut();
    let again = async || TestClient::try_connect_status(&node, Transport::Ws, &query).await;
    until("a place", again, |status| *status == 101).await;
}
