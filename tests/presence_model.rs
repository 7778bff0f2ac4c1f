//! Presence against a simple reference: random logins, connections, closes, cuts, posts, polls,
//! logouts and waits, and after each of them who must be on the list and who must not.
//!
//! The reference knows for each client until when it must be listed and from when it must not;
//! between the two it may be either, since the gateway hears of a cut a little later than we do it.
//! `PUSHGATE_TEST_SEED` runs a seed again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::time::Duration;

use common::client::{TestClient, Transport};
use common::http::Request;
use common::node::{Login, TestNode};
use common::{GUARD, ids_on};
use tokio::time::Instant;

const LINGER: Duration = Duration::from_millis(600);
const TIMEOUT: Duration = Duration::from_millis(1500);

/// What a clock, a scheduler and a loaded machine may add to an end that is due.
const SLACK: Duration = Duration::from_secs(1);

/// What a time measured here may be ahead of the same time measured there.
const EDGE: Duration = Duration::from_millis(50);

const STEPS: u32 = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_lives_agree_with_the_reference() {
    let seed = std::env::var("PUSHGATE_TEST_SEED").ok().map_or_else(
        || uuid::Uuid::new_v4().as_u64_pair().0,
        |text| text.parse().expect("PUSHGATE_TEST_SEED is a number"),
    );
    println!("PUSHGATE_TEST_SEED={seed}");
    let mut world = World::new(seed).await;
    for step in 0..STEPS {
        let done = world.step().await;
        world.compare(&format!("seed {seed}, step {step}, after {done}")).await;
    }
    world.settle(&format!("seed {seed}, settled")).await;
}

/// A client as the reference sees it.
struct Reference {
    login: Login,
    connections: Vec<TestClient>,
    /// Where it has no connection: listed at least until then.
    must_until: Instant,
    /// Where it has no connection: not listed from then on.
    gone_from: Instant,
    /// The last unclean end, a poll's included, of which the gateway may not have heard yet.
    cut_at: Option<Instant>,
    is_over: bool,
}

impl Reference {
    fn new(login: Login, before: Instant) -> Self {
        let mut new = Self {
            login,
            connections: Vec::new(),
            must_until: before,
            gone_from: before,
            cut_at: None,
            is_over: false,
        };
        new.active(before);
        new
    }

    /// A login or a post: without a connection it lasts for the timeout.
    fn active(&mut self, before: Instant) {
        self.must_until = before + TIMEOUT - EDGE;
        self.gone_from = Instant::now() + TIMEOUT + SLACK;
    }

    /// The end of a poll: the linger, or what is left of the timeout if that is read to hold.
    fn polled(&mut self, before: Instant) {
        self.must_until = before + LINGER - EDGE;
        self.gone_from = Instant::now() + TIMEOUT + SLACK;
        self.cut_at = Some(Instant::now());
    }

    /// The unclean end of the last connection.
    fn cut(&mut self, before: Instant) {
        self.must_until = before + LINGER - EDGE;
        self.gone_from = Instant::now() + LINGER + SLACK;
    }

    /// The client's own close of the last connection.
    fn closed(&mut self) {
        let now = Instant::now();
        // A cut that is heard of after the close is the last end instead, and lingers.
        let unheard = self.cut_at.is_some_and(|cut| now < cut + SLACK);
        self.must_until = now;
        self.gone_from = if unheard { now + LINGER + SLACK } else { now };
    }

    fn must_be_listed(&self, until: Instant) -> bool {
        !self.is_over && (!self.connections.is_empty() || until < self.must_until)
    }

    fn must_not_be_listed(&self, from: Instant) -> bool {
        self.is_over || (self.connections.is_empty() && from >= self.gone_from)
    }
}

struct World {
    node: TestNode,
    observer: Login,
    /// Keeps the observer present and its token busy.
    _watching: TestClient,
    clients: Vec<Reference>,
    random: Random,
}

impl World {
    async fn new(seed: u64) -> Self {
        let config = format!(
            "[presence]\nlinger = {}\ntimeout = {}",
            LINGER.as_secs_f64(),
            TIMEOUT.as_secs_f64()
        );
        let node = TestNode::with_config(&config).await;
        let observer = node.login().await;
        let query = observer.query("users=none");
        let watching = TestClient::connect(&node, Transport::Ws, "", &query).await;
        let random = Random(seed);
        Self { node, observer, _watching: watching, clients: Vec::new(), random }
    }

    /// Does something, and says what.
    async fn step(&mut self) -> String {
        if self.clients.len() < 3 {
            return self.login().await;
        }
        let index = self.random.below(self.clients.len());
        match self.random.below(20) {
            0..=2 => self.login().await,
            3..=8 => self.connect(index).await,
            9..=10 => self.close(index).await,
            11..=13 => self.cut(index),
            14 => self.logout(index).await,
            15..=16 => self.post(index).await,
            17 => self.poll(index).await,
            _ => {
                // Time is the subject: lingers and timeouts run out in pauses of every length.
                let time = 20 * u64::try_from(self.random.below(20)).unwrap();
                tokio::time::sleep(Duration::from_millis(time)).await;
                format!("{time} ms of nothing")
            }
        }
    }

