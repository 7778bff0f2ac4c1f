//! Channel names, kinds, and what a token may do on a channel (wire.md §1, §4).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use common::client::{Event, TestClient, Transport};
use common::http::{Request, Response, encode};
use common::node::{Login, Setup, TestNode, address};
use common::{jwt, value_of};
use serde_json::{Value, json};
use tungstenite::Message;

/// The secret of nodes whose tokens a test signs itself.
const SECRET: &str = "a-secret-of-the-channel-tests-0123456789";

/// The verbs that have a channel in their address.
const VERBS: [&str; 7] = ["post", "ws", "sse", "stream", "poll", "users", "history"];

#[tokio::test]
async fn names_are_letters_and_digits_of_any_script() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for name in ["로비", "東京", "Łódź", "a-b_c.d~e", "...", "A1/b2/c3/d4", "٣", "Ωmega/ß"]
    {
        let channel: Vec<String> = name.split('/').map(encode).collect();
        let channel = channel.join("/");
        let mut client =
            TestClient::connect(&node, Transport::Ws, &channel, &alice.query("users=none")).await;
        let answer = node.post_to(&channel, &alice, name).await;
        assert_eq!(client.next().await, answer, "{name}");
    }
}

#[tokio::test]
async fn names_are_compared_in_nfc() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let composed = encode("로비");
    let decomposed = encode("\u{1105}\u{1169}\u{1107}\u{1175}");
    assert_ne!(composed, decomposed);
    let query = alice.query("users=none");
    let mut one = TestClient::connect(&node, Transport::Ws, &composed, &query).await;
    let mut other = TestClient::connect(&node, Transport::Sse, &decomposed, &query).await;
    for channel in [&decomposed, &composed] {
        let answer = node.post_to(channel, &alice, "hi").await;
        assert_eq!(one.next().await, answer);
        assert_eq!(other.next().await, answer);
    }
}

#[tokio::test]
async fn names_differ_by_case() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "Room", &alice.query("users=none")).await;
    node.post_to("room", &alice, "lower").await;
    node.post_to("Room", &alice, "upper").await;
    assert_eq!(value_of(&client.next().await), "upper");
}

#[tokio::test]
async fn bad_names_are_refused_by_every_verb() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let long = "a".repeat(65);
    let wide = encode(&"로".repeat(65));
    let heavy = [encode(&"로".repeat(64)), encode(&"비".repeat(22))].join("/");
    let deep = vec!["a"; 300].join("/");
    let bytes_256 = ["a".repeat(64), "b".repeat(63), "c".repeat(63), "d".repeat(63)].join("/");
    let names = [
        "..",
        "%2e%2e",
        "%2E.",
        ".",
        "a/..",
        "a/%2e/b",
        "a/../b",
        "a/b/c/d/e",
        &deep,
        &long,
        &wide,
        &heavy,
        &bytes_256,
        "%zz",
        "%",
        "%4",
        "%ff",
        "%c3%28",
        "%ed%a0%80",
        "a%20b",
        "a%00b",
        "a%0ab",
        "a+b",
        "a$b",
        "a,b",
        "a:b",
        "a@b",
        "*",
        "%2a",
        "a//b",
        "%F0%9F%A6%80",
        "a%3Fb",
        "%E2%80%AE",
    ];
    for verb in VERBS {
        for name in names {
            let answer = attempt(&node, &alice, verb, name).await;
            assert_eq!(answer.status, 400, "{verb} {name}: {answer:?}");
            answer.problem(400, "bad-channel");
        }
    }
}

#[tokio::test]
async fn names_at_their_bounds_are_taken() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let bytes_255 = ["a", "b", "c", "d"].map(|letter| letter.repeat(63)).join("/");
    assert_eq!(bytes_255.len(), 255);
    for name in ["a".repeat(64), encode(&"로".repeat(64)), bytes_255, "a/b/c/d".to_owned()] {
        node.post_to(&name, &alice, "hi").await;
    }
}

