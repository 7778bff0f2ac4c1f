//! `POST /api/create_channel`.

use serde_json::{Value, json};

use super::backend::{api, create, line, node, node_with, send};
use super::common::client::{Event, TestClient, Transport};
use super::common::http::Request;
use super::common::node::{API_KEY, Login, TestNode};
use super::common::{ids_on, jwt, value_of};

fn claims(login: &Login) -> Value {
    jwt::read(&login.token).1
}

fn life(login: &Login) -> u64 {
    let claims = claims(login);
    claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap()
}

#[tokio::test]
async fn the_answer_is_a_token_that_nobody_may_store() {
    let node = node().await;
    let body = json!({ "client_id": "ann" });
    let answer = api("create_channel").json(&body).send(&node).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = answer.ok();
    assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["token"]);
    let (_, claims) = jwt::read(answer["token"].as_str().unwrap());
    assert_eq!(claims["sub"], "ann");
    assert_eq!(claims["line"], true);
}

#[tokio::test]
async fn its_life_is_what_the_backend_asks_for() {
    let node = node_with("[tokens]\nseconds = 300").await;
    assert_eq!(life(&line(&node, "ann").await), 300);
    for minutes in [1, 60, 1440] {
        let body = json!({ "client_id": "ann", "duration_minutes": minutes });
        assert_eq!(life(&create(&node, &body).await), minutes * 60);
    }
    let null = json!({ "client_id": "ann", "duration_minutes": null, "channels": null });
    let null = create(&node, &null).await;
    assert_eq!((life(&null), &claims(&null)["line"]), (300, &json!(true)));
}

#[tokio::test]
async fn the_fields_come_as_a_form_or_multipart_too() {
    let node = node().await;
    let grants = r#"[{"channel":"chat/*","may":"r"}]"#;
    let fields = [("client_id", "東京"), ("duration_minutes", "5"), ("channels", grants)];
    for request in [api("create_channel").form(&fields), api("create_channel").multipart(&fields)] {
        let answer = request.send(&node).await.ok();
        let (_, claims) = jwt::read(answer["token"].as_str().unwrap());
        assert_eq!(claims["sub"], "東京");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
        assert_eq!(claims["channels"], json!([{ "channel": "chat/*", "may": "r" }]));
        assert!(claims.get("line").is_none(), "{claims}");
    }
}

#[tokio::test]
async fn a_client_id_has_1_to_256_bytes_without_control_characters() {
    let node = node().await;
    for client in ["a", "ann@example.test", &"é".repeat(128), "\"quoted\\\" \u{1f642}"] {
        assert_eq!(claims(&line(&node, client).await)["sub"], *client);
    }
    let long = "é".repeat(128) + "x";
    let wrong = [json!(""), json!(null), json!(7), json!(["a"]), json!("a\u{1}b"), json!("a\nb")];
    for client in wrong.into_iter().chain([json!(long)]) {
        let body = json!({ "client_id": client });
        api("create_channel").json(&body).send(&node).await.names_field("client_id");
    }
    api("create_channel").form(&[]).send(&node).await.names_field("client_id");
    let bytes = b"client_id=%ff".to_vec();
    let request = api("create_channel").body("application/x-www-form-urlencoded", bytes);
    request.send(&node).await.names_field("client_id");
}

#[tokio::test]
async fn a_duration_that_is_none_is_refused_by_its_name() {
    let node = node().await;
    let wrong = [
        json!(0),
        json!(1441),
        json!(-1),
        json!(1.5),
        json!(60.0),
        json!("60"),
        json!(true),
        json!([60]),
        json!(18_446_744_073_709_551_615_u64),
    ];
    for minutes in wrong {
        let body = json!({ "client_id": "ann", "duration_minutes": minutes });
        let answer = api("create_channel").json(&body).send(&node).await;
        answer.names_field("duration_minutes");
    }
    for minutes in ["", " 60", "60 ", "+60", "0x10", "1e2", "six", "99999999999999999999999", "0"] {
        let fields = [("client_id", "ann"), ("duration_minutes", minutes)];
        let answer = api("create_channel").form(&fields).send(&node).await;
        answer.names_field("duration_minutes");
    }
}

#[tokio::test]
async fn grants_that_are_none_are_refused_by_their_name() {
    let node = node().await;
    let wrong = [
        json!("[]"),
        json!({}),
        json!(7),
        json!(["chat"]),
        json!([{ "channel": "chat" }]),
        json!([{ "may": "r" }]),
        json!([{ "channel": "chat", "may": "x" }]),
        json!([{ "channel": "chat", "may": null }]),
        json!([{ "channel": "a//b", "may": "r" }]),
        json!([{ "channel": 7, "may": "r" }]),
    ];
    for channels in wrong {
        let body = json!({ "client_id": "ann", "channels": channels });
        api("create_channel").json(&body).send(&node).await.names_field("channels");
    }
    for channels in ["", "null", "chat", "[", "[{\"channel\":\"a\",\"may\":\"r\"}] x"] {
        let fields = [("client_id", "ann"), ("channels", channels)];
        api("create_channel").form(&fields).send(&node).await.names_field("channels");
    }
    let grant = json!({ "channel": format!("chat/{}", "a".repeat(60)), "may": "rw" });
    let body = json!({ "client_id": "ann", "channels": vec![grant; 60] });
    let answer = api("create_channel").json(&body).send(&node).await;
    let problem = answer.problem(413, "too-large");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("channels") && detail.contains("4096"), "{problem}");
}

