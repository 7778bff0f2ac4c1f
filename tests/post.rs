//! `/post`: what it takes, what it answers, what it refuses (wire.md §3).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::net::{IpAddr, Ipv4Addr};

use common::client::{TestClient, Transport};
use common::http::{Connection, Request};
use common::node::{API_KEY, Login, TestNode, api_key_config};
use common::{HERE, guarded, id_of, value_of};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// Another client's address on the loopback network.
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

#[tokio::test]
async fn form_multipart_and_json_are_answered_alike() {
    let node = TestNode::shipped().await;
    let alice = node.login().await;
    let value = "a = b & c 로비 +1 % \"quoted\"";
    for request in [
        Request::post("/post").form(&[("value", value)]),
        Request::post("/post").multipart(&[("value", value)]),
        Request::post("/post").json(&json!({ "value": value })),
        Request::post("/post/").form(&[("value", value)]),
    ] {
        let answer = request.bearer(&alice.token).send(&node).await;
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        let message = &answer.ok()["message"];
        assert_eq!(message["value"], value);
        assert_eq!(message["client_id"], alice.client_id);
        assert_eq!(message["ip"], HERE.to_string());
        assert!(message["id"].is_string() && message["datetime"].is_string(), "{message}");
    }
}

#[tokio::test]
async fn a_plus_in_a_form_is_a_space() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let request = Request::post("/post").bearer(&alice.token);
    let answer = request.body("application/x-www-form-urlencoded; charset=UTF-8", "value=a+b%2Bc");
    assert_eq!(value_of(&answer.send(&node).await.ok()), "a b+c");
}

#[tokio::test]
async fn datetime_is_rfc_3339_with_microseconds_in_the_zone_configured() {
    for (config, offsets) in
        [("", ["Z", "+00:00"]), ("time_zone = \"Asia/Tokyo\"", ["+09:00", "+09:00"])]
    {
        let node = TestNode::with_config(config).await;
        let alice = node.login().await;
        let answer = node.post(&alice, "now").await;
        let text = answer["message"]["datetime"].as_str().unwrap();
        let offset = offsets.iter().find(|offset| text.ends_with(*offset));
        let offset = offset.unwrap_or_else(|| panic!("{text} in {offsets:?}"));
        let local = text.strip_suffix(*offset).unwrap();
        let (date, time) = local.split_once('T').unwrap();
        assert_eq!(date.len(), "2026-11-21".len(), "{text}");
        let (seconds, fraction) = time.split_once('.').unwrap();
        assert_eq!((seconds.len(), fraction.len()), ("13:20:31".len(), 6), "{text}");
        let told: jiff::Timestamp = text.parse().unwrap();
        let apart = jiff::Timestamp::now().as_second() - told.as_second();
        assert!(apart.abs() <= 60, "{text} is {apart} s away");
    }
}

#[tokio::test]
async fn ids_of_a_channel_rise_by_one_from_one() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for channel in ["", "room"] {
        let mut epoch = None;
        for offset in 1..=5 {
            let answer = node.post_to(channel, &alice, "hi").await;
            let id = id_of(&answer);
            assert_eq!(common::offset_of(id), offset, "{id}");
            assert_eq!(epoch.get_or_insert(common::at_offset(id, 0)), &common::at_offset(id, 0));
        }
    }
}

