//! What a newcomer to a kind that greets is given after a crash.

use serde_json::{Value, json};

use super::common::client::{TestClient, Transport};
use super::common::http::Request;
use super::common::node::{API_KEY, TestNode, api_key_config};
use super::common::until;
use super::crash;
use super::database::Database;

const CHANNELS: [&str; 3] = ["count", "age", "bytes"];

fn config() -> String {
    let bounds = [(0, 3600, 1_048_576), (1000, 60, 1_048_576), (1000, 3600, 1)];
    let channels = CHANNELS.iter().zip(bounds).map(|(channel, (messages, seconds, bytes))| {
        format!(
            "[channels.{channel}]\nkind = \"camera\"\nanonymous = true\ndurable = true\n\
             history = {{ messages = {messages}, seconds = {seconds}, bytes = {bytes} }}\n"
        )
    });
    channels.chain([api_key_config()]).collect()
}

fn place(x: u32) -> String {
    format!(r#"{{"x":{x},"y":2.50,"z":-0}}"#)
}

async fn newcomer(node: &TestNode, channel: &str) -> TestClient {
    TestClient::connect(node, Transport::Ws, channel, "").await
}

async fn history(node: &TestNode, channel: &str) -> Value {
    Request::get(&format!("/history/{channel}")).send(node).await.ok()
}

async fn histories(node: &TestNode) -> [Value; 2] {
    [history(node, "count").await, history(node, "bytes").await]
}

/// Somebody moves on each channel.
async fn move_about(node: &TestNode) {
    for channel in CHANNELS {
        let mut camera = newcomer(node, channel).await;
        for x in 1..=3 {
            camera.send(&place(x)).await;
        }
        while camera.next_text().await != place(3) {}
    }
}

pub(super) async fn a_newcomer_is_greeted_whatever_the_bounds_are(database: Database) {
    let mut node = database.node(&config()).await;
    move_about(&node).await;
    let before = histories(&node).await;
    // As if an hour had passed.
    database.execute(&node, "UPDATE pushgate_messages SET accepted = accepted - 3600000").await;
    crash(&mut node).await;
    let rows = "SELECT count(*) FROM pushgate_messages";
    until("the rest to go", async || database.count(&node, rows).await, |rows| *rows == 3).await;
    for _ in 0..2 {
        for channel in CHANNELS {
            assert_eq!(newcomer(&node, channel).await.next_text().await, place(3), "{channel}");
        }
        crash(&mut node).await;
    }
    assert_eq!(histories(&node).await, before);
    nobody_is_greeted_by_what_was_deleted(&mut node).await;
}

async fn nobody_is_greeted_by_what_was_deleted(node: &mut TestNode) {
    let delete = Request::new("DELETE", "/history/count").bearer(API_KEY);
    assert_eq!(delete.send(node).await.status, 204);
    crash(node).await;
    assert_eq!(history(node, "count").await["messages"], json!([]));
    let mut camera = newcomer(node, "count").await;
    camera.send(&place(4)).await;
    assert_eq!(camera.next_text().await, place(4));
}
