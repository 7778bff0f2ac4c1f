//! Positions, resuming and gaps (wire.md §4, "Ids and resuming").

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
#[macro_use]
mod common;

use common::client::{PollAnswer, TestClient, Transport};
use common::http::{Incoming, Request};
use common::node::{Login, TestNode};
use common::{at_offset, guarded, id_of, offset_of, value_of};
use serde_json::{Value, json};

/// How many posts a stream is cut in.
const POSTS: u32 = 10_000;

/// A history that holds them all.
const LARGE: &str =
    "[channels.\"\"]\nhistory = { messages = 20000, seconds = 600, bytes = 33554432 }";

/// A history that holds a few of them.
const SMALL: &str = "[channels.\"\"]\nhistory = { messages = 100, seconds = 600, bytes = 1048576 }";

on_every_transport!(
    a_cut_in_the_middle_of_many_posts_loses_none,
    a_cut_longer_than_the_history_is_told_as_gap,
    since_zero_brings_everything_kept_and_no_gap,
    a_position_of_another_epoch_is_a_gap,
    a_position_from_the_future_is_a_gap,
    garbage_is_refused_before_the_stream_opens,
    history_brings_the_newest_that_are_kept,
    ids_give_values_an_envelope,
    a_resume_with_nothing_missed_goes_straight_on,
);

async fn a_cut_in_the_middle_of_many_posts_loses_none(transport: Transport) {
    let node = TestNode::with_config(LARGE).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    let mut poster = node.poster(&alice, "").await;
    let posting = tokio::spawn(async move { poster.count(0..POSTS).await });
    let mut expected = 0..POSTS;
    // Three cuts: one early, one in the middle, one when most is posted.
    for pause in [100, POSTS / 2, POSTS - 1000] {
        while expected.start < pause {
            assert_eq!(value_of(&client.next().await), expected.next().unwrap().to_string());
        }
        let since = common::http::encode(client.since());
        client.cut();
        let query = bob.query(&format!("users=none&since={since}"));
        client = TestClient::connect(&node, transport, "", &query).await;
    }
    for number in expected {
        assert_eq!(value_of(&client.next().await), number.to_string());
    }
    posting.await.unwrap();
    node.post(&alice, "last").await;
    assert_eq!(value_of(&client.next().await), "last");
}

async fn a_cut_longer_than_the_history_is_told_as_gap(transport: Transport) {
    let node = TestNode::with_config(SMALL).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    let mut poster = node.poster(&alice, "").await;
    poster.count(0..50).await;
    for number in 0..50_u32 {
        assert_eq!(value_of(&client.next().await), number.to_string());
    }
    let since = client.since().to_owned();
    client.cut();
    poster.count(50..1000).await;

    let query = bob.query(&format!("users=none&since={since}"));
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    let next = at_offset(&since, 901);
    let gap = json!({ "gap": { "channel": "", "since": since, "next": next } });
    assert_eq!(client.next().await, gap);
    for number in 900..1000_u32 {
        let message = client.next().await;
        assert_eq!(value_of(&message), number.to_string());
        assert_eq!(offset_of(id_of(&message)), u64::from(number) + 1);
    }
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next().await, live);
}

async fn since_zero_brings_everything_kept_and_no_gap(transport: Transport) {
    let node = TestNode::with_config(SMALL).await;
    let alice = node.login().await;
    node.poster(&alice, "").await.count(0..150).await;
    let query = alice.query("users=none&since=0");
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    for number in 50..150_u32 {
        assert_eq!(value_of(&client.next().await), number.to_string());
    }
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next().await, live);
}

async fn a_position_of_another_epoch_is_a_gap(transport: Transport) {
    let mut node = TestNode::start().await;
    let alice = node.login().await;
    let since = id_of(&node.post(&alice, "before").await).to_owned();
    node.restart().await;
    let posts = three(&node, &alice).await;
    assert_ne!(at_offset(&since, 0), at_offset(id_of(&posts[0]), 0), "a new epoch");
    gap_and_all_kept(&node, &alice, transport, (&since, &posts)).await;
}

async fn a_position_from_the_future_is_a_gap(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let posts = three(&node, &alice).await;
    for offset in [4, 1_000_000, u64::MAX] {
        let since = at_offset(id_of(&posts[0]), offset);
        gap_and_all_kept(&node, &alice, transport, (&since, &posts)).await;
    }
}

