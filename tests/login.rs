//! `/login`, `/logout` and tokens (wire.md §2).

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
use common::http::{Request, Response};
use common::node::{API_KEY, Login, Setup, TestNode, api_key_config};
use common::ws::{RawSocket, upgrade};
use common::{HERE, ids_on, is_on, jwt, value_of};
use serde_json::json;

/// The secret of nodes whose tokens a test signs itself.
const SECRET: &str = "a-secret-of-the-login-tests-0123456789";

#[tokio::test]
async fn a_login_answers_id_token_life_and_users() {
    let node = TestNode::shipped().await;
    for method in ["GET", "POST"] {
        let answer = Request::new(method, "/login").send(&node).await.ok();
        let login = Login::of(&answer);
        let id = uuid::Uuid::parse_str(&login.client_id).unwrap();
        assert_eq!(id.get_version_num(), 4, "{id} is random");
        assert_eq!(answer["expires_in"], 7200);
        assert!(is_on(&answer, &login.client_id), "{answer}");
        let own = answer["users"]
            .as_array()
            .unwrap()
            .iter()
            .find(|user| user["client_id"] == login.client_id.as_str())
            .unwrap();
        assert_eq!(own, &json!({ "client_id": login.client_id, "ip": HERE.to_string() }));
    }
}

#[tokio::test]
async fn a_login_without_a_body_or_with_an_empty_one_is_enough() {
    let node = TestNode::start().await;
    for request in [
        Request::post("/login").form(&[]),
        Request::post("/login").json(&json!({})),
        Request::post("/login/"),
        Request::get("/login/"),
    ] {
        let _ = Login::of(&request.send(&node).await.ok());
    }
}

#[tokio::test]
async fn a_token_is_a_jwt_with_the_claims_of_the_contract() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let (header, claims) = jwt::read(&alice.token);
    assert_eq!(header["alg"], "HS256");
    assert_eq!(claims["sub"], alice.client_id);
    let (minted, until) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    assert_eq!(until - minted, 7200);
    assert!(claims["jti"].is_string(), "{claims}");
    assert!(claims.get("channels").is_none(), "absent is everything: {claims}");
}

#[tokio::test]
async fn the_life_of_a_token_is_configurable() {
    let node = TestNode::with_config("[tokens]\nseconds = 60").await;
    let answer = Request::post("/login").send(&node).await.ok();
    assert_eq!(answer["expires_in"], 60);
    let (_, claims) = jwt::read(answer["token"].as_str().unwrap());
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
}

#[tokio::test]
async fn a_name_comes_by_query_form_or_json_and_is_listed() {
    let node = TestNode::start().await;
    let name = "로비 'n' Łukasz";
    for request in [
        Request::get(&format!("/login?name={}", common::http::encode(name))),
        Request::post(&format!("/login?name={}", common::http::encode(name))),
        Request::post("/login").form(&[("name", name)]),
        Request::post("/login").json(&json!({ "name": name })),
    ] {
        let answer = request.send(&node).await.ok();
        let users = answer["users"].as_array().unwrap();
        let own = users.iter().find(|user| user["client_id"] == answer["client_id"]).unwrap();
        assert_eq!(own["name"], name);
    }
}

#[tokio::test]
async fn an_empty_name_is_none() {
    let node = TestNode::start().await;
    for request in [
        Request::get("/login?name="),
        Request::post("/login").form(&[("name", "")]),
        Request::post("/login").json(&json!({ "name": "" })),
    ] {
        let answer = request.send(&node).await.ok();
        for user in answer["users"].as_array().unwrap() {
            assert!(user.get("name").is_none(), "{user}");
        }
    }
}

#[tokio::test]
async fn a_name_has_64_characters_at_most_and_none_that_control() {
    let node = TestNode::start().await;
    let longest = "로".repeat(64);
    node.login_as(&longest).await;
    for bad in ["로".repeat(65), "a\nb".into(), "a\u{0}".into(), "\u{7f}".into(), "\u{85}".into()]
    {
        let form = Request::post("/login").form(&[("name", &bad)]).send(&node).await;
        form.names_field("name");
        let json = Request::post("/login").json(&json!({ "name": bad })).send(&node).await;
        json.names_field("name");
    }
    Request::post("/login").json(&json!({ "name": 5 })).send(&node).await.names_field("name");
}

