//! The wall clock jumps by days, while the node runs and between two runs (robustness.md N6, A3): no
//! token dies of it and none comes back, ids go on rising, heartbeats keep their pace.
//!
//! The clock is libfaketime's, from the Debian package `faketime`; `tests/install.sh` brings it.

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
use common::clock::{Clock, SECRET};
use common::http::{Request, Response};
use common::node::{Login, TestNode};
use common::ws::{PING, PONG, RawSocket, frame};
use common::{id_of, is_on, jwt, offset_of, until, value_of};
use serde_json::json;

fn minted(login: &Login) -> u64 {
    jwt::read(&login.token).1["iat"].as_u64().unwrap()
}

/// A copy of a token that expires so many seconds after it was minted.
fn short(login: &Login, seconds: u64) -> Login {
    let life = json!({ "exp": minted(login) + seconds });
    Login { token: jwt::resign(&login.token, SECRET, &life), ..login.clone() }
}

async fn post(node: &TestNode, login: &Login) -> Response {
    Request::post("/post").bearer(&login.token).form(&[("value", "v")]).send(node).await
}

#[tokio::test]
async fn a_clock_that_jumps_ends_nobody_and_nothing_lives_longer() {
    let mut clock = Clock::right();
    let config = "[heartbeat]\ninterval = 0.2\ntimeout = 60\n[presence]\ntimeout = 60";
    let node = clock.setup(config).start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut sockets = Vec::new();
    for transport in [Transport::Ws, Transport::Sse] {
        sockets.push(TestClient::connect(&node, transport, "", &query).await);
    }
    let mut beating = RawSocket::open(&node, &format!("/ws/beat?{query}")).await;
    let mut last = node.post(&alice, "before").await;
    let first_id = id_of(&last).to_owned();
    for socket in &mut sockets {
        assert_eq!(socket.next().await, last);
    }

    for days in [1, -1, 400, -400, 0] {
        clock.jump(&node, days).await;
        // Those who were there are there, and what they get goes on where it was.
        let next = node.post(&alice, &days.to_string()).await;
        assert_eq!(offset_of(id_of(&next)), offset_of(id_of(&last)) + 1);
        for socket in &mut sockets {
            assert_eq!(socket.next().await, next, "{days} days");
        }
        let missed = node.history(&bob, &format!("since={}", id_of(&last))).await;
        assert_eq!(missed["messages"], json!([next]));
        assert!(missed.get("gap").is_none(), "{missed}");
        last = next;
        let users = node.users(&bob).await;
        assert!(
            is_on(&users, &alice.client_id) && is_on(&users, &bob.client_id),
            "{days}: {users}"
        );
        // The heart beats on.
        for _ in 0..3 {
            let beat = beating.next().await.expect("a ping");
            assert_eq!(beat.opcode, PING, "{beat:?}");
            beating.write(&frame(PONG, &beat.payload)).await;
        }
        // A new token fits in with the old ones, and ends when it should.
        let carol = node.login().await;
        let apart = minted(&carol).abs_diff(minted(&alice));
        assert!(apart < 3600, "minted {apart} seconds apart");
        let carol = short(&carol, 2);
        let query = carol.query("users=none");
        let mut short_lived = TestClient::connect(&node, Transport::Ws, "x", &query).await;
        assert_eq!(short_lived.end().await, Event::Closed(Some(4001)), "{days} days");
        post(&node, &carol).await.problem(401, "token-expired");
        let logout = Request::post("/logout").bearer(&carol.token).send(&node).await;
        logout.problem(401, "token-expired");
        let dora = node.login().await;
        dora.logout(&node).await;
        post(&node, &dora).await.problem(401, "token-invalid");
        // Carol's presence has a time of its own, which the jump does not end either.
        assert!(is_on(&node.users(&bob).await, &carol.client_id), "{days} days");
    }
    let all = node.history(&bob, "since=0").await;
    assert_eq!(id_of(&all["messages"][0]), first_id);
    assert_eq!(value_of(all["messages"].as_array().unwrap().last().unwrap()), "0");
}

#[tokio::test]
async fn a_clock_set_back_between_two_runs_revives_no_token() {
    let mut clock = Clock::right();
    let mut node = clock.setup("").start().await;
    let (alice, older) = (node.login().await, node.login().await);
    alice.logout(&node).await;
    let newer = older.renewed(&node).await;
    let query = newer.query("users=none");
    drop(TestClient::connect(&node, Transport::Ws, "", &query).await);
    let carol = short(&node.login().await, 1);
    let expired = async || post(&node, &carol).await;
    until("an expired token", expired, |answer| answer.status == 401).await;

    for days in [-1, -400] {
        // Orderly, so that the time of the end is written down to the last.
        node.terminate().await;
        clock.days = days;
        clock.write();
        node.start_again().await;
        clock.jump(&node, days).await;
        post(&node, &carol).await.problem(401, "token-expired");
        for ended in [&alice, &older] {
            post(&node, ended).await.problem(401, "token-invalid");
        }
        // Nobody else has lost anything, and new tokens are as good as ever.
        node.post(&newer, "still here").await;
        let dora = node.login().await;
        assert!(minted(&dora) > minted(&carol), "its time goes on where that of before ended");
        node.post(&dora, "new").await;
        dora.logout(&node).await;
        post(&node, &dora).await.problem(401, "token-invalid");
        // Killed, what was acknowledged stays as well.
        node.restart().await;
        for ended in [&alice, &older, &dora] {
            post(&node, ended).await.problem(401, "token-invalid");
        }
    }
}
