//! More than a disk takes at once.

use std::collections::HashSet;

use super::common::http::{Connection, Request};
use super::common::node::{Login, TestNode};
use super::common::process::raise_open_files;
use super::common::{guarded, id_of, value_of};
use super::database::open;
use super::{DURABLE, all, crash, reads};
use serde_json::json;

const POSTS: usize = 1000;
/// What a post has, and the most that the node may use for all of them.
const LENGTH: usize = 32 * 1024;
const MEMORY: u64 = 512 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_large_posts_at_once_are_each_kept_or_refused() {
    raise_open_files().await;
    // No request is given up for being slow: the machine may be.
    let config = format!(
        "{DURABLE}[limits]\nheader_seconds = 600\nbody_seconds = 600\nwrite_seconds = 600\n\
         exempt = [\"127.0.0.0/8\"]\n"
    );
    let mut node = TestNode::with_config(&config).await;
    let alice = node.login().await;
    let mut connections = Vec::new();
    for _ in 0..POSTS {
        connections.push(Connection::open(node.address()).await);
    }
    let mut tasks = Vec::new();
    for (number, mut connection) in connections.into_iter().enumerate() {
        let request = request(&alice, "", &format!("{number:04}{}", "x".repeat(LENGTH - 4)));
        let bytes = request.bytes(node.address(), true);
        tasks.push(tokio::spawn(async move {
            connection.write(&bytes).await;
            let answer = connection.try_response().await.expect("an answer");
            (number, answer)
        }));
    }
    let (mut acknowledged, mut refused) = (Vec::new(), HashSet::new());
    for task in tasks {
        let (number, answer) = task.await.unwrap();
        match answer.status {
            200 => acknowledged.push((number, id_of(&answer.json()).to_owned())),
            429 | 503 => drop(refused.insert(number)),
            _ => panic!("{answer:?}"),
        }
    }
    let most = node.most_resident();
    eprintln!("{} acknowledged, {} MiB", acknowledged.len(), most >> 20);
    assert!(most < MEMORY, "{most} bytes");
    crash(&mut node).await;
    let kept = all(&node, &alice, "since", "0").await;
    assert_eq!(kept.len(), acknowledged.len());
    let of = |message| value_of(message)[..4].parse::<usize>().unwrap();
    let mut kept: Vec<_> = kept.iter().map(|kept| (of(kept), id_of(kept).to_owned())).collect();
    kept.sort();
    acknowledged.sort();
    assert_eq!(kept, acknowledged);
    assert!(!acknowledged.is_empty() && kept.iter().all(|(number, _)| !refused.contains(number)));
}

fn request(login: &Login, channel: &str, value: &str) -> Request {
    let target = super::common::node::address("post", channel);
    Request::post(&target).bearer(&login.token).json(&json!({ "value": value }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_that_wait_for_a_disk_take_no_places_from_others() {
    let config = format!(
        "{DURABLE}[channels.chat]\ndurable = false\n[limits]\nworker_queue = 16\n\
         exempt = [\"127.0.0.0/8\"]\n"
    );
    let node = TestNode::with_config(&config).await;
    reads(&node).await;
    let alice = node.login().await;
    // As long as another program holds the file, posts wait for it.
    let other = open(&node);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let mut connection = Connection::open(node.address()).await;
        connection.write(&request(&alice, "", "waits").bytes(node.address(), true)).await;
        waiting.push(tokio::spawn(async move { connection.try_response().await }));
    }
    let mut said = 0;
    while !waiting.iter().all(tokio::task::JoinHandle::is_finished) {
        let post = request(&alice, "chat", "does not wait");
        assert_eq!(guarded("an answer", post.send(&node)).await.status, 200, "after {said}");
        said += 1;
    }
    assert!(said > 0);
    for answer in waiting {
        answer.await.unwrap().expect("an answer").problem(503, "unavailable");
    }
    other.execute_batch("COMMIT").unwrap();
    let post = request(&alice, "", "is written");
    super::until("the file", async || post.send(&node).await.status, |status| *status == 200).await;
}
