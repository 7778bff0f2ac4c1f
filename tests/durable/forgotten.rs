//! What a backend deleted: nobody is served it, it goes from the disk, and its keys stay used.

use serde_json::{Value, json};

use super::common::client::{TestClient, Transport};
use super::common::http::{Request, Response, find};
use super::common::node::{API_KEY, Login, TestNode, api_key_config};
use super::common::{at_offset, id_of, until};
use super::database::Database;
use super::{DURABLE, all, crash, post_keyed, reads};

const ROWS: &str = "SELECT count(*) FROM pushgate_messages";

async fn delete(node: &TestNode) -> Response {
    Request::new("DELETE", "/history").bearer(API_KEY).send(node).await
}

pub(super) async fn what_is_deleted_leaves_its_keys_used(database: Database) {
    let mut node = database.node(&format!("{DURABLE}{}", api_key_config())).await;
    let alice = node.login().await;
    let said = node.post(&alice, "first").await;
    let keyed = post_keyed(&node, &alice, "secret", "k").await.ok();
    assert_eq!(delete(&node).await.status, 204);
    only_a_key_is_left(&database, &node).await;
    let id = id_of(&said);
    for _ in 0..3 {
        assert_eq!(post_keyed(&node, &alice, "secret", "k").await.ok(), keyed);
        post_keyed(&node, &alice, "another", "k").await.problem(409, "key-reused");
        two_are_gone(&node, &alice, id).await;
        crash(&mut node).await;
    }
    let next = post_keyed(&node, &alice, "next", "another").await.ok();
    assert_eq!(id_of(&next), at_offset(id, 3));
    // As if five minutes had passed: the key is free, and so is its place on the disk.
    let later = "UPDATE pushgate_messages SET accepted = accepted - 300001";
    database.execute(&node, later).await;
    crash(&mut node).await;
    until("the key to go", async || database.count(&node, ROWS).await, |rows| *rows == 1).await;
    let anew = post_keyed(&node, &alice, "secret", "k").await.ok();
    assert_eq!(id_of(&anew), at_offset(id, 4));
    assert_eq!(all(&node, &alice, "since", "0").await, [next, anew]);
}

/// Nothing is served, and who had one of two, the first of this `id`, is told of the other.
async fn two_are_gone(node: &TestNode, login: &Login, id: &str) {
    assert_eq!(all(node, login, "since", "0").await, [] as [Value; 0]);
    let page = node.history(login, &format!("since={id}")).await;
    assert_eq!(page["gap"]["next"], at_offset(id, 3));
    let page = node.history(login, &format!("since={}", at_offset(id, 2))).await;
    assert_eq!(page.get("gap"), None);
}

/// Nothing of what was deleted is on the disk but that a key was used.
async fn only_a_key_is_left(database: &Database, node: &TestNode) {
    let left = "SELECT coalesce(sum(octet_length(message)), 0)::bigint FROM pushgate_messages";
    assert_eq!(database.count(node, left).await, 0);
    assert_eq!(database.count(node, ROWS).await, 1);
    let bytes = "SELECT sum(bytes)::bigint FROM pushgate_channels";
    assert_eq!(database.count(node, bytes).await, 0);
    if let Database::Sqlite = database {
        // Not as something that was freed either.
        for file in ["pushgate.db", "pushgate.db-wal"] {
            let bytes = std::fs::read(node.data_dir().join(file)).unwrap();
            assert!(find(&bytes, b"secret").is_none(), "{file}");
        }
    }
}

pub(super) async fn what_is_deleted_goes_a_piece_at_a_time(database: Database) {
    let mut node = database.node(&format!("{DURABLE}{}", api_key_config())).await;
    let alice = node.login().await;
    let first = node.post(&alice, "first").await;
    node.terminate().await;
    database.execute(&node, &many(1800)).await;
    database.execute(&node, rule(&database)).await;
    node.start_again().await;
    reads(&node).await;
    let query = alice.query(&format!("users=none&since={}", id_of(&first)));
    let mut client = TestClient::connect(&node, Transport::Ws, "", &query).await;
    assert_eq!(id_of(&client.next().await), at_offset(id_of(&first), 2));
    // The third piece stays, as where the process had died before it.
    delete(&node).await.problem(503, "unavailable");
    let next = node.post(&alice, "next").await;
    assert_eq!(id_of(&next), at_offset(id_of(&first), 1801));
    for _ in 0..2 {
        assert_eq!(database.count(&node, ROWS).await, 801);
        only_one_is_served(&node, &alice, &next).await;
        crash(&mut node).await;
    }
    the_rest_goes_by_itself(&database, &mut node).await;
    assert_eq!(delete(&node).await.status, 204);
    assert_eq!(database.count(&node, ROWS).await, 0);
}

async fn the_rest_goes_by_itself(database: &Database, node: &mut TestNode) {
    node.terminate().await;
    database.execute(node, end_of_rule(database)).await;
    node.start_again().await;
    reads(node).await;
    until("the rest to go", async || database.count(node, ROWS).await, |rows| *rows == 1).await;
    let sound = "SELECT count(*) FROM pushgate_channels \
                 WHERE bytes = (SELECT sum(octet_length(message)) FROM pushgate_messages)";
    assert_eq!(database.count(node, sound).await, 1);
}

/// Whatever is left of the others, nobody is told but that they are gone.
async fn only_one_is_served(node: &TestNode, login: &Login, next: &Value) {
    assert_eq!(all(node, login, "since", "0").await, std::slice::from_ref(next));
    let before = at_offset(id_of(next), 1501);
    let page = node.history(login, &format!("before={before}")).await;
    assert_eq!((&page["messages"], &page["more"]), (&json!([]), &json!(false)));
    assert_eq!(page["gap"]["next"], id_of(next));
    let query = login.query(&format!("users=none&since={before}"));
    let mut client = TestClient::connect(node, Transport::Stream, "", &query).await;
    assert_eq!(client.next().await["gap"]["next"], id_of(next));
    assert_eq!(client.next().await, *next);
}

/// Has the root have so many messages where there is one.
fn many(count: u32) -> String {
    format!(
        "INSERT INTO pushgate_messages (channel, number, accepted, sender, message) \
         WITH RECURSIVE more (number) AS \
             (SELECT 2 UNION ALL SELECT number + 1 FROM more WHERE number < {count}) \
         SELECT id, more.number, accepted, '', '{{\"message\":{{\"value\":\"more\",\"id\":\"' \
                || epoch || '-' || more.number || '\"}}}}' \
         FROM more, pushgate_channels, pushgate_messages; \
         UPDATE pushgate_channels SET last = {count}, \
         bytes = (SELECT sum(octet_length(message)) FROM pushgate_messages)"
    )
}

/// A rule of the database: the message 1200 stays.
fn rule(database: &Database) -> &'static str {
    match database {
        Database::Sqlite => {
            "CREATE TRIGGER stays BEFORE DELETE ON pushgate_messages WHEN old.number = 1200 \
             BEGIN SELECT RAISE(ABORT, 'it stays'); END"
        }
        Database::Postgres(_) => {
            "CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'it stays'; END $$; \
             CREATE TRIGGER stays BEFORE DELETE ON pushgate_messages \
             FOR EACH ROW WHEN (old.number = 1200) EXECUTE PROCEDURE stays()"
        }
    }
}

fn end_of_rule(database: &Database) -> &'static str {
    match database {
        Database::Sqlite => "DROP TRIGGER stays",
        Database::Postgres(_) => "DROP TRIGGER stays ON pushgate_messages",
    }
}