#[tokio::test]
async fn a_trailing_slash_is_the_same_address_for_every_verb() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for channel in ["", "room", "room/below"] {
        let answer = node.post_to(&format!("{channel}/"), &alice, "hi").await;
        for target in [address("history", channel), format!("{}/", address("history", channel))] {
            let history = Request::get(&format!("{target}?since=0")).bearer(&alice.token);
            let history = history.send(&node).await.ok();
            assert_eq!(history["messages"], json!([answer]), "{target}");
        }
        for verb in VERBS {
            let answer = attempt(&node, &alice, verb, &format!("{channel}/")).await;
            assert!(matches!(answer.status, 101 | 200), "{verb} {channel:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_channel_that_is_off_is_unknown_to_every_verb() {
    let config =
        "[channels.\"secret/*\"]\nkind = \"off\"\n[channels.\"secret/open\"]\nkind = \"message\"";
    let node = TestNode::with_config(config).await;
    let alice = node.login().await;
    for verb in VERBS {
        let answer = attempt(&node, &alice, verb, "secret/room").await;
        answer.problem(404, "unknown-channel");
    }
    node.post_to("secret/open", &alice, "the most specific name wins").await;
    node.post_to("secret", &alice, "a pattern is not its parent").await;
    node.post_to("secret/a/b", &alice, "a star is one segment").await;
}

#[tokio::test]
async fn all_other_channels_can_be_switched_off() {
    let node = TestNode::with_config("[channels.\"**\"]\nkind = \"off\"").await;
    let alice = node.login().await;
    for name in ["room", "a/b/c/d"] {
        for verb in VERBS {
            attempt(&node, &alice, verb, name).await.problem(404, "unknown-channel");
        }
    }
    node.post(&alice, "the root stays").await;
}

#[tokio::test]
async fn a_channel_is_made_by_its_first_use_with_a_token_alone() {
    let node = TestNode::shipped().await;
    for verb in VERBS {
        let answer = Request::get(&address(verb, "room"));
        let answer = match verb {
            "post" => Request::post("/post/room").form(&[("value", "hi")]),
            "ws" => common::ws::upgrade("/ws/room"),
            _ => answer,
        };
        answer.send(&node).await.problem(401, "unauthorized");
    }
    let alice = node.login().await;
    node.post_to("room", &alice, "hi").await;
}

#[tokio::test]
async fn json_keeps_digits_and_order_of_keys_and_is_compacted() {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let alice = node.login().await;
    let sent =
        "{ \"b\" : 1.00, \"a\": 12345678901234567890123,\n\"c\": [ 1E5, -0.0 ], \"b2\": \"x y\" }";
    let kept = "{\"b\":1.00,\"a\":12345678901234567890123,\"c\":[1E5,-0.0],\"b2\":\"x y\"}";
    let mut clients = Vec::new();
    for transport in Transport::ALL {
        clients.push(TestClient::connect(&node, transport, "data", &alice.query("")).await);
    }
    let body = format!("{{\"value\":{sent}}}");
    let post = || Request::post("/post/data").bearer(&alice.token);
    post().body("application/json", body).send(&node).await.ok();
    post().form(&[("value", sent)]).send(&node).await.ok();
    post().multipart(&[("value", sent)]).send(&node).await.ok();
    clients[0].send(sent).await;
    for client in &mut clients {
        for _ in 0..4 {
            assert_eq!(client.next_text().await, kept);
        }
    }
}

#[tokio::test]
async fn json_takes_any_value_and_nothing_else() {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, Transport::Ws, "data", &alice.query("")).await;
    let post =
        |value: &str| Request::post("/post/data").bearer(&alice.token).form(&[("value", value)]);
    for value in ["null", "true", "5", "\"text\"", "[]", "{}", "\"\\u2028\\u0000\""] {
        post(value).send(&node).await.ok();
        let expected: Value = serde_json::from_str(value).unwrap();
        assert_eq!(client.next().await, expected);
    }
    for value in ["hi", "{", "[1,]", "1 2", "NaN", "{\"a\":\"\\ud800\"}", &"[".repeat(10_000)] {
        post(value).send(&node).await.names_field("value");
    }
    post("\"after\"").send(&node).await.ok();
    assert_eq!(client.next().await, json!("after"));
}

#[tokio::test]
async fn json_that_is_none_is_told_to_its_sender_each_time() {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, Transport::Ws, "data", &alice.query("")).await;
    let mut other = TestClient::connect(&node, Transport::Ws, "data", &bob.query("")).await;
    for _ in 0..3 {
        client.send("{not json").await;
        assert!(client.next().await["error"].is_object());
    }
    client.send("{\"x\":1}").await;
    assert_eq!(client.next_text().await, "{\"x\":1}");
    assert_eq!(other.next_text().await, "{\"x\":1}", "others heard of no error");
}

#[tokio::test]
async fn echo_answers_text_and_binary_to_the_sender_alone() {
    let node = TestNode::with_config("[channels.echo]\nkind = \"echo\"").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, Transport::Ws, "echo", &alice.query("")).await;
    let mut other = TestClient::connect(&node, Transport::Ws, "echo", &bob.query("")).await;
    for text in ["hi", "", "not json {", "로비 \u{2028} \0"] {
        client.send(text).await;
        assert_eq!(client.event().await, Event::Text(text.to_owned()));
    }
    for bytes in [vec![], vec![0, 255, 128], vec![7; 30_000]] {
        client.send_message(Message::binary(bytes.clone())).await;
        assert_eq!(client.event().await, Event::Binary(bytes));
    }
    other.send("mine").await;
    assert_eq!(other.event().await, Event::Text("mine".to_owned()), "nothing of Alice's");
}

#[tokio::test]
async fn echo_is_never_on_unless_defined() {
    let node = TestNode::shipped().await;
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "echo", &alice.query("users=none")).await;
    client.send("hi").await;
    assert!(client.next().await["error"].is_object(), "a channel of kind message");
}