#[tokio::test]
async fn the_caller_never_chooses_the_client_id() {
    let node = TestNode::start().await;
    for request in [
        Request::get("/login?client_id=chosen"),
        Request::post("/login").form(&[("client_id", "chosen")]),
        Request::post("/login").json(&json!({ "client_id": "chosen" })),
    ] {
        let answer = request.send(&node).await;
        if answer.status == 200 {
            assert_ne!(answer.json()["client_id"], "chosen");
        }
    }
    let list = node.users(&node.login().await).await;
    assert!(!is_on(&list, "chosen"));
}

#[tokio::test]
async fn users_none_leaves_the_list_out() {
    let node = TestNode::start().await;
    let answer = Request::get("/login?users=none").send(&node).await.ok();
    assert!(answer.get("users").is_none(), "{answer}");
    let alice = Login::of(&answer);
    assert!(is_on(&node.users(&alice).await, &alice.client_id), "present all the same");
}

#[tokio::test]
async fn text_plain_is_the_bare_token_and_a_newline() {
    let node = TestNode::start().await;
    let answer = Request::get("/login").header("Accept", "text/plain").send(&node).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    let token = answer.text().strip_suffix('\n').unwrap();
    let (_, claims) = jwt::read(token);
    let users = Request::get("/users").bearer(token).send(&node).await.ok();
    assert!(is_on(&users, claims["sub"].as_str().unwrap()));
}

#[tokio::test]
async fn everyone_present_gets_a_users_push_at_a_login() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, Transport::Ws, "", &alice.query("")).await;
    assert_eq!(client.next().await["count"], 1);
    let bob = node.login_as("Bob").await;
    let list = client.next().await;
    assert!(is_on(&list, &bob.client_id) && is_on(&list, &alice.client_id), "{list}");
    assert_eq!(list["count"], 2);
}

#[tokio::test]
async fn a_renewal_keeps_the_client_id() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for request in [
        Request::post("/login").bearer(&alice.token),
        Request::get(&format!("/login?{}", alice.query(""))),
        Request::post("/login").form(&[("token", &alice.token)]),
        Request::post("/login").json(&json!({ "token": alice.token })),
    ] {
        let renewed = Login::of(&request.send(&node).await.ok());
        assert_eq!(renewed.client_id, alice.client_id);
        assert_ne!(renewed.token, alice.token);
    }
    assert_eq!(node.users(&alice).await["count"], 1);
}

#[tokio::test]
async fn a_renewal_ends_nothing_by_itself() {
    let node = TestNode::start().await;
    let older = node.login().await;
    let mut client =
        TestClient::connect(&node, Transport::Ws, "", &older.query("users=none")).await;
    let newer = older.renewed(&node).await;
    node.post(&newer, "by the newer").await;
    node.post(&older, "by the older").await;
    assert_eq!(value_of(&client.next().await), "by the newer");
    assert_eq!(value_of(&client.next().await), "by the older");
    let mut second =
        TestClient::connect(&node, Transport::Ws, "", &older.query("users=none")).await;
    node.post(&older, "to both").await;
    assert_eq!(value_of(&client.next().await), "to both");
    assert_eq!(value_of(&second.next().await), "to both");
}

#[tokio::test]
async fn connecting_with_a_newer_token_ends_the_older_ones() {
    let mut node = TestNode::start().await;
    let oldest = node.login().await;
    let older = oldest.renewed(&node).await;
    let newer = older.renewed(&node).await;
    let query = older.query("users=none");
    let mut first = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let mut second = TestClient::connect(&node, Transport::Sse, "elsewhere", &query).await;
    let mut kept = TestClient::connect(&node, Transport::Ws, "", &newer.query("users=none")).await;
    assert_eq!(first.end().await, Event::Closed(Some(4002)));
    assert_eq!(second.end().await, Event::Closed(Some(4002)));
    for ended in [&oldest, &older] {
        refused(&node, &ended.token).await.problem(401, "token-invalid");
        let renewal = Request::post("/login").bearer(&ended.token).send(&node).await;
        renewal.problem(401, "token-invalid");
    }
    node.post(&newer, "still here").await;
    assert_eq!(value_of(&kept.next().await), "still here");
    drop(kept);

    node.terminate().await;
    node.start_again().await;
    refused(&node, &older.token).await.problem(401, "token-invalid");
    refused(&node, &oldest.token).await.problem(401, "token-invalid");
    node.post(&newer, "after a restart").await;
}

