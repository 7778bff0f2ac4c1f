//! `/history` and the bounds of what is kept (wire.md §4, "History").

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::{API_KEY, Login, TestNode, api_key_config};
use common::{at_offset, id_of, offset_of, until, value_of};
use serde_json::{Value, json};
use tokio::time::Instant;

#[tokio::test]
async fn since_goes_forward_oldest_first() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let posts = count(&node, &alice, 7).await;
    let first = node.history(&alice, "since=0&limit=3").await;
    assert_eq!(first["messages"], json!(posts[..3]));
    assert_eq!(first["since"], id_of(&posts[2]));
    assert_eq!(first["more"], true);
    assert!(first.get("gap").is_none(), "{first}");

    let next = node.history(&alice, &format!("since={}&limit=3", id_of(&posts[2]))).await;
    assert_eq!(next["messages"], json!(posts[3..6]));
    assert_eq!(next["more"], true);
    let last = node.history(&alice, &format!("since={}&limit=3", id_of(&posts[5]))).await;
    assert_eq!(last["messages"], json!(posts[6..]));
    assert_eq!(last["since"], id_of(&posts[6]));
    assert_eq!(last["more"], false);
    let rest = node.history(&alice, &format!("since={}", id_of(&posts[6]))).await;
    assert_eq!(rest["messages"], json!([]));
    assert_eq!(rest["more"], false);
}

#[tokio::test]
async fn before_goes_back_newest_first() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let posts = count(&node, &alice, 5).await;
    let back = node.history(&alice, &format!("before={}&limit=2", id_of(&posts[4]))).await;
    assert_eq!(back["messages"], json!([posts[3], posts[2]]));
    assert_eq!(back["since"], id_of(&posts[3]));
    assert_eq!(back["more"], true);
    let rest = node.history(&alice, &format!("before={}&limit=2", id_of(&posts[2]))).await;
    assert_eq!(rest["messages"], json!([posts[1], posts[0]]));
    assert_eq!(rest["more"], false);
    let rest = node.history(&alice, &format!("before={}", id_of(&posts[0]))).await;
    assert_eq!(rest["messages"], json!([]));
    assert_eq!(rest["more"], false);
}

#[tokio::test]
async fn a_limit_is_clamped_not_refused() {
    let node = TestNode::with_config(
        "[channels.\"\"]\nhistory = { messages = 2000, seconds = 600, bytes = 10485760 }",
    )
    .await;
    let alice = node.login().await;
    node.poster(&alice, "").await.count(0..1005).await;
    for (limit, kept) in
        [("", 100), ("&limit=100000", 1000), ("&limit=0", 1), ("&limit=1000", 1000)]
    {
        let history = node.history(&alice, &format!("since=0{limit}")).await;
        assert_eq!(history["messages"].as_array().unwrap().len(), kept, "{limit:?}");
        assert_eq!(history["more"], true);
    }
}

#[tokio::test]
async fn each_is_the_object_that_was_delivered() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let answer = node.post_to("room", &alice, "hi \u{2028}").await;
    let raw = Request::get("/history/room?since=0").bearer(&alice.token).send(&node).await;
    assert_eq!(raw.ok()["messages"], json!([answer]));
    assert!(raw.text().contains("\\u2028"), "{}", raw.text());
}

#[tokio::test]
async fn a_start_later_than_asked_is_told_as_gap() {
    let node = TestNode::with_config(
        "[channels.\"**\"]\nhistory = { messages = 5, seconds = 600, bytes = 1048576 }",
    )
    .await;
    let alice = node.login().await;
    let mut posts = Vec::new();
    for number in 0..10_u32 {
        posts.push(node.post_to("room", &alice, &number.to_string()).await);
    }
    let get = |query: String| {
        let request = Request::get(&format!("/history/room?{query}")).bearer(&alice.token);
        let node = &node;
        async move { request.send(node).await.ok() }
    };
    let since = id_of(&posts[1]);
    let history = get(format!("since={since}")).await;
    assert_eq!(history["messages"], json!(posts[5..]), "exactly the newest five");
    let gap = json!({ "channel": "room", "since": since, "next": id_of(&posts[5]) });
    assert_eq!(history["gap"], gap);
    let whole = get("since=0".to_owned()).await;
    assert_eq!(whole["messages"], json!(posts[5..]));
    assert!(whole.get("gap").is_none(), "since=0 is never a gap: {whole}");
    let edge = get(format!("since={}", id_of(&posts[4]))).await;
    assert_eq!(edge["messages"], json!(posts[5..]));
    assert!(edge.get("gap").is_none(), "nothing is missing: {edge}");
    let future = at_offset(since, 1000);
    let history = get(format!("since={future}")).await;
    assert_eq!(history["gap"]["since"], json!(future), "{history}");
    let stranger = get("since=zzzz9999-3".to_owned()).await;
    assert_eq!(stranger["gap"]["next"], id_of(&posts[5]));
    assert_eq!(stranger["messages"], json!(posts[5..]));
}

