//! What shares a commit with something that a damaged file does not let happen.

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::database::DatabaseError;
use super::*;

use crate::channel::{Bounds, ChannelName, Epoch, Position};
use crate::store::database::{Append, Entry, Window};
use crate::store::scratch::Scratch;

const PAGE: usize = 4096;
/// How a page begins that has none below it. Source: SQLite, file format, section 1.6.
const LEAF: u8 = 0x0a;

struct Post {
    channel: ChannelName,
    done: oneshot::Sender<Result<Position, DatabaseError>>,
}

impl Append for Post {
    fn entry(&self) -> Entry<'_> {
        let known = Position { epoch: Epoch::from_random(1), offset: 0 };
        Entry { channel: &self.channel, known, sender: "", at: 1, retry: None }
    }

    fn render(&mut self, position: Position) -> Bytes {
        format!("\"{position} {}\"", "x".repeat(200)).into()
    }

    fn done(self: Box<Self>, done: Result<Position, DatabaseError>) {
        drop(self.done.send(done));
    }
}

fn post(sqlite: &Sqlite) -> oneshot::Receiver<Result<Position, DatabaseError>> {
    let (done, told) = oneshot::channel();
    let post = Post { channel: ChannelName::root(), done };
    assert!(sqlite.append(Box::new(post)).is_ok());
    told
}

#[test]
fn what_a_commit_forgot_that_is_taken_back_is_there_for_others() {
    let connection = set_up(Connection::open_in_memory().unwrap()).ok().unwrap();
    let append = || {
        let mut post = Post { channel: ChannelName::root(), done: oneshot::channel().0 };
        let mut rows = messages::Rows::default();
        let position = messages::append(&connection, &mut rows, &mut post).unwrap();
        rows.settle(&connection).unwrap();
        position.offset
    };
    assert_eq!((append(), append()), (1, 2));
    assert_eq!(messages::forget(&connection, &ChannelName::root()).unwrap(), 2);
    messages::take_back(&connection, "", 1).unwrap();
    // It gets the place of what was taken back.
    assert_eq!(append(), 2);
    let bounds = Bounds { messages: 10, age: Duration::from_secs(1), bytes: usize::MAX };
    let window = Window { bounds, now: 1, below: None, piece: (10, 1000), greets: false };
    let loaded = messages::load(&connection, &ChannelName::root(), &window).unwrap().unwrap();
    let kept = loaded.kept.iter().map(|stored| stored.position.offset);
    assert!(kept.eq([2]));
}

#[tokio::test]
async fn a_damaged_page_that_cannot_be_forgotten_takes_no_post_along() {
    let scratch = Scratch::new();
    let path = scratch.0.join("pushgate.db");
    let sqlite = Sqlite::open(&path).unwrap();
    let mut last = None;
    for _ in 0..100 {
        last = Some(post(&sqlite).await.unwrap().unwrap());
    }
    assert_eq!(last.unwrap().offset, 100);
    drop(sqlite);
    let merged = "PRAGMA wal_checkpoint(TRUNCATE)";
    Connection::open(&path).unwrap().query_row(merged, [], |_| Ok(())).unwrap();
    let mut file = std::fs::read(&path).unwrap();
    let oldest = format!("\"{} ", Position { epoch: Epoch::from_random(1), offset: 20 });
    let has_it = |page: &&mut [u8]| {
        page[0] == LEAF && page.windows(oldest.len()).any(|part| part == oldest.as_bytes())
    };
    file.chunks_mut(PAGE).find(has_it).unwrap().fill(0);
    std::fs::write(&path, file).unwrap();

    let sqlite = Sqlite::open(&path).unwrap();
    let age = Duration::from_secs(1);
    let bounds = Bounds { messages: 10, age, bytes: usize::MAX };
    let window = Window { bounds, now: 1, below: None, piece: (1, 1), greets: false };
    // Both wait before anybody looks: they share a commit.
    let (trimmed, posted) = (sqlite.trim(ChannelName::root(), window), post(&sqlite));
    assert!(trimmed.await.is_err());
    assert_eq!(posted.await.unwrap().unwrap().offset, 101);
}
