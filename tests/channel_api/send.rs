//! `POST /api/send_message`: which texts, to whom, and how they arrive.

use serde_json::{Value, json};

use super::backend::{api, expired, line, node, node_with, node_with_secret, send};
use super::common::client::{Event, TestClient, Transport};
use super::common::http::Request;
use super::common::jwt;
use super::common::node::{API_KEY, Setup, api_key_config};
use super::common::scrape::{delivered, reaches};
use super::common::value_of;

on_every_transport!(
    a_login_gets_what_is_sent_to_its_client,
    any_text_arrives_as_it_was_sent,
    with_text_json_every_text_is_a_json_string,
    texts_wait_with_direct_messages_and_a_gap_tells_of_the_rest,
    texts_are_counted_as_direct_messages,
);

/// Texts that somebody could take for something else, or could lose something of.
const TEXTS: &[&str] = &[
    "hi",
    " leading and trailing ",
    "{\"users\":[]}",
    "{\"close\":{\"code\":4001}}",
    "[1,2]",
    "null",
    "\"quoted\"",
    "data: x",
    ": comment",
    "id: 7",
    "event: close",
    "line one\nline two",
    "\n",
    "ends with a line feed\n",
    "\n\nevent: close\ndata: {\"code\":4001}\n\n",
    "nul \0 inside",
    "tab\tand bell\u{7}",
    "東京 \u{1f642} é e\u{301}",
    "\u{feff}a byte order mark",
    "\u{2028}\u{2029}",
    "</script><!--",
];

fn raw(transport: Transport) -> bool {
    matches!(transport, Transport::Ws | Transport::Sse)
}

async fn a_login_gets_what_is_sent_to_its_client(transport: Transport) {
    let node = node().await;
    let (ann, bob) = (node.login().await, node.login().await);
    let query = "users=none";
    let mut client = TestClient::connect(&node, transport, "", &ann.query(query)).await;
    let mut other = TestClient::connect(&node, transport, "", &bob.query(query)).await;
    let mut room = TestClient::connect(&node, Transport::Ws, "room", &ann.query(query)).await;
    send(&node, &ann.client_id, "\"for Ann\"").await;
    let told = client.next_text().await;
    let json = json!("\"for Ann\"").to_string();
    assert_eq!(told, if raw(transport) { "\"for Ann\"" } else { &json });
    let said = node.post(&bob, "for all").await;
    assert_eq!(client.next().await, said);
    assert_eq!(other.next().await, said);
    let said = node.post_to("room", &bob, "in the room").await;
    assert_eq!(room.next_message().await, said);
    assert_eq!(node.history(&ann, "since=0").await["messages"].as_array().unwrap().len(), 1);
}

async fn any_text_arrives_as_it_was_sent(transport: Transport) {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let mut client = TestClient::connect(&node, transport, "", &ann.query("")).await;
    let long = ["x".repeat(32_767), "é".repeat(16_383), "\u{1f642}\n".repeat(6_553)];
    for text in TEXTS.iter().copied().chain(long.iter().map(String::as_str)) {
        send(&node, "ann", text).await;
        if raw(transport) {
            assert_eq!(client.next_text().await, text);
        } else {
            assert_eq!(client.next().await, *text);
        }
    }
}

async fn with_text_json_every_text_is_a_json_string(transport: Transport) {
    let node = node().await;
    let ann = line(&node, "ann").await;
    send(&node, "ann", "{\"users\":[]}").await;
    let mut client = TestClient::connect(&node, transport, "", &ann.query("text=json")).await;
    assert_eq!(client.next().await, "{\"users\":[]}", "from the inbox");
    for text in TEXTS.iter().chain(&["a\r\nb", "\r", "a\rb"]) {
        send(&node, "ann", text).await;
        let told = client.next_text().await;
        assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), **text);
        assert!(!told.contains(['\u{2028}', '\u{2029}', '\r', '\n', '\0']), "{told:?}");
    }
    let direct = [("value", "a message of ours"), ("to", "ann")];
    let answer = Request::post("/post").bearer(API_KEY).form(&direct).send(&node).await.ok();
    assert_eq!(client.next().await, answer);
    let wrong = TestClient::try_connect(&node, transport, "", &ann.query("text=xml")).await;
    wrong.err().unwrap().names_field("text");
}

#[tokio::test]
async fn over_sse_every_line_break_is_a_line_feed() {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let mut sse = TestClient::connect(&node, Transport::Sse, "", &ann.query("")).await;
    let mut ws = TestClient::connect(&node, Transport::Ws, "", &ann.query("")).await;
    for text in ["a\r\nb", "a\rb", "\r", "\r\n\r\n", "a\n\rb\r"] {
        send(&node, "ann", text).await;
        assert_eq!(ws.next_text().await, text);
        let expected = text.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!(sse.next_text().await, expected, "{text:?}");
    }
}