#[tokio::test]
async fn going_back_from_where_nothing_is_kept_is_told_as_gap() {
    let node = TestNode::with_config(
        "[channels.\"**\"]\nhistory = { messages = 5, seconds = 600, bytes = 1048576 }",
    )
    .await;
    let alice = node.login().await;
    let mut posts = Vec::new();
    for number in 0..10_u32 {
        posts.push(node.post_to("room", &alice, &number.to_string()).await);
    }
    let newest_first = |from: usize, to: usize| {
        let mut page = posts[from..to].to_vec();
        page.reverse();
        json!(page)
    };
    let get = |before: String| {
        let request = Request::get(&format!("/history/room?before={before}")).bearer(&alice.token);
        let node = &node;
        async move { request.send(node).await.ok() }
    };
    let id = |index: usize| id_of(&posts[index]).to_owned();
    let page = get(id(8)).await;
    assert_eq!(page["messages"], newest_first(5, 8));
    assert_eq!(page["more"], false);
    assert!(page.get("gap").is_none(), "nothing is missing right before it: {page}");
    let next = get(at_offset(&id(9), 11)).await;
    assert_eq!(next["messages"], newest_first(5, 10));
    assert!(next.get("gap").is_none(), "before what comes next: {next}");
    let first = get(id(0)).await;
    assert_eq!(first["messages"], json!([]));
    assert!(first.get("gap").is_none(), "nothing was ever before the first: {first}");

    // Trimmed: what came before the sixth is not kept any more.
    for asked in [id(5), id(3), id(1)] {
        let page = get(asked.clone()).await;
        let gap = json!({ "channel": "room", "since": asked, "next": id(5) });
        assert_eq!((&page["messages"], &page["gap"]), (&json!([]), &gap));
        assert_eq!(page["since"], id(4), "everything that is kept comes after it");
        assert_eq!(page["more"], false);
    }
    // From the future: all that is kept came before, and a part that was asked for is not there.
    let future = at_offset(&id(9), 1000);
    let page = get(future.clone()).await;
    assert_eq!(page["messages"], newest_first(5, 10));
    assert_eq!(page["gap"], json!({ "channel": "room", "since": future, "next": id(5) }));
    // Of another epoch: what is kept came after it.
    let page = get("zzzz9999-3".to_owned()).await;
    assert_eq!(page["messages"], json!([]));
    assert_eq!(page["gap"], json!({ "channel": "room", "since": "zzzz9999-3", "next": id(5) }));
    let rest = Request::get(&format!("/history/room?since={}", page["since"].as_str().unwrap()));
    let rest = rest.bearer(&alice.token).send(&node).await.ok();
    assert_eq!(rest["messages"], json!(posts[5..]));
    assert!(rest.get("gap").is_none(), "{rest}");
}

#[tokio::test]
async fn a_position_that_is_none_is_a_bad_request() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for query in [
        "since=garbage!",
        "since=k3x9-",
        "since=-5",
        "since=k3x9-abc",
        "since=",
        "before=garbage!",
        "before=",
        "before=5",
        "before=k3x9-99999999999999999999",
        "since=0&before=0",
    ] {
        let request = Request::get(&format!("/history?{query}")).bearer(&alice.token);
        request.send(&node).await.problem(400, "bad-request");
    }
}

