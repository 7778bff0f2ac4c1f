//! A backend hears of clients that come and go (wire.md §6 "Hooks"), whatever it does itself
//! (robustness.md A11).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;
#[path = "webhooks/receiver.rs"]
mod receiver;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::SystemTime;

use common::client::{Event, TestClient, Transport};
use common::http::Request;
use common::node::{API_KEY, Login, Setup, TestNode, api_key_config};
use common::scrape::{Scrape, reaches, scraped};
use common::{GUARD, QUIET, until, value_of};
use futures_util::future::join_all;
use receiver::{Answer, Attempt, Receiver};
use ring::hmac;
use tokio::time::Instant;

const SECRET: &str = "9f2c4e8a1b7d3056c2e1";
const STAY: [&str; 2] = ["connected", "disconnected"];

/// A node that tells `url`; `more` are further keys of `[hooks]`, and tables.
fn setup(url: &str, more: &str) -> Setup {
    let hooks = format!("[hooks]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n{more}");
    Setup::default().config(&hooks)
}

async fn telling(receiver: &Receiver, more: &str) -> TestNode {
    setup(&receiver.url(), more).start().await
}

async fn connect(node: &TestNode, transport: Transport, login: &Login) -> TestClient {
    TestClient::connect(node, transport, "", &login.query("users=none")).await
}

/// A WebSocket that comes and goes in good order.
async fn visit(node: &TestNode, login: &Login) {
    connect(node, Transport::Ws, login).await.close().await;
}

/// The time that the signature holds, which must be right and recent.
fn check_signature(attempt: &Attempt) -> u64 {
    let header = attempt.header("x-pushgate-signature");
    let (time, signature) = header.split_once(',').unwrap();
    let (time, signature) =
        (time.strip_prefix("t=").unwrap(), signature.strip_prefix("v1=").unwrap());
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [time.as_bytes(), b".", &attempt.body].concat();
    let mut expected = String::new();
    for byte in hmac::sign(&key, &signed).as_ref() {
        write!(expected, "{byte:02x}").unwrap();
    }
    assert_eq!(signature, expected, "{attempt:?}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let time = time.parse().unwrap();
    assert!(now.abs_diff(time) < 30, "{time} is not now, {now}");
    time
}

fn events(edge: &str, outcome: &str) -> String {
    format!("pushgate_hook_events_total{{event=\"{edge}\",outcome=\"{outcome}\"}}")
}

fn failures(reason: &str) -> String {
    format!("pushgate_hook_failed_attempts_total{{reason=\"{reason}\"}}")
}

#[tokio::test]
async fn events_are_signed_posts_of_a_form() {
    let receiver = Receiver::start([]).await;
    // A slash at the end is none, a path before the hooks' own is kept.
    let node = setup(&format!("{}/back/end/", receiver.url()), "").start().await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.hears(&alice, &STAY).await;
    let attempts = receiver.attempts();
    for (attempt, edge) in attempts.iter().zip(STAY) {
        assert_eq!(attempt.path, format!("/back/end/_ah/channel/{edge}/"));
        assert_eq!(attempt.header("content-type"), "application/x-www-form-urlencoded");
        assert_eq!(attempt.text(), format!("from={}", alice.client_id));
        assert!(attempt.header("user-agent").starts_with("pushgate/"));
        check_signature(attempt);
    }
    let ids = attempts.iter().map(|attempt| attempt.header("x-pushgate-event"));
    assert_eq!(ids.collect::<BTreeSet<_>>().len(), 2, "{attempts:?}");
    let scrape = reaches(&node, &events("disconnected", "delivered"), 1).await;
    assert_eq!(scrape.sum("pushgate_hook_events_total"), 2);
    assert_eq!(scrape.sum("pushgate_hook_failed_attempts_total"), 0);
    assert_eq!(scrape.count("pushgate_hook_queue_length"), 0);
}

#[tokio::test]
async fn events_are_signed_posts_of_parts() {
    let receiver = Receiver::start([]).await;
    let node = telling(&receiver, "encoding = \"multipart\"").await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.hears(&alice, &STAY).await;
    for attempt in receiver.attempts() {
        let kind = attempt.header("content-type");
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"from\"\r\n\r\n{}\r\n\
             --{boundary}--\r\n",
            alice.client_id
        );
        assert_eq!(attempt.text(), expected);
        check_signature(&attempt);
    }
}

