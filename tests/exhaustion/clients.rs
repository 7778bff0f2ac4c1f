//! R5: more logins than there is room for.

use crate::common::client::{TestClient, Transport};
use crate::common::http::Request;
use crate::common::node::{Login, TestNode};
use crate::common::until;

use super::crowd::{mib, send_all};

#[tokio::test]
async fn presence_has_room_for_so_many_clients_and_is_empty_when_their_time_is_over() {
    const MOST: usize = 50;
    let config = format!(
        "[limits]\nclients = {MOST}\n[presence]\ntimeout = 3\n[channels.open]\nkind = \"message\"\n\
         anonymous = true\n"
    );
    let node = TestNode::with_config(&config).await;
    let mut logins = Vec::new();
    send_all(&node, MOST, |_| Request::post("/login"), |answer| logins.push(Login::of(&answer)))
        .await;
    let answer = Request::post("/login").send(&node).await;
    let problem = answer.problem(503, "over-capacity");
    assert!(problem["detail"].as_str().unwrap().contains("limits.clients"), "{problem}");
    assert!(answer.header("retry-after").is_some());
    let anonymous = Request::get("/stream/open").send(&node).await;
    anonymous.problem(503, "over-capacity");
    // Who is there may do what it could before.
    let query = logins[0].query("users=count");
    let mut first = TestClient::connect(&node, Transport::Ws, "", &query).await;
    assert_eq!(first.next().await["count"], MOST);
    node.post(&logins[1], "still here").await;

    let login = async || Request::post("/login").send(&node).await.status;
    until("room for another", login, |status| *status == 200).await;
    // The one with a connection stays, however long it says nothing.
    let query = logins[0].query("");
    let users = async || Request::get(&format!("/users?{query}")).send(&node).await.ok();
    until("nobody else", users, |list| list["count"] == 1).await;
    first.close().await;
}

#[tokio::test]
async fn the_memory_of_a_flood_of_logins_goes_with_it() {
    const FLOOD: usize = 10_000;
    let node = TestNode::with_config("[presence]\ntimeout = 2").await;
    // What every node needs once it has served anything.
    send_all(&node, 500, |_| Request::post("/login?users=none"), |_| {}).await;
    let before = node.resident();
    send_all(&node, FLOOD, |_| Request::post("/login?users=none"), |_| {}).await;
    let most = node.resident();
    let bound = before + (before / 5).min((most - before) / 2);
    let resident = async || node.resident();
    eprintln!("R5: {:.1} MiB, {:.1} MiB after {FLOOD} logins", mib(before), mib(most));
    let alice = node.login().await;
    until(
        "nobody else",
        async || node.users(&alice).await,
        |list| list["count"].as_u64() < Some(2),
    )
    .await;
    until("the memory of a flood given back", resident, |now| *now <= bound).await;
    eprintln!("R5: {:.1} MiB when all are gone", mib(node.resident()));
}
