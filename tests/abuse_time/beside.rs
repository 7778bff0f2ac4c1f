//! A gateway with short deadlines, and its well-behaved clients beside whoever is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::common::client::{TestClient, Transport};
use super::common::node::{Login, TestNode};
use super::common::{until, value_of};

/// Deadlines of seconds, so that those who behave meet them on a machine that is busy as well.
pub const SHORT: &str = "
[limits]
header_seconds = 2
body_seconds = 2
write_seconds = 2
keep_alive_seconds = 30
outbox_bytes = 262144
[heartbeat]
interval = 1
timeout = 2
[channels.quiet]
kind = \"message\"
";

/// What ends the posts.
const END: &str = "end";

/// Posters and subscribers on the root channel that go on until they are asked what they lost.
pub struct Beside {
    alice: Login,
    stop: Arc<AtomicBool>,
    posters: Vec<JoinHandle<u32>>,
    subscribers: Vec<JoinHandle<Vec<u32>>>,
    /// Sockets that the gateway has for all of these.
    sockets: usize,
}

impl Beside {
    /// Two posters of texts of this length, and a subscriber on each of these transports.
    pub async fn start(node: &TestNode, transports: &[Transport], length: usize) -> Self {
        let mut subscribers = Vec::new();
        for transport in transports {
            let query = node.login().await.query("users=none");
            let client = TestClient::connect(node, *transport, "", &query).await;
            subscribers.push(tokio::spawn(listen(client)));
        }
        let stop = Arc::<AtomicBool>::default();
        let mut posters = Vec::new();
        for number in 0..2 {
            let login = node.login().await;
            let mut poster = node.poster(&login, "").await;
            let stop = Arc::clone(&stop);
            posters.push(tokio::spawn(async move {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    let text = format!("{number}:{count}:{}", "a".repeat(length));
                    poster.post(&text).await;
                    count += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                count
            }));
        }
        let alice = node.login().await;
        // Requests of a connection each are over by now, or will be in a moment.
        let mut beside = Self { alice, stop, posters, subscribers, sockets: 0 };
        beside.sockets = beside.posters.len() + beside.subscribers.len();
        beside.are_alone(node).await;
        beside
    }

    /// As [`Self::start`] on all transports that are told of each message by itself.
    pub async fn start_on_all(node: &TestNode, length: usize) -> Self {
        Self::start(node, &[Transport::Ws, Transport::Sse, Transport::Stream], length).await
    }

    /// Waits until the gateway has no connection but those of these clients.
    pub async fn are_alone(&self, node: &TestNode) {
        until("the others are gone", || async { connections(node) }, |open| *open <= self.sockets)
            .await;
    }

    /// Ends the posts: every subscriber must have had all of every poster, in order, once.
    pub async fn have_lost_nothing(self, node: &TestNode) {
        self.stop.store(true, Ordering::Relaxed);
        let mut counts = Vec::new();
        for poster in self.posters {
            counts.push(poster.await.unwrap());
        }
        node.post(&self.alice, END).await;
        for subscriber in self.subscribers {
            assert_eq!(subscriber.await.unwrap(), counts);
        }
    }
}

/// Listens to the end: how many came of each poster. They must come in order.
async fn listen(mut client: TestClient) -> Vec<u32> {
    let mut counts = vec![0, 0];
    loop {
        let message = client.next().await;
        let value = value_of(&message);
        if value == END {
            return counts;
        }
        let mut parts = value.split(':');
        let poster: usize = parts.next().unwrap().parse().unwrap();
        let number: u32 = parts.next().unwrap().parse().unwrap();
        assert_eq!(number, counts[poster], "of poster {poster}");
        counts[poster] += 1;
    }
}

/// How many connections the gateway has, or will have once it has accepted them: its sockets in
/// `/proc`, but for those that it has let go and the kernel has not.
pub fn connections(node: &TestNode) -> usize {
    let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", node.process_id())).unwrap();
    let port = format!(":{:04X}", node.address().port());
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    // Number, own address, other address, state, …, inode: proc(5). 0 is the inode of a socket that
    // no process has; then ESTABLISHED (01) and CLOSE_WAIT (08) are before accept, others orphans.
    rows.filter(|row| row[1].ends_with(&port) && row[3] != "0A")
        .filter(|row| row[9] != "0" || matches!(row[3], "01" | "08"))
        .count()
}

/// Bytes of memory that the gateway has to itself.
pub fn anonymous_bytes(node: &TestNode) -> usize {
    let path = format!("/proc/{}/smaps_rollup", node.process_id());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// The CPU time that the gateway has used so far.
pub fn cpu_seconds(node: &TestNode) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.process_id())).unwrap();
    // Behind the name, which may have spaces, the 12th and 13th field, in hundredths: proc(5).
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    [fields[11], fields[12]].map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).iter().sum()
}
