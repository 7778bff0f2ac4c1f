//! Who is there, and who is told (wire.md §2 "Presence and timeouts", §5).

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

use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::{API_KEY, Login, TestNode, api_key_config};
use common::{HERE, QUIET, ids_on, is_on, until};
use serde_json::{Value, json};
use tokio::time::Instant;

/// A linger that no test waits for: what is gone under it went at once.
const PATIENT: &str = "[presence]\nlinger = 60";

/// A linger that is over soon.
const BRIEF: &str = "[presence]\nlinger = 1";

on_every_transport!(
    list_brings_the_whole_list_at_every_change,
    diff_brings_the_list_once_and_then_changes,
    count_brings_numbers,
    none_brings_nothing,
    a_cut_connection_is_gone_after_the_linger,
    coming_back_within_the_linger_is_no_change,
    an_open_connection_is_presence_enough,
    connecting_with_a_valid_token_makes_present_again,
    another_kind_has_no_list_unless_asked,
);

async fn list_brings_the_whole_list_at_every_change(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, transport, "", &alice.query("users=list")).await;
    let first = client.next().await;
    assert_eq!(ids_on(&first), [alice.client_id.as_str()]);
    let mut version = first["version"].as_u64().unwrap();
    let mut present = vec![alice.client_id.clone()];
    for name in ["Bob", "Carol", "Dave"] {
        let login = node.login_as(name).await;
        present.push(login.client_id.clone());
        present.sort();
        let list = client.next().await;
        assert_eq!(ids_on(&list), present);
        assert_eq!(list["count"], present.len());
        version += 1;
        assert_eq!(list["version"], version, "by one with each change told");
        let own = list["users"].as_array().unwrap().iter();
        let own = own.filter(|user| user["client_id"] == login.client_id.as_str());
        let told = json!({ "client_id": login.client_id, "ip": HERE.to_string(), "name": name });
        assert_eq!(own.collect::<Vec<_>>(), [&told]);
        login.logout(&node).await;
        present.retain(|id| *id != login.client_id);
        let list = client.next().await;
        assert_eq!(ids_on(&list), present);
        version += 1;
        assert_eq!(list["version"], version);
    }
}

async fn diff_brings_the_list_once_and_then_changes(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, transport, "", &alice.query("users=diff")).await;
    let first = client.next().await;
    assert_eq!(ids_on(&first), [alice.client_id.as_str()]);
    let version = first["version"].as_u64().unwrap();
    let bob = node.login_as("Bob").await;
    if transport == Transport::Poll {
        // What a poll has missed may as well be told as the whole list.
        assert_eq!(client.next().await["count"], 2);
        return;
    }
    let joined = client.next().await;
    let told = json!([{ "client_id": bob.client_id, "ip": HERE.to_string(), "name": "Bob" }]);
    assert_eq!(joined["joined"], told, "{joined}");
    assert!(joined["left"].as_array().is_none_or(Vec::is_empty), "{joined}");
    assert_eq!((&joined["count"], &joined["version"]), (&json!(2), &json!(version + 1)));
    bob.logout(&node).await;
    let left = client.next().await;
    assert_eq!(left["left"], json!([bob.client_id]), "{left}");
    assert!(left["joined"].as_array().is_none_or(Vec::is_empty), "{left}");
    assert_eq!((&left["count"], &left["version"]), (&json!(1), &json!(version + 2)));
}

async fn count_brings_numbers(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, transport, "", &alice.query("users=count")).await;
    assert_eq!(client.next().await, json!({ "count": 1 }));
    let bob = node.login().await;
    assert_eq!(client.next().await, json!({ "count": 2 }));
    bob.logout(&node).await;
    assert_eq!(client.next().await, json!({ "count": 1 }));
}

async fn none_brings_nothing(transport: Transport) {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, transport, "", &alice.query("users=none")).await;
    let mut beside = TestClient::connect(&node, Transport::Ws, "", &alice.query("")).await;
    beside.next().await;
    node.login().await;
    assert_eq!(beside.next().await["count"], 2, "the change was told to others");
    let post = node.post(&alice, "hi").await;
    assert_eq!(client.next().await, post);
}

