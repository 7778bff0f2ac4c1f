//! Private lines: what comes over them, and what a token for one does not allow.

use serde_json::json;

use super::backend::{api, create, line, node, node_with, node_with_secret, send};
use super::common::client::{Event, TestClient, Transport};
use super::common::http::Request;
use super::common::node::{API_KEY, Login, TestNode, api_key_config};
use super::common::scrape::{Scrape, connections, reaches};
use super::common::{HERE, QUIET, ids_on, is_on, jwt, until};

on_every_transport!(
    a_line_brings_what_is_sent_to_its_client_and_nothing_else,
    what_is_sent_before_the_page_connects_arrives,
    a_line_is_on_no_list_and_in_no_count,
    a_position_of_any_order_resumes_a_line_without_a_gap,
    a_kick_ends_a_line_and_its_token,
    a_line_ends_with_its_token,
    what_is_sent_between_two_pages_of_a_client_arrives,
    a_line_works_after_a_restart,
    a_line_works_whatever_the_root_is,
);

async fn connect(node: &TestNode, transport: Transport, login: &Login, more: &str) -> TestClient {
    TestClient::connect(node, transport, "", &login.query(more)).await
}

/// The text of the next message: a JSON string where the transport has no other.
async fn text(client: &mut TestClient, transport: Transport) -> String {
    let told = client.next_text().await;
    match transport {
        Transport::Ws | Transport::Sse => told,
        Transport::Stream | Transport::Poll => serde_json::from_str(&told).unwrap(),
    }
}

async fn a_line_brings_what_is_sent_to_its_client_and_nothing_else(transport: Transport) {
    let node = node().await;
    let (ann, bob) = (line(&node, "ann").await, node.login().await);
    node.post(&bob, "before").await;
    let mut client = connect(&node, transport, &ann, "users=list&history=10").await;
    node.post(&bob, "publication").await;
    node.login().await;
    send(&node, "ann", "first").await;
    let direct = node.direct(&bob, "ann", "second").await;
    node.direct(&bob, &bob.client_id, "for another").await;
    send(&node, "ann", "third").await;
    assert_eq!(text(&mut client, transport).await, "first");
    assert_eq!(client.next().await, direct);
    assert_eq!(text(&mut client, transport).await, "third");
    let mut resumed = connect(&node, transport, &ann, "since=0&users=list").await;
    send(&node, "ann", "fourth").await;
    assert_eq!(text(&mut resumed, transport).await, "fourth");
}

async fn what_is_sent_before_the_page_connects_arrives(transport: Transport) {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let bob = node.login().await;
    assert_eq!(send(&node, "ann", "one").await, "inbox");
    let direct = node.direct(&bob, "ann", "two").await;
    let mut client = connect(&node, transport, &ann, "").await;
    assert_eq!(text(&mut client, transport).await, "one");
    assert_eq!(client.next().await, direct);
    send(&node, "ann", "three").await;
    assert_eq!(text(&mut client, transport).await, "three");
}

async fn a_line_is_on_no_list_and_in_no_count(transport: Transport) {
    let node = node().await;
    let bob = node.login().await;
    let mut watching = connect(&node, Transport::Ws, &bob, "users=list").await;
    assert_eq!(ids_on(&watching.next().await).len(), 1);
    let ann = line(&node, "ann").await;
    let mut client = connect(&node, transport, &ann, "").await;
    send(&node, "ann", "here").await;
    assert_eq!(text(&mut client, transport).await, "here");
    let list = node.users(&bob).await;
    assert_eq!((ids_on(&list), &list["count"]), (vec![bob.client_id.clone()], &json!(1)));
    client.cut();
    let said = node.post(&bob, "nothing was pushed before this").await;
    assert_eq!(watching.next().await, said);
    assert_eq!(Scrape::of(&node).await.sum("pushgate_presence_changes_total"), 1);
}

async fn a_position_of_any_order_resumes_a_line_without_a_gap(transport: Transport) {
    let node = node().await;
    let (ann, bob) = (line(&node, "ann").await, node.login().await);
    let mut told = connect(&node, Transport::Ws, &ann, "start=1").await;
    let own = told.next().await["since"].as_str().unwrap().to_owned();
    let root = node.post(&bob, "hi").await["message"]["id"].as_str().unwrap().to_owned();
    told.close().await;
    let at = || async { send(&node, "ann", "is it gone?").await };
    until("the line is gone", at, |reached| reached == "nobody").await;
    for since in [own, root, "0".to_owned(), "zzzzzzzz-41".to_owned()] {
        let mut client = connect(&node, transport, &ann, &format!("since={since}")).await;
        send(&node, "ann", &since).await;
        assert_eq!(text(&mut client, transport).await, since);
    }
    let query = ann.query("since=!");
    let answer = TestClient::try_connect(&node, transport, "", &query).await.err().unwrap();
    answer.names_field("since");
}