#[tokio::test]
async fn a_message_has_1_to_32_767_bytes() {
    let node = node_with("[limits]\nmessage_bytes = 100").await;
    let ann = line(&node, "ann").await;
    let mut client = TestClient::connect(&node, Transport::Ws, "", &ann.query("")).await;
    let most = "é".repeat(16_383) + "x";
    let fields = |message| [("client_id", "ann"), ("message", message)];
    for text in ["x", &most] {
        let body = json!({ "client_id": "ann", "message": text });
        api("send_message").json(&body).send(&node).await.ok();
        api("send_message").form(&fields(text)).send(&node).await.ok();
        api("send_message").multipart(&fields(text)).send(&node).await.ok();
        for _ in 0..3 {
            assert_eq!(client.next_text().await, text);
        }
    }
    let over = most.clone() + "x";
    let body = json!({ "client_id": "ann", "message": over });
    for request in [
        api("send_message").json(&body),
        api("send_message").form(&fields(&over)),
        api("send_message").multipart(&fields(&over)),
    ] {
        let problem = request.send(&node).await.problem(413, "too-large");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("message") && detail.contains("32767"), "{problem}");
    }
    for wrong in [json!(""), json!(null), json!(7), json!({ "a": 1 }), json!(["x"]), json!(false)] {
        let body = json!({ "client_id": "ann", "message": wrong });
        api("send_message").json(&body).send(&node).await.names_field("message");
    }
    api("send_message").form(&[("client_id", "ann")]).send(&node).await.names_field("message");
    let bytes = b"client_id=ann&message=%ff%fe".to_vec();
    let request = api("send_message").body("application/x-www-form-urlencoded", bytes);
    request.send(&node).await.names_field("message");
    let lone = r#"{"client_id":"ann","message":"\ud800"}"#;
    let request = api("send_message").body("application/json", lone);
    request.send(&node).await.names_field("message");
    let twice = "client_id=ann&message=a&message=b";
    let request = api("send_message").body("application/x-www-form-urlencoded", twice);
    request.send(&node).await.names_field("message");
    send(&node, "ann", "last").await;
    assert_eq!(client.next_text().await, "last", "nothing of that arrived");
}

#[tokio::test]
async fn a_client_is_named_by_its_id_or_by_a_token_of_it() {
    let node = node_with_secret().await;
    let ann = line(&node, "ann").await;
    let mut client = TestClient::connect(&node, Transport::Ws, "", &ann.query("")).await;
    let newer = line(&node, "ann").await;
    for (name, text) in [("ann", "id"), (&ann.token, "token"), (&newer.token, "newer")] {
        assert_eq!(send(&node, name, text).await, "connections");
        assert_eq!(client.next_text().await, text);
    }
    assert_eq!(send(&node, &expired(&ann.token), "expired").await, "connections");
    assert_eq!(client.next_text().await, "expired");
    let forged = [
        jwt::tamper(&ann.token, &json!({ "sub": "eve" })),
        jwt::resign(&ann.token, "another-secret-of-at-least-32-characters", &json!({})),
        jwt::unsecured(&ann.token),
        format!("{}.x.y", ann.token.split('.').next().unwrap()),
    ];
    for name in &forged {
        let fields = [("client_id", name.as_str()), ("message", "hi")];
        let answer = api("send_message").form(&fields).send(&node).await;
        answer.names_field("client_id");
        assert!(!answer.text().contains(name), "a token is not repeated");
    }
    for name in ["", "a\u{1}b", &"x".repeat(257)] {
        let fields = [("client_id", name), ("message", "hi")];
        api("send_message").form(&fields).send(&node).await.names_field("client_id");
    }
    let body = json!({ "client_id": 7, "message": "hi" });
    api("send_message").json(&body).send(&node).await.names_field("client_id");
    api("send_message").form(&[("message", "hi")]).send(&node).await.names_field("client_id");
    // An id may have dots, too.
    assert_eq!(send(&node, "a.b.c", "hi").await, "nobody");
    line(&node, "a.b.c").await;
    assert_eq!(send(&node, "a.b.c", "hi").await, "inbox");
}

#[tokio::test]
async fn it_is_200_whether_or_not_anyone_is_there() {
    let node = node().await;
    assert_eq!(send(&node, "nobody", "hi").await, "nobody");
    let ann = node.login().await;
    assert_eq!(send(&node, &ann.client_id, "hi").await, "inbox");
    let query = ann.query("users=none");
    let mut client = TestClient::connect(&node, Transport::Sse, "", &query).await;
    assert_eq!(client.event().await, Event::Text("hi".to_owned()));
    assert_eq!(send(&node, &ann.client_id, "again").await, "connections");
    ann.logout(&node).await;
    assert_eq!(send(&node, &ann.client_id, "hi").await, "nobody");
}