#[tokio::test]
async fn only_a_backend_makes_channels_and_sends() {
    let node = node().await;
    let ann = node.login().await;
    let bare = |verb: &str| Request::post(&format!("/api/{verb}"));
    let fields = [("client_id", "ann"), ("message", "hi")];
    for verb in ["create_channel", "send_message"] {
        bare(verb).form(&fields).send(&node).await.problem(401, "unauthorized");
        for wrong in [ann.token.as_str(), "not-the-api-key-of-this-node", ""] {
            let request = bare(verb).bearer(wrong).form(&fields);
            request.send(&node).await.problem(401, "unauthorized");
        }
        let query = Request::post(&format!("/api/{verb}?token={API_KEY}")).form(&fields);
        query.send(&node).await.problem(401, "unauthorized");
        let answer = Request::get(&format!("/api/{verb}")).bearer(API_KEY).send(&node).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
        let text = api(verb).body("text/plain", "client_id=ann").send(&node).await;
        text.problem(415, "unsupported-media-type");
    }
    let without = TestNode::start().await;
    api("create_channel").form(&fields).send(&without).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_token_with_grants_is_a_member_of_what_they_name() {
    let node = node().await;
    let grants = json!([{ "channel": "", "may": "r" }, { "channel": "team/*", "may": "rw" }]);
    let ann = create(&node, &json!({ "client_id": "ann", "channels": grants })).await;
    let bob = node.login().await;
    assert_eq!(ids_on(&node.users(&bob).await), [bob.client_id.as_str()], "not there yet");
    assert_eq!(send(&node, "ann", "early").await, "inbox");
    let mut client = TestClient::connect(&node, Transport::Stream, "", &ann.query("")).await;
    assert_eq!(ids_on(&client.next().await).len(), 2, "a page that connects is on the list");
    assert_eq!(client.next_message().await, "early");
    let said = node.post(&bob, "to all").await;
    assert_eq!(client.next_message().await, said);
    let post = |channel: &str| Request::post(channel).bearer(&ann.token).form(&[("value", "hi")]);
    post("/post/team/a").send(&node).await.ok();
    post("/post").send(&node).await.problem(403, "forbidden");
    post("/post/other").send(&node).await.problem(403, "forbidden");
    let nothing = create(&node, &json!({ "client_id": "eve", "channels": [] })).await;
    let refused = TestClient::try_connect_status(&node, Transport::Sse, &nothing.query("")).await;
    assert_eq!(refused, 403, "an empty list names no channel");
}

#[tokio::test]
async fn making_a_channel_ends_nothing_and_connecting_with_it_ends_what_was_before() {
    let node = node().await;
    let login = node.login().await;
    let client = login.client_id.as_str();
    let mut page = TestClient::connect(&node, Transport::Ws, "", &login.query("users=none")).await;
    let older = line(&node, client).await;
    let newer = line(&node, client).await;
    assert_eq!(send(&node, client, "still").await, "connections");
    assert_eq!(page.event().await, Event::Text("still".to_owned()));
    let mut first = TestClient::connect(&node, Transport::Ws, "", &older.query("")).await;
    assert_eq!(page.end().await, Event::Closed(Some(4002)));
    let mut second = TestClient::connect(&node, Transport::Sse, "", &newer.query("")).await;
    assert_eq!(first.end().await, Event::Closed(Some(4002)));
    let refused = TestClient::try_connect(&node, Transport::Ws, "", &older.query("")).await;
    refused.err().unwrap().problem(401, "token-invalid");
    send(&node, client, "here").await;
    assert_eq!(second.event().await, Event::Text("here".to_owned()));
}

/// What a logout ends stays ended for as long as a backend may have let it live.
#[tokio::test]
async fn a_logout_ends_long_tokens_that_it_never_saw() {
    let mut node = node_with("[tokens]\nseconds = 60").await;
    let login = node.login().await;
    let long = json!({ "client_id": login.client_id, "duration_minutes": 1440 });
    let long = create(&node, &long).await;
    login.logout(&node).await;
    node.restart().await;
    let files = std::fs::read_dir(node.data_dir()).unwrap();
    let ended: Vec<String> = files
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .filter(|text| text.contains(&login.client_id))
        .collect();
    assert_eq!(ended.len(), 1, "written down once");
    let until = claims(&long)["exp"].as_u64().unwrap();
    let told: Vec<u64> = ended[0]
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect();
    assert!(told.iter().any(|time| (until..until + 60).contains(time)), "{ended:?} before {until}");
    let refused = TestClient::try_connect(&node, Transport::Ws, "", &long.query("")).await;
    refused.err().unwrap().problem(401, "token-invalid");
}

#[tokio::test]
async fn a_backend_may_make_a_channel_where_nobody_logs_in() {
    let node = node_with("[login]\nopen = false").await;
    let ann = line(&node, "ann").await;
    let mut client = TestClient::connect(&node, Transport::Ws, "", &ann.query("")).await;
    send(&node, "ann", "hi").await;
    assert_eq!(client.event().await, Event::Text("hi".to_owned()));
}

#[tokio::test]
async fn a_channel_is_a_client_to_the_limit_of_clients() {
    let node = node_with("[limits]\nclients = 1\nexempt = [\"127.0.0.0/8\"]").await;
    line(&node, "ann").await;
    line(&node, "ann").await;
    let body = json!({ "client_id": "bob" });
    let answer = api("create_channel").json(&body).send(&node).await;
    answer.problem(503, "over-capacity");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_post_of_a_backend_reaches_a_line_by_its_client_id() {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let mut client = TestClient::connect(&node, Transport::Ws, "", &ann.query("")).await;
    let fields = [("value", "for Ann"), ("to", "ann")];
    let answer = Request::post("/post").bearer(API_KEY).form(&fields).send(&node).await.ok();
    let told = client.next().await;
    assert_eq!(told, answer);
    assert_eq!(value_of(&told), "for Ann");
}