#[tokio::test]
async fn a_missing_empty_or_odd_value_is_named() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let post = || Request::post("/post").bearer(&alice.token);
    let form = "application/x-www-form-urlencoded";
    for request in [
        post(),
        post().form(&[]),
        post().form(&[("other", "hi")]),
        post().form(&[("value", "")]),
        post().multipart(&[("other", "hi")]),
        post().multipart(&[("value", "")]),
        post().json(&json!({})),
        post().json(&json!({ "value": "" })),
        post().json(&json!({ "value": 5 })),
        post().json(&json!({ "value": null })),
        post().json(&json!({ "value": ["hi"] })),
        post().body(form, "value=%ff%fe"),
        post().body(form, "value=%c3%28"),
        post().body(form, b"value=\xff".to_vec()),
    ] {
        request.send(&node).await.names_field("value");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_bad_request() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let json = "application/json";
    let deep = format!("{{\"value\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let open = format!("{{\"value\":{}", "[".repeat(10_000));
    for body in [
        b"{\"value\":\"\\ud800\"}".to_vec(),
        b"{\"value\":\"\\udc00\\ud800\"}".to_vec(),
        b"{\"value\":\"\xff\"}".to_vec(),
        b"{\"value\":\"hi\"".to_vec(),
        b"[\"hi\"]".to_vec(),
        b"\"hi\"".to_vec(),
        deep.into_bytes(),
        open.into_bytes(),
    ] {
        let request = Request::post("/post").bearer(&alice.token).body(json, body);
        request.send(&node).await.problem(400, "bad-request");
    }
    let cut = Request::post("/post").bearer(&alice.token).body(
        "multipart/form-data; boundary=edge",
        "--edge\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nhi",
    );
    cut.send(&node).await.problem(400, "bad-request");
    node.post(&alice, "nobody was hurt").await;
}

#[tokio::test]
async fn a_surrogate_pair_is_one_character() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let request = Request::post("/post").bearer(&alice.token);
    let answer = request.body("application/json", "{\"value\":\"\\ud83e\\udd80\\u0000\"}");
    assert_eq!(value_of(&answer.send(&node).await.ok()), "\u{1F980}\0");
}

#[tokio::test]
async fn a_nul_in_a_form_arrives_unchanged() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    let value = "a\0b\u{2028}c";
    node.post(&alice, value).await;
    assert_eq!(value_of(&client.next().await), value);
}

#[tokio::test]
async fn a_value_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
    let node = TestNode::with_config("[limits]\nmessage_bytes = 2048").await;
    let alice = node.login().await;
    // Two bytes each: the limit counts bytes, not characters.
    let most = "é".repeat(1024);
    let more = format!("{most}a");
    let forms = |value: &str| {
        let fields = [("value", value)];
        let post = || Request::post("/post").bearer(&alice.token);
        [post().form(&fields), post().multipart(&fields), post().json(&json!({ "value": value }))]
    };
    for request in forms(&most) {
        assert_eq!(value_of(&request.send(&node).await.ok()), most);
    }
    for request in forms(&more) {
        let problem = request.send(&node).await.problem(413, "too-large");
        assert!(problem["detail"].as_str().unwrap().contains("2048"), "{problem}");
    }
}

#[tokio::test]
async fn the_shipped_limit_is_32_kib() {
    let node = TestNode::shipped().await;
    let alice = node.login().await;
    node.post(&alice, &"a".repeat(32_768)).await;
    let fields = [("value", "a".repeat(32_769))];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (*name, &**text)).collect();
    let answer = Request::post("/post").bearer(&alice.token).form(&fields).send(&node).await;
    let problem = answer.problem(413, "too-large");
    assert!(problem["detail"].as_str().unwrap().contains("32768"), "{problem}");
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_unread() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for length in ["10737418240", "2097152"] {
        let request = Request::post("/post")
            .bearer(&alice.token)
            .header("Content-Type", "application/json")
            .header("Content-Length", length);
        request.send(&node).await.problem(413, "too-large");
    }
}

#[tokio::test]
async fn limits_come_before_identity_and_identity_before_fields() {
    let node = TestNode::with_config("[limits]\nmessage_bytes = 2048").await;
    let long = "a".repeat(3000);
    let nobody = Request::post("/post").form(&[("value", &long)]).send(&node).await;
    nobody.problem(413, "too-large");
    let nobody = Request::post("/post").form(&[("other", "hi")]).send(&node).await;
    nobody.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_client_id_alone_does_from_the_address_of_its_login() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let answer = by_id(&alice).send(&node).await.ok();
    assert_eq!(answer["message"]["client_id"], alice.client_id);
    by_id(&alice).from(THERE).send(&node).await.problem(403, "token-required");
    let nobody = Request::post("/post").form(&[("value", "hi"), ("client_id", "nobody")]);
    nobody.send(&node).await.problem(404, "unknown-client");
}