async fn texts_wait_with_direct_messages_and_a_gap_tells_of_the_rest(transport: Transport) {
    let node = node().await;
    let bob = node.login().await;
    let ann = line(&node, "ann").await;
    let mut direct = Vec::new();
    for number in 0..50 {
        assert_eq!(send(&node, "ann", &number.to_string()).await, "inbox");
        direct.push(node.direct(&bob, "ann", &number.to_string()).await);
    }
    assert_eq!(send(&node, "ann", "too much").await, "nobody");
    node.direct(&bob, "ann", "too much").await;
    let mut client = TestClient::connect(&node, transport, "", &ann.query("text=json")).await;
    for (number, direct) in direct.iter().enumerate() {
        assert_eq!(client.next().await, number.to_string());
        assert_eq!(client.next().await, *direct);
    }
    assert_eq!(client.next().await, json!({ "gap": { "channel": "", "inbox": 2 } }));
    send(&node, "ann", "live").await;
    assert_eq!(client.next().await, "live");
}

#[tokio::test]
async fn an_inbox_keeps_256_kib_of_texts() {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let text = "x".repeat(32_767);
    for _ in 0..8 {
        assert_eq!(send(&node, "ann", &text).await, "inbox");
    }
    assert_eq!(send(&node, "ann", "12345678").await, "inbox", "to the byte");
    assert_eq!(send(&node, "ann", "x").await, "nobody");
    let mut client = TestClient::connect(&node, Transport::Ws, "", &ann.query("")).await;
    for _ in 0..8 {
        assert_eq!(client.next_text().await, text);
    }
    assert_eq!(client.next_text().await, "12345678");
    assert_eq!(client.next().await, json!({ "gap": { "channel": "", "inbox": 1 } }));
}

async fn texts_are_counted_as_direct_messages(transport: Transport) {
    let node = node().await;
    let ann = line(&node, "ann").await;
    send(&node, "ann", "waits").await;
    let mut client = TestClient::connect(&node, transport, "", &ann.query("text=json")).await;
    send(&node, "ann", "goes").await;
    assert_eq!(client.next().await, "waits");
    assert_eq!(client.next().await, "goes");
    send(&node, "nobody", "nowhere").await;
    let scrape = reaches(&node, &delivered(transport, "direct"), 2).await;
    assert_eq!(scrape.count("pushgate_direct_messages_total{way=\"http\"}"), 2);
    assert_eq!(scrape.sum("pushgate_publications_total"), 0);
    assert_eq!(scrape.sum("pushgate_rejections_total"), 0);
}

/// A text that is sent just when a poll is answered, or a connection ends, waits in the inbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_is_lost_between_polls() {
    const TEXTS: usize = 200;
    let node = node().await;
    let ann = line(&node, "ann").await;
    // Half of what an inbox holds, however slow the poller.
    let ahead = tokio::sync::Semaphore::new(50);
    let sending = async {
        for number in 0..TEXTS {
            ahead.acquire().await.unwrap().forget();
            send(&node, "ann", &number.to_string()).await;
        }
    };
    let polling = async {
        let mut client = TestClient::connect(&node, Transport::Poll, "", &ann.query("")).await;
        let mut heard = Vec::new();
        while heard.len() < TEXTS {
            heard.push(client.next().await.as_str().unwrap().parse::<usize>().unwrap());
            ahead.add_permits(1);
        }
        heard
    };
    let ((), mut heard) = tokio::join!(sending, polling);
    heard.sort_unstable();
    assert_eq!(heard, (0..TEXTS).collect::<Vec<_>>());
}

#[tokio::test]
async fn no_token_and_no_text_is_logged() {
    const TEXT: &str = "a-text-nobody-else-may-read";
    let mut node = Setup::default()
        .config(&api_key_config())
        .env("PUSHGATE_LOG__LEVEL", "trace,pushgate=trace,hyper::proto=trace,axum=trace")
        .start()
        .await;
    let ann = line(&node, "ann").await;
    send(&node, "ann", TEXT).await;
    send(&node, &ann.token, TEXT).await;
    let fields = [("client_id", ann.token.as_str()), ("message", TEXT), ("message", TEXT)];
    api("send_message").form(&fields).send(&node).await.names_field("message");
    api("create_channel").form(&fields).send(&node).await.names_field("client_id");
    for name in ["connect", "poll", "disconnect", "nothing"] {
        let _ = super::backend::command(&node, name, &ann.token).await;
    }
    let _ = super::backend::command(&node, "connect", &format!("{}x", ann.token)).await;
    node.terminate().await;
    let log = node.output();
    assert!(log.contains("/_ah/channel/dev"), "requests are logged: {log}");
    let (message, signature) = ann.token.rsplit_once('.').unwrap();
    let claims = message.split_once('.').unwrap().1;
    for secret in [TEXT, API_KEY, &ann.token, claims, signature] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn nobody_else_is_told_of_a_text() {
    let node = node().await;
    let (ann, bob) = (line(&node, "ann").await, node.login().await);
    let mut page = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let mut own = TestClient::connect(&node, Transport::Ws, "", &ann.query("")).await;
    send(&node, "ann", "for Ann").await;
    assert_eq!(own.next_text().await, "for Ann");
    let said = node.post(&bob, "public").await;
    assert_eq!(value_of(&page.next().await), value_of(&said));
}