async fn garbage_is_refused_before_the_stream_opens(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for since in ["garbage%21", "-5", "k3x9-", "k3x9-abc", "%20", "k3x9-1%0A", "%F0%9F%A6%80-1"] {
        let query = alice.query(&format!("since={since}"));
        match TestClient::try_connect(&node, transport, "", &query).await {
            Ok(_) => panic!("{transport:?} opened since {since}"),
            Err(answer) => answer.problem(400, "bad-request"),
        };
    }
}

async fn history_brings_the_newest_that_are_kept(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    node.poster(&alice, "").await.count(0..10).await;
    let query = alice.query("users=none&history=3");
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    for number in 7..10_u32 {
        assert_eq!(value_of(&client.next().await), number.to_string());
    }
    let query = alice.query("users=none&history=1000");
    let mut all = TestClient::connect(&node, transport, "", &query).await;
    for number in 0..10_u32 {
        assert_eq!(value_of(&all.next().await), number.to_string());
    }
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next().await, live);
    assert_eq!(all.next().await, live);
}

async fn ids_give_values_an_envelope(transport: Transport) {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let alice = node.login().await;
    let query = alice.query("ids=1");
    let mut client = TestClient::connect(&node, transport, "data", &query).await;
    if transport != Transport::Poll {
        let first = client.next().await;
        assert!(first["since"].is_string(), "the position comes first: {first}");
        assert_eq!(first.as_object().unwrap().len(), 1, "{first}");
    }
    let start = client.since().to_owned();
    let posted: Vec<Value> = (0..3).map(|number| json!({ "z": number, "a": [number] })).collect();
    for value in &posted {
        data(&node, &alice, value).await;
    }
    let mut ids = Vec::new();
    for (value, offset) in posted.iter().zip(1..) {
        let message = client.next().await;
        assert_eq!(&message["data"], value);
        assert_eq!(message["client_id"], alice.client_id);
        ids.push(message["id"].as_str().unwrap().to_owned());
        assert_eq!(offset_of(ids.last().unwrap()), offset);
    }
    client.cut();
    for (since, missed) in [(&start, &posted[..]), (&ids[1], &posted[2..])] {
        let since = common::http::encode(since);
        let query = alice.query(&format!("ids=1&since={since}"));
        let mut resumed = TestClient::connect(&node, transport, "data", &query).await;
        if transport != Transport::Poll {
            assert!(resumed.next().await["since"].is_string());
        }
        for value in missed {
            assert_eq!(&resumed.next().await["data"], value);
        }
    }
}

async fn a_resume_with_nothing_missed_goes_straight_on(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let posts = three(&node, &alice).await;
    let query = alice.query(&format!("users=none&since={}", id_of(&posts[2])));
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next().await, live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_since_moves_from_transport_to_transport_and_loses_nothing() {
    let node = TestNode::with_config(LARGE).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let mut poster = node.poster(&alice, "").await;
    let posting = tokio::spawn(async move { poster.count(0..2000).await });
    let mut expected = 0..2000_u32;
    let route =
        [Transport::Sse, Transport::Poll, Transport::Stream, Transport::Poll, Transport::Ws];
    for (transport, until) in route.into_iter().zip([300, 600, 900, 1200, 1500]) {
        while expected.start < until {
            assert_eq!(value_of(&client.next().await), expected.next().unwrap().to_string());
        }
        let since = common::http::encode(client.since());
        let query = bob.query(&format!("users=none&since={since}"));
        // The next one opens while the last one still is, as a page does that changes over.
        let next = TestClient::connect(&node, transport, "", &query).await;
        client.cut();
        client = next;
    }
    for number in expected {
        assert_eq!(value_of(&client.next().await), number.to_string());
    }
    posting.await.unwrap();
}

#[tokio::test]
async fn sse_opens_with_an_id_that_is_a_position() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let posts = three(&node, &alice).await;
    let start = first_block(&node, &alice, "users=none").await;
    assert_eq!(start, id_of(&posts[2]), "where it starts from");
    let behind = format!("users=none&since={}", id_of(&posts[0]));
    let start = first_block(&node, &alice, &behind).await;
    assert_eq!(start, id_of(&posts[0]), "never ahead of what was missed");
    let listed = first_block(&node, &alice, "users=list").await;
    assert_eq!(listed, id_of(&posts[2]), "before the users list too");
}

