//! Presence and events across a crash: who was here may come back, who does not is told as gone once, and
//! what a backend is to be told is written down first (wire.md §2, §5, §6).

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

#[path = "restart/alone.rs"]
mod alone;
#[path = "restart/ended.rs"]
mod ended;
#[path = "board/faults.rs"]
mod faults;
#[path = "webhooks/receiver.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use common::client::{TestClient, Transport};
use common::http::{Connection, Request};
use common::node::{API_KEY, Home, Login, Setup, TestNode, api_key_config, command};
use common::scrape::{Scrape, scraped};
use common::{ids_on, is_on, until, value_of};
use faults::Faults;
use futures_util::future::join_all;
use receiver::{Answer, Attempt, Receiver};
use ring::hmac;
use serde_json::{Value, json};

const SECRET: &str = "9f2c4e8a1b7d3056c2e1";
const STAY: [&str; 2] = ["connected", "disconnected"];

/// Seconds in which who was here may come back: enough for a test to be there in time.
const SOON: f64 = 3.0;
/// Long enough to be no end of anything in a test.
const LATE: f64 = 600.0;

/// A node that tells `receiver`, and gives those who were here so many seconds to come back.
fn setup(receiver: &Receiver, restart: f64, more: &str) -> Setup {
    Setup::default().config(&config(receiver, restart, more))
}

fn config(receiver: &Receiver, restart: f64, more: &str) -> String {
    let url = receiver.url();
    format!(
        "[hooks]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n[presence]\nrestart = {restart}\n{more}"
    )
}

/// A node that tells nobody, and has a durable channel.
fn durable(restart: f64) -> Setup {
    let config = format!(
        "[presence]\nrestart = {restart}\n[channels.kept]\nkind = \"chat\"\ndurable = true"
    );
    Setup::default().config(&config)
}

async fn connect(
    node: &TestNode,
    transport: Transport,
    channel: &str,
    login: &Login,
) -> TestClient {
    TestClient::connect(node, transport, channel, &login.query("users=none")).await
}

/// Somebody who hears who comes and goes on a channel, and the list that it began with.
async fn watch(node: &TestNode, channel: &str, login: &Login) -> (TestClient, Value) {
    let query = login.query("users=diff");
    let mut client = TestClient::connect(node, Transport::Ws, channel, &query).await;
    let list = client.next().await;
    (client, list)
}

/// Waits until all that was announced is written down: a logout is answered behind it.
async fn written(node: &TestNode) {
    node.login().await.logout(node).await;
}

/// Whether somebody and nobody else is on a list.
fn is_alone(list: &Value, login: &Login) {
    assert_eq!(ids_on(list), std::slice::from_ref(&login.client_id));
}

/// The events of a client that were taken, in the order in which they came. Of those that came twice,
/// since a crash fell between the answer and our note of it, the first.
fn edges(receiver: &Receiver, login: &Login) -> Vec<String> {
    let (mut ids, mut edges) = (BTreeSet::new(), Vec::new());
    for attempt in receiver.attempts().iter().filter(|attempt| attempt.is_taken) {
        let (edge, client) = attempt.event();
        if client == login.client_id && ids.insert(attempt.header("x-pushgate-event").to_owned()) {
            edges.push(edge.to_owned());
        }
    }
    edges
}

/// Waits until these events of a client were taken, in this order and no others.
async fn hears(receiver: &Receiver, login: &Login, expected: &[&str]) {
    let ask = async || edges(receiver, login);
    let heard = until("events", ask, |heard: &Vec<String>| heard.len() >= expected.len()).await;
    assert_eq!(heard, expected);
}

/// The number of an event; none where it was not promised.
fn number(attempt: &Attempt) -> Option<u64> {
    let named = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("x-pushgate-number");
    attempt.headers.iter().find(named).map(|(_, value)| value.parse().unwrap())
}

