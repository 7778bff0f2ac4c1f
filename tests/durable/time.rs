//! A clock that is set back.

use serde_json::json;

use super::common::clock::Clock;
use super::common::node::TestNode;
use super::common::{id_of, value_of};
use super::database::open;
use super::{DURABLE, all, crash, post_keyed, reads};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_takes_nothing_away() {
    let mut node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    let said = [node.post(&alice, "one").await, node.post(&alice, "two").await];
    // As if they had been said tomorrow.
    let tomorrow = "UPDATE pushgate_messages SET accepted = accepted + 86400000";
    open(&node).execute(tomorrow, []).unwrap();
    crash(&mut node).await;
    assert_eq!(all(&node, &alice, "since", "0").await, said);
    let three = node.post(&alice, "three").await;
    crash(&mut node).await;
    assert_eq!(all(&node, &alice, "since", id_of(&said[0])).await, [said[1].clone(), three]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_back_and_forth_takes_nothing_away_and_keys_stay_used() {
    let mut clock = Clock::right();
    let mut node = clock.setup(DURABLE).start().await;
    let (alice, mut said) = (node.login().await, Vec::new());
    for (life, (running, between)) in [(0, -1), (1, -1), (-1, -400), (1, 0)].into_iter().enumerate()
    {
        clock.jump(&node, running).await;
        assert_eq!(all(&node, &alice, "since", "0").await, said, "life {life}");
        said.push(node.post(&alice, &format!("running {life}")).await);
        node.terminate().await;
        clock.days = between;
        clock.write();
        node.start_again().await;
        reads(&node).await;
        assert_eq!(all(&node, &alice, "since", "0").await, said, "life {life}");
        said.push(post_keyed(&node, &alice, "keyed", &format!("k{life}")).await.ok());
        crash(&mut node).await;
        // Whoever did not hear the answer asks again, and nothing is published twice.
        let again = post_keyed(&node, &alice, "keyed", &format!("k{life}")).await.ok();
        assert_eq!(Some(&again), said.last(), "life {life}");
        assert_eq!(all(&node, &alice, "since", "0").await, said, "life {life}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_lets_old_messages_go_in_their_time() {
    let mut clock = Clock::right();
    let short = "[channels.\"\"]\ndurable = true\nhistory = { messages = 100, seconds = 2, bytes = 1000000 }\n";
    let mut node = clock.setup(short).start().await;
    let alice = node.login().await;
    node.post(&alice, "old").await;
    node.terminate().await;
    clock.days = -1;
    clock.write();
    node.start_again().await;
    reads(&node).await;
    let new = node.post(&alice, "new").await;
    assert_eq!(value_of(&new), "new");
    let gone = async || node.history(&alice, "since=0").await["messages"].clone();
    super::until("what is old to go", gone, |kept| *kept == json!([])).await;
    let page = node.history(&alice, &format!("since={}", id_of(&new))).await;
    assert!(page.get("gap").is_none(), "{page}");
}
