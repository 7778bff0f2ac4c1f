//! Files that were damaged, that are of another version, or that another process uses.

use std::path::Path;
use std::process::Output;

use super::common::client::{TestClient, Transport};
use super::common::http::{Request, find};
use super::common::node::{Login, TestNode, command};
use super::database::{Database, Engine, open};
use super::{DURABLE, all, reads, say};
use serde_json::Value;

/// A durable root and a durable channel `other`.
fn two() -> String {
    format!("{DURABLE}[channels.other]\ndurable = true\nkind = \"message\"\n")
}

/// Ends the node, and has all that it wrote in its one file; where that is.
async fn rest(node: &mut TestNode) -> std::path::PathBuf {
    assert!(node.terminate().await.success());
    let merged = "PRAGMA wal_checkpoint(TRUNCATE)";
    let is_busy: i64 = open(node).query_row(merged, [], |row| row.get(0)).unwrap();
    assert_eq!(is_busy, 0);
    node.data_dir().join("pushgate.db")
}

/// Another gateway on the data of a node.
async fn second(data: &Path) -> Output {
    let mut second = command();
    second.args(["--bind", "127.0.0.1", "--port", "0", "--data-dir"]).arg(data);
    super::common::guarded("its end", second.output()).await.unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_last_page_is_torn_is_refused_by_name_and_left_as_it_is() {
    let mut node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let said = say(&node, &alice, 200).await;
    let path = rest(&mut node).await;
    let whole = std::fs::read(&path).unwrap();
    for missing in [1, 2048, 4096, 3 * 4096 + 100] {
        let torn = &whole[..whole.len() - missing];
        std::fs::write(&path, torn).unwrap();
        let output = second(&node.data_dir()).await;
        let told = told(&output);
        assert_eq!(output.status.code(), Some(1), "{missing}: {told}");
        assert!(told.contains("pushgate.db cannot be used as database"), "{missing}: {told}");
        assert_eq!(std::fs::read(&path).unwrap(), torn, "{missing}: nothing is made of it");
    }
    std::fs::write(&path, &whole).unwrap();
    node.start_again().await;
    assert_eq!(all(&node, &alice, "since", "0").await, said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_damaged_in_the_middle_is_told_and_is_a_gap() {
    let mut node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let said = say(&node, &alice, 300).await;
    node.signal("KILL").await;
    node.exit().await;
    let log = node.data_dir().join("pushgate.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&log, &bytes).unwrap();
    node.start_again().await;
    reads(&node).await;

    let output = node.output();
    let line = output.lines().find(|line| line.contains("log is damaged")).expect("it is logged");
    assert!(line.contains("pushgate.db-wal") && line.contains("lost"), "{line}");
    let copies = std::fs::read_dir(node.data_dir()).unwrap().map(|entry| entry.unwrap().path());
    let is_copy = |path: &std::path::PathBuf| path.to_string_lossy().contains("-wal.damaged-");
    assert_eq!(std::fs::read(copies.into_iter().find(is_copy).unwrap()).unwrap(), bytes);
    // What can be read is served, under ids of its own; who had more is told.
    let kept = all(&node, &alice, "since", "0").await;
    assert!((1..300).contains(&kept.len()), "{}", kept.len());
    assert!(
        kept.iter().zip(&said).all(|(kept, said)| super::value_of(kept) == super::value_of(said))
    );
    for resumed in [&said[kept.len() - 1], &said[299]] {
        let page = node.history(&alice, &format!("since={}", super::id_of(resumed))).await;
        assert_eq!(page["gap"]["next"], super::id_of(&kept[0]));
    }
    let next = node.post(&alice, "next").await;
    assert!(said.iter().all(|said| super::id_of(said) != super::id_of(&next)));
    // It is damaged once.
    node.restart().await;
    reads(&node).await;
    assert_eq!(all(&node, &alice, "since", "0").await.len(), kept.len() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lacks_its_end_or_all_of_it_is_told_and_is_a_gap() {
    let half = |log: &mut Vec<u8>| log.truncate(log.len() / 2);
    let zeros = |log: &mut Vec<u8>| {
        let half = log.len() / 2;
        log[half..].fill(0);
    };
    let nothing = |log: &mut Vec<u8>| log.clear();
    for spoil in [half as fn(&mut Vec<u8>), zeros, nothing] {
        let mut node = TestNode::with_config(DURABLE).await;
        let alice = node.login().await;
        say(&node, &alice, 10).await;
        // What came until now is in the file.
        node.restart().await;
        reads(&node).await;
        let said = say(&node, &alice, 60).await;
        node.signal("KILL").await;
        node.exit().await;
        let log = node.data_dir().join("pushgate.db-wal");
        let mut bytes = std::fs::read(&log).unwrap();
        spoil(&mut bytes);
        std::fs::write(&log, &bytes).unwrap();
        node.start_again().await;
        reads(&node).await;

        let output = node.output();
        let line = output.lines().find(|line| line.contains("in the database no more"));
        let kept = all(&node, &alice, "since", "0").await;
        let count = format!("lost={}", 70 - kept.len());
        assert!(line.expect("it is logged").contains(&count), "{count}: {output}");
        let last = super::id_of(&said[59]);
        let page = node.history(&alice, &format!("since={last}")).await;
        assert_eq!(page["gap"]["next"], super::id_of(&kept[0]));
        // No id is given a second time.
        for post in say(&node, &alice, 60).await {
            assert!(said.iter().all(|said| super::id_of(said) != super::id_of(&post)));
        }
        // It was lost once.
        let whole = all(&node, &alice, "since", "0").await;
        node.restart().await;
        reads(&node).await;
        assert_eq!(all(&node, &alice, "since", "0").await, whole);
        node.signal("KILL").await;
        node.exit().await;
        node.start_again().await;
        reads(&node).await;
        assert_eq!(all(&node, &alice, "since", "0").await, whole);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_yesterday_in_place_of_todays_is_told_and_is_a_gap() {
    let mut node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let said = say(&node, &alice, 10).await;
    node.signal("TERM").await;
    node.exit().await;
    let file = node.data_dir().join("pushgate.db");
    let yesterday = file.with_extension("yesterday");
    std::fs::copy(&file, &yesterday).unwrap();
    node.start_again().await;
    reads(&node).await;
    let more = say(&node, &alice, 10).await;
    node.signal("TERM").await;
    node.exit().await;
    std::fs::rename(&yesterday, &file).unwrap();
    node.start_again().await;
    reads(&node).await;
    assert!(node.output().contains("in the database no more"), "{}", node.output());
    let kept = all(&node, &alice, "since", "0").await;
    assert_eq!(kept.len(), said.len());
    let page = node.history(&alice, &format!("since={}", super::id_of(&more[9]))).await;
    assert_eq!(page["gap"]["next"], super::id_of(&kept[0]));

    // The same without any.
    node.signal("TERM").await;
    node.exit().await;
    std::fs::remove_file(&file).unwrap();
    node.start_again().await;
    reads(&node).await;
    assert!(node.output().contains("durable channels are gone"), "{}", node.output());
    let next = node.post(&alice, "next").await;
    assert!(kept.iter().all(|kept| super::id_of(kept) != super::id_of(&next)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_none_any_more_is_told_and_breaks_no_answer() {
    for waste in [b'\0', b'"', b'\n', 0xff] {
        let mut node = TestNode::with_config(&two()).await;
        let alice = node.login().await;
        let said = say(&node, &alice, 60).await;
        let other = node.post_to("other", &alice, "other").await;
        let path = rest(&mut node).await;
        let mut file = std::fs::read(&path).unwrap();
        let id = format!("\"id\":\"{}\"", super::id_of(&said[19]));
        let place = find(&file, id.as_bytes()).unwrap();
        file[place + 2] = waste;
        std::fs::write(&path, &file).unwrap();
        node.start_again().await;
        reads(&node).await;
        let url = format!("/history?limit=1000&since={}", super::id_of(&said[9]));
        let page = Request::get(&url).bearer(&alice.token).send(&node).await;
        assert_eq!(page.status, 503, "{waste}");
        let others = Request::get("/history/other").bearer(&alice.token).send(&node).await.ok();
        assert_eq!(others["messages"][0], other);
        // What lies behind it is served.
        let behind = node.history(&alice, &format!("since={}", super::id_of(&said[19]))).await;
        assert_eq!(behind["messages"].as_array().unwrap()[..], said[20..]);
        let output = node.output();
        assert!(output.contains("its file is damaged"), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_in_the_middle_is_told_and_nothing_is_passed_over() {
    for waste in [0x00, 0xff, 0x5a] {
        let mut node = TestNode::with_config(&two()).await;
        let alice = node.login().await;
        let mut said = say(&node, &alice, 1500).await;
        let other = node.post_to("other", &alice, "other").await;
        // Ten minutes ago: of what is younger, keys have to be read too.
        let earlier = "UPDATE pushgate_messages SET accepted = accepted - 600000 \
                       WHERE channel = (SELECT id FROM pushgate_channels WHERE name = '')";
        open(&node).execute(earlier, []).unwrap();
        let path = rest(&mut node).await;
        let mut file = std::fs::read(&path).unwrap();
        let id = format!("\"id\":\"{}\"", super::id_of(&said[99]));
        // A page that has none below it. Source: SQLite, file format, section 1.6.
        let has_it = |page: &[u8]| page[0] == 0x0a && find(page, id.as_bytes()).is_some();
        let page = file.chunks(4096).position(has_it).unwrap() * 4096;
        let sound = file[page..page + 4096].to_vec();
        file[page..page + 4096].fill(waste);
        std::fs::write(&path, &file).unwrap();
        node.start_again().await;
        reads(&node).await;
        said.extend(trust(&node, &alice, &said).await);
        let others = Request::get("/history/other").bearer(&alice.token).send(&node).await.ok();
        assert_eq!(others["messages"][0], other);
        let output = node.output();
        let line = output.lines().find(|line| line.contains("damaged")).expect("it is logged");
        assert!(line.contains("pushgate.db"), "{line}");
        // Put back, nothing was lost by any of this.
        let path = rest(&mut node).await;
        let mut file = std::fs::read(&path).unwrap();
        file[page..page + 4096].copy_from_slice(&sound);
        std::fs::write(&path, &file).unwrap();
        node.start_again().await;
        reads(&node).await;
        assert_eq!(all(&node, &alice, "since", "0").await, said);
    }
}

/// Uses a node whose root has a damaged page among its oldest messages; what is posted meanwhile.
async fn trust(node: &TestNode, login: &Login, said: &[Value]) -> Option<Value> {
    // What is sound is served.
    let next = node.post(login, "next").await;
    let page =
        node.history(login, &format!("since={}&limit=1000", super::id_of(&said[1399]))).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 101);
    // What cannot be read is not taken for what is not there.
    for query in ["since=0".to_owned(), format!("before={}", super::id_of(&said[150]))] {
        let target = format!("/history?limit=1000&{query}");
        let answer = Request::get(&target).bearer(&login.token).send(node).await;
        answer.problem(503, "unavailable");
    }
    let query = login.query(&format!("since={}", super::id_of(&said[9])));
    assert_eq!(TestClient::try_connect_status(node, Transport::Stream, &query).await, 503);
    Some(next)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_missing_is_told_and_is_a_gap() {
    let mut node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let said = say(&node, &alice, 20).await;
    node.terminate().await;
    open(&node).execute_batch("DELETE FROM pushgate_messages WHERE number = 5").unwrap();
    node.start_again().await;
    reads(&node).await;
    all_but_one(&node, &alice, &said).await;
    // The same to whoever is subscribed.
    let query = alice.query(&format!("users=none&since={}", super::id_of(&said[1])));
    let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
    assert_eq!(client.next().await["gap"]["next"], super::id_of(&said[5]));
    assert_eq!(super::id_of(&client.next().await), super::id_of(&said[5]));
    // With the channel in memory, too.
    all_but_one(&node, &alice, &said).await;
    let output = node.output();
    let line = output.lines().find(|line| line.contains("lost a message")).expect("it is logged");
    assert!(line.contains("missing") && line.contains('5'), "{line}");
}

/// All that is there is served but the fifth, which is missing: up to the gap, and from it on.
async fn all_but_one(node: &TestNode, login: &Login, said: &[Value]) {
    let (before, behind) = (super::id_of(&said[1]), super::id_of(&said[3]));
    let page = node.history(login, &format!("since={before}")).await;
    assert_eq!((&page["messages"], page.get("gap")), (&serde_json::json!(said[2..4]), None));
    assert_eq!((&page["since"], &page["more"]), (&serde_json::json!(behind), &true.into()));
    let page = node.history(login, &format!("since={behind}")).await;
    assert_eq!(page["gap"]["next"], super::id_of(&said[5]));
    assert_eq!(page["messages"], serde_json::json!(said[5..]));
    let page = node.history(login, &format!("before={}", super::id_of(&said[5]))).await;
    assert_eq!(page["gap"]["next"], super::id_of(&said[3]));
    let older: Vec<_> = said[..4].iter().rev().collect();
    assert_eq!(page["messages"], serde_json::json!(older));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_newer_version_is_refused_and_keeps_what_it_has() {
    let mut node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let said = say(&node, &alice, 20).await;
    let path = rest(&mut node).await;
    open(&node).pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let output = second(&node.data_dir()).await;
    let told = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("pushgate.db") && told.contains("version 99"), "{told}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    open(&node).pragma_update(None, "user_version", 2).unwrap();
    node.start_again().await;
    assert_eq!(all(&node, &alice, "since", "0").await, said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_a_newer_version_are_not_touched() {
    let database = Database::start(Engine::Postgres).await;
    let mut node = database.node(DURABLE).await;
    let alice = node.login().await;
    let said = say(&node, &alice, 20).await;
    database.execute(&node, "INSERT INTO pushgate_migrations (version) VALUES (99)").await;
    node.restart().await;
    let refused = async || Request::get("/history").bearer(&alice.token).send(&node).await.status;
    super::until("an answer", refused, |status| *status == 503).await;
    let post = Request::post("/post").bearer(&alice.token).form(&[("value", "lost")]);
    post.send(&node).await.problem(503, "unavailable");
    let output = async || node.output().contains("version 99");
    super::until("the reason", output, |is| *is).await;
    database.execute(&node, "DELETE FROM pushgate_migrations WHERE version = 99").await;
    // It comes by itself.
    reads(&node).await;
    assert_eq!(all(&node, &alice, "since", "0").await, said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_refused_and_takes_nothing_from_the_first() {
    let node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let mut said = say(&node, &alice, 20).await;
    let output = second(&node.data_dir()).await;
    let told = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let process = format!("process {}", node.process_id());
    assert!(told.contains("in use") && told.contains(&process), "{told}");
    said.push(node.post(&alice, "still here").await);
    assert_eq!(all(&node, &alice, "since", "0").await, said);
}
