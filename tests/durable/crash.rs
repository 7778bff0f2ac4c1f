//! Posters, listeners, and a node that is killed again and again.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::common::client::Transport;
use super::common::http::{Connection, Request, Response};
use super::common::node::{Login, TestNode};
use super::common::{id_of, offset_of, value_of};
use super::follower::follow;
use super::{all, reads};

const POSTERS: usize = 8;
/// How long a poster waits behind a failure: twice as long behind each that follows, up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(80));
/// How long a life of the node may be at the most, behind its start.
const LIFE: u64 = 300;

/// What a poster was told of its posts: the numbers of those that are published with their ids, in its
/// order, and those of which it was told that they are not.
#[derive(Default)]
struct Told {
    acknowledged: Vec<(u64, String)>,
    refused: Vec<u64>,
}

/// Eight who post to the durable root of a node and four who listen, one over each transport.
pub(crate) struct Crowd {
    goes_on: Arc<AtomicBool>,
    posters: Vec<JoinHandle<Told>>,
    listeners: Vec<JoinHandle<Vec<Value>>>,
}

impl Crowd {
    pub(crate) async fn begin(node: &TestNode) -> Self {
        let (address, goes_on) = (node.address(), Arc::new(AtomicBool::new(true)));
        let (mut posters, mut listeners) = (Vec::new(), Vec::new());
        for poster in 0..POSTERS {
            let (login, goes_on) = (node.login().await, Arc::clone(&goes_on));
            posters.push(tokio::spawn(post(address, login, poster, goes_on)));
        }
        for transport in Transport::ALL {
            let login = node.login().await;
            listeners.push(tokio::spawn(follow(address, login, transport, "the end")));
        }
        Self { goes_on, posters, listeners }
    }

    /// Has it end, and then: every acknowledged post is in history, once, in one order consistent with
    /// each poster's own, and none that was refused; everybody who listened heard exactly that; offsets
    /// rise by one.
    pub(crate) async fn end(self, node: &TestNode) {
        self.goes_on.store(false, Ordering::Relaxed);
        let mut told = Vec::new();
        for poster in self.posters {
            told.push(poster.await.unwrap());
        }
        let alice = node.login().await;
        node.post(&alice, "the end").await;
        let kept = all(node, &alice, "since", "0").await;
        check(&kept, &told);
        for listener in self.listeners {
            let heard = listener.await.unwrap();
            assert_eq!(heard.len(), kept.len());
            assert!(heard == kept, "heard something else");
        }
    }
}

/// Kills `node`, which has a durable root, `crashes` times while a crowd is at it.
///
/// Between its death and its next life `cut` may do something to what it left.
pub(crate) async fn survive(
    mut node: TestNode,
    crashes: u32,
    cut: impl Fn(&TestNode, &mut Random),
) {
    let mut random = Random::of_environment();
    let crowd = Crowd::begin(&node).await;
    for _ in 0..crashes {
        tokio::time::sleep(Duration::from_millis(random.below(LIFE))).await;
        node.signal("KILL").await;
        node.exit().await;
        cut(&node, &mut random);
        node.start_again().await;
        reads(&node).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    crowd.end(&node).await;
}

/// Posts numbers one after the other, each until it is acknowledged where it has a key; else once.
async fn post(address: SocketAddr, login: Login, poster: usize, goes_on: Arc<AtomicBool>) -> Told {
    let is_keyed = poster.is_multiple_of(2);
    let (mut told, mut number) = (Told::default(), 0);
    let (mut connection, mut pause) = (None, PAUSES.0);
    while goes_on.load(Ordering::Relaxed) {
        let answer = attempt(address, &login, &mut connection, (poster, number)).await;
        let is_done = answer.as_ref().is_some_and(|answer| answer.status == 200);
        match answer {
            Some(answer) if is_done => {
                told.acknowledged.push((number, id_of(&answer.json()).to_owned()));
            }
            Some(_) if !is_keyed => told.refused.push(number),
            _ => {}
        }
        if is_done {
            pause = PAUSES.0;
        } else {
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(PAUSES.1);
        }
        if is_done || !is_keyed {
            number += 1;
        }
    }
    told
}

async fn attempt(
    address: SocketAddr,
    login: &Login,
    kept: &mut Option<Connection>,
    (poster, number): (usize, u64),
) -> Option<Response> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::try_open(address, None).await.ok()?,
    };
    let value = json!({ "value": format!("{poster}:{number}"), "key": key(poster, number) });
    let request = Request::post("/post").bearer(&login.token).json(&value);
    connection.write(&request.bytes(address, true)).await;
    let answer = connection.try_response().await?;
    *kept = Some(connection);
    Some(answer)
}

fn key(poster: usize, number: u64) -> String {
    format!("{poster}-{number}")
}

fn check(kept: &[Value], told: &[Told]) {
    let offsets = kept.iter().map(|message| offset_of(id_of(message)));
    assert!(offsets.eq(1..=kept.len() as u64), "offsets rise by one");
    let epochs: HashSet<_> = kept.iter().map(|message| id_of(message).split('-').next()).collect();
    assert_eq!(epochs.len(), 1, "{epochs:?}");
    let mut places: HashMap<&str, (usize, &str)> = HashMap::new();
    for (place, message) in kept.iter().enumerate() {
        let earlier = places.insert(value_of(message), (place, id_of(message)));
        assert!(earlier.is_none(), "twice: {message}");
    }
    for (poster, Told { acknowledged, refused }) in told.iter().enumerate() {
        for number in refused {
            let value = format!("{poster}:{number}");
            assert!(!places.contains_key(value.as_str()), "{value} was refused, and is there");
        }
        let mut before = 0;
        for (number, id) in acknowledged {
            let value = format!("{poster}:{number}");
            let (place, found) =
                places.get(value.as_str()).unwrap_or_else(|| panic!("{value} is lost"));
            assert_eq!(found, id, "{value} has another place");
            assert!(*place >= before, "{value} came before its poster's earlier one");
            before = *place;
        }
    }
    let count: usize = told.iter().map(|told| told.acknowledged.len()).sum();
    let refused: usize = told.iter().map(|told| told.refused.len()).sum();
    eprintln!("{} kept, {count} acknowledged, {refused} refused", kept.len());
    assert!(count > 0, "nothing was acknowledged");
}

/// Random numbers of a seed that is printed: `CRASH_SEED` gives it again.
pub(crate) struct Random(u64);

impl Random {
    fn of_environment() -> Self {
        let given = std::env::var("CRASH_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = given.unwrap_or_else(|| getrandom::u64().unwrap());
        eprintln!("CRASH_SEED={seed}");
        Self(seed)
    }

    /// The next, below `bound`. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
    /// generators", `SplitMix64`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
