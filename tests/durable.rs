//! Durable channels: what was acknowledged survives a crash, and is resumed or reported (wire.md §3, §4).

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

#[path = "durable/copies.rs"]
mod copies;
#[path = "durable/crash.rs"]
mod crash;
#[path = "durable/damage.rs"]
mod damage;
#[macro_use]
#[path = "board/database.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod database;
#[path = "board/faults.rs"]
mod faults;
#[path = "durable/follower.rs"]
mod follower;
#[path = "durable/forgotten.rs"]
mod forgotten;
#[path = "durable/greeting.rs"]
mod greeting;
#[path = "durable/held.rs"]
mod held;
#[path = "durable/keyed.rs"]
mod keyed;
#[path = "durable/load.rs"]
mod load;
#[path = "durable/network.rs"]
mod network;
#[path = "durable/orders.rs"]
mod orders;
#[path = "durable/outage.rs"]
mod outage;
#[path = "board/postgres.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod postgres;
#[path = "durable/powercut.rs"]
mod powercut;
#[path = "durable/proxy.rs"]
mod proxy;
#[path = "durable/time.rs"]
mod time;

use common::client::{PollAnswer, TestClient, Transport};
use common::http::{Request, Response, encode};
use common::node::{API_KEY, Login, Setup, TestNode, api_key_config};
use common::{at_offset, id_of, offset_of, until, value_of};
use database::{Database, Engine, open};
use forgotten::{what_is_deleted_goes_a_piece_at_a_time, what_is_deleted_leaves_its_keys_used};
use futures_util::future::join_all;
use greeting::a_newcomer_is_greeted_whatever_the_bounds_are;
use keyed::what_is_served_is_what_is_kept_however_many_keys_are_remembered;
use orders::an_order_that_was_left_begins_anew;
use powercut::Powercut;
use serde_json::{Value, json};

/// A durable root that keeps all that a test says.
const DURABLE: &str = "[channels.\"\"]\ndurable = true\n\
                       history = { messages = 1000000, seconds = 3600, bytes = 1073741824 }\n";

/// A durable root that keeps the newest ten.
const TEN: &str = "[channels.\"\"]\ndurable = true\n\
                   history = { messages = 10, seconds = 3600, bytes = 67108864 }\n";

/// Waits until the node has read its database.
async fn reads(node: &TestNode) {
    let ask = async || Request::get("/topics").send(node).await.status;
    until("the database", ask, |status| *status == 200).await;
}

/// Kills the node, and waits until another has read its database.
async fn crash(node: &mut TestNode) {
    node.restart().await;
    reads(node).await;
}

/// What is kept of the root after `since`, or before an id, read in pages.
async fn all(node: &TestNode, login: &Login, direction: &str, from: &str) -> Vec<Value> {
    let (mut all, mut from) = (Vec::new(), from.to_owned());
    loop {
        let page = node.history(login, &format!("{direction}={from}&limit=1000")).await;
        assert!(page.get("gap").is_none(), "{}", page["gap"]);
        all.extend(page["messages"].as_array().unwrap().iter().cloned());
        if page["more"] == false {
            return all;
        }
        id_of(all.last().unwrap()).clone_into(&mut from);
    }
}

/// Posts to the root under an idempotency key.
async fn post_keyed(node: &TestNode, login: &Login, value: &str, key: &str) -> Response {
    let request = Request::post("/post").bearer(&login.token).header("Idempotency-Key", key);
    request.form(&[("value", value)]).send(node).await
}

on_each_database!(
    what_was_said_is_there_after_a_crash_and_its_order_goes_on,
    a_key_that_was_used_stays_so_across_a_crash,
    what_is_not_kept_any_more_is_a_gap_also_after_a_crash,
    history_reaches_as_far_back_as_the_store_both_ways,
    what_a_backend_deletes_is_gone_and_the_order_goes_on,
    what_is_deleted_leaves_its_keys_used,
    what_is_deleted_goes_a_piece_at_a_time,
    what_lies_beyond_the_bounds_is_forgotten_on_the_disk_too,
    what_is_served_is_what_is_kept_however_many_keys_are_remembered,
    a_newcomer_is_greeted_whatever_the_bounds_are,
    an_order_that_was_left_begins_anew,
    a_burst_of_large_posts_is_kept,
    every_kind_survives,
    what_was_acknowledged_survives_any_crash,
);

