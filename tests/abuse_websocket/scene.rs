//! A gateway, somebody who listens on it, and whoever means harm.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::common::client::{TestClient, Transport};
use super::common::node::{Login, TestNode};
use super::common::ws::{CLOSE, PONG, RawSocket, TEXT};
use super::common::{guarded, value_of};

/// Nobody is exempt, and few messages are many: 200 control frames a second may come.
pub const COUNTED: &str = "[limits]\nexempt = []\nmessages_per_second = 20\nmessage_burst = 100\n";

pub struct Scene {
    pub node: TestNode,
    pub alice: Login,
    bob: Login,
    beside: TestClient,
    posts: u32,
    peak: u64,
}

/// What came back for a flood.
#[derive(Debug, Default)]
pub struct Answers {
    pub pongs: usize,
    pub texts: usize,
    pub close: Option<u16>,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with_config("").await
    }

    pub async fn with_config(config: &str) -> Self {
        let node = TestNode::with_config(config).await;
        let (alice, bob) = (node.login().await, node.login().await);
        let query = bob.query("users=none");
        let beside = TestClient::connect(&node, Transport::Ws, "", &query).await;
        let peak = peak_memory(&node);
        Self { node, alice, bob, beside, posts: 0, peak }
    }

    /// Where Alice opens her WebSocket: apart from the others.
    pub fn target(&self) -> String {
        format!("/ws/apart?{}", self.alice.query("users=none"))
    }

    pub async fn socket(&self) -> RawSocket {
        RawSocket::open(&self.node, &self.target()).await
    }

    /// Others are served, nothing panicked, and little memory was held.
    pub async fn is_well(&mut self, what: &str) {
        self.posts += 1;
        let text = format!("undisturbed {}", self.posts);
        self.node.post(&self.bob, &text).await;
        assert_eq!(value_of(&self.beside.next().await), text, "{what}");
        let grown = peak_memory(&self.node) - self.peak;
        assert!(grown < 16 * 1024, "{what}: {grown} KiB more memory");
        assert!(!self.node.output().contains("panicked"), "{what}: {}", self.node.output());
    }

    /// The CPU time that the gateway has used so far.
    pub fn cpu_seconds(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.node.process_id());
        let stat = std::fs::read_to_string(path).unwrap();
        // Behind the name, which may have spaces, the 12th and 13th field, in hundredths: proc(5).
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        [fields[11], fields[12]].map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).iter().sum()
    }

    /// Sends while it reads, with others served meanwhile, and then `last`. What comes
    /// back until the end, or until the answer to `last`, which is a text.
    pub async fn flood(&mut self, what: &str, bytes: &[u8], last: &[u8]) -> Answers {
        let (stream, read) = self.socket().await.connection.into_parts();
        let (mut reader, mut writer) = stream.into_split();
        let bytes = [bytes, last].concat();
        let writing = tokio::spawn(async move {
            let _ = writer.write_all(&bytes).await;
            writer
        });
        let reading = tokio::spawn(async move {
            let (mut answers, mut read) = (Answers::default(), read);
            loop {
                while let Some((opcode, payload)) = take(&mut read) {
                    match opcode {
                        PONG => answers.pongs += 1,
                        TEXT if payload.windows(4).any(|part| part == b"last") => return answers,
                        TEXT => answers.texts += 1,
                        CLOSE => answers.close = Some(u16::from_be_bytes([payload[0], payload[1]])),
                        _ => {}
                    }
                }
                if !matches!(reader.read_buf(&mut read).await, Ok(1..)) {
                    return answers;
                }
            }
        });
        self.is_well(what).await;
        let answers = guarded(what, reading).await.unwrap();
        drop(guarded(what, writing).await.unwrap());
        self.is_well(what).await;
        answers
    }
}

/// The first frame of what a server sent, once it is whole: opcode and payload.
fn take(read: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (first, second) = (*read.first()?, *read.get(1)?);
    let (start, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes([*read.get(2)?, *read.get(3)?]))),
        127 => panic!("nothing here is that long"),
        short => (2, usize::from(short)),
    };
    let payload = read.get(start..start + length)?.to_vec();
    read.drain(..start + length);
    Some((first & 0x0f, payload))
}

/// The most memory that the node has had resident so far, in KiB.
fn peak_memory(node: &TestNode) -> u64 {
    let path = format!("/proc/{}/status", node.process_id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
