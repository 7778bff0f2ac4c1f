//! Ended tokens stay ended, whatever the disk does meanwhile (wire.md §2).

use super::common::client::{TestClient, Transport};
use super::common::http::{Request, Response};
use super::common::node::{API_KEY, Login, Setup, TestNode, api_key_config};
use super::common::until;
use super::faults::Faults;

/// A node whose disk fails where ended tokens are.
async fn node(faults: &Faults) -> TestNode {
    let setup = Setup::default().config(&api_key_config()).env("FAULTS_AT", "/data/ended-tokens");
    faults.apply(setup).start().await
}

async fn logout(node: &TestNode, login: &Login) -> Response {
    Request::post("/logout").bearer(&login.token).send(node).await
}

async fn kick(node: &TestNode, login: &Login) -> Response {
    let kick = Request::post("/api/disconnect").bearer(API_KEY);
    kick.form(&[("client_id", &login.client_id)]).send(node).await
}

async fn are_ended(node: &TestNode, logins: &[Login]) {
    for login in logins {
        let answer = Request::get("/users").bearer(&login.token).send(node).await;
        answer.problem(401, "token-invalid");
    }
}

/// One who logs out, one who is kicked and one who connects with a newer token: all are ended at once, and
/// those who can be told are told that it is not written down.
async fn end_three(node: &TestNode) -> Vec<Login> {
    let (leaves, is_kicked, renews) = (node.login().await, node.login().await, node.login().await);
    let newer = renews.renewed(node).await;
    for refused in [logout(node, &leaves).await, kick(node, &is_kicked).await] {
        let problem = refused.problem(503, "unavailable");
        assert!(refused.header("retry-after").is_some(), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("are ended"), "{problem}");
    }
    let client = TestClient::connect(node, Transport::Ws, "", &newer.query("users=none")).await;
    drop(client);
    // Once more: of a token that is ended nothing else is said.
    logout(node, &leaves).await.problem(401, "token-invalid");
    kick(node, &is_kicked).await.problem(503, "unavailable");
    let ended = vec![leaves, is_kicked, renews];
    are_ended(node, &ended).await;
    ended
}

async fn are_written_once_the_disk_takes_them(fail: impl Fn(&Faults)) {
    let faults = Faults::new();
    let mut node = node(&faults).await;
    let before = node.login().await;
    before.logout(&node).await;
    fail(&faults);
    let mut ended = end_three(&node).await;
    ended.push(before);
    assert_eq!(node.output().matches("tokens could not be written down").count(), 1, "once");
    faults.heal();
    let output = async || node.output();
    until("the tokens", output, |output| output.contains("are written down")).await;
    let after = node.login().await;
    after.logout(&node).await;
    ended.push(after);
    node.restart().await;
    are_ended(&node, &ended).await;
    assert!(!node.output().contains("torn record"), "{}", node.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_full_disk_nothing_is_forgotten() {
    are_written_once_the_disk_takes_them(Faults::be_full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_disk_that_cannot_be_written_at_all_nothing_is_forgotten() {
    are_written_once_the_disk_takes_them(|faults| faults.fail_with(libc::EROFS)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_disk_that_does_not_sync_nothing_is_forgotten() {
    are_written_once_the_disk_takes_them(|faults| faults.fail_syncs_with(libc::EIO)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_written_on_the_way_out() {
    let faults = Faults::new();
    let mut node = node(&faults).await;
    faults.be_full();
    let ended = end_three(&node).await;
    faults.heal();
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
    assert!(node.output().contains("are written down"), "{}", node.output());
    node.start_again().await;
    are_ended(&node, &ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_by_the_end_is_said() {
    let faults = Faults::new();
    let mut node = node(&faults).await;
    faults.be_full();
    end_three(&node).await;
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
    assert!(node.output().contains("the next start revives them"), "{}", node.output());
}
