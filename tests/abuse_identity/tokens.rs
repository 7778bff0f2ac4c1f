//! Tokens that are none, and tokens that are another's.

use serde_json::{Value, json};

use super::common::client::{TestClient, Transport};
use super::common::http::{Request, Response, encode};
use super::common::node::TestNode;
use super::common::value_of;
use super::common::ws::upgrade;

/// Part of every token that is made up here: no answer may repeat it.
const MARK: &str = "MARK0123456789mark";

#[tokio::test]
async fn tokens_that_are_none_get_a_code_and_no_echo() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let (body, signature) = alice.token.rsplit_once('.').unwrap();
    let (_, others) = bob.token.rsplit_once('.').unwrap();
    let claims = body.split_once('.').unwrap().1;
    let long = MARK.repeat(60_000 / MARK.len());
    let tokens = [
        String::new(),
        " ".to_owned(),
        MARK.to_owned(),
        format!("{MARK}.{MARK}.{MARK}"),
        format!("{body}.{others}"),
        format!("{body}.{}", signature.to_uppercase()),
        format!("{body}."),
        format!("{body}.{}", &signature[..signature.len() - 1]),
        format!("{}a", alice.token),
        format!("{}=", alice.token),
        format!("{}.", alice.token),
        format!("{}.{MARK}", alice.token),
        format!("{}\0", alice.token),
        format!("\0{}", alice.token),
        format!("{} {}", alice.token, bob.token),
        format!("{},{}", alice.token, bob.token),
        format!(".{claims}.{signature}"),
        "..".to_owned(),
        "\u{1F980}".to_owned(),
        "null".to_owned(),
        "undefined".to_owned(),
        "[object Object]".to_owned(),
        long.clone(),
        format!("{}.{long}", alice.token),
    ];
    for token in &tokens {
        let what = token.get(..60).unwrap_or(token);
        for (place, request) in in_every_place(token) {
            let answer = request.send(&node).await;
            // Longer than a head may be, it is refused as that.
            let too_long = matches!(answer.status, 414 | 431) && token.len() > 8000;
            let refused = matches!(answer.status, 400 | 401) || too_long;
            assert!(refused, "{what:?} by {place}: {answer:?}");
            repeats_nothing(&answer, &[MARK, signature, claims], &format!("{what:?} by {place}"));
        }
    }
    let list = node.users(&alice).await;
    assert_eq!(list["count"], 2, "nobody new came of it: {list}");
}

/// A request with `token` in each place that one may stand in.
fn in_every_place(token: &str) -> Vec<(&'static str, Request)> {
    let encoded = encode(token);
    let fields = [("value", "hi"), ("token", token)];
    let mut requests = vec![
        ("form", Request::post("/post").form(&fields)),
        ("multipart", Request::post("/post").multipart(&fields)),
        ("JSON", Request::post("/post").json(&json!({ "value": "hi", "token": token }))),
        ("JSON of a login", Request::post("/login").json(&json!({ "token": token }))),
        ("query of a post", Request::post(&format!("/post?token={encoded}"))),
        ("query of a login", Request::get(&format!("/login?token={encoded}"))),
        ("query of a stream", Request::get(&format!("/stream?token={encoded}"))),
        ("query of a socket", upgrade(&format!("/ws?token={encoded}"))),
    ];
    if !token.contains('\0') {
        requests.push(("header", Request::get("/users").bearer(token)));
    }
    // A comma there begins another protocol, and what stands before it is a token of its own.
    if !token.contains(['\0', ',']) {
        let protocol = format!("pushgate.v1, bearer.{token}");
        requests.push(("protocol", upgrade("/ws").header("Sec-WebSocket-Protocol", &protocol)));
    }
    requests
}

#[tokio::test]
async fn a_token_that_is_no_text_is_refused() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for token in [json!([alice.token]), json!({ "a": alice.token }), json!(5), json!(true)] {
        for target in ["/post", "/login", "/logout"] {
            let body = json!({ "value": "hi", "token": token });
            let answer = Request::post(target).json(&body).send(&node).await;
            answer.names_field("token");
            repeats_nothing(&answer, &[&alice.token], target);
        }
    }
    for name in ["token[]", "token[0]", "Token", "token "] {
        let fields = [("value", "hi"), (name, alice.token.as_str())];
        let answer = Request::post("/post").form(&fields).send(&node).await;
        answer.problem(401, "unauthorized");
        let target = format!("/users?{}={}", encode(name), alice.token);
        Request::get(&target).send(&node).await.problem(401, "unauthorized");
    }
    for header in ["Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "bearer", "Token x", ""] {
        let request = Request::get("/users").header("Authorization", header);
        request.send(&node).await.problem(401, "unauthorized");
    }
    let glued = format!("Bearer{}", alice.token);
    let answer = Request::get("/users").header("Authorization", &glued).send(&node).await;
    answer.problem(401, "unauthorized");
    repeats_nothing(&answer, &[&alice.token], "no space");
    let renewed = node.post(&alice, "the genuine one still works").await;
    assert_eq!(renewed["message"]["client_id"], alice.client_id);
}

#[tokio::test]
async fn nobody_speaks_as_another_client() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut listener =
        TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let fields = [("value", "forged"), ("client_id", bob.client_id.as_str())];
    let all = [fields[0], fields[1], ("token", alice.token.as_str())];
    let by_query = format!("/post?client_id={}", bob.client_id);
    let of_both = format!("{by_query}&{}", alice.query(""));
    let json = json!({ "value": "forged", "client_id": bob.client_id });
    let post = || Request::post("/post").bearer(&alice.token);
    for request in [
        post().form(&fields),
        post().multipart(&fields),
        post().json(&json),
        Request::post("/post").form(&all),
        Request::post("/post").multipart(&all),
        Request::post(&by_query).bearer(&alice.token).form(&[("value", "forged")]),
        Request::post(&of_both).form(&[("value", "forged")]),
        Request::post("/post/room").bearer(&alice.token).form(&fields),
        Request::post("/logout").bearer(&alice.token).form(&fields),
        Request::post("/login").bearer(&alice.token).form(&fields),
    ] {
        request.send(&node).await.problem(403, "forbidden");
    }
    // What a socket says of itself is not asked for.
    let mut speaker =
        TestClient::connect(&node, Transport::Ws, "", &alice.query("users=none")).await;
    let forged = json!({
        "value": "mine", "client_id": bob.client_id, "ip": "192.0.2.1", "datetime": "then", "id": "x-1",
        "message": { "client_id": bob.client_id }, "token": bob.token,
    });
    speaker.send(&forged.to_string()).await;
    let message = listener.next().await;
    assert_eq!(value_of(&message), "mine");
    assert_eq!(message["message"]["client_id"], alice.client_id, "{message}");
    assert_eq!(message["message"]["ip"], "127.0.0.1", "{message}");
    assert_ne!(message["message"]["id"], "x-1", "{message}");
    let list: Value = node.users(&bob).await;
    assert_eq!(list["count"], 2, "both are still there: {list}");
}

#[track_caller]
fn repeats_nothing(answer: &Response, secrets: &[&str], what: &str) {
    let said = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
    for secret in secrets {
        assert!(!said.contains(secret), "{what}: {said}");
    }
    assert!(answer.body.len() < 1000, "{what}: {said}");
}
