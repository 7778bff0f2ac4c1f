//! A backend as these tests have it: one API key, and the two verbs.

use serde_json::{Value, json};

use super::common::http::{Request, Response, encode};
use super::common::jwt;
use super::common::node::{API_KEY, Login, Setup, TestNode, api_key_config};

/// A node that knows the key of the backend.
pub async fn node() -> TestNode {
    node_with("").await
}

/// The same with more of a configuration.
pub async fn node_with(more: &str) -> TestNode {
    TestNode::with_config(&format!("{}{more}", api_key_config())).await
}

/// The secret of [`node_with_secret`], for tokens that are forged.
pub const SECRET: &str = "a-secret-for-tests-of-at-least-32-characters";

/// A node whose secret the test knows.
pub async fn node_with_secret() -> TestNode {
    let setup = Setup::default().config(&api_key_config());
    setup.env("PUSHGATE_SECRET", SECRET).start().await
}

/// A request with the key.
pub fn api(verb: &str) -> Request {
    Request::post(&format!("/api/{verb}")).bearer(API_KEY)
}

/// A token of a client for its private line.
pub async fn line(node: &TestNode, client: &str) -> Login {
    create(node, &json!({ "client_id": client })).await
}

/// A token of a client by what the backend says of it.
pub async fn create(node: &TestNode, body: &Value) -> Login {
    let answer = api("create_channel").json(body).send(node).await.ok();
    let token = answer["token"].as_str().unwrap().to_owned();
    Login { client_id: body["client_id"].as_str().unwrap().to_owned(), token }
}

/// Sends a text to a client and says whom it reached.
pub async fn send(node: &TestNode, client: &str, message: &str) -> String {
    let body = json!({ "client_id": client, "message": message });
    let answer = api("send_message").json(&body).send(node).await.ok();
    answer["reached"].as_str().unwrap().to_owned()
}

/// The answer to a command of the development protocol.
pub async fn command(node: &TestNode, command: &str, token: &str) -> Response {
    let query = format!("command={command}&channel={}", encode(token));
    Request::get(&format!("/_ah/channel/dev?{query}")).send(node).await
}

/// The body of a command that must succeed.
pub async fn obeyed(node: &TestNode, name: &str, token: &str) -> String {
    let answer = command(node, name, token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    answer.text().to_owned()
}

/// A genuine token, but with its time over.
pub fn expired(token: &str) -> String {
    jwt::resign(token, SECRET, &json!({ "exp": 1_000_000 }))
}