    async fn login(&mut self) -> String {
        let before = Instant::now();
        let login = self.node.login().await;
        let done = format!("the login of {}", login.client_id);
        self.clients.push(Reference::new(login, before));
        done
    }

    async fn connect(&mut self, index: usize) -> String {
        let transport = [Transport::Ws, Transport::Sse, Transport::Stream][self.random.below(3)];
        let channel = ["", "room"][self.random.below(2)];
        let client = &mut self.clients[index];
        if client.is_over || client.connections.len() >= 4 {
            return "no connection".to_owned();
        }
        let query = client.login.query("users=none");
        let open = TestClient::connect(&self.node, transport, channel, &query).await;
        client.connections.push(open);
        format!("{transport:?} of {} on {channel:?}", client.login.client_id)
    }

    /// Closes the newest connection that is a WebSocket.
    async fn close(&mut self, index: usize) -> String {
        let client = &mut self.clients[index];
        let Some(at) = client.connections.iter().rposition(TestClient::is_ws) else {
            return "no close".to_owned();
        };
        client.connections.remove(at).close().await;
        if client.connections.is_empty() {
            client.closed();
        }
        format!("a close of {}", client.login.client_id)
    }

    fn cut(&mut self, index: usize) -> String {
        let before = Instant::now();
        let client = &mut self.clients[index];
        let Some(open) = client.connections.pop() else {
            return "no cut".to_owned();
        };
        open.cut();
        client.cut_at = Some(Instant::now());
        if client.connections.is_empty() {
            client.cut(before);
        }
        format!("a cut of {}", client.login.client_id)
    }

    async fn logout(&mut self, index: usize) -> String {
        let client = &mut self.clients[index];
        if client.is_over {
            return "no logout".to_owned();
        }
        client.login.logout(&self.node).await;
        client.is_over = true;
        client.connections.clear();
        format!("the logout of {}", client.login.client_id)
    }

    async fn post(&mut self, index: usize) -> String {
        let before = Instant::now();
        let client = &mut self.clients[index];
        if client.is_over {
            return "no post".to_owned();
        }
        self.node.post(&client.login, "hi").await;
        // A cut that is not heard of yet would end by the linger what the post has renewed.
        let unheard = client.cut_at.is_some_and(|cut| Instant::now() < cut + SLACK);
        client.active(before);
        if unheard {
            client.must_until = before + LINGER - EDGE;
        }
        format!("a post of {}", client.login.client_id)
    }

    async fn poll(&mut self, index: usize) -> String {
        let before = Instant::now();
        let client = &mut self.clients[index];
        if client.is_over {
            return "no poll".to_owned();
        }
        let request = Request::get("/poll?users=none&wait=0").bearer(&client.login.token);
        request.send(&self.node).await.ok();
        client.polled(before);
        format!("a poll of {}", client.login.client_id)
    }

    /// Who must be listed is, whenever it is asked; who must not be is not, before long.
    async fn compare(&self, when: &str) {
        let start = Instant::now();
        loop {
            let before = Instant::now();
            let listed = ids_on(&self.node.users(&self.observer).await);
            let after = Instant::now();
            assert!(listed.contains(&self.observer.client_id), "{when}: the observer is gone");
            for client in &self.clients {
                let id = &client.login.client_id;
                assert!(
                    listed.contains(id) || !client.must_be_listed(after),
                    "{when}: {id} is not listed, with {} connections",
                    client.connections.len()
                );
            }
            let ghost = self.clients.iter().find(|client| {
                client.must_not_be_listed(before) && listed.contains(&client.login.client_id)
            });
            let Some(ghost) = ghost else { return };
            let id = &ghost.login.client_id;
            assert!(start.elapsed() < GUARD / 2, "{when}: {id} is still listed");
            // Asked again until it is gone: nothing is pushed to who only asks.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// When every time is over, who has a connection is listed, and nobody else.
    async fn settle(&mut self, when: &str) {
        let due = self.clients.iter().filter(|client| client.connections.is_empty());
        let settled = due.map(|client| client.gone_from).max().unwrap_or_else(Instant::now);
        // Here time is the subject, too: what the reference allows until then is allowed no longer.
        tokio::time::sleep_until(settled).await;
        self.compare(when).await;
        let mut expected: Vec<String> = self
            .clients
            .iter()
            .filter(|client| !client.connections.is_empty())
            .map(|client| client.login.client_id.clone())
            .collect();
        expected.push(self.observer.client_id.clone());
        expected.sort();
        let list = self.node.users(&self.observer).await;
        assert_eq!(ids_on(&list), expected, "{when}");
        assert_eq!(list["count"], expected.len(), "{when}");
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).unwrap()
    }
}