async fn what_was_said_is_there_after_a_crash_and_its_order_goes_on(database: Database) {
    let mut node = database.node(DURABLE).await;
    let alice = node.login().await;
    let mut said = Vec::new();
    for number in 0..5 {
        said.push(node.post(&alice, &number.to_string()).await);
    }
    crash(&mut node).await;
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    let next = node.post(&alice, "next").await;
    assert_eq!(id_of(&next), at_offset(id_of(&said[4]), 6));
    said.push(next);
    // A second time, with nobody there in between.
    crash(&mut node).await;
    crash(&mut node).await;
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    let page = node.history(&alice, &format!("since={}&limit=2", id_of(&said[1]))).await;
    assert_eq!((&page["messages"], &page["more"]), (&json!(said[2..4]), &json!(true)));
}

async fn a_key_that_was_used_stays_so_across_a_crash(database: Database) {
    let mut node = database.node(DURABLE).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let first = post_keyed(&node, &alice, "once", "k").await.ok();
    crash(&mut node).await;
    assert_eq!(post_keyed(&node, &alice, "once", "k").await.ok(), first);
    // Keys are read some at a time.
    let others = (0..1100).map(|number| (format!("other {number}"), format!("{number}")));
    for others in others.collect::<Vec<_>>().chunks(50) {
        join_all(others.iter().map(|(value, key)| post_keyed(&node, &bob, value, key))).await;
    }
    crash(&mut node).await;
    assert_eq!(post_keyed(&node, &alice, "once", "k").await.ok(), first);
    post_keyed(&node, &alice, "twice", "k").await.problem(409, "key-reused");
    assert_ne!(post_keyed(&node, &bob, "once", "k").await.ok(), first, "another client's key");
    let values = all(&node, &alice, "since", "0").await;
    let once = values.iter().map(value_of).filter(|value| *value == "once");
    assert_eq!((once.count(), values.len()), (2, 1102));
}

async fn what_is_not_kept_any_more_is_a_gap_also_after_a_crash(database: Database) {
    let mut node = database.node(TEN).await;
    let alice = node.login().await;
    let mut said = Vec::new();
    for number in 0..30 {
        said.push(node.post(&alice, &number.to_string()).await);
    }
    let since = id_of(&said[4]).to_owned();
    for round in 0..2 {
        let page = node.history(&alice, &format!("since={since}")).await;
        assert_eq!(page["messages"], json!(said[20..]), "round {round}");
        assert_eq!(page["gap"]["next"], at_offset(&since, 21), "round {round}");
        let query = alice.query(&format!("users=none&since={since}"));
        let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
        let gap = client.next().await;
        assert_eq!(gap["gap"]["since"], since, "round {round}");
        assert_eq!(gap["gap"]["next"], at_offset(&since, 21), "round {round}");
        assert_eq!(client.next().await, said[20], "round {round}");
        crash(&mut node).await;
    }
}

async fn history_reaches_as_far_back_as_the_store_both_ways(database: Database) {
    let mut node = database.node(DURABLE).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let said = say(&node, &alice, 2500).await;
    let newest = at_offset(id_of(&said[0]), 2501);
    for _ in 0..2 {
        let page = node.history(&bob, &format!("before={newest}&limit=3")).await;
        let three: Vec<_> = said[2497..].iter().rev().collect();
        assert_eq!((&page["messages"], &page["more"]), (&json!(three), &json!(true)));
        one_before_each(&node, &bob, &said).await;
        crash(&mut node).await;
        let mut back = all(&node, &bob, "before", &newest).await;
        back.reverse();
        assert_eq!(back, said);
        crash(&mut node).await;
        assert_eq!(all(&node, &bob, "since", "0").await, said);
        crash(&mut node).await;
        assert_eq!(all(&node, &bob, "since", id_of(&said[699])).await, said[700..]);
        // All of it is a single page in memory now, and none of it was put there twice.
        assert_eq!(all(&node, &bob, "since", "0").await, said);
    }
    let beyond = node.history(&bob, "since=zz-7&limit=1").await;
    assert_eq!(beyond["gap"]["next"], id_of(&said[0]));
    assert_eq!(beyond["messages"], json!([said[0]]));
}