#[tokio::test]
async fn a_logout_ends_presence_connections_and_tokens() {
    let mut node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let renewed = alice.renewed(&node).await;
    let query = alice.query("users=none");
    let mut ws = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let mut elsewhere = TestClient::connect(&node, Transport::Ws, "elsewhere", &query).await;
    // That it was good a moment ago counts for nothing.
    node.post(&alice, "before").await;
    assert_eq!(ws.next_message().await["message"]["value"], "before");
    alice.logout(&node).await;
    assert_eq!(ids_on(&node.users(&bob).await), [bob.client_id.as_str()]);
    assert_eq!(ws.end().await, Event::Closed(Some(4002)));
    assert_eq!(elsewhere.end().await, Event::Closed(Some(4002)));
    refused(&node, &alice.token).await.problem(401, "token-invalid");
    refused(&node, &renewed.token).await.problem(401, "token-invalid");
    let again = Request::post("/logout").bearer(&alice.token).send(&node).await;
    again.problem(401, "token-invalid");
    node.post(&bob, "others go on").await;

    node.restart().await;
    refused(&node, &alice.token).await.problem(401, "token-invalid");
    refused(&node, &renewed.token).await.problem(401, "token-invalid");
    node.post(&bob, "others go on after a restart").await;
}

#[tokio::test]
async fn a_logout_takes_its_token_from_the_form_too() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let answer = Request::post("/logout").form(&[("token", &alice.token)]).send(&node).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(answer.body.is_empty());
    Request::post("/logout").send(&node).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_client_that_was_logged_out_may_log_in_as_another() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    alice.logout(&node).await;
    let again = node.login().await;
    assert_ne!(again.client_id, alice.client_id);
    assert_eq!(ids_on(&node.users(&again).await), [again.client_id.as_str()]);
}

#[tokio::test]
async fn tokens_outlive_a_restart_and_the_key_is_for_our_eyes_only() {
    use std::os::unix::fs::PermissionsExt;

    let mut node = TestNode::start().await;
    let alice = node.login().await;
    node.restart().await;
    node.post(&alice, "the same key signs").await;
    let modes: Vec<u32> = std::fs::read_dir(node.data_dir())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(std::fs::Metadata::is_file)
        .map(|about| about.permissions().mode() & 0o777)
        .collect();
    assert!(modes.contains(&0o600), "no file of mode 0600 in {:?}", node.data_dir());
}

#[tokio::test]
async fn a_closed_login_takes_renewals_only() {
    let mut node = TestNode::start().await;
    let alice = node.login().await;
    node.restart_with("[login]\nopen = false").await;
    Request::get("/login").send(&node).await.problem(403, "forbidden");
    Request::post("/login").form(&[("name", "Eve")]).send(&node).await.problem(403, "forbidden");
    let renewed = alice.renewed(&node).await;
    assert_eq!(renewed.client_id, alice.client_id);
    Request::post("/login").bearer("no.such.token").send(&node).await.any_problem(401);
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let node = Setup::default().config("").env("PUSHGATE_SECRET", SECRET).start().await;
    let alice = node.login().await;
    let (header, claims) = jwt::read(&alice.token);
    let genuine = jwt::sign(SECRET, &header, &claims);
    Request::get("/users").bearer(&genuine).send(&node).await.ok();

    let other = "another-key-altogether-0123456789-0123456789";
    let unsigned = json!({ "alg": "none", "typ": "JWT" });
    let stronger = json!({ "alg": "HS512", "typ": "JWT" });
    let altered = json!({ "sub": node.login().await.client_id });
    let longer = json!({ "exp": claims["exp"].as_u64().unwrap() + 1 });
    let (body, _) = alice.token.rsplit_once('.').unwrap();
    for forged in [
        jwt::unsecured(&alice.token),
        jwt::sign(SECRET, &unsigned, &claims),
        jwt::sign(SECRET, &stronger, &claims),
        jwt::sign(other, &header, &claims),
        jwt::tamper(&alice.token, &altered),
        jwt::tamper(&alice.token, &longer),
        format!("{body}.{}", "A".repeat(43)),
    ] {
        refused(&node, &forged).await.problem(401, "token-invalid");
    }
    node.post(&alice, "the genuine one still works").await;
    for altered in [jwt::tamper(&alice.token, &altered), format!("{body}.{}", "A".repeat(43))] {
        refused(&node, &altered).await.problem(401, "token-invalid");
    }
}

