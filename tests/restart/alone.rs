//! Who has no connection when the node dies has none that could break: it stays as long as ever.

use super::common::client::Transport;
use super::common::node::{Login, TestNode};
use super::common::{is_on, until};
use super::receiver::Receiver;
use super::{
    LATE, SOON, STAY, config, connect, durable, edges, hears, leavers, setup, sorted, taken, watch,
    written,
};

/// Has somebody post until the journal knows that it stays by that.
async fn stays_by_posts(node: &TestNode, login: &Login) {
    let ask = async || {
        node.post(login, "hi").await;
        written(node).await;
        let journal = std::fs::read_to_string(node.data_dir().join("journal")).unwrap();
        let about = |line: &&str| line.contains(&login.client_id) && line.starts_with("{\"here");
        journal.lines().rev().find(about).unwrap_or_default().to_owned()
    };
    until("a line", ask, |line: &String| line.contains("\"alone\":true")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_posts_or_has_just_logged_in_stays_for_its_timeout() {
    let receiver = Receiver::start([]).await;
    let mut node = setup(&receiver, LATE, "").start().await;
    let (silent, posts, streams) = (node.login().await, node.login().await, node.login().await);
    let _stream = connect(&node, Transport::Stream, "", &streams).await;
    connect(&node, Transport::Ws, "", &posts).await.cut();
    for login in [&posts, &streams] {
        hears(&receiver, login, &["connected"]).await;
    }
    stays_by_posts(&node, &posts).await;

    node.restart_with(&config(&receiver, SOON, "timeout = 6")).await;
    let watcher = node.login().await;
    let (mut root, list) = watch(&node, "", &watcher).await;
    for login in [&silent, &posts, &streams] {
        assert!(is_on(&list, &login.client_id), "{list}");
    }
    assert_eq!(leavers(&mut root, 1).await, sorted(&[&streams]));
    assert_eq!(leavers(&mut root, 2).await, sorted(&[&silent, &posts]));
    for login in [&posts, &streams] {
        hears(&receiver, login, &STAY).await;
    }
    assert!(edges(&receiver, &silent).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connected_while_there_was_nobody_to_tell_is_not_told_as_gone() {
    let mut node = durable(LATE).start().await;
    let (back, away) = (node.login().await, node.login().await);
    for login in [&back, &away] {
        connect(&node, Transport::Ws, "", login).await.cut();
    }
    written(&node).await;
    let receiver = Receiver::start([]).await;
    let kept = "[channels.kept]\nkind = \"chat\"\ndurable = true";
    node.restart_with(&config(&receiver, 1.0, kept)).await;
    let _back = connect(&node, Transport::Ws, "", &back).await;
    hears(&receiver, &back, &["connected"]).await;
    let gone = async || node.users(&back).await;
    until("its end", gone, |list| !is_on(list, &away.client_id)).await;
    back.logout(&node).await;
    hears(&receiver, &back, &STAY).await;
    assert_eq!(taken(&receiver).len(), 2, "{:?}", taken(&receiver));
}
