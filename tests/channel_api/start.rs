//! `start=1`: the position that a stream starts from, before anything else (for resuming when
//! nothing has come yet).

use serde_json::json;

use super::common::client::{TestClient, Transport};
use super::common::node::TestNode;
use super::common::{id_of, ids_on};

on_every_transport!(
    the_first_message_is_where_the_stream_starts,
    from_there_a_stream_can_be_resumed,
    with_ids_it_comes_once,
);

async fn the_first_message_is_where_the_stream_starts(transport: Transport) {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let first = node.post(&alice, "first").await;
    node.direct(&alice, &bob.client_id, "waits").await;
    let mut client = TestClient::connect(&node, transport, "", &bob.query("start=1")).await;
    if transport != Transport::Poll {
        assert_eq!(client.next().await, json!({ "since": id_of(&first) }));
    }
    assert_eq!(ids_on(&client.next().await).len(), 2, "then the users list");
    assert_eq!(client.next().await["message"]["value"], "waits");
    let mut plain = TestClient::connect(&node, transport, "", &bob.query("start=0")).await;
    assert_eq!(ids_on(&plain.next().await).len(), 2);
}

async fn from_there_a_stream_can_be_resumed(transport: Transport) {
    if transport == Transport::Poll {
        return;
    }
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let (alice, bob) = (node.login().await, node.login().await);
    for channel in ["", "data"] {
        node.post_to(channel, &alice, "0").await;
        let query = bob.query("start=1&users=none");
        let mut client = TestClient::connect(&node, transport, channel, &query).await;
        let since = client.next().await["since"].as_str().unwrap().to_owned();
        client.cut();
        node.post_to(channel, &alice, "1").await;
        let query = bob.query(&format!("users=none&start=1&since={since}"));
        let mut client = TestClient::connect(&node, transport, channel, &query).await;
        assert_eq!(client.next().await, json!({ "since": since }), "never ahead of what follows");
        let told = client.next().await;
        assert!(told == json!(1) || told["message"]["value"] == "1", "{told}");
    }
}

async fn with_ids_it_comes_once(transport: Transport) {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let alice = node.login().await;
    let query = alice.query("ids=1&start=1");
    let mut client = TestClient::connect(&node, transport, "data", &query).await;
    if transport != Transport::Poll {
        assert!(client.next().await["since"].is_string());
    }
    node.post_to("data", &alice, "7").await;
    assert_eq!(client.next().await["data"], 7);
}
