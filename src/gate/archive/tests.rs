//! How much of what is old is in memory at once, over all channels.

use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::*;
use crate::channel::{Bounds, DeliveryPolicy, Epoch, Position, Since};
use crate::hub::From;
use crate::store::{Entry, Sqlite};

/// How long a post is, and how many are on a channel: four mebibytes, of which memory has one anyway.
const POST: usize = 512 << 10;
const POSTS: usize = 8;

const ALL: Reach = Reach::From(From::Since(Since { position: None, users: None }));

struct Post {
    channel: ChannelName,
    done: oneshot::Sender<Result<Position, DatabaseError>>,
}

impl Append for Post {
    fn entry(&self) -> Entry<'_> {
        let known = Position { epoch: Epoch::from_random(1), offset: 0 };
        Entry { channel: &self.channel, known, sender: "", at: 1, retry: None }
    }

    fn render(&mut self, _: Position) -> Bytes {
        vec![b'1'; POST].into()
    }

    fn done(self: Box<Self>, done: Result<Position, DatabaseError>) {
        drop(self.done.send(done));
    }
}

/// A node with channels in its store.
struct Node {
    archive: Archive,
    hub: Hub,
    clock: TokenClock,
    policy: Arc<Policy>,
}

impl Node {
    fn new(read_at_once: usize) -> Self {
        let policy = Policy {
            kind: Kind::Json,
            anonymous: true,
            prefix: String::new(),
            delivery: DeliveryPolicy::Every,
            history: Bounds { messages: 1000, age: Duration::MAX, bytes: usize::MAX },
            durable: true,
        };
        let archive = Archive::new(Arc::new(Sqlite::in_memory().unwrap()));
        Self {
            archive: Archive { read_at_once, ..archive },
            hub: Hub::alone(),
            clock: TokenClock::start(SystemTime::now(), None),
            policy: Arc::new(policy),
        }
    }

    /// A channel that was said something on, with the newest of it in memory.
    async fn channel(&self, name: &str) -> Arc<Channel> {
        let name = ChannelName::parse(name).unwrap();
        for _ in 0..POSTS {
            let (done, told) = oneshot::channel();
            assert!(self.archive.append(Box::new(Post { channel: name.clone(), done })).is_ok());
            told.await.unwrap().unwrap();
        }
        let window = window(&self.policy, self.clock.now().millis());
        let loaded = self.archive.database.load(name.clone(), window).await.unwrap().unwrap();
        let (last, bottom) = (loaded.last, bottom(&loaded));
        let kept = loaded.kept.into_iter().map(|stored| publication(stored, Kind::Json, 1));
        self.hub.restore((&name, &self.policy), last, kept.collect(), bottom)
    }

    /// Reads the next piece of a channel, whether there is room or not.
    async fn read_piece(&self, channel: &Channel) {
        let lack = channel.lacks(ALL).unwrap();
        let window = window(&self.policy, self.clock.now().millis());
        let window = Window { bounds: lack.bounds, below: Some(lack.below), ..window };
        let loaded = self.archive.database.load(channel.name().clone(), window);
        let loaded = loaded.await.unwrap().unwrap();
        let bottom = bottom(&loaded);
        let older = loaded.kept.into_iter().map(|stored| publication(stored, Kind::Json, 1));
        channel.deepen(lack.below, older.collect(), bottom);
    }

    /// Whether all of a channel could be read; else it is told when to come back.
    async fn reads_all(&self, channel: &Channel) -> bool {
        match self.archive.deepen((&self.hub, &self.clock), channel, ALL).await {
            Ok(()) => true,
            Err(failure) => {
                assert_eq!(
                    (failure.problem, failure.problem.status()),
                    (Problem::Unavailable, 503)
                );
                assert!(failure.retry_after.is_some());
                false
            }
        }
    }
}

fn count(channel: &Channel) -> usize {
    channel.kept(From::Since(Since { position: None, users: None }), usize::MAX).1.len()
}

/// So many seconds later.
async fn later(node: &Node, seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
    node.hub.sweep(Instant::now());
}

#[tokio::test]
async fn what_is_old_is_read_of_so_many_channels_at_once_and_of_others_a_minute_later() {
    let node = Node::new(5 << 20);
    let (first, second) = (node.channel("first").await, node.channel("second").await);
    let third = node.channel("third").await;
    assert_eq!((node.hub.bytes_read(), count(&first)), (0, 2));
    // The last piece may go beyond.
    assert!(node.reads_all(&first).await && node.reads_all(&second).await);
    assert_eq!((node.hub.bytes_read(), count(&first), count(&second)), (6 << 20, POSTS, POSTS));
    assert!(!node.reads_all(&third).await, "there is no room");
    assert_eq!(count(&third), 2);
    later(&node, 50).await;
    assert!(!node.reads_all(&third).await, "it may be needed still");
    later(&node, 11).await;
    assert_eq!((node.hub.bytes_read(), count(&first), count(&second)), (0, 2, 2));
    assert!(node.reads_all(&third).await);
    assert_eq!(count(&third), POSTS);
}

#[tokio::test]
async fn of_a_single_channel_all_is_read_however_much_it_is() {
    let node = Node::new(1);
    let (first, second) = (node.channel("first").await, node.channel("second").await);
    assert!(node.reads_all(&first).await);
    assert_eq!((node.hub.bytes_read(), count(&first)), (3 << 20, POSTS));
    assert!(!node.reads_all(&second).await);
}

#[tokio::test]
async fn who_is_refused_and_tries_again_does_not_keep_what_fills_the_memory() {
    let node = Node::new(3 << 20);
    let (first, second) = (node.channel("first").await, node.channel("second").await);
    // Read at the same time, both came half the way.
    for _ in 0..2 {
        node.read_piece(&first).await;
        node.read_piece(&second).await;
    }
    assert_eq!(node.hub.bytes_read(), 4 << 20);
    for seconds in [0, 25, 25] {
        later(&node, seconds).await;
        assert!(!node.reads_all(&first).await && !node.reads_all(&second).await);
    }
    later(&node, 11).await;
    assert_eq!(node.hub.bytes_read(), 0);
    assert!(node.reads_all(&first).await);
    assert_eq!(count(&first), POSTS);
}