/// Where what is in memory begins, at 1501 of 2500, a page is what it is elsewhere.
async fn one_before_each(node: &TestNode, login: &Login, said: &[Value]) {
    for offset in 1500..=1503 {
        let before = at_offset(id_of(&said[0]), offset);
        let page = node.history(login, &format!("before={before}&limit=1")).await;
        let one = &said[usize::try_from(offset).unwrap() - 2];
        assert_eq!(page["messages"], json!([one]), "{offset}");
        assert_eq!((&page["more"], page.get("gap")), (&json!(true), None), "{offset}");
    }
}

/// Posts so many numbers, by several at once, and answers what is kept, in its order.
async fn say(node: &TestNode, login: &Login, count: u32) -> Vec<Value> {
    let mut tasks = Vec::new();
    for part in 0..10 {
        let mut poster = node.poster(login, "").await;
        let numbers = count / 10 * part..count / 10 * (part + 1);
        tasks.push(tokio::spawn(async move {
            let mut said = Vec::new();
            for number in numbers {
                said.push(poster.post(&number.to_string()).await);
            }
            said
        }));
    }
    let mut said = Vec::new();
    for task in tasks {
        said.extend(task.await.unwrap());
    }
    said.sort_by_key(|message| offset_of(id_of(message)));
    said
}

async fn what_a_backend_deletes_is_gone_and_the_order_goes_on(database: Database) {
    let mut node = database.node(&format!("{DURABLE}{}", api_key_config())).await;
    let alice = node.login().await;
    let said = [node.post(&alice, "one").await, node.post(&alice, "two").await];
    let delete = || Request::new("DELETE", "/history");
    delete().send(&node).await.problem(401, "unauthorized");
    delete().bearer(&alice.token).send(&node).await.any_problem(401);
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    assert_eq!(delete().bearer(API_KEY).send(&node).await.status, 204);
    for _ in 0..2 {
        assert_eq!(all(&node, &alice, "since", "0").await, [] as [Value; 0]);
        let page = node.history(&alice, &format!("since={}", id_of(&said[0]))).await;
        assert_eq!(page["gap"]["next"], at_offset(id_of(&said[0]), 3));
        crash(&mut node).await;
    }
    let next = node.post(&alice, "three").await;
    assert_eq!(id_of(&next), at_offset(id_of(&said[0]), 3));
    assert_eq!(all(&node, &alice, "since", "0").await, [next]);
    let other = Request::new("DELETE", "/history/of/nobody/yet").bearer(API_KEY);
    assert_eq!(other.send(&node).await.status, 204);
}

async fn what_lies_beyond_the_bounds_is_forgotten_on_the_disk_too(database: Database) {
    let node = database.node(TEN).await;
    let alice = node.login().await;
    say(&node, &alice, 1200).await;
    let rows = async || database.count(&node, "SELECT count(*) FROM pushgate_messages").await;
    until("the rest to be forgotten", rows, |rows| *rows == 10).await;
    let bytes = database.count(&node, "SELECT sum(bytes)::bigint FROM pushgate_channels").await;
    let kept = "SELECT sum(octet_length(message))::bigint FROM pushgate_messages";
    assert_eq!(bytes, database.count(&node, kept).await);
}

