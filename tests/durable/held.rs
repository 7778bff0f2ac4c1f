//! Files of SQLite that another program holds: they are sound, and nobody says otherwise.

use rusqlite::Connection;

use super::common::node::TestNode;
use super::copies::Copies;
use super::database::open;
use super::{DURABLE, all, crash, until};

/// How many posts there are that the file has not, and how long each is.
const POSTS: (i64, usize) = (30, 6000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_log_others_hold_is_copied_and_opened_and_not_called_torn() {
    let mut node = TestNode::with_config(DURABLE).await;
    let (alice, copies) = (node.login().await, Copies::new());
    // It reads what there is now: what comes then stays in the log, and the file as short as it is.
    let reader = open(&node);
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(rows(&reader), 0);
    let mut poster = node.poster(&alice, "").await;
    for _ in 0..POSTS.0 {
        poster.post(&"x".repeat(POSTS.1)).await;
    }
    is_found_whole(&mut node, &copies).await;
    // Now somebody is about to copy the log, and lets nobody else do it, until the reader is done.
    let other = open(&node);
    let waits = tokio::task::spawn_blocking(move || checkpoint(&other, "FULL"));
    let connection = open(&node);
    let is_busy = async || checkpoint(&connection, "PASSIVE").0;
    until("the log to be held", is_busy, |is| *is).await;
    is_found_whole(&mut node, &copies).await;
    assert!(checkpoint(&connection, "PASSIVE").0, "it is held still");
    assert_eq!(rows(&reader), 0);
    drop(reader);
    let (is_busy, pages, done) = waits.await.unwrap();
    assert!(!is_busy && done == pages && pages > 0, "{is_busy} {pages} {done}");
    assert_eq!(all(&node, &alice, "since", "0").await.len(), 30);
}

/// A backup takes all of it along, and another process opens it, while the file is shorter than what there
/// is.
async fn is_found_whole(node: &mut TestNode, copies: &Copies) {
    assert!(is_short(node));
    let copy = copies.of(node).await;
    assert_eq!(rows(&Connection::open(copy.join("pushgate.db")).unwrap()), POSTS.0);
    crash(node).await;
    assert!(is_short(node));
}

/// Whether some of what there is can be in the log only.
fn is_short(node: &TestNode) -> bool {
    let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let wanted: i64 = open(node).query_row(sql, [], |row| row.get(0)).unwrap();
    let file = std::fs::metadata(node.data_dir().join("pushgate.db")).unwrap();
    i64::try_from(file.len()).unwrap() < wanted
}

fn rows(connection: &Connection) -> i64 {
    let sql = "SELECT count(*) FROM pushgate_messages";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Has the log copied into the file: whether others kept it from that, how many pages the log has, and
/// how many were copied.
fn checkpoint(connection: &Connection, mode: &str) -> (bool, i64, i64) {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let told = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    connection.query_row(&sql, [], told).unwrap()
}