#[tokio::test]
async fn it_needs_a_token_or_an_api_key_unless_anonymous() {
    let config =
        format!("{}[channels.open]\nkind = \"message\"\nanonymous = true", api_key_config());
    let node = TestNode::with_config(&config).await;
    let alice = node.login().await;
    node.post(&alice, "hi").await;
    node.post_to("open", &alice, "hi").await;
    let get = |target| Request::get(target);
    get("/history?since=0").send(&node).await.problem(401, "unauthorized");
    get("/history/room?since=0").send(&node).await.problem(401, "unauthorized");
    let by_key = get("/history?since=0").bearer(API_KEY).send(&node).await.ok();
    assert_eq!(by_key["messages"].as_array().unwrap().len(), 1);
    let open = get("/history/open?since=0").send(&node).await.ok();
    assert_eq!(open["messages"].as_array().unwrap().len(), 1);
    get("/history/open?since=0").bearer("garbage").send(&node).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_channel_nobody_used_has_none() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let request = Request::get("/history/quiet?since=0").bearer(&alice.token);
    let history = request.send(&node).await.ok();
    assert_eq!(history["messages"], json!([]));
    assert_eq!(history["more"], false);
}

#[tokio::test]
async fn the_bytes_kept_are_bounded() {
    let node = TestNode::with_config(
        "[channels.\"\"]\nhistory = { messages = 1000, seconds = 600, bytes = 20000 }",
    )
    .await;
    let alice = node.login().await;
    let mut last = 0;
    for number in 0..40_u32 {
        let answer = node.post(&alice, &format!("{number:04}{}", "a".repeat(996))).await;
        last = offset_of(id_of(&answer));
    }
    let history = node.history(&alice, "since=0").await;
    let kept = history["messages"].as_array().unwrap();
    // A text of 1000 bytes takes that much at least, and not half as much again.
    assert!((13..=20).contains(&kept.len()), "{} are kept", kept.len());
    let first = last + 1 - kept.len() as u64;
    for (message, offset) in kept.iter().zip(first..) {
        assert_eq!(offset_of(id_of(message)), offset, "the newest, with no hole");
    }
}

#[tokio::test]
async fn the_time_kept_is_bounded() {
    let node = TestNode::with_config(
        "[channels.\"\"]\nhistory = { messages = 1000, seconds = 1, bytes = 1048576 }",
    )
    .await;
    let alice = node.login().await;
    // A channel with a subscriber is not freed, so its order goes on when its history is empty.
    let _subscriber =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    let start = Instant::now();
    let posted = node.post(&alice, "brief").await;
    let history = node.history(&alice, "since=0").await;
    assert_eq!(history["messages"], json!([posted]));
    let empty = |history: &Value| history["messages"] == json!([]);
    until("an empty history", || node.history(&alice, "since=0"), empty).await;
    let lived = start.elapsed();
    assert!(lived >= Duration::from_secs(1), "kept for {lived:?} only");
    let after = node.post(&alice, "after").await;
    assert_eq!(offset_of(id_of(&after)), offset_of(id_of(&posted)) + 1, "ids go on");
    let history = node.history(&alice, &format!("since={}", id_of(&posted))).await;
    assert_eq!(history["messages"], json!([after]));
    assert!(history.get("gap").is_none(), "nothing after it was lost: {history}");
}

#[tokio::test]
async fn values_without_ids_come_in_an_envelope() {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let alice = node.login().await;
    let request = Request::post("/post/data").bearer(&alice.token);
    request.json(&json!({ "value": { "b": 1, "a": [true] } })).send(&node).await.ok();
    let raw = Request::get("/history/data?since=0").bearer(&alice.token).send(&node).await;
    let history = raw.ok();
    let message = &history["messages"][0];
    assert_eq!(message["data"], json!({ "b": 1, "a": [true] }));
    assert_eq!(message["id"], history["since"]);
    assert!(raw.text().contains("{\"a\":[true],\"b\":1}"), "{}", raw.text());
}

/// Posts the numbers from zero and gives the answers.
async fn count(node: &TestNode, login: &Login, posts: u32) -> Vec<Value> {
    let mut answers = Vec::new();
    for number in 0..posts {
        let answer = node.post(login, &number.to_string()).await;
        assert_eq!(value_of(&answer), number.to_string());
        answers.push(answer);
    }
    answers
}

#[tokio::test]
async fn a_position_of_before_the_restart_is_a_gap_also_on_a_channel_that_nobody_uses() {
    let mut node = TestNode::start().await;
    let alice = node.login().await;
    let said = node.post_to("room", &alice, "before").await;
    let since = said["message"]["id"].as_str().unwrap().to_owned();
    node.restart().await;
    for query in ["since", "before"] {
        let target = format!("/history/room?{query}={since}");
        let history = Request::get(&target).bearer(&alice.token).send(&node).await.ok();
        assert_eq!(history["gap"]["since"], since.as_str(), "{history}");
        assert_eq!(history["messages"], json!([]));
    }
}
