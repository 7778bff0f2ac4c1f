//! A disk that fails, and a server that is gone for a while.

use std::time::Duration;

use super::common::client::{TestClient, Transport};
use super::common::node::Setup;
use super::common::{id_of, offset_of, until, value_of};
use super::crash::Crowd;
use super::faults::Faults;
use super::postgres::Postgres;
use super::{DURABLE, all, crash, post_keyed, reads};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_a_disk_does_not_take_is_503_and_published_to_nobody() {
    let faults = Faults::new();
    let mut node = faults.apply(Setup::default().config(DURABLE)).start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
    let mut said = vec![node.post(&alice, "before").await];
    for error in [libc::ENOSPC, libc::EROFS, libc::EIO] {
        faults.fail_with(error);
        let tasks = (0..8).map(|number| post_keyed(&node, &alice, "lost", ["a", "b"][number % 2]));
        let refused = futures_util::future::join_all(tasks).await;
        for answer in refused {
            let problem = answer.problem(503, "unavailable");
            assert!(answer.header("retry-after").is_some(), "{problem}");
        }
        client.send(r#"{"value":"lost as well"}"#).await;
        faults.heal();
        // Its key is free, its place is another's, and whoever listens has seen nothing of it.
        said.push(post_keyed(&node, &alice, "kept", &error.to_string()).await.ok());
    }
    node.post(&alice, "last").await;
    // Each that was said is told or kept.
    let (mut errors, mut seen) = (0, Vec::new());
    while errors + seen.len() < said.len() + 1 + 3 {
        let message = client.next().await;
        match message.get("error") {
            Some(error) => {
                assert_eq!(error["code"], "unavailable", "{message}");
                errors += 1;
            }
            None => seen.push(message),
        }
    }
    crash(&mut node).await;
    assert_eq!(all(&node, &alice, "since", "0").await, seen);
    let offsets = seen.iter().map(|message| offset_of(id_of(message)));
    assert!(offsets.eq(1..=seen.len() as u64), "{seen:?}");
    let values: Vec<_> =
        seen.iter().map(value_of).filter(|value| *value != "lost as well").collect();
    assert_eq!(values, ["before", "kept", "kept", "kept", "last"]);
    for message in said {
        assert!(seen.contains(&message), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_disk_could_not_sync_is_not_there_for_the_next_process() {
    let faults = Faults::new();
    let mut node = faults.apply(Setup::default().config(DURABLE)).start().await;
    let alice = node.login().await;
    let before = node.post(&alice, "before").await;
    faults.fail_syncs_with(libc::EIO);
    post_keyed(&node, &alice, "lost", "k").await.problem(503, "unavailable");
    // It dies before its disk is well again.
    node.signal("KILL").await;
    node.exit().await;
    faults.heal();
    node.start_again().await;
    reads(&node).await;
    assert_eq!(all(&node, &alice, "since", "0").await, std::slice::from_ref(&before));
    let after = post_keyed(&node, &alice, "after", "k").await.ok();
    assert_eq!(all(&node, &alice, "since", "0").await, [before, after]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_fail_while_the_server_is_gone_and_nothing_that_was_acknowledged_is_lost() {
    let mut postgres = Postgres::start().await;
    let setup = Setup::default().config(DURABLE).env("DATABASE_URL", &postgres.url());
    let node = setup.start().await;
    reads(&node).await;
    let (alice, bob) = (node.login().await, node.login().await);
    let query = bob.query("users=none");
    let mut client = TestClient::connect(&node, Transport::Stream, "", &query).await;
    let mut said = vec![node.post(&alice, "before").await];
    postgres.stop().await;
    post_keyed(&node, &alice, "lost", "k").await.problem(503, "unavailable");
    // What is in memory is read all the same.
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    postgres.go_on(&[]).await;
    let again = async || post_keyed(&node, &alice, "after", "k").await;
    said.push(until("the database", again, |answer| answer.status == 200).await.ok());
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    for message in said {
        assert_eq!(client.next().await, message);
    }
}

fn unique() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_under_load_loses_nothing() {
    let mut postgres = Postgres::start().await;
    let setup = Setup::default().config(DURABLE).env("DATABASE_URL", &postgres.url());
    let node = setup.start().await;
    reads(&node).await;
    let (alice, crowd) = (node.login().await, Crowd::begin(&node).await);
    for (round, is_crash) in [false, true].into_iter().enumerate() {
        let said = async |word: &str| {
            let value = format!("{word} {round}");
            post_keyed(&node, &alice, &value, &value).await.status
        };
        let goal = 100 * (u64::try_from(round).unwrap() + 1);
        let posted = async || offset_of(id_of(&node.post(&alice, &unique()).await));
        until("the crowd", posted, |offset| *offset >= goal).await;
        if is_crash {
            postgres.crash().await;
        } else {
            postgres.stop().await;
        }
        assert_eq!(said("not there").await, 503);
        postgres.go_on(&[]).await;
        // By itself: nobody tells the node.
        until("the database", async || said("again").await, |status| *status == 200).await;
    }
    crowd.end(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_for_thirty_seconds_takes_nothing_along() {
    let mut postgres = Postgres::start().await;
    let setup = Setup::default().config(DURABLE).env("DATABASE_URL", &postgres.url());
    let node = setup.start().await;
    reads(&node).await;
    let (alice, crowd) = (node.login().await, Crowd::begin(&node).await);
    let posted = async || offset_of(id_of(&node.post(&alice, &unique()).await));
    until("the crowd", posted, |offset| *offset >= 50).await;
    postgres.stop().await;
    for _ in 0..30 {
        let answer = post_keyed(&node, &alice, "not there", "k").await;
        let problem = answer.problem(503, "unavailable");
        assert!(answer.header("retry-after").is_some(), "{problem}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    postgres.go_on(&[]).await;
    // By itself: nobody tells the node.
    let again = async || post_keyed(&node, &alice, "again", "k").await.status;
    until("the database", again, |status| *status == 200).await;
    crowd.end(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_durable_goes_on_while_a_disk_fails() {
    let faults = Faults::new();
    let config = format!("{DURABLE}[channels.chat]\ndurable = false\n");
    let node = faults.apply(Setup::default().config(&config)).start().await;
    let alice = node.login().await;
    node.post(&alice, "before").await;
    faults.fail_with(libc::EIO);
    post_keyed(&node, &alice, "lost", "k").await.problem(503, "unavailable");
    node.post_to("chat", &alice, "said").await;
    let page = node.history(&alice, "since=0").await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 1, "what was written is read");
}
