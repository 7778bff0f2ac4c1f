//! The board: topics in a database, told to everyone who has it open (wire.md §7).

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

#[macro_use]
#[path = "board/database.rs"]
mod database;
#[path = "board/faults.rs"]
mod faults;
#[path = "board/postgres.rs"]
mod postgres;

use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::{Request, Response};
use common::node::{API_KEY, Setup, TestNode, api_key_config};
use common::until;
use database::{Database, Engine, open};
use faults::Faults;
use postgres::Postgres;
use serde_json::{Value, json};
use tokio::time::Instant;

/// What the topics of a list say.
fn comments(list: &Value) -> Vec<&str> {
    let topics = list["contents"].as_array().unwrap();
    topics.iter().map(|topic| topic["comment"].as_str().unwrap()).collect()
}

async fn post(node: &TestNode, comment: &str) -> Response {
    Request::post("/topics").form(&[("comment", comment)]).send(node).await
}

async fn add(node: &TestNode, comment: &str) -> Value {
    let answer = post(node, comment).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

async fn list(node: &TestNode) -> Value {
    Request::get("/topics").send(node).await.ok()
}

async fn delete(node: &TestNode, id: &Value) -> Response {
    Request::new("DELETE", &format!("/topics/{id}")).bearer(API_KEY).send(node).await
}

/// Waits until the node has read its database.
async fn reads(node: &TestNode) {
    let ask = async || Request::get("/topics").send(node).await.status;
    until("the database", ask, |status| *status == 200).await;
}

on_each_database!(
    topics_are_added_listed_and_deleted,
    a_restart_keeps_the_topics_and_gives_no_id_twice,
    a_change_by_another_program_is_told,
    what_is_no_topic_is_refused,
    a_full_board_takes_no_more,
    what_another_program_wrote_beyond_the_bounds_is_cut,
    a_database_that_another_program_holds_is_not_written_but_read,
    what_a_rule_of_the_database_refuses_takes_nothing_else_along,
);

async fn topics_are_added_listed_and_deleted(database: Database) {
    let node = database.node(&api_key_config()).await;
    assert_eq!(list(&node).await, json!({ "contents": [] }));
    let first = add(&node, "<b>\u{2028}로비").await;
    assert_eq!(first["comment"], "<b>\u{2028}로비");
    let json = Request::post("/topics").json(&json!({ "comment": "two" })).send(&node).await;
    assert_eq!(json.status, 201);
    let second = json.json();
    assert!(second["id"].as_i64() > first["id"].as_i64());
    assert_eq!(list(&node).await, json!({ "contents": [first, second] }));
    assert_eq!(delete(&node, &first["id"]).await.status, 204);
    // Whoever asks after the answer has it.
    assert_eq!(list(&node).await, json!({ "contents": [second] }));
    delete(&node, &first["id"]).await.problem(404, "unknown-topic");
    for id in ["0", "-1", "abc", "99999999999999999999", "1/2"] {
        let request = Request::new("DELETE", &format!("/topics/{id}")).bearer(API_KEY);
        request.send(&node).await.any_problem(404);
    }
    let target = format!("/topics/{}", second["id"]);
    Request::new("DELETE", &target).send(&node).await.problem(401, "unauthorized");
    assert_eq!(Request::get(&target).send(&node).await.header("allow"), Some("DELETE"));
    assert_eq!(comments(&list(&node).await), ["two"]);
}

async fn a_restart_keeps_the_topics_and_gives_no_id_twice(database: Database) {
    let mut node = database.node(&api_key_config()).await;
    add(&node, "one").await;
    let last = add(&node, "two").await;
    delete(&node, &last["id"]).await;
    node.restart().await;
    reads(&node).await;
    assert_eq!(comments(&list(&node).await), ["one"]);
    let next = add(&node, "three").await;
    assert!(next["id"].as_i64() > last["id"].as_i64(), "{next}");
}

async fn a_change_by_another_program_is_told(database: Database) {
    let node = database.node("").await;
    let mut stream = TestClient::connect(&node, Transport::Sse, "board", "").await;
    assert_eq!(comments(&stream.next().await), [""; 0]);
    let changes = [
        ("INSERT INTO pushgate_topics (comment) VALUES ('from elsewhere'), ('two')", 2),
        ("UPDATE pushgate_topics SET comment = 'changed' WHERE comment = 'two'", 2),
        ("DELETE FROM pushgate_topics", 0),
    ];
    for (sql, count) in changes {
        let start = Instant::now();
        database.execute(&node, sql).await;
        let told = stream.next().await;
        assert_eq!(comments(&told).len(), count, "{sql}: {told}");
        assert!(start.elapsed() < Duration::from_secs(1), "{sql}: {:?}", start.elapsed());
    }
    assert_eq!(list(&node).await, json!({ "contents": [] }));
}

async fn what_is_no_topic_is_refused(database: Database) {
    let node = database.node("").await;
    let longest = "로".repeat(1000);
    for comment in ["", " \n", "a\0b", &format!("{longest}로")] {
        post(&node, comment).await.names_field("comment");
        let json = Request::post("/topics").json(&json!({ "comment": comment }));
        json.send(&node).await.names_field("comment");
    }
    for body in [json!({}), json!({ "comment": 7 }), json!({ "comment": null }), json!([1])] {
        Request::post("/topics").json(&body).send(&node).await.any_problem(400);
    }
    let plain = Request::post("/topics").body("text/plain", "comment=a");
    plain.send(&node).await.any_problem(415);
    let twice = Request::post("/topics").form(&[("comment", "a"), ("comment", "b")]);
    twice.send(&node).await.any_problem(400);
    let large = "x".repeat(2 << 20);
    post(&node, &large).await.problem(413, "too-large");
    assert_eq!(list(&node).await, json!({ "contents": [] }));
    add(&node, &longest).await;
    add(&node, "'); DROP TABLE pushgate_topics; --").await;
    assert_eq!(comments(&list(&node).await), [&longest, "'); DROP TABLE pushgate_topics; --"]);
}

async fn a_full_board_takes_no_more(database: Database) {
    let node = database.node(&api_key_config()).await;
    let values = vec!["('x')"; 999].join(",");
    let fill = format!("INSERT INTO pushgate_topics (comment) VALUES {values}");
    database.execute(&node, &fill).await;
    until("999", async || comments(&list(&node).await).len(), |count| *count == 999).await;
    let last = add(&node, "the thousandth").await;
    post(&node, "one more").await.problem(409, "board-full");
    assert_eq!(delete(&node, &last["id"]).await.status, 204);
    add(&node, "fits again").await;
    // In bytes it is full long before.
    database.execute(&node, "DELETE FROM pushgate_topics").await;
    until("none", async || comments(&list(&node).await).len(), |count| *count == 0).await;
    let long = "\u{1}".repeat(1000);
    let mut count = 0;
    loop {
        let answer = post(&node, &long).await;
        if answer.status != 201 {
            answer.problem(409, "board-full");
            break;
        }
        count += 1;
    }
    let whole = Request::get("/topics").send(&node).await;
    assert!((80..100).contains(&count), "{count}");
    assert!(whole.text().len() <= 512 * 1024);
    // A small one still fits.
    add(&node, "small").await;
}

async fn what_another_program_wrote_beyond_the_bounds_is_cut(database: Database) {
    let node = database.node("").await;
    let values: Vec<_> = (1..=1500).map(|number| format!("('{number}')")).collect();
    let insert = format!("INSERT INTO pushgate_topics (comment) VALUES {}", values.join(","));
    database.execute(&node, &insert).await;
    let told = until("topics", async || list(&node).await, |list| !comments(list).is_empty()).await;
    assert_eq!(comments(&told).len(), 1000);
    assert_eq!((comments(&told)[0], comments(&told)[999]), ("501", "1500"));
    let long = "y".repeat(5000);
    let insert = format!("INSERT INTO pushgate_topics (comment) VALUES ('{long}')");
    database.execute(&node, &insert).await;
    let told = until("it", async || list(&node).await, |list| comments(list)[999] != "1500").await;
    assert_eq!(comments(&told)[999], "y".repeat(1000));
}

async fn a_database_that_another_program_holds_is_not_written_but_read(database: Database) {
    let node = database.node("").await;
    add(&node, "before").await;
    let mut stream = TestClient::connect(&node, Transport::Ws, "board", "").await;
    assert_eq!(comments(&stream.next().await), ["before"]);
    let (sqlite, client);
    match &database {
        Database::Sqlite => {
            sqlite = open(&node);
            sqlite.execute_batch("BEGIN IMMEDIATE").unwrap();
            refuses(&node).await;
            sqlite.execute_batch("COMMIT").unwrap();
        }
        Database::Postgres(postgres) => {
            client = postgres.connect().await;
            let lock = "BEGIN; LOCK TABLE pushgate_topics IN EXCLUSIVE MODE";
            client.batch_execute(lock).await.unwrap();
            refuses(&node).await;
            client.batch_execute("COMMIT").await.unwrap();
        }
    }
    add(&node, "after").await;
    assert_eq!(comments(&stream.next().await), ["before", "after"]);
}

async fn what_a_rule_of_the_database_refuses_takes_nothing_else_along(database: Database) {
    let node = database.node("").await;
    let rule = match &database {
        Database::Sqlite => {
            "CREATE TRIGGER no_spam BEFORE INSERT ON pushgate_topics WHEN new.comment LIKE '%spam%' \
             BEGIN SELECT RAISE(ABORT, 'no spam'); END"
        }
        Database::Postgres(_) => {
            "ALTER TABLE pushgate_topics ADD CHECK (comment NOT LIKE '%spam%')"
        }
    };
    database.execute(&node, rule).await;
    let posts = (0..64).map(|number| {
        let node = &node;
        async move {
            let comment = format!("{} {number}", if number % 8 == 0 { "spam" } else { "tea" });
            let answer = post(node, &comment).await;
            if number % 8 == 0 {
                answer.names_field("comment");
            } else {
                assert_eq!(answer.status, 201, "{comment}: {}", answer.text());
            }
        }
    });
    futures_util::future::join_all(posts).await;
    assert_eq!(comments(&list(&node).await).len(), 56);
}

/// Writing is refused for now, and reading goes on.
async fn refuses(node: &TestNode) {
    let answer = post(node, "meanwhile").await;
    answer.problem(503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(comments(&list(node).await), ["before"]);
    let newcomer = TestClient::connect(node, Transport::Sse, "board", "").await.next().await;
    assert_eq!(comments(&newcomer), ["before"]);
}

async fn every_change_is_told_as_the_whole_list(transport: Transport) {
    let node = TestNode::with_config(&api_key_config()).await;
    let mut reader = TestClient::connect(&node, transport, "board", "").await;
    assert_eq!(reader.next().await, json!({ "contents": [] }));
    let one = add(&node, "one").await;
    assert_eq!(reader.next().await, json!({ "contents": [one] }));
    // What changes nothing is not told.
    assert_eq!(delete(&node, &json!(999)).await.status, 404);
    let two = add(&node, "two").await;
    assert_eq!(reader.next().await, json!({ "contents": [one, two] }));
    delete(&node, &one["id"]).await;
    assert_eq!(reader.next().await, json!({ "contents": [two] }));
    let mut newcomer = TestClient::connect(&node, transport, "board", "").await;
    assert_eq!(newcomer.next().await, json!({ "contents": [two] }));
}

on_every_transport!(every_change_is_told_as_the_whole_list);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_of_old_is_that_of_the_board() {
    let node = TestNode::start().await;
    for path in ["/topic_stream/", "/topic_stream", "/topic_stream/?users=none"] {
        let request = Request::get(path).header("Accept", "text/event-stream");
        let mut stream =
            TestClient::of_request(&node, Transport::Sse, &request, ("", "")).await.unwrap();
        let before = list(&node).await;
        assert_eq!(stream.next().await, before, "{path}");
        add(&node, path).await;
        assert_eq!(stream.next().await, list(&node).await, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_on_a_board() {
    let node = TestNode::start().await;
    let alice = node.login().await;
    for fields in [[("value", "a")], [("comment", "a")]] {
        let posted = Request::post("/post/board").bearer(&alice.token).form(&fields);
        posted.send(&node).await.problem(405, "not-postable");
    }
    let mut socket = TestClient::connect(&node, Transport::Ws, "board", "").await;
    assert_eq!(socket.next().await, json!({ "contents": [] }));
    socket.send(r#"{"comment":"a"}"#).await;
    assert_eq!(socket.next().await["error"]["code"], "not-postable");
    add(&node, "a").await;
    assert_eq!(comments(&socket.next().await), ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_needs_no_script() {
    let node = TestNode::start().await;
    let form = |comment: &str| {
        Request::post("/topics")
            .form(&[("comment", comment)])
            .header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
    };
    let answer = form("<script>alert('1')</script>\r\n\"&").send(&node).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/board")));
    let page = Request::get("/board").send(&node).await;
    let escaped = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\n&quot;&amp;";
    assert!(page.text().contains(escaped), "{}", page.text());
    assert!(page.header("content-security-policy").is_some());
    // What was wrong is said on the page, and what was written is not lost.
    let long = format!("<i>{}", "x".repeat(1000));
    let refused = form(&long).send(&node).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("at most 1000 characters"), "{}", refused.text());
    assert!(refused.text().contains("&lt;i&gt;xxx"), "what was written is there again");
    assert_eq!(comments(&list(&node).await).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_read_and_write_is_the_policy_of_the_channel() {
    let closed = format!("{}[channels.board]\nanonymous = false\n", api_key_config());
    let node = TestNode::with_config(&closed).await;
    let alice = node.login().await;
    Request::get("/topics").send(&node).await.problem(401, "unauthorized");
    post(&node, "a").await.problem(401, "unauthorized");
    Request::get("/topics").bearer(&alice.token).send(&node).await.ok();
    let named = Request::post("/topics").bearer(&alice.token).form(&[("comment", "secret")]);
    assert_eq!(named.send(&node).await.status, 201);
    let page = Request::get("/board").send(&node).await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("secret"), "the page is for everyone");
    let node = TestNode::with_config("[channels.board]\nkind = \"off\"").await;
    for path in ["/topics", "/board", "/topic_stream/"] {
        Request::get(path).send(&node).await.problem(404, "unknown-channel");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_readers_cost_the_database_nothing() {
    let postgres = Postgres::start().await;
    let node = Setup::default().config("").env("DATABASE_URL", &postgres.url()).start().await;
    reads(&node).await;
    add(&node, "before").await;
    let other = postgres.connect().await;
    let scans = async || {
        // Each session tells of what it did a moment later.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let count = "SELECT coalesce(sum(seq_scan + idx_scan), 0)::bigint \
                     FROM pg_stat_user_tables WHERE relname = 'pushgate_topics'";
        let row = other.query_one(count, &[]).await.unwrap();
        row.get::<_, i64>(0)
    };
    let before = scans().await;
    let mut readers = Vec::new();
    for _ in 0..200 {
        let mut reader = TestClient::connect(&node, Transport::Sse, "board", "").await;
        assert_eq!(comments(&reader.next().await), ["before"]);
        readers.push(reader);
    }
    for _ in 0..200 {
        list(&node).await;
    }
    add(&node, "after").await;
    let posted = Instant::now();
    for reader in &mut readers {
        assert_eq!(comments(&reader.next().await), ["before", "after"]);
    }
    assert!(posted.elapsed() < Duration::from_secs(1), "{:?}", posted.elapsed());
    let read = scans().await - before;
    assert!(read < 20, "{read} scans for 200 readers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_and_comes_back_loses_nothing() {
    let mut postgres = Postgres::start().await;
    let node = Setup::default().config("").env("DATABASE_URL", &postgres.url()).start().await;
    reads(&node).await;
    add(&node, "before").await;
    let mut stream = TestClient::connect(&node, Transport::Sse, "board", "").await;
    assert_eq!(comments(&stream.next().await), ["before"]);
    postgres.stop().await;
    refuses(&node).await;
    let ready = Request::get("/readyz").send(&node).await.ok();
    assert_eq!(ready["unavailable"], json!(["database"]));
    postgres.go_on(&[]).await;
    let again = async || post(&node, "after").await.status;
    until("the database to be back", again, |status| *status == 201).await;
    assert_eq!(comments(&stream.next().await), ["before", "after"]);
    let ready = Request::get("/readyz").send(&node).await.ok();
    assert_eq!(ready["unavailable"], json!([]));
    assert!(!node.output().contains("s3cr3t"), "{}", node.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_before_its_server_does() {
    let mut postgres = Postgres::start().await;
    postgres.stop().await;
    let node = Setup::default().config("").env("DATABASE_URL", &postgres.url()).start().await;
    Request::get("/topics").send(&node).await.problem(503, "unavailable");
    let mut stream = TestClient::connect(&node, Transport::Ws, "board", "").await;
    // All else goes on without it.
    let alice = node.login().await;
    node.post(&alice, "hello").await;
    postgres.go_on(&[]).await;
    assert_eq!(stream.next().await, json!({ "contents": [] }));
    add(&node, "first").await;
    assert_eq!(comments(&stream.next().await), ["first"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_share_one_server() {
    let postgres = Postgres::start().await;
    let start =
        async || Setup::default().config("").env("DATABASE_URL", &postgres.url()).start().await;
    // Both make the tables at once.
    let (one, two) = tokio::join!(start(), start());
    reads(&one).await;
    reads(&two).await;
    let mut stream = TestClient::connect(&two, Transport::Stream, "board", "").await;
    assert_eq!(stream.next().await, json!({ "contents": [] }));
    add(&one, "from one").await;
    assert_eq!(comments(&stream.next().await), ["from one"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_or_read_only_is_not_written_but_read() {
    let faults = Faults::new();
    let node = faults.apply(Setup::default().config("")).start().await;
    add(&node, "before").await;
    for error in [libc::ENOSPC, libc::EROFS, libc::EIO] {
        faults.fail_with(error);
        refuses(&node).await;
        faults.heal();
        // Nothing of what was refused is there, and all goes on.
        let answer = post(&node, "after").await;
        assert_eq!(answer.status, 201, "after {error}: {}", answer.text());
        assert_eq!(comments(&list(&node).await), ["before", "after"], "after {error}");
        open(&node).execute("DELETE FROM pushgate_topics WHERE comment = 'after'", []).unwrap();
        let told = async || comments(&list(&node).await).len();
        until("the deletion", told, |count| *count == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_taken_away_is_missed_and_another_in_its_place_is_used() {
    let node = TestNode::start().await;
    add(&node, "before").await;
    let mut stream = TestClient::connect(&node, Transport::Ws, "board", "").await;
    assert_eq!(comments(&stream.next().await), ["before"]);
    let file = node.data_dir().join("pushgate.db");
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
    }
    refuses(&node).await;
    let ready = Request::get("/readyz").send(&node).await.ok();
    assert_eq!(ready["unavailable"], json!(["database"]));
    // Another gateway's file comes in its place.
    let other = TestNode::start().await;
    add(&other, "from elsewhere").await;
    let path = other.data_dir().join("pushgate.db");
    let copy = rusqlite::Connection::open(&path).unwrap();
    copy.execute("VACUUM INTO ?1", [file.to_str().unwrap()]).unwrap();
    assert_eq!(comments(&stream.next().await), ["from elsewhere"]);
    add(&node, "after").await;
    assert_eq!(comments(&stream.next().await), ["from elsewhere", "after"]);
    let rows: i64 = open(&node)
        .query_row("SELECT count(*) FROM pushgate_topics", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_by_another_program_are_told_while_posts_are_refused() {
    let node = TestNode::start().await;
    add(&node, "before").await;
    let mut stream = TestClient::connect(&node, Transport::Ws, "board", "").await;
    assert_eq!(comments(&stream.next().await), ["before"]);
    let other = open(&node);
    let insert = "INSERT INTO pushgate_topics (comment) VALUES ('from elsewhere')";
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut refused = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let request = Request::post("/topics").form(&[("comment", "meanwhile")]);
        let address = node.address();
        refused.spawn(async move { request.send_to(address).await.status });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.execute_batch(&format!("{insert}; COMMIT; BEGIN IMMEDIATE")).unwrap();
    let committed = Instant::now();
    assert_eq!(comments(&stream.next().await), ["before", "from elsewhere"]);
    assert!(committed.elapsed() < Duration::from_secs(1), "{:?}", committed.elapsed());
    other.execute_batch("COMMIT").unwrap();
    while let Some(status) = refused.join_next().await {
        assert!(matches!(status.unwrap(), 201 | 503));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_can_be_written_again_is_said_to_be_there_before_anyone_posts() {
    let node = TestNode::start().await;
    let other = open(&node);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    post(&node, "refused").await.problem(503, "unavailable");
    let lacks = async || Request::get("/readyz").send(&node).await.ok()["unavailable"].clone();
    assert_eq!(lacks().await, json!(["database"]));
    // Longer than until it is tried again: it is still held.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(lacks().await, json!(["database"]));
    other.execute_batch("ROLLBACK").unwrap();
    until("the database to be there", lacks, |lacks| *lacks == json!([])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_another_program_used_up_are_named() {
    let node = TestNode::start().await;
    let insert = "INSERT INTO pushgate_topics (id, comment) VALUES (9223372036854775807, 'last')";
    open(&node).execute_batch(insert).unwrap();
    let problem = post(&node, "one more").await.problem(503, "unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("used up the ids"), "{problem}");
    reads(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_make_tables_can_use_those_that_are_there() {
    let postgres = Postgres::start().await;
    let start =
        async |url: &str| Setup::default().config("").env("DATABASE_URL", url).start().await;
    let owner = start(&postgres.url()).await;
    reads(&owner).await;
    add(&owner, "before").await;
    let other = postgres.connect().await;
    other
        .batch_execute(
            "CREATE ROLE app LOGIN PASSWORD 'app'; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON pushgate_topics TO app; \
             GRANT SELECT ON pushgate_migrations TO app",
        )
        .await
        .unwrap();
    let app = start(&postgres.url_of("app", "app")).await;
    reads(&app).await;
    add(&app, "by app").await;
    assert_eq!(comments(&list(&app).await), ["before", "by app"]);
    // Where nobody may write any more, everybody reads.
    other
        .batch_execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        .await
        .unwrap();
    let reader = start(&postgres.url()).await;
    reads(&reader).await;
    assert_eq!(comments(&list(&reader).await), ["before", "by app"]);
    post(&reader, "not now").await.problem(503, "unavailable");
    other
        .batch_execute(
            "BEGIN READ WRITE; INSERT INTO pushgate_topics (comment) VALUES ('elsewhere'); COMMIT",
        )
        .await
        .unwrap();
    let told = async || comments(&list(&reader).await).len();
    until("the change", told, |count| *count == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_none_of_ours_is_refused_by_name() {
    let write = |home: &std::path::Path, version: i64, application: i64| {
        let connection = rusqlite::Connection::open(home.join("pushgate.db")).unwrap();
        connection.execute_batch("CREATE TABLE other (x)").unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        connection.pragma_update(None, "application_id", application).unwrap();
    };
    let ours = 0x7075_7368;
    for (what, prepare) in [
        ("another program", &(|home: &_| write(home, 3, 0)) as &dyn Fn(&std::path::Path)),
        ("another program", &|home| write(home, 0, 0)),
        ("version 99", &|home| write(home, 99, ours)),
        ("not a database", &|home| {
            std::fs::write(home.join("pushgate.db"), "hello, this is no database\n".repeat(99))
                .unwrap();
        }),
    ] {
        let home = common::node::Home::fresh();
        prepare(home.path());
        let output = common::node::command()
            .args(["--port", "0", "--data-dir"])
            .arg(home.path())
            .output()
            .await
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(told.contains("pushgate.db") && told.contains(what), "{what}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_connection_is_checked_against_the_authority_that_is_named() {
    let mut postgres = Postgres::start().await;
    postgres.stop().await;
    postgres.make_certificate().await;
    postgres.go_on(&["ssl=on"]).await;
    let url = format!("{}?sslmode=require", postgres.url());
    let start = async |config: &str| {
        Setup::default().config(config).env("DATABASE_URL", &url).start().await
    };
    let node = start("").await;
    reads(&node).await;
    add(&node, "encrypted").await;
    let signed = format!("[database]\nca = {:?}", postgres.data().join("server.crt"));
    let node = start(&signed).await;
    reads(&node).await;
    assert_eq!(comments(&list(&node).await), ["encrypted"]);
    let other = Postgres::start().await;
    other.make_certificate().await;
    let node = start(&format!("[database]\nca = {:?}", other.data().join("server.crt"))).await;
    let output = async || node.output();
    until("a refusal", output, |output| output.contains("no connection to the database")).await;
    Request::get("/topics").send(&node).await.problem(503, "unavailable");
}