#[tokio::test]
async fn a_client_id_alone_does_from_the_address_of_an_open_connection() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let request = Transport::Stream.request("", &alice.query("users=none")).from(THERE);
    let mut client = TestClient::of_request(&node, Transport::Stream, &request, ("", ""))
        .await
        .unwrap_or_else(|answer| panic!("{answer:?}"));
    let answer = by_id(&alice).from(THERE).send(&node).await.ok();
    assert_eq!(client.next().await, answer);
}

#[tokio::test]
async fn a_client_id_alone_does_not_from_a_page_of_another_origin() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let foreign = by_id(&alice).header("Origin", "https://evil.test");
    foreign.send(&node).await.problem(403, "token-required");
    by_id(&alice).header("Origin", &node.origin()).send(&node).await.ok();

    let page = "https://page.test";
    let login = Request::post("/login").header("Origin", page).send(&node).await.ok();
    let bob = Login::of(&login);
    by_id(&bob).header("Origin", page).send(&node).await.ok();
    by_id(&bob).send(&node).await.ok();
    let foreign = by_id(&bob).header("Origin", "https://evil.test");
    foreign.send(&node).await.problem(403, "token-required");
    by_id(&alice).header("Origin", page).send(&node).await.problem(403, "token-required");
}

#[tokio::test]
async fn a_client_id_alone_does_not_through_a_proxy_we_do_not_trust() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for (name, value) in [("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=127.0.0.1")] {
        let answer = by_id(&alice).header(name, value).send(&node).await;
        answer.problem(403, "token-required");
        let with_token = Request::post("/post").bearer(&alice.token).header(name, value);
        let answer = with_token.form(&[("value", "hi")]).send(&node).await.ok();
        assert_eq!(answer["message"]["ip"], HERE.to_string(), "the header is not believed");
    }
}

#[tokio::test]
async fn a_client_id_alone_can_be_forbidden_altogether() {
    let node = TestNode::with_config("[post]\nrequire_token = true").await;
    let alice = node.login().await;
    by_id(&alice).send(&node).await.problem(403, "token-required");
    node.post(&alice, "a token does").await;
}