async fn a_kick_ends_a_line_and_its_token(transport: Transport) {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let mut client = connect(&node, transport, &ann, "").await;
    let kick = api("disconnect").form(&[("client_id", "ann")]);
    assert_eq!(kick.send(&node).await.status, 204);
    let end = client.end().await;
    if transport == Transport::Poll {
        assert!(matches!(end, Event::Refused(401) | Event::Ended), "{end:?}");
    } else {
        assert_eq!(end, Event::Closed(Some(4003)));
    }
    let refused = TestClient::try_connect(&node, transport, "", &ann.query("")).await;
    refused.err().unwrap().problem(401, "token-invalid");
    assert_eq!(send(&node, "ann", "gone").await, "nobody");
    let again = line(&node, "ann").await;
    let mut client = connect(&node, transport, &again, "").await;
    send(&node, "ann", "back").await;
    assert_eq!(text(&mut client, transport).await, "back", "and nothing of before");
}

async fn a_line_ends_with_its_token(transport: Transport) {
    let node = node_with_secret().await;
    let ann = line(&node, "ann").await;
    let soon = jwt::read(&ann.token).1["iat"].as_u64().unwrap() + 2;
    let token = jwt::resign(&ann.token, super::backend::SECRET, &json!({ "exp": soon }));
    let brief = Login { token, ..ann };
    let mut client = connect(&node, transport, &brief, "").await;
    let end = client.end().await;
    if transport == Transport::Poll {
        assert!(matches!(end, Event::Refused(401) | Event::Ended), "{end:?}");
    } else {
        assert_eq!(end, Event::Closed(Some(4001)));
    }
}

/// A page that is loaded again: the backend makes a token for the new one, then the old one closes.
async fn what_is_sent_between_two_pages_of_a_client_arrives(transport: Transport) {
    // Only who polls needs a moment to come back in.
    let linger = if transport == Transport::Poll { 60 } else { 0 };
    let node = node_with(&format!("[presence]\nlinger = {linger}")).await;
    let old = line(&node, "ann").await;
    let mut page = connect(&node, transport, &old, "").await;
    send(&node, "ann", "to the old").await;
    assert_eq!(text(&mut page, transport).await, "to the old");
    let new = line(&node, "ann").await;
    page.close().await;
    let at = || async { send(&node, "ann", "to the new").await };
    until("the old page is gone", at, |reached| reached == "inbox").await;
    let mut page = connect(&node, transport, &new, "").await;
    assert_eq!(text(&mut page, transport).await, "to the new");
}

async fn a_line_works_after_a_restart(transport: Transport) {
    let mut node = node().await;
    let ann = line(&node, "ann").await;
    let mut told = connect(&node, Transport::Ws, &ann, "start=1").await;
    let since = told.next().await["since"].as_str().unwrap().to_owned();
    node.restart().await;
    let mut client = connect(&node, transport, &ann, &format!("since={since}")).await;
    assert_eq!(send(&node, "ann", "after").await, reached_by(transport));
    assert_eq!(text(&mut client, transport).await, "after");
}

/// Where a text goes whose client has connected: one that polls is not there all the time.
fn reached_by(transport: Transport) -> &'static str {
    if transport == Transport::Poll { "inbox" } else { "connections" }
}