async fn a_cut_connection_is_gone_after_the_linger(transport: Transport) {
    let node = TestNode::with_config(BRIEF).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    let client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    let start = Instant::now();
    client.cut();
    without(&mut watching, &bob).await;
    let stayed = start.elapsed();
    assert!(stayed >= Duration::from_millis(950), "gone after {stayed:?}, not lingering");
}

async fn coming_back_within_the_linger_is_no_change(transport: Transport) {
    let node = TestNode::with_config(BRIEF).await;
    let (alice, bob, carol) = (node.login().await, node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    let query = bob.query("users=none");
    let client = TestClient::connect(&node, transport, "", &query).await;
    client.cut();
    let mut back = TestClient::connect(&node, Transport::Ws, "", &query).await;
    // Carol is cut later than Bob was: when she is gone, his linger is over too.
    let client = TestClient::connect(&node, transport, "", &carol.query("users=none")).await;
    client.cut();
    let list = without(&mut watching, &carol).await;
    assert!(is_on(&list, &bob.client_id), "{list}");
    let post = node.post(&alice, "hi").await;
    assert_eq!(back.next().await, post);
}

async fn an_open_connection_is_presence_enough(transport: Transport) {
    let node = TestNode::with_config("[presence]\ntimeout = 1\nlinger = 1").await;
    let (alice, bob, carol) = (node.login().await, node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    let mut client = TestClient::connect(&node, transport, "", &bob.query("users=count")).await;
    // A chain of polls goes on in its own time, so it is driven until Carol's time is over.
    let chain = async {
        loop {
            if client.next().await["count"] == 2 {
                return;
            }
        }
    };
    let (list, ()) = tokio::join!(without(&mut watching, &carol), chain);
    assert!(is_on(&list, &bob.client_id) && is_on(&list, &alice.client_id), "{list}");
    let again = node.login().await;
    let chain = async {
        // Up by one, and down by one when this one's time is over too.
        while client.next().await["count"] != 2 {}
    };
    let (list, ()) = tokio::join!(without(&mut watching, &again), chain);
    assert!(is_on(&list, &bob.client_id), "twice the timeout, and still there: {list}");
}

async fn connecting_with_a_valid_token_makes_present_again(transport: Transport) {
    let node = TestNode::with_config("[presence]\ntimeout = 1\nlinger = 1").await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    without(&mut watching, &bob).await;
    let _client = TestClient::connect(&node, transport, "", &bob.query("users=none")).await;
    with(&mut watching, &bob).await;
}

async fn another_kind_has_no_list_unless_asked(transport: Transport) {
    let node = TestNode::with_config("[channels.data]\nkind = \"json\"").await;
    let alice = node.login().await;
    let mut client = TestClient::connect(&node, transport, "data", &alice.query("")).await;
    let mut asking =
        TestClient::connect(&node, transport, "data", &alice.query("users=count")).await;
    assert_eq!(asking.next().await, json!({ "count": 1 }));
    node.login().await;
    let request = Request::post("/post/data").bearer(&alice.token);
    request.json(&json!({ "value": [1] })).send(&node).await.ok();
    assert_eq!(client.next().await, json!([1]));
    assert_eq!(asking.next().await, json!([1]), "a login on the root is no change here");
}

#[tokio::test]
async fn a_clean_close_leaves_at_once() {
    let node = TestNode::with_config(PATIENT).await;
    let alice = node.login().await;
    let mut watching = watch(&node, &alice).await;
    for code in [Some(1000), Some(1001), None] {
        let bob = node.login().await;
        let client = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
        client.close_with(code).await;
        without(&mut watching, &bob).await;
    }
}

#[tokio::test]
async fn a_close_with_another_code_lingers() {
    let node = TestNode::with_config(PATIENT).await;
    let (alice, bob, carol) = (node.login().await, node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    let client = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    client.close_with(Some(3000)).await;
    let client = TestClient::connect(&node, Transport::Ws, "", &carol.query("users=none")).await;
    client.close().await;
    let list = without(&mut watching, &carol).await;
    assert!(is_on(&list, &bob.client_id), "{list}");
}

#[tokio::test]
async fn the_last_connection_counts_not_the_first() {
    let node = TestNode::with_config(PATIENT).await;
    let (alice, bob, carol) = (node.login().await, node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    let query = bob.query("users=none");
    let first = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let room = TestClient::connect(&node, Transport::Ws, "room", &query).await;
    first.close().await;
    TestClient::connect(&node, Transport::Ws, "", &carol.query("users=none")).await.close().await;
    let list = without(&mut watching, &carol).await;
    assert!(is_on(&list, &bob.client_id), "a connection elsewhere keeps the root: {list}");
    room.close().await;
    without(&mut watching, &bob).await;
}

#[tokio::test]
async fn a_client_with_several_connections_is_listed_once() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut clients = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Stream, Transport::Ws] {
        clients.push(TestClient::connect(&node, transport, "", &alice.query("users=none")).await);
    }
    let list = node.users(&alice).await;
    assert_eq!(ids_on(&list), [alice.client_id.as_str()]);
    assert_eq!(list["count"], 1);
}

#[tokio::test]
async fn without_a_connection_presence_ends_by_timeout_and_a_post_renews_it() {
    let node = TestNode::with_config("[presence]\ntimeout = 2\nlinger = 1.2").await;
    let (alice, bob, carol) = (node.login().await, node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    let start = Instant::now();
    // Dave's linger is the clock: when it is over, Bob's timeout is not, but most of it.
    let dave = node.login().await;
    TestClient::connect(&node, Transport::Ws, "", &dave.query("users=none")).await.cut();
    with(&mut watching, &dave).await;
    without(&mut watching, &dave).await;
    node.post(&bob, "still here").await;
    let list = without(&mut watching, &carol).await;
    assert!(is_on(&list, &bob.client_id), "{list}");
    without(&mut watching, &bob).await;
    let stayed = start.elapsed();
    assert!(stayed >= Duration::from_millis(3100), "gone after {stayed:?}");
    node.post(&bob, "back by a post").await;
    with(&mut watching, &bob).await;
}

#[tokio::test]
async fn between_two_polls_a_client_stays() {
    let node = TestNode::with_config("[presence]\nlinger = 1").await;
    let (alice, bob, carol) = (node.login().await, node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    let since = TestClient::connect(&node, Transport::Poll, "", &bob.query("users=none")).await;
    let since = common::http::encode(since.poll_since());
    let target = format!("/poll?users=none&wait=2&since={since}");
    // A poll of two seconds keeps Bob for its wait and three seconds more.
    let bob_polls = Request::get(&target).bearer(&bob.token);
    let start = Instant::now();
    let (answer, ()) = tokio::join!(bob_polls.send(&node), async {
        let client =
            TestClient::connect(&node, Transport::Sse, "", &carol.query("users=none")).await;
        client.cut();
        let list = without(&mut watching, &carol).await;
        assert!(is_on(&list, &bob.client_id), "{list}");
    });
    assert_eq!(answer.ok()["messages"], json!([]));
    assert!(start.elapsed() >= Duration::from_millis(1950), "it waited");
    let answered = Instant::now();
    without(&mut watching, &bob).await;
    let stayed = answered.elapsed();
    assert!(stayed >= Duration::from_millis(2900), "linger and wait, not {stayed:?}");
}

#[tokio::test]
async fn a_logout_leaves_at_once() {
    let node = TestNode::with_config(PATIENT).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut watching = watch(&node, &alice).await;
    let _open = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    bob.logout(&node).await;
    assert!(!is_on(&node.users(&alice).await, &bob.client_id), "gone when it is answered");
    without(&mut watching, &bob).await;
}

#[tokio::test]
async fn changes_soon_after_a_push_go_out_together() {
    let node = TestNode::with_config("[presence]\ncoalesce = 1").await;
    let alice = node.login().await;
    let mut watching = watch(&node, &alice).await;
    let first = node.login().await;
    let version = with(&mut watching, &first).await["version"].as_u64().unwrap();
    let start = Instant::now();
    for _ in 0..10 {
        node.login().await;
    }
    let list = watching.client.next().await;
    assert_eq!(list["count"], 12, "all of them together");
    assert_eq!(list["version"], version + 1);
    assert!(start.elapsed() >= Duration::from_millis(900), "within the time, not before");
}

#[tokio::test]
async fn a_connection_that_changes_nothing_is_told_to_nobody() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    let mut watching = watch(&node, &alice).await;
    let bob = node.login().await;
    with(&mut watching, &bob).await;
    let client = TestClient::connect(&node, Transport::Ws, "", &bob.query("users=none")).await;
    let second = TestClient::connect(&node, Transport::Ws, "room", &bob.query("users=none")).await;
    second.close().await;
    let post = node.post(&alice, "fence").await;
    assert_eq!(watching.client.next().await, post);
    watching.client.is_quiet_for(QUIET).await;
    drop(client);
}

#[tokio::test]
async fn on_another_channel_one_is_present_while_subscribed() {
    let node = TestNode::with_config(PATIENT).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let mut client = TestClient::connect(&node, Transport::Ws, "room", &alice.query("")).await;
    assert_eq!(ids_on(&client.next().await), [alice.client_id.as_str()]);
    let guest = TestClient::connect(&node, Transport::Ws, "room", &bob.query("users=none")).await;
    let list = client.next().await;
    assert_eq!(list["count"], 2);
    assert!(is_on(&list, &bob.client_id));
    let request = Request::get("/users/room").bearer(&alice.token);
    assert_eq!(request.send(&node).await.ok()["count"], 2);
    guest.close().await;
    assert_eq!(ids_on(&client.next().await), [alice.client_id.as_str()]);
    let other = Request::get("/users/other").bearer(&alice.token).send(&node).await.ok();
    assert_eq!((&other["users"], &other["count"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn users_has_the_shape_of_a_push() {
    let node = TestNode::start().await;
    let alice = node.login_as("Alice").await;
    let pushed = watch_first(&node, &alice).await;
    let asked = Request::get("/users/").bearer(&alice.token).send(&node).await.ok();
    for member in ["users", "count", "version"] {
        assert_eq!(asked[member], pushed[member], "{asked} and {pushed}");
    }
}

#[tokio::test]
async fn large_lists_are_paged() {
    let node = TestNode::start().await;
    let mut present = Vec::new();
    for _ in 0..25 {
        present.push(node.login().await);
    }
    let token = &present[0].token;
    let page = |query: String| {
        let request = Request::get(&format!("/users?{query}")).bearer(token);
        let node = &node;
        async move { request.send(node).await.ok() }
    };
    let mut seen: Vec<String> = Vec::new();
    loop {
        let query = match seen.last() {
            None => "limit=10".to_owned(),
            Some(last) => format!("limit=10&after={last}"),
        };
        let list = page(query).await;
        assert_eq!(list["count"], 25, "the count is of all");
        let users = list["users"].as_array().unwrap();
        assert!(users.len() <= 10, "{list}");
        if users.is_empty() {
            break;
        }
        seen.extend(users.iter().map(|user| user["client_id"].as_str().unwrap().to_owned()));
    }
    seen.sort();
    let mut expected: Vec<String> = present.iter().map(|login| login.client_id.clone()).collect();
    expected.sort();
    assert_eq!(seen, expected, "each once");
}

#[tokio::test]
async fn a_page_has_100_unless_asked() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for _ in 0..104 {
        Request::post("/login?users=none").send(&node).await.ok();
    }
    let list = Request::get("/users").bearer(&alice.token).send(&node).await.ok();
    assert_eq!(list["users"].as_array().unwrap().len(), 100);
    assert_eq!(list["count"], 105);
    let list = node.users(&alice).await;
    assert_eq!(list["users"].as_array().unwrap().len(), 105);
}

#[tokio::test]
async fn it_needs_a_token_or_an_api_key_unless_anonymous() {
    let config =
        format!("{}[channels.open]\nkind = \"message\"\nanonymous = true", api_key_config());
    let node = TestNode::with_config(&config).await;
    let alice = node.login().await;
    Request::get("/users").send(&node).await.problem(401, "unauthorized");
    Request::get("/users/room").send(&node).await.problem(401, "unauthorized");
    Request::get("/users/open").bearer("garbage").send(&node).await.problem(401, "unauthorized");
    let list = Request::get("/users").bearer(API_KEY).send(&node).await.ok();
    assert_eq!(ids_on(&list), [alice.client_id.as_str()]);
    assert_eq!(Request::get("/users/open").send(&node).await.ok()["count"], 0);
}

#[tokio::test]
async fn an_anonymous_subscriber_has_an_id_for_the_life_of_its_connection() {
    let node = TestNode::with_config("[channels.open]\nkind = \"message\"\nanonymous = true").await;
    let count = async || Request::get("/users/open").send(&node).await.ok()["count"].clone();
    let first = TestClient::connect(&node, Transport::Ws, "open", "users=none").await;
    let _second = TestClient::connect(&node, Transport::Sse, "open", "users=none").await;
    let list = Request::get("/users/open").send(&node).await.ok();
    assert_eq!(list["count"], 2);
    assert_eq!(ids_on(&list).len(), 2, "two ids: {list}");
    let poll = TestClient::connect(&node, Transport::Poll, "open", "users=none").await;
    assert_eq!(count().await, 2, "an anonymous poll is on no list");
    drop(poll);
    first.close().await;
    until("one to leave", count, |count| *count == 1).await;
}

#[tokio::test]
async fn addresses_are_cut_as_configured() {
    for (config, shown) in [
        ("", ["203.0.113.0", "2001:db8:1::", "192.168.1.20", "127.0.0.1"]),
        ("ip = \"full\"", ["203.0.113.77", "2001:db8:1:2::3", "192.168.1.20", "127.0.0.1"]),
        ("ip = \"none\"", ["", "", "", ""]),
    ] {
        let config = format!("trusted_proxies = [\"127.0.0.0/8\"]\n[presence]\n{config}");
        let node = TestNode::with_config(&config).await;
        let from = ["203.0.113.77", "2001:db8:1:2::3", "192.168.1.20", "127.0.0.1"];
        for (from, shown) in from.into_iter().zip(shown) {
            let login = Request::post("/login").header("X-Forwarded-For", from);
            let answer = login.send(&node).await.ok();
            let alice = Login::of(&answer);
            let users = answer["users"].as_array().unwrap().iter();
            let own: Vec<&Value> =
                users.filter(|user| user["client_id"] == alice.client_id.as_str()).collect();
            assert_eq!(address(&own[0]["ip"]), shown, "{from} under {config:?}");
            let post = Request::post("/post").bearer(&alice.token).header("X-Forwarded-For", from);
            let message = post.form(&[("value", "hi")]).send(&node).await.ok();
            assert_eq!(address(&message["message"]["ip"]), shown, "in messages too");
        }
    }
}

#[tokio::test]
async fn above_max_list_changes_are_told_and_above_max_diff_counts() {
    let node = TestNode::with_config(
        "[presence]\nmax_list = 10\nmax_diff = 20\nlinger = 60\ncoalesce = 0.05",
    )
    .await;
    let alice = node.login().await;
    let mut list = watch(&node, &alice).await.client;
    let mut diff = TestClient::connect(&node, Transport::Ws, "", &alice.query("users=diff")).await;
    diff.next().await;
    let mut others = Vec::new();

    grow(&node, &mut others, 9).await;
    assert!(told(&mut list, 10).await.get("users").is_some(), "at the bound still lists");
    assert!(told(&mut diff, 10).await.get("joined").is_some());
    grow(&node, &mut others, 1).await;
    assert!(told(&mut list, 11).await.get("joined").is_some(), "above it changes");
    assert!(told(&mut diff, 11).await.get("joined").is_some());

    let newcomer = &others[9];
    let first = watch_first(&node, newcomer).await;
    assert_eq!(first["partial"], true, "{first}");
    assert_eq!(first["count"], 11);
    assert!(is_on(&first, &newcomer.client_id), "{first}");

    grow(&node, &mut others, 9).await;
    assert!(told(&mut list, 20).await.get("joined").is_some(), "at the bound still changes");
    told(&mut diff, 20).await;
    grow(&node, &mut others, 1).await;
    assert_eq!(told(&mut list, 21).await, json!({ "count": 21 }), "above it counts");
    assert_eq!(told(&mut diff, 21).await, json!({ "count": 21 }));
}

#[tokio::test]
async fn the_way_back_is_taken_below_ninety_percent_and_begins_with_a_list() {
    let node = TestNode::with_config(
        "[presence]\nmax_list = 10\nmax_diff = 20\nlinger = 60\ncoalesce = 0.05",
    )
    .await;
    let alice = node.login().await;
    let mut list = watch(&node, &alice).await.client;
    let mut others = Vec::new();
    grow(&node, &mut others, 20).await;
    assert_eq!(told(&mut list, 21).await, json!({ "count": 21 }));

    shrink(&node, &mut others, 3).await;
    assert_eq!(told(&mut list, 18).await, json!({ "count": 18 }), "not below 90 % yet");
    shrink(&node, &mut others, 1).await;
    let back = told(&mut list, 17).await;
    assert!(back.get("users").is_some(), "it begins with a list: {back}");
    assert_eq!(back["partial"], true, "17 are more than a whole list: {back}");
    shrink(&node, &mut others, 1).await;
    assert!(told(&mut list, 16).await.get("left").is_some());

    shrink(&node, &mut others, 7).await;
    let still = told(&mut list, 9).await;
    assert!(still.get("left").is_some(), "not below 90 % yet: {still}");
    shrink(&node, &mut others, 1).await;
    let back = told(&mut list, 8).await;
    assert_eq!(ids_on(&back).len(), 8, "the whole list: {back}");
    assert!(back.get("partial").is_none_or(|partial| *partial == json!(false)), "{back}");
    shrink(&node, &mut others, 1).await;
    assert_eq!(ids_on(&told(&mut list, 7).await).len(), 7, "lists again");
}

/// A watcher of the root channel, and the list it has heard last.
struct Watch {
    client: TestClient,
    last: Value,
}

async fn watch(node: &TestNode, login: &Login) -> Watch {
    let query = login.query("users=list");
    let mut client = TestClient::connect(node, Transport::Ws, "", &query).await;
    let last = client.next().await;
    assert!(last.get("users").is_some(), "{last}");
    Watch { client, last }
}

/// The first list of a new connection.
async fn watch_first(node: &TestNode, login: &Login) -> Value {
    let query = login.query("users=list");
    let mut client = TestClient::connect(node, Transport::Ws, "", &query).await;
    client.next().await
}

/// The first list without this client, the last one heard included.
async fn without(watching: &mut Watch, login: &Login) -> Value {
    list_where(watching, |list| !is_on(list, &login.client_id)).await
}

/// The first list with this client, the last one heard included.
async fn with(watching: &mut Watch, login: &Login) -> Value {
    list_where(watching, |list| is_on(list, &login.client_id)).await
}

async fn list_where(watching: &mut Watch, pleases: impl Fn(&Value) -> bool) -> Value {
    while !pleases(&watching.last) {
        let next = watching.client.next().await;
        if next.get("users").is_some() {
            watching.last = next;
        }
    }
    watching.last.clone()
}

/// What told that so many are present, in whatever form.
async fn told(watching: &mut TestClient, count: usize) -> Value {
    loop {
        let next = watching.next().await;
        if next["count"] == count {
            return next;
        }
    }
}

async fn grow(node: &TestNode, others: &mut Vec<Login>, by: usize) {
    for _ in 0..by {
        others.push(node.login().await);
    }
}

async fn shrink(node: &TestNode, others: &mut Vec<Login>, by: usize) {
    for _ in 0..by {
        others.pop().unwrap().logout(node).await;
    }
}

/// An address as it is shown; a network may be shown with its length.
fn address(ip: &Value) -> &str {
    ip.as_str().unwrap().split('/').next().unwrap()
}
