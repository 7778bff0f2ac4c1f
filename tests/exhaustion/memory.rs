//! C5: no memory left.

use serde_json::json;

use crate::common::http::{Connection, Request};
use crate::common::jwt;
use crate::common::node::Setup;

use super::crowd::mib;

/// How much more address space than it had the node gets.
const MORE: u64 = 32 * 1024 * 1024;

#[tokio::test]
async fn without_memory_the_node_dies_and_comes_back_with_what_it_had_written() {
    let config = "[limits]\nmessage_bytes = 1000000\nbody_bytes = 4000000\n\
                  [channels.\"\"]\n\
                  history = { messages = 100000, bytes = 1073741824 }\n";
    // The allocator's own way is to reserve a gigabyte of addresses at a time.
    let setup = Setup::default().config(config).env("MIMALLOC_ARENA_RESERVE", "16MiB");
    let mut node = setup.start().await;
    let (alice, bob) = (node.login().await, node.login().await);
    bob.logout(&node).await;
    let most = node.address_space() + MORE;
    node.limit("as", most).await;

    let request = Request::post("/post").bearer(&alice.token);
    let request = request.json(&json!({ "value": "x".repeat(900_000) }));
    let request = request.bytes(node.address(), true);
    let (mut posted, mut refused) = (0, 0);
    // A node that refused for ever would be fine as well.
    let mut is_gone = false;
    while !is_gone && refused < 100 && posted < 200 {
        let Ok(mut connection) = Connection::try_open(node.address(), None).await else {
            is_gone = true;
            continue;
        };
        connection.write(&request).await;
        match connection.try_response().await {
            Some(answer) if answer.status == 200 => posted += 1,
            Some(answer) => {
                assert!(matches!(answer.status, 500 | 503), "{answer:?}");
                refused += 1;
            }
            None => refused += 1,
        }
    }
    assert!(posted < 200, "{posted} messages fit into {:.0} MiB", mib(MORE));
    if is_gone {
        eprintln!("C5: after {posted} messages: {}", node.exit().await);
        node.start_again().await;
    } else {
        eprintln!("C5: after {posted} messages: refused {refused}\n{}", node.output());
        node.restart().await;
    }
    // The same key signs, and who was logged out stays so.
    let (_, claims) = jwt::read(&alice.token);
    let told = node.post(&alice, "the same key").await;
    assert_eq!(told["message"]["client_id"], claims["sub"]);
    let post = Request::post("/post").bearer(&bob.token).form(&[("value", "never")]);
    post.send(&node).await.problem(401, "token-invalid");
}