async fn a_line_works_whatever_the_root_is(transport: Transport) {
    for kind in ["off", "json", "echo"] {
        let node = node_with(&format!("[channels.\"\"]\nkind = \"{kind}\"")).await;
        let ann = line(&node, "ann").await;
        let mut client = connect(&node, transport, &ann, "users=list").await;
        if client.is_ws() {
            client.send(r#"{"value":"said"}"#).await;
            assert_eq!(client.next().await["error"]["code"], "forbidden", "{kind}");
        }
        send(&node, "ann", kind).await;
        assert_eq!(text(&mut client, transport).await, kind);
    }
}

#[tokio::test]
async fn a_line_allows_nothing_but_to_hear() {
    let node = node().await;
    let (ann, bob) = (line(&node, "ann").await, node.login().await);
    let forbidden = |request: Request| {
        let (node, ann) = (&node, &ann);
        async move {
            let answer = request.clone().bearer(&ann.token).send(node).await;
            answer.problem(403, "forbidden");
        }
    };
    for channel in ["", "/room", "/chat/lobby"] {
        let target = |verb: &str| format!("/{verb}{channel}");
        let refused = ["403", "404"];
        for request in [
            Request::post(&target("post")).form(&[("value", "hi")]),
            Request::post(&target("post")).form(&[("value", "hi"), ("to", &bob.client_id)]),
            Request::get(&target("users")),
            Request::get(&target("history?since=0")),
        ] {
            let answer = request.bearer(&ann.token).send(&node).await;
            let status = answer.status.to_string();
            assert!(refused.contains(&status.as_str()), "{channel}: {answer:?}");
            if channel != "/chat/lobby" {
                answer.problem(403, "forbidden");
            }
        }
    }
    for transport in Transport::ALL {
        for channel in ["room", "team/news"] {
            let refused = TestClient::try_connect(&node, transport, channel, &ann.query("")).await;
            refused.err().unwrap().problem(403, "forbidden");
        }
    }
    forbidden(Request::get("/login")).await;
    forbidden(Request::post("/login").form(&[("name", "Ann")])).await;
    forbidden(Request::get(&format!("/login?{}", ann.query("users=none")))).await;
    let mut client = connect(&node, Transport::Ws, &ann, "").await;
    client.send(r#"{"value":"hi"}"#).await;
    assert_eq!(client.next().await["error"]["code"], "forbidden");
    assert_eq!(node.history(&bob, "since=0").await["messages"], json!([]));
    assert_eq!(ids_on(&node.users(&bob).await), [bob.client_id.as_str()]);
}

/// Without its token nobody speaks as the client of a line: not its backend's neighbours, nor who is
/// where its page is.
#[tokio::test]
async fn a_client_id_of_a_line_alone_is_nobodys() {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let post = || Request::post("/post").form(&[("value", "hi"), ("client_id", "ann")]).from(HERE);
    post().send(&node).await.problem(404, "unknown-client");
    let _client = connect(&node, Transport::Ws, &ann, "").await;
    post().send(&node).await.problem(404, "unknown-client");
    let grants = json!([{ "channel": "**", "may": "rw" }]);
    let eve = create(&node, &json!({ "client_id": "eve", "channels": grants })).await;
    let elsewhere: std::net::IpAddr = "127.0.0.9".parse().unwrap();
    let page = Transport::Stream.request("", &eve.query("")).from(elsewhere);
    let of = ("", eve.query(""));
    let _page = TestClient::of_request(&node, Transport::Stream, &page, (of.0, &of.1)).await;
    let as_eve = || Request::post("/post").form(&[("value", "hi"), ("client_id", "eve")]);
    as_eve().send(&node).await.problem(403, "token-required");
    as_eve().from(elsewhere).send(&node).await.ok();
    let bob = node.login().await;
    let entry = node.users(&bob).await["users"].as_array().unwrap().clone();
    let eve = entry.iter().find(|user| user["client_id"] == "eve").unwrap();
    assert_eq!(eve["ip"], "127.0.0.9", "a list tells where the page is, not the backend");
}

#[tokio::test]
async fn a_client_with_a_login_is_on_the_list_because_of_that() {
    let node = node().await;
    let (login, bob) = (node.login().await, node.login().await);
    let client = login.client_id.as_str();
    let own = line(&node, client).await;
    assert!(is_on(&node.users(&bob).await, client));
    let page = connect(&node, Transport::Ws, &own, "").await;
    assert!(is_on(&node.users(&bob).await, client), "a line takes nobody off");
    page.close().await;
    let gone = || async { send(&node, client, "is it gone?").await };
    until("the line is gone", gone, |reached| reached == "inbox").await;
    assert!(is_on(&node.users(&bob).await, client), "its login lasts for its time");
    // Its login was ended by the newer token, but whoever holds that may say goodbye.
    own.logout(&node).await;
    assert!(!is_on(&node.users(&bob).await, client));
    assert_eq!(send(&node, client, "bye").await, "nobody");
}

#[tokio::test]
async fn a_line_does_not_keep_a_login_on_the_list() {
    let node = node_with("[presence]\ntimeout = 1\nlinger = 0").await;
    let (login, bob) = (node.login().await, node.login().await);
    let _watch = connect(&node, Transport::Ws, &bob, "").await;
    let own = line(&node, &login.client_id).await;
    let mut page = connect(&node, Transport::Ws, &own, "").await;
    let list = || async { node.users(&bob).await };
    until("the login is over", list, |list| list["count"] == 1).await;
    assert_eq!(send(&node, &login.client_id, "still here").await, "connections");
    assert_eq!(page.event().await, Event::Text("still here".to_owned()));
}

#[tokio::test]
async fn an_inbox_waits_for_a_page_as_long_as_presence_timeout() {
    let node = node_with("[presence]\ntimeout = 1").await;
    let ann = line(&node, "ann").await;
    assert_eq!(send(&node, "ann", "too early").await, "inbox");
    let at = || async { send(&node, "ann", "still?").await };
    until("the inbox is over", at, |reached| reached == "nobody").await;
    let mut page = connect(&node, Transport::Ws, &ann, "").await;
    send(&node, "ann", "now").await;
    assert_eq!(page.event().await, Event::Text("now".to_owned()));
}

#[tokio::test]
async fn a_line_that_broke_may_come_back_within_the_linger() {
    let node = node_with("[presence]\nlinger = 60").await;
    let ann = line(&node, "ann").await;
    connect(&node, Transport::Stream, &ann, "").await.cut();
    let at = || async { send(&node, "ann", "meanwhile").await };
    until("the line broke", at, |reached| reached == "inbox").await;
    let mut page = connect(&node, Transport::Ws, &ann, "").await;
    assert_eq!(page.event().await, Event::Text("meanwhile".to_owned()));
    page.close().await;
    let at = || async { send(&node, "ann", "gone").await };
    until("a close of its own ends it at once", at, |reached| reached == "nobody").await;
}

#[tokio::test]
async fn every_line_of_a_client_gets_what_is_sent_and_they_are_counted() {
    let node = TestNode::with_config(&format!(
        "{}[limits]\nconnections_per_client = 3\nexempt = []",
        api_key_config()
    ))
    .await;
    let ann = line(&node, "ann").await;
    let mut pages = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Stream] {
        pages.push((transport, connect(&node, transport, &ann, "").await));
    }
    let refused = TestClient::try_connect(&node, Transport::Ws, "", &ann.query("")).await;
    refused.err().unwrap().problem(503, "over-capacity");
    send(&node, "ann", "all").await;
    for (transport, page) in &mut pages {
        assert_eq!(text(page, *transport).await, "all");
    }
}

#[tokio::test]
async fn a_poll_of_a_line_waits_until_something_is_sent() {
    let node = node().await;
    let ann = line(&node, "ann").await;
    let first = Request::get(&format!("/poll?{}", ann.query(""))).send(&node).await.ok();
    assert_eq!(first["messages"], json!([]));
    let since = first["since"].as_str().unwrap();
    let target = format!("/poll?{}", ann.query(&format!("wait=25&since={since}")));
    let mut waiting = Request::get(&target).begin(&node).await;
    reaches(&node, &connections("", Transport::Poll), 1).await;
    assert_eq!(send(&node, "ann", "now").await, "connections");
    let answer = waiting.response().await.ok();
    assert_eq!(answer["messages"], json!(["now"]));
    assert_eq!(answer["since"], since, "there is nothing to move on");
    let target = format!("/poll?{}", ann.query(&format!("wait=0&since={since}")));
    let last = Request::get(&target).send(&node).await.ok();
    assert_eq!(last["messages"], json!([]));
}

#[tokio::test]
async fn what_is_published_costs_a_line_nothing_and_brings_nothing() {
    let node = node().await;
    let (ann, bob) = (line(&node, "ann").await, node.login().await);
    let mut page = connect(&node, Transport::Ws, &ann, "").await;
    let fields = [("value", "from the backend")];
    Request::post("/post").bearer(API_KEY).form(&fields).send(&node).await.ok();
    for number in 0..50 {
        node.post(&bob, &number.to_string()).await;
    }
    page.is_quiet_for(QUIET).await;
    assert_eq!(Scrape::of(&node).await.sum("pushgate_deliveries_total"), 0);
}