/// The events that were taken by number, each with its id, edge and client.
fn taken(receiver: &Receiver) -> BTreeMap<u64, (String, String, String)> {
    let mut taken = BTreeMap::new();
    for attempt in receiver.attempts().iter().filter(|attempt| attempt.is_taken) {
        let (edge, client) = attempt.event();
        let event = (attempt.header("x-pushgate-event"), edge, client);
        let event = (event.0.to_owned(), event.1.to_owned(), event.2.to_owned());
        let number = number(attempt).expect("a number");
        let before = taken.insert(number, event.clone());
        assert!(before.is_none_or(|before| before == event), "{number} is two events");
    }
    taken
}

/// Four who have connected when the node dies: Alice on the root and in a room, Bob in the room, Cid on the
/// root, and Eve, who lingers.
async fn crash_with_four(transport: Transport, receiver: &Receiver) -> (TestNode, Vec<Login>) {
    let mut node = setup(receiver, SOON, "").start().await;
    let logins = join_all((0..4).map(|_| node.login())).await;
    let mut here = Vec::new();
    for (login, channel) in [(0, ""), (0, "chat/a"), (1, "chat/a"), (2, "")] {
        here.push(connect(&node, transport, channel, &logins[login]).await);
    }
    connect(&node, Transport::Ws, "", &logins[3]).await.cut();
    for login in &logins {
        hears(receiver, login, &["connected"]).await;
    }
    written(&node).await;
    node.restart().await;
    (node, logins)
}

/// Who is told to have left until there are so many, sorted; nobody may have joined.
async fn leavers(client: &mut TestClient, count: usize) -> Vec<String> {
    let mut left = Vec::new();
    while left.len() < count {
        let told = client.next().await;
        assert_eq!(told["joined"], json!([]), "{told}");
        left.extend(
            told["left"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()),
        );
    }
    left.sort();
    left
}

fn sorted(logins: &[&Login]) -> Vec<String> {
    let mut ids: Vec<_> = logins.iter().map(|login| login.client_id.clone()).collect();
    ids.sort();
    ids
}

/// The events of each client that were taken, in the order of their numbers.
fn by_client(receiver: &Receiver) -> BTreeMap<String, Vec<String>> {
    let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, edge, client) in taken(receiver).into_values() {
        edges.entry(client).or_default().push(edge);
    }
    edges
}

async fn comes_back_or_is_told_as_gone_once(transport: Transport) {
    let receiver = Receiver::start([]).await;
    let (node, logins) = crash_with_four(transport, &receiver).await;
    let [alice, bob, cid, eve] = &logins[..] else { unreachable!() };
    let watcher = node.login().await;
    let (mut root, shown) = watch(&node, "", &watcher).await;
    assert_eq!(ids_on(&shown), sorted(&[alice, bob, cid, eve, &watcher]));
    let (mut chat, shown) = watch(&node, "chat/a", &watcher).await;
    assert_eq!(ids_on(&shown), sorted(&[alice, bob, &watcher]));
    let mut back = Vec::new();
    for (login, channel) in [(alice, ""), (alice, "chat/a"), (eve, "")] {
        back.push(connect(&node, transport, channel, login).await);
    }
    // Nobody has joined until then, and nobody has left.
    let said = node.post(alice, "back").await;
    assert_eq!(root.next().await, said);
    assert_eq!(leavers(&mut root, 2).await, sorted(&[bob, cid]));
    assert_eq!(leavers(&mut chat, 1).await, sorted(&[bob]));
    for (login, edges) in [(bob, &STAY[..]), (cid, &STAY), (alice, &STAY[..1]), (eve, &STAY[..1])] {
        hears(&receiver, login, edges).await;
    }
    let said = node.post(alice, "still").await;
    assert_eq!(root.next().await, said);
}

