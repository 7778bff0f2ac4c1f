//! A gateway, somebody who listens on it, and whoever means harm.

use super::common::client::{TestClient, Transport};
use super::common::http::{Connection, Request, Response};
use super::common::node::{Login, TestNode};
use super::common::{guarded, value_of};

/// What a second request that hides behind another one would publish.
pub const SMUGGLED: &str = "smuggled";

pub struct Scene {
    pub node: TestNode,
    pub alice: Login,
    /// Hears everything on the root channel.
    bystander: TestClient,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with_config("").await
    }

    pub async fn with_config(toml: &str) -> Self {
        let node = TestNode::with_config(toml).await;
        let (alice, bob) = (node.login().await, node.login().await);
        let query = bob.query("users=none");
        let bystander = TestClient::connect(&node, Transport::Ws, "", &query).await;
        Self { node, alice, bystander }
    }

    /// `Host` and Alice's token: header lines for a request that is otherwise in order.
    pub fn headers(&self) -> String {
        format!("Host: {}\r\nAuthorization: Bearer {}\r\n", self.node.address(), self.alice.token)
    }

    /// A post by Alice with these header lines and this body, as bytes.
    pub fn post(&self, lines: &str, body: &[u8]) -> Vec<u8> {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let head = format!("POST /post HTTP/1.1\r\n{}{form}{lines}\r\n", self.headers());
        [head.as_bytes(), body].concat()
    }

    /// A request that would be seen if it were answered or obeyed.
    fn smuggled(&self) -> Vec<u8> {
        let body = format!("value={SMUGGLED}");
        self.post(&format!("Content-Length: {}\r\n", body.len()), body.as_bytes())
    }

    /// Every answer that these bytes get until the connection ends, which it must.
    pub async fn say(&self, bytes: &[u8]) -> Vec<Response> {
        let mut connection = Connection::open(self.node.address()).await;
        connection.write(bytes).await;
        let mut answers = Vec::new();
        while let Some(answer) = guarded("an answer or the end", connection.try_response()).await {
            answers.push(answer);
        }
        assert!(connection.ends().await);
        answers
    }

    /// The one answer that these bytes get. The connection ends behind it, and a request that hides
    /// behind them is neither answered nor obeyed.
    pub async fn refused(&mut self, what: &str, bytes: &[u8], statuses: &[u16]) -> Response {
        let bytes = [bytes, &self.smuggled()].concat();
        let mut answers = self.say(&bytes).await;
        assert_eq!(answers.len(), 1, "{what}: {answers:?}");
        let answer = answers.remove(0);
        assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
        self.is_undisturbed(what).await;
        answer
    }

    /// The gateway is well, and the listener hears this and nothing that came in between.
    pub async fn is_undisturbed(&mut self, what: &str) {
        let health = Request::get("/healthz").send(&self.node).await;
        assert_eq!(health.status, 200, "{what}");
        self.node.post(&self.alice, what).await;
        assert_eq!(self.hears().await, what, "what others hear");
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

    /// The value of the next message that the listener gets.
    pub async fn hears(&mut self) -> String {
        value_of(&self.bystander.next().await).to_owned()
    }
}