#[tokio::test]
async fn an_anonymous_channel_can_be_used_without_a_token() {
    let node = TestNode::with_config("[channels.open]\nkind = \"message\"\nanonymous = true").await;
    let mut first = TestClient::connect(&node, Transport::Ws, "open", "users=none").await;
    let mut second = TestClient::connect(&node, Transport::Ws, "open", "users=none").await;
    let mut others = Vec::new();
    for transport in Transport::ALL {
        others.push(TestClient::connect(&node, transport, "open", "users=none").await);
    }
    first.send("{\"value\":\"one\"}").await;
    let one = first.next().await;
    assert_eq!(second.next().await, one);
    second.send("{\"value\":\"two\"}").await;
    let two = second.next().await;
    assert_eq!(first.next().await, two);
    let ids = [&one["message"]["client_id"], &two["message"]["client_id"]];
    assert!(ids.iter().all(|id| id.as_str().is_some_and(|id| !id.is_empty())), "{ids:?}");
    assert_ne!(ids[0], ids[1], "each has one of its own");
    for client in &mut others {
        assert_eq!(client.next().await, one);
        assert_eq!(client.next().await, two);
    }
}

#[tokio::test]
async fn a_token_on_an_anonymous_channel_is_checked_all_the_same() {
    let node = TestNode::with_config("[channels.open]\nkind = \"message\"\nanonymous = true").await;
    for transport in Transport::ALL {
        let answer = TestClient::try_connect(&node, transport, "open", "token=garbage").await;
        let Err(answer) = answer else { panic!("{transport:?} opened with a bad token") };
        answer.problem(401, "unauthorized");
    }
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "open", &alice.query("users=none")).await;
    client.send("{\"value\":\"as Alice\"}").await;
    assert_eq!(client.next().await["message"]["client_id"], alice.client_id);
}

#[tokio::test]
async fn a_token_may_be_limited_to_channels() {
    let node = Setup::default().config("").env("PUSHGATE_SECRET", SECRET).start().await;
    let alice = node.login().await;
    let limited = |channels: Value| Login {
        client_id: alice.client_id.clone(),
        token: jwt::resign(&alice.token, SECRET, &json!({ "channels": channels })),
    };
    let reader = limited(json!([{ "channel": "news/*", "may": "r" }]));
    let writer = limited(json!([{ "channel": "news/*", "may": "w" }]));
    let both = limited(json!([
        { "channel": "news/*", "may": "rw" },
        { "channel": "room/**", "may": "r" },
    ]));
    let read = ["ws", "sse", "stream", "poll", "users", "history"];
    let cases: [(&Login, &str, &[&str], &[&str]); 5] = [
        (&reader, "news/today", &read, &["post"]),
        (&reader, "room", &[], &VERBS),
        (&writer, "news/today", &["post"], &["sse", "stream", "poll", "history"]),
        (&both, "news/today", &VERBS, &[]),
        (&both, "room/a/b", &read, &["post"]),
    ];
    for (login, channel, allowed, forbidden) in cases {
        for verb in allowed {
            let answer = attempt(&node, login, verb, channel).await;
            assert!(matches!(answer.status, 101 | 200), "{verb} {channel}: {answer:?}");
        }
        for verb in forbidden {
            attempt(&node, login, verb, channel).await.problem(403, "forbidden");
        }
    }
    attempt(&node, &reader, "post", "").await.problem(403, "forbidden");
    attempt(&node, &both, "sse", "news/a/b").await.problem(403, "forbidden");
}

#[tokio::test]
async fn what_a_reader_says_on_its_socket_is_not_published() {
    let node = Setup::default().config("").env("PUSHGATE_SECRET", SECRET).start().await;
    let alice = node.login().await;
    let may = json!({ "channels": [{ "channel": "news", "may": "r" }] });
    let token = jwt::resign(&alice.token, SECRET, &may);
    let query = format!("token={token}&users=none");
    let mut reader = TestClient::connect(&node, Transport::Ws, "news", &query).await;
    reader.send("{\"value\":\"never\"}").await;
    assert!(reader.next().await["error"].is_object());
    let answer = node.post_to("news", &alice, "news").await;
    assert_eq!(reader.next().await, answer);
    let history = Request::get("/history/news?since=0").bearer(&alice.token).send(&node).await.ok();
    assert_eq!(history["messages"], json!([answer]));
}

/// The head of what a verb answers for a channel; a stream is not followed.
async fn attempt(node: &TestNode, login: &Login, verb: &str, channel: &str) -> Response {
    let target = address(verb, channel);
    let request = match verb {
        "post" => Request::post(&target).form(&[("value", "hi")]),
        "ws" => common::ws::upgrade(&target),
        "history" => Request::get(&format!("{target}?since=0")),
        _ => Request::get(&target),
    };
    let mut connection = request.bearer(&login.token).begin(node).await;
    if matches!(verb, "ws" | "sse" | "stream") {
        let head = common::guarded("a head", connection.head()).await.expect("an answer");
        if matches!(head.status, 101 | 200) {
            return head;
        }
        let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
        let body = common::guarded("a body", connection.take(length)).await.unwrap();
        return Response { body, ..head };
    }
    connection.response().await
}