async fn a_burst_of_large_posts_is_kept(database: Database) {
    let mut node = database.node(DURABLE).await;
    let alice = node.login().await;
    let value = "x".repeat(32 * 1024);
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let (mut poster, value) = (node.poster(&alice, "").await, value.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..50 {
                poster.post(&value).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    crash(&mut node).await;
    // A page has a mebibyte of it.
    let page = node.history(&alice, "since=0&limit=1000").await;
    assert_eq!((page["messages"].as_array().unwrap().len(), &page["more"]), (31, &json!(true)));
    let kept = all(&node, &alice, "since", "0").await;
    assert_eq!(kept.len(), 1000);
    let offsets = kept.iter().map(|message| offset_of(id_of(message)));
    assert!(offsets.eq(1..=1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_rule_of_the_database_refuses_takes_nothing_else_along() {
    let node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let mut said = vec![node.post(&alice, "before").await];
    // They come while another program makes the rule, and so share a commit.
    let other = open(&node);
    other
        .execute_batch(
            "BEGIN IMMEDIATE; CREATE TRIGGER no_spam BEFORE INSERT ON pushgate_messages \
             WHEN new.message LIKE '%spam%' BEGIN SELECT RAISE(ABORT, 'no spam'); END",
        )
        .unwrap();
    let mut waiting = Vec::new();
    for number in 0..20 {
        let value = format!("{}{number}", if number % 3 == 1 { "spam" } else { "word" });
        let post = Request::post("/post").bearer(&alice.token).form(&[("value", &value)]);
        waiting.push((value, post.begin(&node).await));
    }
    other.execute_batch("COMMIT").unwrap();
    for (value, mut connection) in waiting {
        let answer = connection.response().await;
        if value.starts_with("spam") {
            answer.problem(400, "bad-request");
        } else {
            said.push(answer.ok());
        }
    }
    said.sort_by_key(|message| offset_of(id_of(message)));
    assert_eq!(said.len(), 14);
    assert!(said.iter().map(|message| offset_of(id_of(message))).eq(1..=14), "{said:?}");
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    let sql = "SELECT sum(octet_length(message)) = (SELECT bytes FROM pushgate_channels) \
               AND max(number) = (SELECT last FROM pushgate_channels) FROM pushgate_messages";
    assert!(other.query_row(sql, [], |row| row.get::<_, bool>(0)).unwrap());
}

async fn every_kind_survives(database: Database) {
    let kinds = "[channels.chat]\ndurable = true\n[channels.camera]\ndurable = true\n\
                 [channels.values]\nkind = \"json\"\nanonymous = true\ndurable = true\n";
    let mut node = database.node(kinds).await;
    let mut chat = TestClient::connect(&node, Transport::Ws, "chat", "").await;
    chat.send(r#"{"message":"hello"}"#).await;
    let hello = chat.next().await;
    let mut camera = TestClient::connect(&node, Transport::Ws, "camera", "").await;
    for x in 1..=3 {
        camera.send(&format!(r#"{{"x":{x},"y":2.50,"z":-0}}"#)).await;
    }
    while camera.next_text().await != r#"{"x":3,"y":2.50,"z":-0}"# {}
    let value = json!({ "b": [1, 2], "a": "\u{2028}" });
    Request::post("/post/values").json(&json!({ "value": value })).send(&node).await.ok();
    crash(&mut node).await;
    let history = async |channel: &str| {
        Request::get(&format!("/history/{channel}")).send(&node).await.ok()["messages"].clone()
    };
    assert_eq!(history("chat").await, json!([hello]));
    assert_eq!(history("values").await[0]["data"], value);
    // Who comes sees where everything was.
    let mut camera = TestClient::connect(&node, Transport::Ws, "camera", "").await;
    assert_eq!(camera.next_text().await, r#"{"x":3,"y":2.50,"z":-0}"#);
    let mut values = TestClient::connect(&node, Transport::Ws, "values", "ids=1&since=0").await;
    assert!(values.next().await["since"].is_string());
    assert_eq!(values.next().await["data"], value);
}

/// Twenty, or as many as a variable of the environment says: `make soak` has ten times as many.
fn times(name: &str) -> u32 {
    std::env::var(name).map_or(20, |count| count.parse().unwrap())
}

async fn what_was_acknowledged_survives_any_crash(database: Database) {
    crash::survive(database.node(DURABLE).await, times("CRASHES"), |_, _| ()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_the_loss_of_power() {
    let powercut = Powercut::new();
    let node = powercut.apply(Setup::default().config(DURABLE)).start().await;
    crash::survive(node, times("POWER_CUTS"), |node, random| powercut.cut(node, random)).await;
}

on_every_transport!(
    a_resume_across_a_crash_brings_all_that_was_missed,
    a_resume_reaches_as_far_back_as_the_store,
);

async fn a_resume_across_a_crash_brings_all_that_was_missed(transport: Transport) {
    let mut node = TestNode::with_config(DURABLE).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    node.post(&alice, "seen").await;
    assert_eq!(value_of(&client.next().await), "seen");
    let since = encode(client.since());
    client.cut();
    let missed = [node.post(&alice, "missed").await, node.post(&alice, "too").await];
    crash(&mut node).await;
    let query = bob.query(&format!("users=none&since={since}"));
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    for message in missed {
        assert_eq!(client.next().await, message);
    }
    let live = node.post(&alice, "live").await;
    assert_eq!(client.next().await, live);
}

async fn a_resume_reaches_as_far_back_as_the_store(transport: Transport) {
    let mut node = TestNode::with_config(DURABLE).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let said = say(&node, &alice, 1500).await;
    crash(&mut node).await;
    let since = id_of(&said[99]);
    let query = bob.query(&format!("users=none&since={since}"));
    let mut client = TestClient::connect(&node, transport, "", &query).await;
    let live = node.post(&alice, "live").await;
    for message in said[100..].iter().chain([&live]) {
        assert_eq!(client.next().await, *message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_node_that_runs_is_put_back_with_orders_of_its_own() {
    let config = "[channels.\"\"]\ndurable = true\n[channels.chat]\ndurable = true\n";
    let mut node = TestNode::with_config(config).await;
    let alice = node.login().await;
    let id = say(&node, &alice, 20).await.pop().map(|message| id_of(&message).to_owned()).unwrap();
    let mut chat = TestClient::connect(&node, Transport::Ws, "chat", "").await;
    chat.send(r#"{"message":"\"id\":\"x-1\"}"}"#).await;
    let told = chat.next().await;
    let copy = common::node::Home::fresh();
    let run = async |verb: &str, data: &std::path::Path| {
        let mut command = common::node::command();
        command.arg(verb).arg(copy.path()).arg("--data-dir").arg(data);
        let output = command.output().await.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run("backup", &node.data_dir()).await, (Some(0), String::new()));
    let (code, why) = run("backup", &node.data_dir()).await;
    assert!(code == Some(1) && why.contains("is not empty"), "{why}");
    let (code, why) = run("restore", &node.data_dir()).await;
    assert!(code == Some(1) && why.contains("in use"), "{why}");
    node.post(&alice, "after the copy").await;
    node.terminate().await;
    let (code, why) = run("restore", &node.data_dir()).await;
    assert!(code == Some(1) && why.contains("is not empty"), "{why}");
    std::fs::remove_dir_all(node.data_dir()).unwrap();
    assert_eq!(run("restore", &node.data_dir()).await, (Some(0), String::new()));
    node.start_again().await;
    // The token is good, all that the copy has is there, and nobody takes another message for one
    // that was seen.
    let kept = all(&node, &alice, "since", "0").await;
    assert!(kept.iter().map(|message| offset_of(id_of(message))).eq(1..=20));
    let page = node.history(&alice, &format!("since={id}")).await;
    assert_eq!(page["gap"]["next"], id_of(&kept[0]));
    assert_eq!(page["messages"], json!(kept));
    let page = node.history(&alice, &format!("since={}", id_of(&kept[18]))).await;
    assert_eq!((&page["messages"], page.get("gap")), (&json!([kept[19]]), None));
    let chat = Request::get("/history/chat").send(&node).await.ok()["messages"][0].clone();
    assert_eq!(chat["message"], told["message"]);
    assert_ne!(chat["id"], told["id"]);
    let after = node.post(&alice, "after").await;
    assert_eq!(id_of(&after), at_offset(id_of(&kept[0]), 21));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_what_was_said_both_ways() {
    let node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let said = say(&node, &alice, 1500).await;
    let run = async |arguments: &[&str]| {
        let mut command = common::node::command();
        command.arg("history").args(arguments).args(["--url", &node.origin()]);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (lines, String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(&[]).await, (said.clone(), String::new()));
    assert_eq!(run(&["--since", id_of(&said[1497])]).await.0, said[1498..]);
    assert_eq!(run(&["-n", "3"]).await.0, said[..3]);
    let back: Vec<_> = said[..1499].iter().rev().cloned().collect();
    assert_eq!(run(&["--before", id_of(&said[1499])]).await.0, back);
    assert_eq!(run(&["--before", id_of(&said[1499]), "-n", "2"]).await.0, back[..2]);
    let (lines, told) = run(&["--since", "zz-9", "-n", "1"]).await;
    assert_eq!(lines, said[..1]);
    assert!(told.contains("not all of it is kept"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_began_before_a_crash_goes_on_behind_it() {
    let mut node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let poll = async |node: &TestNode, since: &str| {
        let target = format!("/poll?users=none&wait=1&since={}", encode(since));
        PollAnswer::of(&Request::get(&target).bearer(&alice.token).send(node).await)
    };
    node.post(&alice, "one").await;
    let first = poll(&node, "0").await;
    assert_eq!(first.messages.len(), 1);
    crash(&mut node).await;
    node.post(&alice, "two").await;
    let second = poll(&node, &first.since).await;
    assert_eq!(second.messages.len(), 1);
    assert!(second.messages[0].get().contains("two"));
}