#[tokio::test]
async fn a_token_that_has_posted_expires_all_the_same() {
    let node = Setup::default().config("").env("PUSHGATE_SECRET", SECRET).start().await;
    let alice = node.login().await;
    let (_, claims) = jwt::read(&alice.token);
    let soon = json!({ "exp": claims["iat"].as_u64().unwrap() + 3 });
    let short = jwt::resign(&alice.token, SECRET, &soon);
    let request = Request::post("/post").bearer(&short).form(&[("value", "again")]);
    let post = async || request.send(&node).await;
    assert_eq!(post().await.status, 200);
    let refused = loop {
        let answer = post().await;
        if answer.status != 200 {
            break answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    refused.problem(401, "token-expired");
}

#[tokio::test]
async fn an_expired_token_is_told_apart_from_an_altered_one() {
    let node = Setup::default().config("").env("PUSHGATE_SECRET", SECRET).start().await;
    let alice = node.login().await;
    let (_, claims) = jwt::read(&alice.token);
    let minted = claims["iat"].as_u64().unwrap();
    let past = json!({ "iat": minted - 7200, "exp": minted - 3600 });
    let expired = jwt::resign(&alice.token, SECRET, &past);
    refused(&node, &expired).await.problem(401, "token-expired");
    Request::post("/login").bearer(&expired).send(&node).await.problem(401, "token-expired");
    Request::post("/logout").bearer(&expired).send(&node).await.problem(401, "token-expired");
    let altered = jwt::tamper(&alice.token, &past);
    refused(&node, &altered).await.problem(401, "token-invalid");
}

#[tokio::test]
async fn a_token_of_another_server_is_invalid() {
    let (here, there) = (TestNode::start().await, TestNode::start().await);
    let alice = there.login().await;
    refused(&here, &alice.token).await.problem(401, "token-invalid");
}

#[tokio::test]
async fn a_text_that_is_no_token_is_unauthorized() {
    let node = TestNode::start().await;
    for text in ["garbage", "eyJhbGciOiJIUzI1NiJ9", "{}", "0123456789abcdef0123456789abcdef"] {
        refused(&node, text).await.problem(401, "unauthorized");
        let query = format!("/users?token={}", common::http::encode(text));
        Request::get(&query).send(&node).await.problem(401, "unauthorized");
    }
    let alice = node.login().await;
    let (body, signature) = alice.token.rsplit_once('.').unwrap();
    let long = "A".repeat(6000);
    for text in [body, &format!("{}.{long}", alice.token), &format!("{body}."), signature, &long] {
        refused(&node, text).await.any_problem(401);
    }
}

#[tokio::test]
async fn a_token_comes_by_header_query_or_form() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let fields = [("value", "hi")];
    let with_token = [("value", "hi"), ("token", alice.token.as_str())];
    for request in [
        Request::post("/post").bearer(&alice.token).form(&fields),
        Request::post(&format!("/post?{}", alice.query(""))).form(&fields),
        Request::post("/post").form(&with_token),
        Request::post("/post").multipart(&with_token),
        Request::post("/post").json(&json!({ "value": "hi", "token": alice.token })),
        Request::post("/post")
            .header("authorization", &format!("bearer {}", alice.token))
            .form(&fields),
    ] {
        let answer = request.send(&node).await.ok();
        assert_eq!(answer["message"]["client_id"], alice.client_id);
    }
}

#[tokio::test]
async fn a_token_comes_by_subprotocol_and_the_other_one_is_selected() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let offer = format!("pushgate.v1, bearer.{}", alice.token);
    let request = upgrade("/ws?users=none").header("Sec-WebSocket-Protocol", &offer);
    let mut socket = RawSocket::upgraded(request.begin(&node).await).await;
    assert_eq!(socket.answer.header("sec-websocket-protocol"), Some("pushgate.v1"));
    node.post(&alice, "hi").await;
    assert!(socket.next().await.unwrap().text().contains("\"hi\""));
}

