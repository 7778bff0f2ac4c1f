//! Texts that try to be more than texts.

use serde_json::{Value, json};

use super::common::client::{Event, TestClient, Transport};
use super::common::http::{Request, find};
use super::common::node::{API_KEY, TestNode, api_key_config};
use super::common::{guarded, value_of};

/// Each would end a line, an event, a string or a script for somebody.
const TEXTS: [&str; 24] = [
    "\r",
    "\n",
    "\r\n",
    "a\rb",
    "a\n\nb",
    "\r\r\n\n",
    "\n\ndata: {\"message\":{\"value\":\"forged\"}}\n\n",
    "\r\rid: 9-9\r\rdata: x\r\r",
    "x\nevent: close\ndata: {\"code\":4001}\n\n",
    "id: 1\nretry: 1\n: comment",
    "\u{2028}",
    "a\u{2029}b",
    "\u{85}\u{b}\u{c}\u{1c}",
    "\0",
    "\u{1}\u{1f}\u{7f}\u{9b}",
    "\"",
    "\\",
    "\\\",\"client_id\":\"forged\",\"x\":\"",
    "</script><script>alert(1)</script>",
    "<!--<img src=x onerror=alert(1)>-->]]>",
    "' onload='x",
    "\u{feff}\u{202e}\u{fffe}",
    ": \ta ",
    "}}\n{\"close\":{\"code\":4001}}\n",
];

on_every_transport!(a_text_is_one_message_and_unchanged, a_name_is_a_name_and_nothing_more);

async fn a_text_is_one_message_and_unchanged(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, transport, "", &alice.query("users=none")).await;
    let mut speaker =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    let post = || Request::post("/post").bearer(&alice.token);
    let mut posted = Vec::new();
    for text in TEXTS {
        for request in [
            post().form(&[("value", text)]),
            post().json(&json!({ "value": text })),
            post().multipart(&[("value", text)]),
        ] {
            let answer = request.send(&node).await.ok();
            assert_eq!(value_of(&answer), text, "the answer");
            assert_eq!(one_line(&mut client).await, answer, "{text:?}");
            assert_eq!(speaker.next().await, answer);
            posted.push(answer);
        }
        speaker.send(&json!({ "value": text }).to_string()).await;
        let message = one_line(&mut client).await;
        assert_eq!(value_of(&message), text, "from a socket");
        assert_eq!(speaker.next().await, message);
        posted.push(message);
    }
    let history = node.history(&alice, "since=0&limit=1000").await;
    assert_eq!(history["messages"], json!(posted));
    // The resume is another way to write the same.
    let mut again =
        TestClient::connect(&node, transport, "", &alice.query("users=none&since=0")).await;
    for message in &posted {
        assert_eq!(&one_line(&mut again).await, message);
    }
}

async fn a_name_is_a_name_and_nothing_more(transport: Transport) {
    let node = TestNode::with_config(&api_key_config()).await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, transport, "", &alice.query("")).await;
    one_line(&mut client).await;
    for name in ["</script>", "\"}],\"count\":0,\"x\":[{\"", "\u{2028}\u{2029}", "\\u0000", "'<!--"]
    {
        let login = node.login_as(name).await;
        let list = one_line(&mut client).await;
        let entries = list["users"].as_array().unwrap();
        let own = entries.iter().find(|user| user["client_id"] == login.client_id.as_str());
        assert_eq!(own.unwrap()["name"], name, "{list}");
        for entry in entries {
            for member in entry.as_object().unwrap().keys() {
                assert!(["client_id", "ip", "name"].contains(&member.as_str()), "{list}");
            }
        }
        login.logout(&node).await;
        one_line(&mut client).await;
    }
    // Nor is a client id that a backend names.
    let id = "\"</script>\u{2028}\\";
    let post = Request::post("/post").bearer(API_KEY).form(&[("value", "hi"), ("client_id", id)]);
    let answer = post.send(&node).await.ok();
    let message = one_line(&mut client).await;
    assert_eq!(message, answer);
    assert_eq!(message["message"]["client_id"], id);
}

/// The next message, which is one line and nothing that an old page could not `eval`.
async fn one_line(client: &mut TestClient) -> Value {
    let Event::Text(raw) = client.event().await else { panic!("no message") };
    let ends_a_line = |letter: char| letter < ' ' || matches!(letter, '\u{2028}' | '\u{2029}');
    assert!(!raw.contains(ends_a_line), "{raw:?}");
    serde_json::from_str(&raw).unwrap()
}

#[tokio::test]
async fn an_event_is_three_lines_byte_for_byte() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let request = Transport::Sse.request("", &alice.query("users=none"));
    let mut connection = request.begin(&node).await;
    guarded("a head", connection.head()).await.unwrap();
    let (mut stream, mut raw) = connection.into_parts();
    for text in TEXTS {
        node.post(&alice, text).await;
    }
    node.post(&alice, "the last one").await;
    while find(&raw, b"the last one").is_none() {
        let read = tokio::io::AsyncReadExt::read_buf(&mut stream, &mut raw);
        assert!(guarded("more of the stream", read).await.unwrap() > 0);
    }
    let text = String::from_utf8(raw).unwrap();
    let lines: Vec<&str> = text.split("\r\n").flat_map(|piece| piece.split('\n')).collect();
    let starting = |lead: &str| lines.iter().filter(|line| line.starts_with(lead)).count();
    assert_eq!(starting("data:"), TEXTS.len() + 1, "one a message: {text}");
    assert_eq!(starting("id:"), TEXTS.len() + 2, "and one for where it opened: {text}");
    assert_eq!(starting("event:"), 0, "{text}");
    assert_eq!(starting("retry:"), 1, "{text}");
    assert!(lines.iter().all(|line| !line.contains('\r')), "{text}");
}

#[tokio::test]
async fn an_error_on_a_socket_is_one_message_whatever_it_speaks_of() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    for text in TEXTS {
        for said in [text.to_owned(), json!({ "value": "hi", "to": text }).to_string()] {
            client.send(&said).await;
            let error = one_line(&mut client).await;
            assert!(error["error"]["code"].is_string(), "{said:?}: {error}");
        }
    }
}
