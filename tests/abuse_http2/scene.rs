//! A gateway, and two who are well: one speaks HTTP/2, one listens over a WebSocket.

use super::common::client::{TestClient, Transport};
use super::common::node::{Login, TestNode};
use super::common::value_of;
use super::peer::{
    DATA, END_HEADERS, END_STREAM, HEADERS, Outcome, Peer, block, frame, pseudo, window_update,
};

pub struct Scene {
    pub node: TestNode,
    pub alice: Login,
    pub beside: Beside,
    peak: u64,
}

/// Those who must not notice.
pub struct Beside {
    peer: Peer,
    stream: u32,
    token: String,
    listener: TestClient,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with_config("").await
    }

    pub async fn with_config(toml: &str) -> Self {
        let node = TestNode::with_config(toml).await;
        let (alice, bob) = (node.login().await, node.login().await);
        let query = bob.query("users=none");
        let listener = TestClient::connect(&node, Transport::Ws, "", &query).await;
        let peer = Peer::open(&node).await;
        let beside = Beside { peer, stream: 1, token: alice.token.clone(), listener };
        let peak = peak_memory(&node);
        Self { node, alice, beside, peak }
    }

    /// The gateway serves others, has no bug to report, and never held much.
    pub async fn is_well(&mut self, what: &str) {
        self.beside.are_served(what, 1).await;
        let grown = peak_memory(&self.node) - self.peak;
        assert!(grown < 32 * 1024, "{what}: {grown} KiB more memory");
        assert!(!self.node.output().contains("panicked"), "{what}: {}", self.node.output());
    }

    /// What becomes of stream 1 of a new connection that sends this, while others are served.
    pub async fn outcome(&mut self, what: &str, bytes: &[u8]) -> Outcome {
        let mut peer = Peer::open(&self.node).await;
        peer.write(bytes).await;
        let outcome = peer.outcome(1).await;
        self.is_well(what).await;
        outcome
    }
}

impl Beside {
    /// Posts over HTTP/2 arrive over the WebSocket.
    pub async fn are_served(&mut self, what: &str, times: u32) {
        for _ in 0..times {
            let bearer = format!("Bearer {}", self.token);
            let mut fields = pseudo("POST", "/post");
            fields.push(("authorization", &bearer));
            fields.push(("content-type", "application/x-www-form-urlencoded"));
            let stream = self.stream;
            let body = format!("value=undisturbed+{stream}");
            self.stream += 2;
            let request = [
                frame(HEADERS, END_HEADERS, stream, &block(&fields)),
                frame(DATA, END_STREAM, stream, body.as_bytes()),
                window_update(0, 1000),
            ];
            self.peer.write(&request.concat()).await;
            assert_eq!(self.peer.outcome(stream).await, Outcome::Answer(200), "{what}");
            let heard = self.listener.next().await;
            assert_eq!(value_of(&heard), format!("undisturbed {stream}"), "{what}");
        }
    }
}

/// The most memory that the node has had resident so far, in KiB.
fn peak_memory(node: &TestNode) -> u64 {
    let path = format!("/proc/{}/status", node.process_id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