#[tokio::test]
async fn a_lone_bearer_subprotocol_is_echoed() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let offer = format!("bearer.{}", alice.token);
    let request = upgrade("/ws?users=none").header("Sec-WebSocket-Protocol", &offer);
    let socket = RawSocket::upgraded(request.begin(&node).await).await;
    assert_eq!(socket.answer.header("sec-websocket-protocol"), Some(offer.as_str()));
}

#[tokio::test]
async fn a_bad_token_in_the_subprotocol_is_refused_before_the_upgrade() {
    let node = TestNode::start().await;
    let request = upgrade("/ws").header("Sec-WebSocket-Protocol", "pushgate.v1, bearer.garbage");
    request.send(&node).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn two_different_tokens_are_a_bad_request() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = format!("/post?{}", alice.query(""));
    let both = Request::post(&query).bearer(&bob.token).form(&[("value", "hi")]);
    both.send(&node).await.problem(400, "bad-request");
    let both = Request::post(&query).form(&[("value", "hi"), ("token", &bob.token)]);
    both.send(&node).await.problem(400, "bad-request");
    let both =
        Request::post("/post").bearer(&alice.token).form(&[("value", "hi"), ("token", &bob.token)]);
    both.send(&node).await.problem(400, "bad-request");
    let both = upgrade(&format!("/ws?{}", alice.query("")))
        .header("Sec-WebSocket-Protocol", &format!("bearer.{}", bob.token));
    both.send(&node).await.problem(400, "bad-request");
    let twice = Request::post(&query).bearer(&alice.token).form(&[("value", "hi")]);
    assert_eq!(twice.send(&node).await.ok()["message"]["client_id"], alice.client_id);
}

#[tokio::test]
async fn a_token_and_another_client_id_disagree() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let fields = [("value", "hi"), ("client_id", bob.client_id.as_str())];
    let answer = Request::post("/post").bearer(&alice.token).form(&fields).send(&node).await;
    answer.problem(403, "forbidden");
    let fields = [("value", "hi"), ("client_id", alice.client_id.as_str())];
    let answer = Request::post("/post").bearer(&alice.token).form(&fields).send(&node).await.ok();
    assert_eq!(answer["message"]["client_id"], alice.client_id);
}

#[tokio::test]
async fn no_token_key_or_text_reaches_the_log_even_at_trace() {
    let mut node = Setup::default()
        .config(&api_key_config())
        .env("PUSHGATE_LOG__LEVEL", "trace")
        .env("PUSHGATE_SECRET", SECRET)
        .start()
        .await;
    let alice = node.login().await;
    let renewed = alice.renewed(&node).await;
    let text = "a-text-nobody-else-may-read";
    let offer = format!("pushgate.v1, bearer.{}", renewed.token);
    let mut clients = Vec::new();
    for transport in Transport::ALL {
        let query = alice.query("users=none");
        clients.push(TestClient::connect(&node, transport, "", &query).await);
    }
    Request::post("/post").form(&[("value", text), ("token", &alice.token)]).send(&node).await.ok();
    Request::post("/post").bearer(API_KEY).form(&[("value", text)]).send(&node).await.ok();
    for client in &mut clients {
        assert_eq!(value_of(&client.next().await), text);
    }
    let request = upgrade("/ws").header("Sec-WebSocket-Protocol", &offer);
    let _ = RawSocket::upgraded(request.begin(&node).await).await;
    let altered = jwt::tamper(&renewed.token, &json!({ "exp": 1 }));
    refused(&node, &altered).await.problem(401, "token-invalid");
    Request::get(&format!("/nowhere?token={altered}")).send(&node).await.any_problem(404);
    Request::get(&format!("/users?token={API_KEY}")).send(&node).await.any_problem(401);
    renewed.logout(&node).await;
    node.terminate().await;

    let log = node.output();
    assert!(log.contains("listening on"), "the log was captured: {log}");
    for secret in [&alice.token, &renewed.token, &altered, API_KEY, SECRET, text] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    for token in [&alice.token, &renewed.token] {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!log.contains(signature), "a part of a token is in the log:\n{log}");
    }
}

/// The answer to a request with a token that must not do.
async fn refused(node: &TestNode, token: &str) -> Response {
    Request::post("/post").bearer(token).form(&[("value", "never")]).send(node).await
}
