//! A database behind a network that is slow, or loses a connection without telling anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::common::http::{Request, Response};
use super::common::node::{Login, Setup, TestNode};
use super::common::{id_of, offset_of, until, value_of};
use super::crash::Crowd;
use super::postgres::Postgres;
use super::proxy::{Loss, Proxy};
use super::{DURABLE, all, post_keyed, reads};

/// What a network far away takes for one way.
const FAR: Duration = Duration::from_millis(10);
/// How many read what is not in memory.
const READERS: usize = 24;
/// How long a lost connection may be in the way: a guard, no measure.
const LONG: Duration = Duration::from_mins(1);

async fn node_by(postgres: &Postgres, proxy: &Proxy, config: &str) -> TestNode {
    let port = |port: u16| format!(":{port}/");
    let url = postgres.url().replace(&port(postgres.port()), &port(proxy.port()));
    let node = Setup::default().config(config).env("DATABASE_URL", &url).start().await;
    reads(&node).await;
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_in_silence_is_soon_out_of_the_way() {
    // In the middle of a transaction; when it ends; when it has ended, and nobody was told.
    let losses = [("INSERT INTO pushgate_m", true), ("COMMIT\0", false), ("COMMIT\0", true)];
    let lose = losses.map(|(word, is_heard)| lose(Loss { word, is_heard }));
    futures_util::future::join_all(lose).await;
}

async fn lose(loss: Loss) {
    let postgres = Postgres::start().await;
    let proxy = Proxy::start(postgres.port(), Duration::ZERO).await;
    let node = node_by(&postgres, &proxy, DURABLE).await;
    let (alice, crowd) = (node.login().await, Crowd::begin(&node).await);
    let said = async || offset_of(id_of(&node.post(&alice, &unique()).await));
    until("the crowd", said, |offset| *offset >= 50).await;
    proxy.lose(loss);
    until("the loss", async || proxy.has_lost(), |is| *is).await;
    let start = Instant::now();
    while post_keyed(&node, &alice, "again", "k").await.status != 200 {
        assert!(start.elapsed() < LONG, "{loss:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eprintln!("{loss:?}: posts again after {:?}", start.elapsed());
    crowd.end(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_of_the_server_that_hangs_leaves_nothing_that_was_refused() {
    let postgres = Postgres::start().await;
    let proxy = Proxy::start(postgres.port(), Duration::ZERO).await;
    let node = node_by(&postgres, &proxy, DURABLE).await;
    let (alice, crowd) = (node.login().await, Crowd::begin(&node).await);
    let said = async || offset_of(id_of(&node.post(&alice, &unique()).await));
    until("the crowd", said, |offset| *offset >= 50).await;
    let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pushgate'";
    let process: i32 = postgres.connect().await.query_one(sql, &[]).await.unwrap().get(0);
    let signal = async |signal: &str| {
        let kill = Command::new("kill").args([signal, &process.to_string()]).status();
        assert!(kill.await.unwrap().success());
    };
    signal("-STOP").await;
    let again = async || post_keyed(&node, &alice, "again", "k").await.status;
    until("a refusal", again, |status| *status == 503).await;
    // It goes on with what it was told before.
    signal("-CONT").await;
    until("the database", again, |status| *status == 200).await;
    crowd.end(&node).await;
}

fn unique() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_to_a_server_far_away_is_kept() {
    let postgres = Postgres::start().await;
    let proxy = Proxy::start(postgres.port(), FAR).await;
    let node = node_by(&postgres, &proxy, DURABLE).await;
    let alice = node.login().await;
    // What is no post takes its own time, and none of theirs.
    let mut topics = Vec::new();
    for number in 0..40 {
        let comment = format!("topic {number}");
        let topic = Request::post("/topics").bearer(&alice.token).form(&[("comment", &comment)]);
        topics.push(topic.begin(&node).await);
    }
    let posts = (0..300).map(|number| (String::new(), format!("{number}"))).collect();
    let answers = post_all(&node, &alice, posts).await;
    for mut topic in topics {
        assert_eq!(topic.response().await.status, 201);
    }
    let mut said: Vec<_> = answers.into_iter().map(|(_, answer)| answer.expect("200")).collect();
    said.sort_by_key(|message| offset_of(id_of(message)));
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    assert!(said.iter().map(|message| offset_of(id_of(message))).eq(1..=300));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_knows_fewer_settings_is_good_enough() {
    let mut postgres = Postgres::start().await;
    let proxy = Proxy::start(postgres.port(), Duration::ZERO).await;
    proxy.garble(&["tcp_user_", "tcp_keepalives_", "client_connection_", "idle_in_", "statement_"]);
    let node = node_by(&postgres, &proxy, DURABLE).await;
    let alice = node.login().await;
    let first = node.post(&alice, "first").await;
    postgres.stop().await;
    post_keyed(&node, &alice, "lost", "k").await.problem(503, "unavailable");
    postgres.go_on(&[]).await;
    let again = async || post_keyed(&node, &alice, "after", "k").await;
    let after = until("the database", again, |answer| answer.status == 200).await.ok();
    assert_eq!(all(&node, &alice, "since", "0").await, [first, after]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_posts_does_not_wait_for_all_who_read_from_a_server_far_away() {
    let postgres = Postgres::start().await;
    let old = say_in_each(&postgres).await;
    let proxy = Proxy::start(postgres.port(), FAR / 2).await;
    let node = node_by(&postgres, &proxy, &each_durable()).await;
    let alice = node.login().await;
    node.post(&alice, "in use").await;
    let (answered, readers) = read_each(&node, &alice, &old).await;
    node.post(&alice, "meanwhile").await;
    let answered = answered.load(Ordering::SeqCst);
    assert!(answered < READERS / 2, "{answered} of {READERS} readers went first");
    for ((_, said), reader) in old.iter().zip(readers) {
        assert_eq!(reader.await.unwrap().ok()["messages"], serde_json::json!([said]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_to_read_is_told_that_the_server_is_gone() {
    let mut postgres = Postgres::start().await;
    let old = say_in_each(&postgres).await;
    let proxy = Proxy::start(postgres.port(), FAR / 2).await;
    let node = node_by(&postgres, &proxy, &each_durable()).await;
    let alice = node.login().await;
    let (_, readers) = read_each(&node, &alice, &old).await;
    // Nobody waits until it is there again.
    postgres.stop().await;
    let mut refused = 0;
    for ((_, said), reader) in old.iter().zip(readers) {
        let answer = reader.await.unwrap();
        if answer.status == 200 {
            assert_eq!(answer.ok()["messages"], serde_json::json!([said]));
        } else {
            answer.problem(503, "unavailable");
            refused += 1;
        }
    }
    assert!(refused > 0, "all were read before it was gone");
    postgres.go_on(&[]).await;
    let (channel, said) = &old[READERS - 1];
    let again = async || read(channel, &alice).send(&node).await;
    let page = until("the database", again, |answer| answer.status == 200).await.ok();
    assert_eq!(page["messages"], serde_json::json!([said]));
}

/// All channels are durable.
fn each_durable() -> String {
    format!("{DURABLE}[channels.\"*\"]\nkind = \"message\"\ndurable = true\n")
}

/// Says something in so many channels, by a node that then ends; their names, and what was said.
async fn say_in_each(postgres: &Postgres) -> Vec<(String, Value)> {
    let setup = Setup::default().config(&each_durable()).env("DATABASE_URL", &postgres.url());
    let node = setup.start().await;
    reads(&node).await;
    let alice = node.login().await;
    let said = (0..READERS).map(async |number| {
        let channel = format!("old{number}");
        let said = node.post_to(&channel, &alice, "kept").await;
        (channel, said)
    });
    futures_util::future::join_all(said).await
}

fn read(channel: &str, login: &Login) -> Request {
    let target = format!("{}?since=0", super::common::node::address("history", channel));
    Request::get(&target).bearer(&login.token)
}

/// Asks for all of these at once, and waits until one is answered: by then the others wait for the
/// database. How many are answered, and the answers.
async fn read_each(
    node: &TestNode,
    login: &Login,
    channels: &[(String, Value)],
) -> (Arc<AtomicUsize>, Vec<JoinHandle<Response>>) {
    let (answered, mut readers) = (Arc::<AtomicUsize>::default(), Vec::new());
    for (channel, _) in channels {
        let mut connection = read(channel, login).begin(node).await;
        let answered = Arc::clone(&answered);
        readers.push(tokio::spawn(async move {
            let answer = connection.response().await;
            answered.fetch_add(1, Ordering::SeqCst);
            answer
        }));
    }
    until("a reader", async || answered.load(Ordering::SeqCst), |count| *count > 0).await;
    (answered, readers)
}

/// Posts all of them at once, each to its channel; the message, or nothing where a rule says no.
async fn post_all(
    node: &TestNode,
    login: &Login,
    posts: Vec<(String, String)>,
) -> Vec<(String, Option<Value>)> {
    let mut waiting = Vec::new();
    for (channel, value) in posts {
        let target = super::common::node::address("post", &channel);
        let post = Request::post(&target).bearer(&login.token).form(&[("value", &value)]);
        waiting.push((value, post.begin(node).await));
    }
    let mut answers = Vec::new();
    for (value, mut connection) in waiting {
        let answer = connection.response().await;
        let message = if answer.status == 400 {
            answer.problem(400, "bad-request");
            None
        } else {
            Some(answer.ok())
        };
        answers.push((value, message));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_rule_of_a_server_refuses_takes_nothing_else_along() {
    let postgres = Postgres::start().await;
    // So far away that what comes at once shares a commit.
    let proxy = Proxy::start(postgres.port(), FAR).await;
    let node = node_by(&postgres, &proxy, &each_durable()).await;
    let alice = node.login().await;
    let other = postgres.connect().await;
    other
        .batch_execute(
            "CREATE FUNCTION no_spam() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN RAISE EXCEPTION 'no spam'; END$$; \
             CREATE TRIGGER no_spam BEFORE INSERT ON pushgate_messages FOR EACH ROW \
             WHEN (new.message LIKE '%spam%') EXECUTE PROCEDURE no_spam(); \
             ALTER TABLE pushgate_channels ADD CHECK (name <> 'closed')",
        )
        .await
        .unwrap();
    // Of those that are refused, each would be by itself.
    refuse(&node, &alice, |number| format!("{}{number}", ["spam", "word"][number % 2])).await;
    other
        .batch_execute(
            "CREATE UNIQUE INDEX once ON pushgate_messages (substring(message from 'pair[0-9]+'))",
        )
        .await
        .unwrap();
    // Of two that are the same the second is.
    refuse(&node, &alice, |number| format!("pair{}", number / 2)).await;
    for channel in ["", "a", "b"] {
        let page = Request::get(&super::common::node::address("history", channel));
        let page = page.bearer(&alice.token).send(&node).await.ok();
        let kept = page["messages"].as_array().unwrap();
        let offsets = kept.iter().map(|message| offset_of(id_of(message)));
        assert!(offsets.eq(1..=kept.len() as u64), "{channel:?}: {kept:?}");
        assert!(!kept.is_empty() && kept.iter().all(|kept| !value_of(kept).starts_with("spam")));
    }
    let sql = "SELECT count(*) FROM pushgate_channels AS it WHERE \
               it.bytes <> (SELECT sum(octet_length(message)) FROM pushgate_messages \
                            WHERE channel = it.id) \
               OR it.last <> (SELECT max(number) FROM pushgate_messages WHERE channel = it.id)";
    assert_eq!(other.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// Forty posts at once, to four channels one of which takes none; of the others half are refused.
async fn refuse(node: &TestNode, login: &Login, value: impl Fn(usize) -> String) {
    let channels = ["", "", "a", "a", "b", "b", "closed", "closed"];
    let posts = (0..40).map(|number| (channels[number % 8].to_owned(), value(number)));
    let answers = post_all(node, login, posts.collect()).await;
    let taken = answers.iter().filter(|(_, message)| message.is_some()).count();
    assert_eq!(taken, 15, "{answers:?}");
    for (value, message) in answers {
        assert!(message.as_ref().is_none_or(|message| value_of(message) == value), "{message:?}");
        assert!(message.is_none() || !value.starts_with("spam"), "{value}");
    }
}