#[tokio::test]
async fn a_stream_that_never_heard_a_post_resumes_from_where_it_opened() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let start = first_block(&node, &alice, "users=none").await;
    let posts = three(&node, &alice).await;
    let id = ("Last-Event-ID", start.as_str());
    let query = alice.query("users=none");
    let mut client = TestClient::connect_with(&node, Transport::Sse, &query, id).await;
    for post in &posts {
        assert_eq!(&client.next().await, post);
    }
}

#[tokio::test]
async fn the_last_event_id_wins_over_since() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let posts = three(&node, &alice).await;
    let query = alice.query(&format!("users=none&since={}", id_of(&posts[0])));
    let id = ("Last-Event-ID", id_of(&posts[1]));
    let mut client = TestClient::connect_with(&node, Transport::Sse, &query, id).await;
    assert_eq!(client.next().await, posts[2]);
}

#[tokio::test]
async fn every_sse_message_has_its_id_and_what_has_none_has_no_id_line() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, Transport::Sse, "", &alice.query("")).await;
    assert!(client.next().await.get("users").is_some());
    let start = client.since().to_owned();
    node.direct(&alice, &alice.client_id, "no id").await;
    assert_eq!(value_of(&client.next().await), "no id");
    assert_eq!(client.since(), start, "a direct message moves nothing");
    let post = node.post(&alice, "with id").await;
    client.next().await;
    assert_eq!(client.since(), id_of(&post));
}

#[tokio::test]
async fn a_position_of_a_poll_is_good_everywhere() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    node.post(&alice, "before").await;
    for transport in Transport::ALL {
        let poll = TestClient::connect(&node, Transport::Poll, "", &alice.query("")).await;
        let since = common::http::encode(poll.poll_since());
        let missed = node.post(&alice, "missed").await;
        let query = alice.query(&format!("users=none&since={since}"));
        let mut client = TestClient::connect(&node, transport, "", &query).await;
        assert_eq!(client.next().await, missed);
        let history = node.history(&alice, &format!("since={since}")).await;
        assert_eq!(history["messages"], json!([missed]));
    }
}

#[tokio::test]
async fn a_poll_without_since_answers_at_once_with_the_list_and_the_position() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    node.post(&alice, "before").await;
    let first = poll(&node, &alice, "wait=25").await;
    let messages: Vec<&str> = first.messages.iter().map(|message| message.get()).collect();
    assert_eq!(messages.len(), 1, "the list alone: {messages:?}");
    assert!(messages[0].contains("\"users\""), "{messages:?}");
    let without = poll(&node, &alice, "wait=25&users=none").await;
    assert!(without.messages.is_empty());
}

#[tokio::test]
async fn a_poll_tells_the_list_only_when_it_differs() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let first = poll(&node, &alice, "wait=0").await;
    let since = common::http::encode(&first.since);
    let same = poll(&node, &alice, &format!("wait=0&since={since}")).await;
    assert!(same.messages.is_empty(), "{:?}", same.messages);
    let bob = node.login().await;
    let since = common::http::encode(&same.since);
    let changed = poll(&node, &alice, &format!("wait=10&since={since}")).await;
    let list = changed.messages[0].get();
    assert!(list.contains(&bob.client_id), "{list}");
    let since = common::http::encode(&changed.since);
    let same = poll(&node, &alice, &format!("wait=0&since={since}")).await;
    assert!(same.messages.is_empty(), "{:?}", same.messages);
}

#[tokio::test]
async fn a_poll_answers_at_once_what_there_is_and_all_of_it_in_time() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let posts = three(&node, &alice).await;
    let answer =
        poll(&node, &alice, &format!("users=none&wait=25&since={}", id_of(&posts[0]))).await;
    let got: Vec<Value> = answer
        .messages
        .iter()
        .map(|message| serde_json::from_str(message.get()).unwrap())
        .collect();
    assert_eq!(got, posts[1..]);
    let since = common::http::encode(&answer.since);
    let empty = poll(&node, &alice, &format!("users=none&wait=0&since={since}")).await;
    assert!(empty.messages.is_empty());
}