on_every_transport!(comes_back_or_is_told_as_gone_once);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_know_who_was_here_where_only_a_channel_is_durable() {
    let mut node = durable(SOON).start().await;
    let alice = node.login_as("Alice").await;
    let _room = connect(&node, Transport::Ws, "chat/a", &alice).await;
    let before = node.users(&alice).await;
    written(&node).await;
    node.restart().await;
    let watcher = node.login().await;
    let (mut room, list) = watch(&node, "chat/a", &watcher).await;
    let shown = list["users"].as_array().unwrap();
    assert!(shown.contains(&before["users"][0]), "{before} {list}");
    assert_eq!(room.next().await["left"], json!([alice.client_id]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_had_left_does_not_come_back() {
    let receiver = Receiver::start([]).await;
    let more = api_key_config();
    let mut node = setup(&receiver, LATE, &more).start().await;
    let logins = join_all((0..4).map(|_| node.login())).await;
    let [leaves, closes, is_kicked, stays] = &logins[..] else { unreachable!() };
    let mut clients = Vec::new();
    for login in &logins {
        clients.push(connect(&node, Transport::Ws, "", login).await);
        hears(&receiver, login, &["connected"]).await;
    }
    clients.remove(1).close().await;
    hears(&receiver, closes, &STAY).await;
    let kick = Request::post("/api/disconnect").bearer(API_KEY);
    let kick = kick.form(&[("client_id", &is_kicked.client_id)]).send(&node).await;
    assert_eq!(kick.status, 204);
    // Not a moment between the answer and the end.
    leaves.logout(&node).await;
    node.restart().await;

    let list = node.users(stays).await;
    is_alone(&list, stays);
    for gone in [leaves, is_kicked] {
        hears(&receiver, gone, &STAY).await;
        // Ended tokens stay ended.
        let answer = Request::get("/users").bearer(&gone.token).send(&node).await;
        answer.problem(401, "token-invalid");
    }
    // One that closed has a token that is good, and comes as anybody.
    let _again = connect(&node, Transport::Ws, "", closes).await;
    hears(&receiver, closes, &["connected", "disconnected", "connected"]).await;
    hears(&receiver, stays, &["connected"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_crash_doubles_nothing_and_loses_nothing() {
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, LATE, "").start().await;
    let logins = join_all((0..3).map(|_| node.login())).await;
    let [comes, waits, leaves] = &logins[..] else { unreachable!() };
    for login in &logins {
        connect(&node, Transport::Ws, "chat/a", login).await.cut();
        hears(&receiver, login, &["connected"]).await;
    }
    for crash in 0..4 {
        node.restart().await;
        let (_watch, list) = watch(&node, "chat/a", comes).await;
        let here = [comes, waits].iter().all(|login| is_on(&list, &login.client_id));
        assert!(here, "crash {crash}: {list}");
        assert_eq!(is_on(&list, &leaves.client_id), crash < 2, "crash {crash}: {list}");
        if crash == 1 {
            leaves.logout(&node).await;
        }
    }
    node.restart_with(&config(&receiver, 0.3, "")).await;
    hears(&receiver, waits, &STAY).await;
    hears(&receiver, leaves, &STAY).await;
    hears(&receiver, comes, &STAY).await;
    // And no more when it is started once again.
    node.restart().await;
    written(&node).await;
    let events = taken(&receiver);
    assert_eq!(events.len(), 6, "{events:?}");
    let ids: BTreeSet<_> = events.values().map(|(id, ..)| id).collect();
    assert_eq!(ids.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_delivered_is_sent_after_the_restart_as_it_was() {
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, LATE, "").start().await;
    receiver.answer_all(Some(Answer::Status(500)));
    let (alice, bob) = (node.login().await, node.login().await);
    for login in [&alice, &bob] {
        connect(&node, Transport::Ws, "", login).await.close().await;
    }
    // Bob is back already.
    let _bob = connect(&node, Transport::Ws, "", &bob).await;
    receiver.is_tried(2).await;
    written(&node).await;
    let before = receiver.attempts();
    node.signal("KILL").await;
    node.exit().await;
    receiver.answer_all(None);
    node.start_again().await;

    hears(&receiver, &alice, &STAY).await;
    hears(&receiver, &bob, &["connected", "disconnected", "connected"]).await;
    let events = taken(&receiver);
    assert_eq!(events.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for attempt in &before {
        let (id, edge, client) = &events[&number(attempt).unwrap()];
        assert_eq!(attempt.header("x-pushgate-event"), id);
        assert_eq!(attempt.event(), (edge.as_str(), client.as_str()));
    }
    // What is delivered is not sent again, and the next is the next.
    node.restart().await;
    bob.logout(&node).await;
    hears(&receiver, &bob, &["connected", "disconnected", "connected", "disconnected"]).await;
    assert!(taken(&receiver).keys().copied().eq(1..=6), "{:?}", taken(&receiver));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_signed_and_rise_by_one_over_the_life_of_the_data() {
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, LATE, "").start().await;
    let mut told = 0;
    for round in 0..4 {
        for _ in 0..3 {
            let login = node.login().await;
            connect(&node, Transport::Stream, "", &login).await.cut();
            login.logout(&node).await;
            hears(&receiver, &login, &STAY).await;
            told += 2;
        }
        if round % 2 == 0 {
            node.restart().await;
        } else {
            assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
            node.start_again().await;
        }
    }
    assert!(taken(&receiver).keys().copied().eq(1..=told), "{:?}", taken(&receiver));
    for attempt in receiver.attempts() {
        let (time, _) = attempt.header("x-pushgate-signature").split_once(',').unwrap();
        let (time, id) = (time.strip_prefix("t=").unwrap(), attempt.header("x-pushgate-event"));
        let signed = format!("{time}.{id}.{}", attempt.header("x-pushgate-number"));
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let mut expected = String::from("v1=");
        for byte in hmac::sign(&key, signed.as_bytes()).as_ref() {
            write!(expected, "{byte:02x}").unwrap();
        }
        assert_eq!(attempt.header("x-pushgate-number-signature"), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_an_event_that_was_dropped_is_not_given_again() {
    let receiver = Receiver::start([]).await;
    receiver.answer_all(Some(Answer::Status(500)));
    let mut node = TestNode::with_config(
        &config(&receiver, LATE, "").replace("[hooks]", "[hooks]\nqueue = 2"),
    )
    .await;
    let logins = join_all((0..4).map(|_| node.login())).await;
    let mut clients = Vec::new();
    for login in &logins {
        clients.push(connect(&node, Transport::Ws, "chat/a", login).await);
    }
    let dropped = async || {
        Scrape::of(&node)
            .await
            .count(r#"pushgate_hook_events_total{event="connected",outcome="dropped"}"#)
    };
    until("two to be dropped", dropped, |dropped| *dropped == 2).await;
    receiver.answer_all(None);
    node.restart().await;
    let late = node.login().await;
    let _client = connect(&node, Transport::Ws, "chat/a", &late).await;
    hears(&receiver, &late, &["connected"]).await;
    let told = taken(&receiver);
    let number = told.iter().find(|(_, (_, _, client))| *client == late.client_id);
    assert!(*number.unwrap().0 > 4, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_clean_end_nobody_is_here_and_what_was_not_taken_is_sent() {
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, LATE, "[server]\ndrain = 1").start().await;
    let logins = join_all((0..3).map(|_| node.login())).await;
    let mut clients = Vec::new();
    for login in &logins {
        clients.push(connect(&node, Transport::Ws, "chat/a", login).await);
        hears(&receiver, login, &["connected"]).await;
    }
    receiver.answer_about(&logins[0].client_id, Answer::Status(500));
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
    assert!(node.output().contains("they are after the next start"), "{}", node.output());
    for login in &logins[1..] {
        assert_eq!(edges(&receiver, login), STAY);
    }
    receiver.answer_about("nobody", Answer::Ok);
    node.start_again().await;
    let watcher = node.login().await;
    let (_watch, list) = watch(&node, "chat/a", &watcher).await;
    is_alone(&list, &watcher);
    for login in &logins {
        hears(&receiver, login, &STAY).await;
    }
    assert!(taken(&receiver).len() <= 7, "{:?}", taken(&receiver));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_last_record_and_damaged_ones_are_passed_over_and_told() {
    let mut node = durable(LATE).start().await;
    let alice = node.login().await;
    let client = connect(&node, Transport::Ws, "chat/a", &alice).await;
    written(&node).await;
    node.signal("KILL").await;
    node.exit().await;
    drop(client);
    let path = node.data_dir().join("journal");
    let gone = format!("{{\"gone\":{{\"client\":\"{}\"}}}}", alice.client_id);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(format!("\0\0\0\n{gone}").as_bytes()).unwrap();
    node.start_again().await;
    assert!(is_on(&node.users(&alice).await, &alice.client_id));
    let output = node.output();
    assert!(output.contains("torn record") && output.contains("damaged records"), "{output}");
    // It is whole again.
    node.restart().await;
    assert!(is_on(&node.users(&alice).await, &alice.client_id));
    assert!(!node.output().contains("torn record"), "{}", node.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_nothing_holds_nobody_up_and_all_is_written_once_it_does() {
    let (receiver, faults) = (Receiver::start([]).await, Faults::new());
    let setup = setup(&receiver, LATE, "").env("FAULTS_AT", "/data/journal");
    faults.fail_with(libc::EACCES);
    let mut node = faults.apply(setup).start().await;
    let (alice, bob, cid) = (node.login().await, node.login().await, node.login().await);
    let (mut root, _) = watch(&node, "", &bob).await;
    for error in [libc::ENOSPC, libc::EIO] {
        faults.fail_with(error);
        let login = node.login().await;
        let told = |message: &Value| message.to_string().contains(&login.client_id);
        while !told(&root.next().await["joined"]) {}
        login.logout(&node).await;
        while !told(&root.next().await["left"]) {}
    }
    // A backend is told, and that nothing is promised: by no number.
    let client = connect(&node, Transport::Ws, "chat/a", &alice).await;
    let (_cid, _) = watch(&node, "chat/a", &cid).await;
    cid.logout(&node).await;
    hears(&receiver, &alice, &["connected"]).await;
    hears(&receiver, &cid, &STAY).await;
    assert!(receiver.attempts().iter().all(|attempt| number(attempt).is_none()));
    let unwritten = Scrape::of(&node).await.count("pushgate_journal_lost_total");
    assert!(unwritten > 0);
    assert_eq!(node.output().matches("the journal is not written").count(), 1, "once");

    faults.heal();
    let output = async || node.output();
    until("a journal", output, |output| output.contains("the journal is written again")).await;
    node.restart().await;
    drop(client);
    let list = node.users(&bob).await;
    assert!(is_on(&list, &alice.client_id) && !is_on(&list, &cid.client_id), "{list}");
    alice.logout(&node).await;
    hears(&receiver, &alice, &STAY).await;
    assert_eq!(taken_by_number(&receiver).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_promises_nothing_and_tells_nothing_twice() {
    let (receiver, faults) = (Receiver::start([]).await, Faults::new());
    let setup = setup(&receiver, LATE, "").env("FAULTS_AT", "/data/journal");
    let mut node = faults.apply(setup).start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    written(&node).await;
    faults.fail_syncs_with(libc::EIO);
    let alices = connect(&node, Transport::Ws, "", &alice).await;
    hears(&receiver, &alice, &["connected"]).await;
    // Those that were told while nothing was written down have no number, and no other has theirs.
    assert!(taken_by_number(&receiver).is_empty());
    faults.heal();
    let output = async || node.output();
    until("a journal", output, |output| output.contains("the journal is written again")).await;
    let bobs = connect(&node, Transport::Ws, "", &bob).await;
    hears(&receiver, &bob, &["connected"]).await;
    assert_eq!(taken_by_number(&receiver), [2].into());
    node.restart().await;
    drop((alices, bobs));
    alice.logout(&node).await;
    hears(&receiver, &alice, &STAY).await;
    hears(&receiver, &bob, &["connected"]).await;
    assert_eq!(taken_by_number(&receiver), [2, 3].into());
}

/// The numbers of those events that had one.
fn taken_by_number(receiver: &Receiver) -> BTreeSet<u64> {
    receiver.attempts().iter().filter_map(number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_are_known_again_and_those_who_stay_away_are_told_once() {
    const CLIENTS: usize = 1000;
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, 4.0, "linger = 60").start().await;
    let logins = polled(&node, None, CLIENTS).await;
    let told = async || taken(&receiver).len();
    until("events", told, |told| *told == CLIENTS).await;
    node.restart().await;
    let watcher = node.login().await;
    let list = Request::get("/users?limit=1").bearer(&watcher.token).send(&node).await.ok();
    assert_eq!(list["count"], CLIENTS + 1);
    let (back, away) = logins.split_at(CLIENTS / 2);
    polled(&node, Some(back), back.len()).await;
    until("events", told, |told| *told == CLIENTS + away.len()).await;
    let edges = by_client(&receiver);
    assert!(away.iter().all(|login| edges[&login.client_id] == STAY));
    assert!(back.iter().all(|login| edges[&login.client_id] == STAY[..1]));
    let list = Request::get("/users?limit=1").bearer(&watcher.token).send(&node).await.ok();
    assert_eq!(list["count"], back.len() + 1);
    assert_eq!(taken(&receiver).len(), CLIENTS + away.len());
}

/// Has clients poll once: those of `known`, or as many that log in.
async fn polled(node: &TestNode, known: Option<&[Login]>, clients: usize) -> Vec<Login> {
    let mut logins = Vec::new();
    let mut connection = Connection::open(node.address()).await;
    let mut ask = async |request: Request| {
        connection.write(&request.bytes(node.address(), true)).await;
        connection.response().await.ok()
    };
    for number in 0..clients {
        let login = match known {
            Some(known) => known[number].clone(),
            None => Login::of(&ask(Request::post("/login?users=none")).await),
        };
        ask(Request::get(&format!("/poll?users=none&wait=0&{}", login.query("")))).await;
        logins.push(login);
    }
    logins
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_speak_by_its_id_until_it_is_told_as_gone() {
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, LATE, "").start().await;
    let alice = node.login().await;
    written(&node).await;
    node.restart().await;
    let post = Request::post("/post").form(&[("client_id", &alice.client_id), ("value", "hi")]);
    let said = post.send(&node).await.ok();
    assert_eq!(value_of(&said), "hi");
    assert_eq!(said["message"]["client_id"], alice.client_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_lines_are_events_once_too() {
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, SOON, &api_key_config()).start().await;
    let mut lines = Vec::new();
    for client in ["comes", "stays away"] {
        let body = json!({ "client_id": client });
        let create = Request::post("/api/create_channel").bearer(API_KEY).json(&body);
        let token = create.send(&node).await.ok()["token"].as_str().unwrap().to_owned();
        let line = Login { client_id: client.to_owned(), token };
        connect(&node, Transport::Ws, "", &line).await.cut();
        let told = async || taken(&receiver).len();
        until("an event", told, |told| *told == lines.len() + 1).await;
        lines.push(line);
    }
    node.restart().await;
    let _back = connect(&node, Transport::Ws, "", &lines[0]).await;
    let login = node.login().await;
    is_alone(&node.users(&login).await, &login);
    let told = async || taken(&receiver);
    let told = until("an end", told, |told| told.len() == 3).await;
    let (_, edge, client) = &told[&3];
    assert_eq!((edge.as_str(), client.as_str()), ("disconnected", "stays%20away"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_of_no_use_nothing_is_written_and_what_was_is_forgotten() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    connect(&node, Transport::Ws, "", &alice).await.cut();
    alice.logout(&node).await;
    assert!(!node.data_dir().join("journal").exists());

    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, LATE, "").start().await;
    let alice = node.login().await;
    connect(&node, Transport::Ws, "", &alice).await.cut();
    hears(&receiver, &alice, &["connected"]).await;
    node.restart_with("").await;
    let bob = node.login().await;
    is_alone(&node.users(&bob).await, &bob);
    node.restart_with(&config(&receiver, LATE, "")).await;
    let bob = node.login().await;
    is_alone(&node.users(&bob).await, &bob);
    connect(&node, Transport::Ws, "", &bob).await.cut();
    hears(&receiver, &bob, &["connected"]).await;
    assert_eq!(taken(&receiver).keys().copied().collect::<Vec<_>>(), [1, 2]);
    hears(&receiver, &alice, &["connected"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_put_back_has_nobody_here_and_goes_on_counting() {
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, LATE, "").start().await;
    let alice = node.login().await;
    connect(&node, Transport::Ws, "", &alice).await.cut();
    hears(&receiver, &alice, &["connected"]).await;
    let home = Home::fresh();
    let copy = home.path().join("copy");
    let run = async |verb: &str, data: &std::path::Path| {
        let output = command().arg(verb).arg(&copy).arg("--data-dir").arg(data).output().await;
        assert!(output.unwrap().status.success(), "{verb}");
    };
    run("backup", &node.data_dir()).await;
    // Twice from the same copy, and each time there were events since.
    for _ in 0..2 {
        let late = node.login().await;
        connect(&node, Transport::Ws, "", &late).await.cut();
        hears(&receiver, &late, &["connected"]).await;
        node.signal("KILL").await;
        node.exit().await;
        std::fs::remove_dir_all(node.data_dir()).unwrap();
        run("restore", &node.data_dir()).await;
        node.start_again().await;
        let bob = node.login().await;
        is_alone(&node.users(&bob).await, &bob);
    }
    let last = node.login().await;
    connect(&node, Transport::Ws, "", &last).await.cut();
    hears(&receiver, &last, &["connected"]).await;
    let (seen, taken) = (receiver.attempts(), taken(&receiver));
    let numbers: Vec<_> = seen.iter().filter_map(number).collect();
    assert_eq!(numbers.len(), 4);
    assert!(numbers.is_sorted() && taken.len() == 4, "{numbers:?}");
    // By a leap that nobody takes for events that were dropped.
    assert!(numbers[..2] == [1, 2] && numbers[2] > 1_000_000_000_000_000, "{numbers:?}");
}

/// Numbers as a seed has them.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        // xorshift
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_at_any_moment_leave_each_client_a_stay_after_the_other() {
    let seed = std::env::var("PUSHGATE_TEST_SEED").ok().map_or_else(
        || uuid::Uuid::new_v4().as_u64_pair().0 | 1,
        |text| text.parse().expect("PUSHGATE_TEST_SEED is a number"),
    );
    println!("PUSHGATE_TEST_SEED={seed}");
    let mut random = Random(seed);
    let script = (0..20).map(|number| [Answer::Status(500), Answer::Ok][number % 2].clone());
    let receiver = Receiver::start(script).await;
    let mut node = setup(&receiver, 0.5, "linger = 0.1").start().await;
    let logins = join_all((0..6).map(|_| node.login())).await;
    let mut clients: Vec<Option<TestClient>> = logins.iter().map(|_| None).collect();
    for _ in 0..6 {
        for _ in 0..random.below(30) {
            let index = usize::try_from(random.below(6)).unwrap();
            let transport = Transport::ALL[usize::try_from(random.below(4)).unwrap()];
            match clients[index].take() {
                None => {
                    let client = connect(&node, transport, "", &logins[index]).await;
                    clients[index] = Some(client);
                }
                Some(client) if random.below(2) == 0 => client.close().await,
                Some(client) => client.cut(),
            }
        }
        node.restart().await;
        clients.fill_with(|| None);
    }
    for login in &logins {
        login.logout(&node).await;
    }
    let is_over = |scrape: &Scrape| {
        scrape.count("pushgate_clients") + scrape.count("pushgate_hook_queue_length") == 0
    };
    scraped(&node, "the end", is_over).await;
    for (client, edges) in by_client(&receiver) {
        assert!(edges.chunks(2).all(|stay| stay == STAY), "seed {seed}, {client}: {edges:?}");
    }
}