#[tokio::test]
async fn neither_token_nor_client_id_is_unauthorized() {
    let node = TestNode::start().await;
    let answer = Request::post("/post").form(&[("value", "hi")]).send(&node).await;
    answer.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_backend_posts_by_its_key() {
    let node = TestNode::with_config(&api_key_config()).await;
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    let post = |fields: &[(&str, &str)]| Request::post("/post").bearer(API_KEY).form(fields);
    let answer = post(&[("value", "from nobody")]).send(&node).await.ok();
    assert_eq!(answer["message"]["client_id"], "");
    assert_eq!(client.next().await, answer);
    let answer = post(&[("value", "named"), ("client_id", "로봇 7")]).send(&node).await.ok();
    assert_eq!(answer["message"]["client_id"], "로봇 7");
    assert_eq!(client.next().await, answer);
    let room = Request::post("/post/room").bearer(API_KEY).form(&[("value", "hi")]);
    room.send(&node).await.ok();
    let long = "a".repeat(257);
    for bad in [long.as_str(), "a\nb"] {
        let answer = post(&[("value", "hi"), ("client_id", bad)]).send(&node).await;
        answer.names_field("client_id");
    }
}

#[tokio::test]
async fn a_wrong_key_or_a_key_in_the_query_is_unauthorized() {
    let node = TestNode::with_config(&api_key_config()).await;
    let fields = [("value", "hi")];
    let wrong = API_KEY.replace('9', "8");
    let answer = Request::post("/post").bearer(&wrong).form(&fields).send(&node).await;
    answer.problem(401, "unauthorized");
    let query = format!("/post?token={API_KEY}");
    Request::post(&query).form(&fields).send(&node).await.problem(401, "unauthorized");
    let shipped = TestNode::shipped().await;
    let answer = Request::post("/post").bearer(API_KEY).form(&fields).send(&shipped).await;
    answer.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_retry_with_its_key_gets_the_first_answer_and_publishes_nothing() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    let first = keyed(&alice, "", "k1", "once").send(&node).await.ok();
    let again = keyed(&alice, "", "k1", "once").send(&node).await.ok();
    assert_eq!(first, again);
    let field = [("value", "once"), ("key", "k1")];
    let by_field = Request::post("/post").bearer(&alice.token).form(&field);
    assert_eq!(by_field.send(&node).await.ok(), first);
    let by_json = json!({ "value": "once", "key": "k1" });
    let by_json = Request::post("/post").bearer(&alice.token).json(&by_json);
    assert_eq!(by_json.send(&node).await.ok(), first);
    assert_eq!(client.next().await, first);
    let after = node.post(&alice, "after").await;
    assert_eq!(client.next().await, after, "nothing between");
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    keyed(&alice, "", "k1", "one").send(&node).await.ok();
    keyed(&alice, "", "k1", "two").send(&node).await.problem(409, "key-reused");
    keyed(&alice, "", "k2", "two").send(&node).await.ok();
}

#[tokio::test]
async fn a_key_belongs_to_one_client_and_channel() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let first = keyed(&alice, "", "k1", "one").send(&node).await.ok();
    let other_room = keyed(&alice, "room", "k1", "two").send(&node).await.ok();
    let other_client = keyed(&bob, "", "k1", "three").send(&node).await.ok();
    assert_ne!(first, other_room);
    assert_eq!(value_of(&other_room), "two");
    assert_eq!(value_of(&other_client), "three");
    assert_eq!(keyed(&alice, "", "k1", "one").send(&node).await.ok(), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_duplicates_publish_once() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    for round in 0..10 {
        let key = format!("round-{round}");
        let requests: Vec<Request> = (0..8).map(|_| keyed(&alice, "", &key, "same")).collect();
        let answers = join_all(requests.iter().map(|request| request.send(&node))).await;
        let answers: Vec<Value> = answers.iter().map(common::http::Response::ok).collect();
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        assert_eq!(client.next().await, answers[0]);
    }
    let after = node.post(&alice, "after").await;
    assert_eq!(client.next().await, after);
}

#[tokio::test]
async fn a_key_has_128_characters_at_most() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    keyed(&alice, "", &"k".repeat(128), "hi").send(&node).await.ok();
    keyed(&alice, "", &"k".repeat(129), "hi").send(&node).await.problem(400, "bad-request");
    let field = [("value", "hi"), ("key", &*"k".repeat(129))];
    let answer = Request::post("/post").bearer(&alice.token).form(&field).send(&node).await;
    answer.names_field("key");
}

#[tokio::test]
async fn a_refused_post_does_not_use_up_its_key() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    keyed(&alice, "", "k1", "").send(&node).await.names_field("value");
    keyed(&alice, "", "k1", "now with a text").send(&node).await.ok();
}

#[tokio::test]
async fn posts_follow_one_another_on_one_connection() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut connection = Connection::open(node.address()).await;
    let mut requests = Vec::new();
    for number in 0..20_u32 {
        let post = Request::post("/post").bearer(&alice.token);
        let post = post.form(&[("value", &number.to_string())]);
        requests.extend(post.bytes(node.address(), true));
    }
    connection.write(&requests).await;
    for number in 0..20_u32 {
        let answer = guarded("an answer", connection.try_response()).await.unwrap().ok();
        assert_eq!(value_of(&answer), number.to_string());
    }
}

/// A post by client id alone.
fn by_id(login: &Login) -> Request {
    Request::post("/post").form(&[("value", "hi"), ("client_id", &login.client_id)])
}

/// A post with an idempotency key.
fn keyed(login: &Login, channel: &str, key: &str, value: &str) -> Request {
    Request::post(&common::node::address("post", channel))
        .bearer(&login.token)
        .header("Idempotency-Key", key)
        .form(&[("value", value)])
}