#[tokio::test]
async fn a_second_poll_ends_the_first_which_answers_what_it_has() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let start = poll(&node, &alice, "users=none").await.since;
    let target = format!("/poll?users=none&wait=25&since={}", common::http::encode(&start));
    let request = Request::get(&target).bearer(&alice.token);
    let mut first = request.begin(&node).await;
    // The first one is known to wait once a second one ends it; until then there may be more seconds.
    let mut second = request.begin(&node).await;
    let (ended, mut other) = tokio::select! {
        answer = first.response() => (answer, second),
        answer = second.response() => (answer, first),
    };
    assert_eq!(ended.ok()["messages"], json!([]));
    let post = node.post(&alice, "for the one that waits").await;
    assert_eq!(other.response().await.ok()["messages"], json!([post]));
}

/// Opens since a position that cannot be served: a gap, everything kept, and what is live.
async fn gap_and_all_kept(
    node: &TestNode,
    login: &Login,
    transport: Transport,
    (since, posts): (&str, &[Value]),
) {
    let query = login.query(&format!("users=none&since={since}"));
    let mut client = TestClient::connect(node, transport, "", &query).await;
    let gap = json!({ "channel": "", "since": since, "next": id_of(&posts[0]) });
    assert_eq!(client.next().await, json!({ "gap": gap }));
    for post in posts {
        assert_eq!(&client.next().await, post);
    }
}

/// The id of the block that an event stream opens with, which has nothing else to dispatch.
async fn first_block(node: &TestNode, login: &Login, query: &str) -> String {
    use common::client::{Block, Lines};

    let request = Transport::Sse.request("", &login.query(query));
    let mut connection = request.begin(node).await;
    let head = common::guarded("a head", connection.head()).await.unwrap();
    assert_eq!(head.status, 200);
    let mut lines = Lines::new(connection, &head);
    loop {
        let text = common::guarded("a block", lines.take_until(b"\n\n")).await.unwrap();
        let block = Block::of(&text);
        assert!(block.data.is_none() && block.event.is_none(), "it opens with {text:?}");
        if let Some(id) = block.id {
            return id;
        }
    }
}

async fn poll(node: &TestNode, login: &Login, query: &str) -> PollAnswer {
    let request = Request::get(&format!("/poll?{query}")).bearer(&login.token);
    let answer = request.send(node).await;
    answer.ok();
    PollAnswer::of(&answer)
}

async fn data(node: &TestNode, login: &Login, value: &Value) {
    let request = Request::post("/post/data").bearer(&login.token);
    request.json(&json!({ "value": value })).send(node).await.ok();
}

async fn three(node: &TestNode, login: &Login) -> Vec<Value> {
    let mut posts = Vec::new();
    for number in 0..3_u32 {
        posts.push(node.post(login, &number.to_string()).await);
    }
    posts
}

/// A stream that is cut before it tells of a gap must not have moved what its client asks for next.
#[tokio::test]
async fn a_stream_that_begins_with_a_gap_names_no_later_position_before_it() {
    let node =
        TestNode::with_config("[channels.h]\nkind = \"message\"\nhistory = { messages = 2 }").await;
    let alice = node.login().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(id_of(&node.post_to("h", &alice, &number.to_string()).await).to_owned());
    }
    for since in [ids[0].as_str(), "0000abcd-7", "0000abcd-0"] {
        let target = format!("/sse/h?{}", alice.query(&format!("users=none&since={since}")));
        let mut connection = Request::get(&target).begin(&node).await;
        let head = guarded("a head", connection.head()).await.unwrap();
        let mut body = Incoming::new(connection, &head);
        let mut text = Vec::new();
        while text.windows(2).filter(|two| *two == b"\n\n").count() < 2 {
            assert!(guarded("an event", body.more(&mut text)).await);
        }
        let text = String::from_utf8(text).unwrap();
        let mut blocks = text.split("\n\n");
        let opening = blocks.next().unwrap();
        assert!(opening.ends_with(&format!("id: {since}")), "{opening:?}");
        assert!(blocks.next().unwrap().starts_with("data: {\"gap\":"), "{text:?}");
    }
}