#[tokio::test]
async fn what_fails_is_repeated_in_order_until_it_is_taken() {
    let script = [Answer::Status(500), Answer::Hang, Answer::Reset];
    let receiver = Receiver::start(script).await;
    let node = telling(&receiver, "timeout = 0.3").await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.hears(&alice, &STAY).await;
    let attempts = receiver.attempts();
    let edges: Vec<_> = attempts.iter().map(|attempt| attempt.event().0).collect();
    assert_eq!(edges, ["connected", "connected", "connected", "connected", "disconnected"]);
    // The same event each time, signed anew.
    let first = &attempts[0];
    for attempt in &attempts[..4] {
        assert_eq!(attempt.header("x-pushgate-event"), first.header("x-pushgate-event"));
        assert_eq!(attempt.body, first.body);
    }
    let times: Vec<_> = attempts.iter().map(check_signature).collect();
    assert!(times.is_sorted(), "{times:?}");
    let scrape = reaches(&node, &events("disconnected", "delivered"), 1).await;
    for reason in ["status", "timeout", "unreachable"] {
        assert_eq!(scrape.count(&failures(reason)), 1, "{reason}");
    }
    assert!(node.output().contains("hooks.url does not take events"), "{}", node.output());
}

#[tokio::test]
async fn an_answer_of_more_than_64_kib_is_a_failure() {
    let script = [Answer::Long(65_537), Answer::Long(65_536)];
    let receiver = Receiver::start(script).await;
    let node = telling(&receiver, "").await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.is_tried(3).await;
    let scrape = reaches(&node, &events("disconnected", "delivered"), 1).await;
    assert_eq!(scrape.count(&failures("answer")), 1);
    let attempts = receiver.attempts();
    let edges: Vec<_> = attempts.iter().map(|attempt| attempt.event().0).collect();
    assert_eq!(edges, ["connected", "connected", "disconnected"]);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_in_time_is_a_failure() {
    let receiver = Receiver::start([Answer::Half]).await;
    let node = telling(&receiver, "timeout = 0.3").await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.hears(&alice, &STAY).await;
    assert_eq!(Scrape::of(&node).await.count(&failures("timeout")), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Receiver::start([]).await;
    let to = format!("{}/_ah/channel/connected/", elsewhere.url());
    let redirects = [302, 307].map(|status| Answer::Redirect(status, to.clone()));
    let receiver = Receiver::start(redirects).await;
    let node = telling(&receiver, "").await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.hears(&alice, &STAY).await;
    assert!(elsewhere.attempts().is_empty());
    assert_eq!(Scrape::of(&node).await.count(&failures("status")), 2);
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_and_localhost_is_not() {
    let receiver = Receiver::start([]).await;
    // Whoever resolves this name gets 127.0.0.1, without being asked over a network.
    let node = setup(&format!("http://127.1:{}", receiver.port()), "").start().await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    let private = failures("private");
    scraped(&node, "refusals", |scrape| scrape.count(&private) > 0).await;
    assert!(receiver.attempts().is_empty());
    let told = async || node.output().contains("leads to no public address");
    until("the reason", told, |told| *told).await;

    let node = setup(&format!("http://localhost:{}", receiver.port()), "").start().await;
    let bob = node.login().await;
    visit(&node, &bob).await;
    receiver.hears(&bob, &STAY).await;
}

#[tokio::test]
async fn no_proxy_of_the_environment_is_asked() {
    let (receiver, proxy) = (Receiver::start([]).await, Receiver::start([]).await);
    let mut setup = setup(&receiver.url(), "");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        setup = setup.env(name, &proxy.url());
    }
    let node = setup.start().await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.hears(&alice, &STAY).await;
    assert!(proxy.attempts().is_empty());
}

async fn a_stay_is_one_event_at_either_end(transport: Transport) {
    let receiver = Receiver::start([]).await;
    let node = telling(&receiver, "").await;
    let alice = node.login().await;
    let first = connect(&node, transport, &alice).await;
    let second = connect(&node, Transport::Ws, &alice).await;
    receiver.hears(&alice, &["connected"]).await;
    first.cut();
    second.cut();
    // Within linger: the same stay.
    let again = connect(&node, transport, &alice).await;
    alice.logout(&node).await;
    drop(again);
    receiver.hears(&alice, &STAY).await;
}

on_every_transport!(a_stay_is_one_event_at_either_end);

#[tokio::test]
async fn every_way_to_end_is_told_once() {
    let receiver = Receiver::start([]).await;
    let more = format!("[presence]\nlinger = 0.2\n{}", api_key_config());
    let node = telling(&receiver, &more).await;
    let logins = join_all((0..4).map(|_| node.login())).await;
    let [closes, leaves, is_kicked, is_cut] = &logins[..] else { unreachable!() };
    visit(&node, closes).await;

    let client = connect(&node, Transport::Ws, leaves).await;
    leaves.logout(&node).await;
    drop(client);

    let mut client = connect(&node, Transport::Ws, is_kicked).await;
    let request = Request::post("/api/disconnect").bearer(API_KEY);
    let answer = request.form(&[("client_id", &is_kicked.client_id)]).send(&node).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    assert_eq!(client.end().await, Event::Closed(Some(4003)));

    connect(&node, Transport::Ws, is_cut).await.cut();
    for login in &logins {
        receiver.hears(login, &STAY).await;
    }
    // And with a connection anew.
    visit(&node, closes).await;
    receiver.hears(closes, &[STAY, STAY].concat()).await;
    assert_eq!(receiver.attempts().len(), 10);
}

#[tokio::test]
async fn polls_are_connections_also_those_that_are_answered_at_once() {
    let receiver = Receiver::start([]).await;
    let node = telling(&receiver, "[presence]\nlinger = 0.3").await;
    let alice = node.login().await;
    let target = format!("/poll?{}", alice.query("wait=0"));
    Request::get(&target).send(&node).await.ok();
    receiver.hears(&alice, &STAY).await;
}

#[tokio::test]
async fn a_client_of_the_development_protocol_connects_and_disconnects_by_its_commands() {
    let receiver = Receiver::start([]).await;
    let node = setup(&receiver.url(), &api_key_config()).start().await;
    let made = Request::post("/api/create_channel").bearer(API_KEY).form(&[("client_id", "old")]);
    let token = made.send(&node).await.ok()["token"].as_str().unwrap().to_owned();
    for command in ["connect", "poll", "poll", "disconnect"] {
        let target = format!("/_ah/channel/dev?command={command}&channel={token}");
        assert_eq!(Request::get(&target).send(&node).await.status, 200);
    }
    let told = until("two events", async || receiver.attempts(), |told| told.len() == 2).await;
    for (attempt, edge) in told.iter().zip(STAY) {
        assert_eq!(attempt.path, format!("/_ah/channel/{edge}/"));
        assert_eq!(attempt.text(), "from=old");
    }
}

#[tokio::test]
async fn who_never_connects_or_has_no_token_is_no_event() {
    let receiver = Receiver::start([]).await;
    let node = telling(&receiver, "[channels.open]\nkind = \"message\"\nanonymous = true").await;
    let silent = node.login().await;
    node.post(&silent, "hi").await;
    silent.logout(&node).await;
    for transport in Transport::ALL {
        TestClient::connect(&node, transport, "open", "").await.close().await;
    }
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.hears(&alice, &STAY).await;
    assert_eq!(receiver.attempts().len(), 2, "{:?}", receiver.attempts());
}

#[tokio::test]
async fn a_client_that_comes_and_goes_all_the_time_does_so_in_order() {
    const STAYS: usize = 20;
    let receiver = Receiver::start([Answer::Slow(QUIET), Answer::Status(503)]).await;
    let node = telling(&receiver, "").await;
    let alice = node.login().await;
    for _ in 0..STAYS {
        // It may be back before its end was noticed: then that is one stay.
        visit(&node, &alice).await;
    }
    let gone = |scrape: &Scrape| {
        scrape.count("pushgate_clients") + scrape.count("pushgate_hook_queue_length") == 0
    };
    scraped(&node, "the end", gone).await;
    let edges = receiver.edges(&alice);
    assert!(edges.len() >= 2 && edges.chunks(2).all(|turn| turn == STAY), "{edges:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_are_told_of_beside_each_other_but_not_all_at_once() {
    const CLIENTS: usize = 60;
    let receiver = Receiver::start(vec![Answer::Slow(QUIET / 6); CLIENTS]).await;
    let node = telling(&receiver, "").await;
    let logins = join_all((0..CLIENTS).map(|_| node.login())).await;
    join_all(logins.iter().map(|login| visit(&node, login))).await;
    for login in &logins {
        receiver.hears(login, &STAY).await;
    }
    let most = receiver.most_at_once();
    assert!((2..=8).contains(&most), "{most} at once");
}

#[tokio::test]
async fn a_receiver_that_hangs_for_one_holds_up_no_other_and_no_message() {
    let receiver = Receiver::start([]).await;
    let node = telling(&receiver, "timeout = 60").await;
    let (alice, bob) = (node.login().await, node.login().await);
    receiver.answer_about(&alice.client_id, Answer::Hang);
    let mut client = connect(&node, Transport::Ws, &alice).await;
    receiver.is_tried(1).await;
    visit(&node, &bob).await;
    receiver.hears(&bob, &STAY).await;
    node.post(&bob, "hi").await;
    assert_eq!(value_of(&client.next().await), "hi");
    assert!(receiver.edges(&alice).is_empty());
}

#[tokio::test]
async fn a_full_queue_drops_the_newest_and_nobody_waits() {
    let receiver = Receiver::start(vec![Answer::Hang; 2]).await;
    let node = telling(&receiver, "timeout = 60\nqueue = 2").await;
    let logins = join_all((0..5).map(|_| node.login())).await;
    let mut clients = Vec::new();
    for login in &logins {
        clients.push(connect(&node, Transport::Ws, login).await);
    }
    node.post(&logins[0], "hi").await;
    for client in &mut clients {
        assert_eq!(value_of(&client.next().await), "hi");
    }
    let dropped = scraped(&node, "drops", |it| it.count(&events("connected", "dropped")) > 0).await;
    assert_eq!(dropped.count(&events("connected", "dropped")), 3);
    // The two that had a place are told in the end.
    receiver.is_tried(2).await;
    receiver.let_go();
    reaches(&node, &events("connected", "delivered"), 2).await;
    for login in &logins[..2] {
        receiver.hears(login, &["connected"]).await;
    }
    let output = || async { node.output() };
    until("a warning", output, |output| output.contains("are dropped: hooks.queue")).await;
}

#[tokio::test]
async fn logs_hold_no_secret() {
    let receiver = Receiver::start([Answer::Status(500)]).await;
    let mut node = telling(&receiver, "[log]\nlevel = \"trace\"").await;
    let alice = node.login().await;
    visit(&node, &alice).await;
    receiver.hears(&alice, &STAY).await;
    assert_eq!(node.terminate().await.code(), Some(0));
    let output = node.output();
    assert!(output.contains("an event could not be sent"), "{output}");
    assert!(!output.contains(SECRET) && !output.contains(&alice.token), "{output}");
}

#[tokio::test]
async fn a_drain_tells_that_everyone_has_gone() {
    const CLIENTS: usize = 20;
    let receiver = Receiver::start([]).await;
    let mut node = telling(&receiver, "[server]\ndrain = 1").await;
    let logins = join_all((0..CLIENTS).map(|_| node.login())).await;
    let mut clients = Vec::new();
    for (login, transport) in logins.iter().zip(Transport::ALL.into_iter().cycle()) {
        clients.push(connect(&node, transport, login).await);
    }
    receiver.hears(&logins[CLIENTS - 1], &["connected"]).await;
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
    for login in &logins {
        assert_eq!(receiver.edges(login), STAY);
    }
}

#[tokio::test]
async fn a_drain_does_not_wait_long_for_a_receiver_that_hangs() {
    let receiver = Receiver::start(vec![Answer::Hang; 100]).await;
    let mut node = telling(&receiver, "timeout = 60").await;
    let alice = node.login().await;
    let client = connect(&node, Transport::Ws, &alice).await;
    receiver.is_tried(1).await;
    let start = Instant::now();
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
    assert!(start.elapsed() < 2 * GUARD, "{:?}", start.elapsed());
    drop(client);
    assert!(node.output().contains("could not be sent before the end"), "{}", node.output());
}
