//! The order of a channel that was not durable for a while.

use serde_json::{Value, json};

use super::common::client::{TestClient, Transport};
use super::common::http::Request;
use super::common::node::{Login, Setup, TestNode};
use super::common::{at_offset, id_of, offset_of, until, value_of};
use super::database::Database;
use super::postgres::Postgres;
use super::{DURABLE, all, crash, post_keyed, reads};

/// A durable root, room and channel of values, or none of them.
fn config(durable: bool) -> String {
    let config = format!(
        "{DURABLE}[channels.chat]\ndurable = true\n\
         [channels.values]\nkind = \"json\"\nanonymous = true\ndurable = true\n"
    );
    config.replace("durable = true", &format!("durable = {durable}"))
}

/// How many orders in the database have the epoch of `id`.
async fn orders(database: &Database, node: &TestNode, id: &str) -> i64 {
    let epoch = id.split_once('-').unwrap().0;
    let sql = format!("SELECT count(*) FROM pushgate_channels WHERE epoch = '{epoch}'");
    database.count(node, &sql).await
}

async fn say(node: &TestNode, login: &Login, word: &str) -> Vec<Value> {
    let mut said = Vec::new();
    for number in 0..5 {
        said.push(node.post(login, &format!("{word} {number}")).await);
    }
    said
}

pub(super) async fn an_order_that_was_left_begins_anew(database: Database) {
    let mut node = database.node(&config(true)).await;
    let alice = node.login().await;
    let mut said = say(&node, &alice, "kept").await;
    said.push(post_keyed(&node, &alice, "keyed", "k").await.ok());
    let mut chat = TestClient::connect(&node, Transport::Ws, "chat", "").await;
    chat.send(r#"{"message":"hello"}"#).await;
    let hello = chat.next().await;
    // What somebody said is never changed, whatever it looks like.
    let value = json!({ "b": 1, "id": "abcdefgh-1" });
    Request::post("/post/values").json(&json!({ "value": value })).send(&node).await.ok();
    // As long as it is durable it goes on.
    crash(&mut node).await;
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    let old = id_of(&said[5]).to_owned();

    node.restart_with(&config(false)).await;
    say(&node, &alice, "not kept").await;
    let left = async || orders(&database, &node, &old).await;
    until("another order", left, |count| *count == 0).await;
    node.restart_with(&config(true)).await;
    reads(&node).await;
    for _ in 0..2 {
        is_anew(&node, &alice, &said).await;
        others_are_anew(&node, &hello, &value).await;
        crash(&mut node).await;
    }
    goes_on(&node, &alice).await;
}

async fn goes_on(node: &TestNode, login: &Login) {
    let kept = all(node, login, "since", "0").await;
    let next = node.post(login, "next").await;
    assert_eq!(id_of(&next), at_offset(id_of(&kept[0]), 7));
    // It is the same post, wherever its place is now.
    let again = post_keyed(node, login, "keyed", "k").await.ok();
    assert_eq!(again, kept[5]);
}

/// So it is on channels of other kinds.
async fn others_are_anew(node: &TestNode, hello: &Value, value: &Value) {
    let history =
        async |channel| Request::get(&format!("/history/{channel}")).send(node).await.ok();
    let page = history("chat").await;
    assert_eq!(page["messages"][0]["message"], hello["message"]);
    assert_ne!(page["since"], hello["id"]);
    assert_eq!(page["messages"][0]["id"], page["since"]);
    let page = history("values").await;
    assert_eq!(page["messages"], json!([{ "id": page["since"], "data": value }]));
}

/// Whoever comes with an id of the old order is told a gap, and has all that is kept.
async fn is_anew(node: &TestNode, login: &Login, said: &[Value]) {
    let (old, kept) = (id_of(&said[3]), all(node, login, "since", "0").await);
    assert!(kept.iter().map(value_of).eq(said.iter().map(value_of)), "{kept:?}");
    assert!(kept.iter().map(|message| offset_of(id_of(message))).eq(1..=6), "{kept:?}");
    assert_ne!(id_of(&kept[3]), old);
    let query = login.query(&format!("users=none&since={old}"));
    let mut client = TestClient::connect(node, Transport::Ws, "", &query).await;
    assert_eq!(client.next().await["gap"]["next"], id_of(&kept[0]));
    for message in &kept {
        assert_eq!(client.next().await, *message);
    }
    let page = node.history(login, &format!("since={old}")).await;
    assert_eq!(
        (&page["gap"]["next"], &page["messages"]),
        (&kept[0]["message"]["id"], &json!(kept))
    );
    let page = node.history(login, &format!("since={}", id_of(&kept[4]))).await;
    assert_eq!((page.get("gap"), &page["messages"]), (None, &json!([kept[5]])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_begins_anew_once_its_server_is_there() {
    let mut postgres = Postgres::start().await;
    let setup = Setup::default().config(&config(true)).env("DATABASE_URL", &postgres.url());
    let mut node = setup.start().await;
    reads(&node).await;
    let alice = node.login().await;
    let said = say(&node, &alice, "kept").await;
    postgres.stop().await;
    node.restart_with(&config(false)).await;
    say(&node, &alice, "not kept").await;
    postgres.go_on(&[]).await;
    reads(&node).await;
    let database = Database::Postgres(Box::new(postgres));
    let left = async || orders(&database, &node, id_of(&said[0])).await;
    until("another order", left, |count| *count == 0).await;
    node.restart_with(&config(true)).await;
    reads(&node).await;
    let page = node.history(&alice, &format!("since={}", id_of(&said[4]))).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 5);
    assert_eq!(page["gap"]["next"], id_of(&page["messages"][0]));
}
